"""Business days and due dates. A date outside a calendar's range is an error, never "no holiday"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from monitor.rules.marks import Confirmation, Verified

#: A clock that runs longer is no cure clock.
MOST_DAYS = 400


class Starts(StrEnum):
    """Which day is counted first: the first one after the detection date, or that date itself."""

    DAY_AFTER = "day_after"
    SAME_DAY = "same_day"


class DayUnit(StrEnum):
    """What a cure clock counts."""

    BUSINESS_DAY = "business_day"
    DAY = "day"


class OutOfRange(Exception):
    """A day of which the calendar knows nothing."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The business days from ``first`` to ``last``. ``weekend``: as date.weekday(), Monday is 0."""

    name: str
    version: str
    first: date
    last: date
    weekend: frozenset[int]
    holidays: frozenset[date]

    def is_business_day(self, day: date) -> bool:
        """Raises OutOfRange outside the calendar's range."""
        if not self.first <= day <= self.last:
            raise OutOfRange(
                f"{day} is outside the calendar {self.name} ({self.first} to {self.last}): install one that has it"
            )
        return day.weekday() not in self.weekend and day not in self.holidays


def add_business_days(day: date, n: int, calendar: Calendar, starts: Starts) -> date:
    """The n-th business day counted from ``day``. Raises OutOfRange, and ValueError for n outside 1 … 400."""
    if not 1 <= n <= MOST_DAYS:
        raise ValueError(f"a clock of {n} days: write 1 to {MOST_DAYS}")
    calendar.is_business_day(day)
    counted = 0
    current = day if starts is Starts.SAME_DAY else day + timedelta(days=1)
    while True:
        counted += calendar.is_business_day(current)
        if counted == n:
            return current
        current += timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cure:
    """How long a breach may stand: ``n`` of ``unit`` from ``starts``. ``verified`` is printed, never decisive.

    ``n`` is the number of ``confirmed``, where there is one.
    """

    n: int
    unit: DayUnit
    starts: Starts
    verified: Verified
    confirmed: Confirmation | None = None


def due(detected: datetime, zone: tzinfo, cure: Cure, calendar: Calendar) -> date:
    """The last day on which a breach must be cured, counted on local dates: an hour more or less a day changes nothing.

    ``detected`` knows its offset. Raises OutOfRange.
    """
    if detected.tzinfo is None:
        raise ValueError("the moment of detection has no offset")
    day = detected.astimezone(zone).date()
    if cure.unit is DayUnit.BUSINESS_DAY:
        return add_business_days(day, cure.n, calendar, cure.starts)
    return day + timedelta(days=cure.n - (cure.starts is Starts.SAME_DAY))
