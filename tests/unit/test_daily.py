"""The business day's close when the clocks change: no day without one, no day with two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from hypothesis import given
from hypothesis import strategies as st

from monitor.daily import Daily

#: With a change at 01:00, 02:00, at midnight itself (Santiago, Beirut, Cairo), from 01:00 back to midnight (Havana),
#: by half an hour (Lord Howe), and without any.
ZONES = (
    "Europe/London", "Europe/Oslo", "America/New_York", "America/Santiago", "Asia/Beirut", "Africa/Cairo",
    "America/Havana", "Australia/Lord_Howe", "Asia/Tokyo",
)  # fmt: skip
MIDNIGHT = time(0, 0)


def fires(at: time, zone: str, begin: datetime, end: datetime) -> Iterator[datetime]:
    """When a real job of a real scheduler runs, by a clock that goes on to just after each run."""
    scheduler = AsyncIOScheduler(timezone=ZoneInfo(zone))
    job = scheduler.add_job(lambda: None, Daily(at, ZoneInfo(zone)), id="close", next_run_time=None)
    now, previous = begin, None
    while True:
        previous = job.trigger.get_next_fire_time(previous, now)
        if previous >= end:
            return
        yield previous
        now = previous.astimezone(UTC) + timedelta(milliseconds=3)


@given(st.sampled_from(ZONES), st.times().map(lambda t: t.replace(second=0, microsecond=0)), st.integers(2024, 2030))
def test_every_day_of_every_zone_has_exactly_one_close(zone: str, at: time, year: int) -> None:
    local = ZoneInfo(zone)
    begin, end = datetime(year, 1, 1, tzinfo=local), datetime(year + 1, 1, 1, tzinfo=local)
    found = list(fires(at, zone, begin, end))
    assert found == sorted(found)
    days = Counter(moment.date() for moment in found)
    assert set(days.values()) == {1}
    assert len(days) == (date(year + 1, 1, 1) - date(year, 1, 1)).days
    shifted = [moment for moment in found if moment.time() != at]
    assert len(shifted) <= 1, "only where the clocks skip the time"
    assert all(moment.utcoffset() != (moment - timedelta(days=1)).utcoffset() for moment in shifted)


@pytest.mark.parametrize(
    ("zone", "at", "day", "utc"),
    [
        ("Europe/Oslo", MIDNIGHT, date(2026, 3, 29), "2026-03-28T23:00"),
        ("Europe/Oslo", MIDNIGHT, date(2026, 3, 30), "2026-03-29T22:00"),
        ("Europe/Oslo", MIDNIGHT, date(2026, 10, 26), "2026-10-25T23:00"),
        ("Europe/Oslo", time(2, 30), date(2026, 3, 29), "2026-03-29T01:30"),
        ("Europe/Oslo", time(2, 30), date(2026, 10, 25), "2026-10-25T00:30"),
        ("America/Santiago", MIDNIGHT, date(2026, 9, 6), "2026-09-06T04:00"),
        ("America/Havana", MIDNIGHT, date(2026, 11, 1), "2026-11-01T04:00"),
        ("Asia/Tokyo", MIDNIGHT, date(2026, 3, 30), "2026-03-29T15:00"),
    ],
)
def test_the_close_of_a_day_on_which_or_after_which_the_clocks_change(zone: str, at: time, day: date, utc: str) -> None:
    begin = datetime.combine(day - timedelta(days=3), time(12), UTC)
    (found,) = (f for f in fires(at, zone, begin, begin + timedelta(days=6)) if f.date() == day)
    assert found.astimezone(UTC) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_a_start_at_the_very_moment_is_in_time_and_one_after_it_waits_for_the_next() -> None:
    zone = ZoneInfo("Asia/Tokyo")
    close = datetime(2026, 11, 25, 0, 0, tzinfo=zone)
    daily = Daily(MIDNIGHT, zone)
    assert daily.get_next_fire_time(None, close) == close
    assert daily.get_next_fire_time(None, close + timedelta.resolution) == close + timedelta(days=1)


def test_a_clock_that_is_set_back_repeats_no_close_and_one_set_forward_leaves_none_out() -> None:
    """What was missed meanwhile is handed out as well: the scheduler runs it once, or reports it."""
    zone = ZoneInfo("Asia/Tokyo")
    close = datetime(2026, 11, 25, 0, 0, tzinfo=zone)
    daily = Daily(MIDNIGHT, zone)
    for now in (close - timedelta(hours=1), close, close + timedelta(days=3)):
        assert daily.get_next_fire_time(close, now) == close + timedelta(days=1)
