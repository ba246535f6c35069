"""Dates of the Japanese calendar beside ISO 8601: 2026-11-24 is 令和8年11月24日."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

#: the eras since Meiji, newest first, with the first day on which each was in use (Era Name Act; before 1979
#: imperial ordinances). A new era is one line here.
_ERAS = (
    (date(2019, 5, 1), "令和"),
    (date(1989, 1, 8), "平成"),
    (date(1926, 12, 25), "昭和"),
    (date(1912, 7, 30), "大正"),
    (date(1868, 1, 25), "明治"),
)


def wareki(day: date) -> str:
    """``day`` in the Japanese calendar; the first year of an era is 元年.

    Raises ValueError for a day before Meiji: no report is about one.
    """
    for first, era in _ERAS:
        if day >= first:
            year = day.year - first.year + 1
            return f"{era}{'元' if year == 1 else year}年{day.month}月{day.day}日"
    raise ValueError(f"{day.isoformat()} is before Meiji (1868-01-25): the date is wrong")


@lru_cache(maxsize=65536)
def local(moment: str, timezone: str) -> datetime:
    """An RFC 3339 time in the time zone of the entity."""
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(timezone))
