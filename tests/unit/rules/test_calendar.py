from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.profiles.calendars import read_calendar
from monitor.rules.calendar import Calendar, Cure, DayUnit, OutOfRange, Starts, add_business_days, due
from monitor.rules.marks import Verified

TOKYO = ZoneInfo("Asia/Tokyo")
JAPAN, _ = read_calendar("jp_business_days", Path())
FIVE = Cure(5, DayUnit.BUSINESS_DAY, Starts.DAY_AFTER, Verified.FALSE)
days = st.dates(JAPAN.first, JAPAN.last - timedelta(days=60))


def test_a_breach_found_on_friday_before_a_holiday_is_due_on_monday_after_next() -> None:
    detected = datetime(2026, 11, 20, 12, tzinfo=TOKYO)
    assert not JAPAN.is_business_day(date(2026, 11, 23))
    assert due(detected, TOKYO, FIVE, JAPAN) == date(2026, 11, 30)


def test_the_detection_date_is_that_of_local_time() -> None:
    detected = datetime(2026, 11, 20, 16, tzinfo=UTC)
    assert detected.astimezone(TOKYO).date() == date(2026, 11, 21)
    assert due(detected, TOKYO, FIVE, JAPAN) == date(2026, 11, 30)


def test_a_clock_that_starts_on_the_same_day_ends_a_day_sooner() -> None:
    same = Cure(5, DayUnit.BUSINESS_DAY, Starts.SAME_DAY, Verified.FALSE)
    detected = datetime(2026, 11, 20, 12, tzinfo=TOKYO)
    assert due(detected, TOKYO, same, JAPAN) == date(2026, 11, 27)


@pytest.mark.parametrize(
    ("starts", "last"), [(Starts.DAY_AFTER, date(2026, 11, 22)), (Starts.SAME_DAY, date(2026, 11, 21))]
)
def test_plain_days_count_weekends_too(starts: Starts, last: date) -> None:
    detected = datetime(2026, 11, 20, 12, tzinfo=TOKYO)
    assert due(detected, TOKYO, Cure(2, DayUnit.DAY, starts, Verified.TRUE), JAPAN) == last


@pytest.mark.parametrize("hour", [0, 3, 23])
def test_days_are_local_dates_when_the_clock_changes(hour: int) -> None:
    # On 2026-03-29 Brussels has 23 hours: 48 hours after the evening of the 27th is already the 30th there.
    brussels = ZoneInfo("Europe/Brussels")
    detected = datetime(2026, 3, 27, hour, 30, tzinfo=brussels)
    assert due(detected, brussels, Cure(2, DayUnit.DAY, Starts.DAY_AFTER, Verified.TRUE), JAPAN) == date(2026, 3, 29)


@pytest.mark.parametrize("day", [JAPAN.first - timedelta(days=1), JAPAN.last + timedelta(days=1)])
def test_a_date_outside_the_calendar_is_an_error(day: date) -> None:
    with pytest.raises(OutOfRange, match="outside the calendar jp_business_days"):
        JAPAN.is_business_day(day)
    with pytest.raises(OutOfRange):
        add_business_days(day, 1, JAPAN, Starts.DAY_AFTER)


def test_a_clock_that_would_end_after_the_calendar_is_an_error() -> None:
    with pytest.raises(OutOfRange):
        add_business_days(JAPAN.last, 1, JAPAN, Starts.DAY_AFTER)
    idle = Calendar("idle", "1", date(2026, 1, 1), date(2026, 2, 1), frozenset(range(7)), frozenset())
    with pytest.raises(OutOfRange):
        add_business_days(date(2026, 1, 1), 1, idle, Starts.SAME_DAY)


@pytest.mark.parametrize("n", [0, -1, 401])
def test_a_clock_of_no_days_or_too_many_is_an_error(n: int) -> None:
    with pytest.raises(ValueError, match="1 to 400"):
        add_business_days(date(2026, 1, 5), n, JAPAN, Starts.DAY_AFTER)


def test_a_moment_without_an_offset_is_an_error() -> None:
    with pytest.raises(ValueError, match="no offset"):
        due(datetime(2026, 11, 20), TOKYO, FIVE, JAPAN)  # noqa: DTZ001  the subject of the test


@given(days, st.integers(1, 20))
def test_n_business_days_lie_between_a_day_and_its_due_date(day: date, n: int) -> None:
    last = add_business_days(day, n, JAPAN, Starts.DAY_AFTER)
    between = [day + timedelta(days=step) for step in range(1, (last - day).days + 1)]
    assert sum(map(JAPAN.is_business_day, between)) == n
    assert JAPAN.is_business_day(last)


@given(days, st.integers(1, 10), st.integers(1, 10))
def test_business_days_add_up(day: date, first: int, second: int) -> None:
    halfway = add_business_days(day, first, JAPAN, Starts.DAY_AFTER)
    assert add_business_days(halfway, second, JAPAN, Starts.DAY_AFTER) == add_business_days(
        day, first + second, JAPAN, Starts.DAY_AFTER
    )
