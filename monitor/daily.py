"""Once a day at a time of the wall clock, on the days on which the clocks change as well."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

#: A day's own moment lies within a day of its date wherever the zone is: yesterday's to the day after tomorrow's.
_DAYS = range(-1, 3)


class Daily(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """A trigger of APScheduler: exactly one moment for each date of the zone's calendar.

    Where the clocks skip the time, it is so long after the change as the time would have been; where they
    show it twice, it is the first. APScheduler's own CronTrigger (3.11) adds whole days of 24 hours: it
    leaves out the midnight after the clocks went forward, and fires twice where the time comes twice.
    """

    __slots__ = ("_at", "_zone")

    def __init__(self, at: time, zone: ZoneInfo) -> None:
        """``at``: without a time zone of its own, to the minute or finer."""
        self._at = at
        self._zone = zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first moment after the previous one; before the first, the next that is not past."""
        after = now - timedelta.resolution if previous_fire_time is None else previous_fire_time
        today = after.astimezone(self._zone).date()
        moments = (self._moment(today + timedelta(days=days)) for days in _DAYS)
        return next(moment for moment in moments if moment > after)

    def _moment(self, day: date) -> datetime:
        """In UTC and back, so that a time that the clocks skip becomes one that they show."""
        wall = datetime.combine(day, self._at, self._zone).replace(fold=0)
        return wall.astimezone(UTC).astimezone(self._zone)
