"""Calendar files into Calendar values."""

from __future__ import annotations

from datetime import date
from pathlib import Path as FilePath

from monitor.config.translate import validated
from monitor.profiles.files import Sheet, is_file, shipped_file, shipped_names
from monitor.profiles.models import DAYS, CalendarDocument, read_day
from monitor.rules.calendar import Calendar
from monitor.rules.profile import Source


class NoCalendar(Exception):
    """A calendar that is not there."""


def read_calendar(name: str, base: FilePath) -> tuple[Calendar, Source]:
    """The shipped calendar of a name, or the one in a file (relative to ``base``).

    Raises NoCalendar where there is none of that name, ConfigError with every mistake in the file.
    """
    file = base / name if name.endswith((".yaml", ".yml")) else shipped_file("calendars", name)
    if file is None or not is_file(file):
        raise NoCalendar(
            f"there is no calendar {name}: write one of {', '.join(shipped_names('calendars'))}, "
            "or a file ending in .yaml"
        )
    sheet = Sheet(file)
    document, _ = validated(CalendarDocument, sheet.data, (), sheet.report)
    calendar = None if document is None else _calendar(document, sheet)
    sheet.finish()
    assert calendar is not None, "a calendar without mistakes"
    return calendar, Source("calendar", calendar.name, sheet.sha256)


def _calendar(document: CalendarDocument, sheet: Sheet) -> Calendar:
    if document.last < document.first:
        sheet.report(("last",), f"{document.last} is before first, {document.first}: correct one of them")
    for index, name in enumerate(document.weekend):
        if name not in DAYS:
            sheet.report(("weekend", index), f"{name!r} is no day of the week: write one of {', '.join(DAYS)}")
    weekend = frozenset(DAYS.index(name) for name in document.weekend if name in DAYS)
    holidays: set[date] = set()
    for text in document.holidays:
        try:
            day = read_day(text)
        except ValueError as error:
            sheet.report(("holidays", text), str(error))
            continue
        if not document.first <= day <= document.last:
            sheet.report(("holidays", text), f"is outside {document.first} to {document.last}: widen the range")
        holidays.add(day)
    return Calendar(document.name, document.version, document.first, document.last, weekend, frozenset(holidays))
