"""The report as one workbook: a sheet per table, every exact figure as text, a rounded number in the column beside it.

No cell is ever a formula or a link. Rows are streamed, so memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.publish.report.cells import FREE, NUMBERS, Cells, rounded
from monitor.publish.report.fields import Column, Kind
from monitor.publish.report.layout import Out, Role, Sheet, cells_of, sheets, standing, summary
from monitor.publish.report.words import Words

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook

    from monitor.publish.report.xlsx_rows import RowSheet

#: rows of a sheet that hold data: 2^20, less the title and the header
_SHEET_ROWS = 1_048_574
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


def write(report: dict[str, Any], words: Words, path: Path) -> list[Path]:
    """Writes the workbook; returns [path]."""
    # heavy, and only in the extra `report`
    from xlsxwriter import Workbook  # noqa: PLC0415

    cells = cells_of(report, words)
    book = Workbook(str(path), _OPTIONS)
    created = datetime.fromisoformat(report["header"]["prepared_at"]).astimezone(UTC).replace(tzinfo=None)
    book.set_properties({"title": words.presets[report["header"]["preset"]], "created": created})
    styles = _Styles(book, words)
    banner = f"{words.presets[report['header']['preset']]}  {words.phrases[standing(report)]}"
    _summary(book, styles, report, cells, banner)
    number = 0
    for sheet in sheets(report, cells, rounded=True):
        for start in range(0, max(len(sheet.rows), 1), _SHEET_ROWS):
            number += 1
            _sheet(book, styles, sheet, (number, start), cells, f"{sheet.title}  {banner}")
    book.close()
    return [path]


class _Styles:
    """The few formats of the workbook."""

    def __init__(self, book: Workbook, words: Words) -> None:
        font = {"font_name": "Yu Gothic" if words.language == "ja" else "Calibri", "font_size": 10}
        self.title: Format = book.add_format({**font, "font_size": 12, "font_color": "#1f3a5f"})
        self.head: Format = book.add_format(
            {**font, "bg_color": "#e8edf3", "bottom": 1, "text_wrap": True, "valign": "top"}
        )
        self.text: Format = book.add_format({**font, "num_format": "@", "valign": "top"})
        self.exact: Format = book.add_format({**font, "num_format": "@", "align": "right", "valign": "top"})
        self.number: Format = book.add_format({**font, "num_format": "#,##0.########", "font_color": "#5a6472"})
        self.count: Format = book.add_format({**font, "num_format": "#,##0"})

    def of(self, out: Out) -> Format:
        """The format of a printed column."""
        if out.role is Role.ROUNDED:
            return self.number
        if out.column.kind is Kind.COUNT:
            return self.count
        return self.exact if out.column.kind in NUMBERS and out.role is Role.EXACT else self.text


def _new_sheet(book: Workbook, name: str, banner: str) -> RowSheet:
    # heavy, as above
    from monitor.publish.report.xlsx_rows import RowSheet  # noqa: PLC0415

    sheet: RowSheet = book.add_worksheet(name, worksheet_class=RowSheet)
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.set_footer(f"&L{banner.replace('&', '&&')}&R&P / &N")
    return sheet


def _summary(book: Workbook, styles: _Styles, report: dict[str, Any], cells: Cells, banner: str) -> None:
    phrases = cells.words.phrases
    sheet = _new_sheet(book, f"00 {phrases['facts']}", banner)
    sheet.set_column(0, 1, 32)
    sheet.set_column(2, 2, 90)
    sheet.write_string(0, 0, banner, styles.title)
    row = 1
    for section, label, value, kind in summary(report, cells):
        sheet.write_string(row, 0, section, styles.text)
        sheet.write_string(row, 1, label, styles.text)
        if value is not None:
            sheet.write_string(row, 2, value, styles.exact if kind in NUMBERS or kind is Kind.COUNT else styles.text)
        row += 1
    sheet.write_string(row, 0, phrases["rounded_note"], styles.text)


def _sheet(book: Workbook, styles: _Styles, table: Sheet, part: tuple[int, int], cells: Cells, banner: str) -> None:
    number, start = part
    # Excel allows 31 characters, and none of []:*?/\ in a name
    sheet = _new_sheet(book, f"{number:02d} {table.title}"[:31].rstrip("'").replace("/", " "), banner)
    for index, out in enumerate(table.outs):
        sheet.set_column(index, index, _width(out))
    sheet.freeze_panes(2, 1)
    sheet.write_string(0, 0, banner, styles.title)
    for index, out in enumerate(table.outs):
        sheet.write_string(1, index, out.label, styles.head)
    printers = [
        _number(printer) if _is_number(out) else printer
        for out, printer in zip(table.outs, table.printers(cells), strict=True)
    ]
    formats = [styles.of(out) for out in table.outs]
    rows = table.rows[start : start + _SHEET_ROWS]
    sheet.stream_rows(2, ([printer(row) for printer in printers] for row in rows), formats)


def _is_number(out: Out) -> bool:
    return out.role is Role.ROUNDED or out.column.kind is Kind.COUNT


def _number(printer: Callable[[dict[str, Any]], str | None]) -> Callable[[dict[str, Any]], float | None]:
    """A cell that a spreadsheet computes with: a count, at most 2^53 - 1 and so exact, or a rounded figure."""

    def number(row: dict[str, Any]) -> float | None:
        value = printer(row)
        return None if value is None else rounded(value)

    return number


def _width(out: Out) -> int:
    by_kind = {Kind.HASH: 24, Kind.ADDRESS: 46, Kind.TIME: 27, Kind.DATE: 12, Kind.COUNT: 12, Kind.TEXT: 26}
    column: Column = out.column
    if out.role is Role.JAPANESE:
        return 18
    return by_kind.get(column.kind, 26 if column.kind in NUMBERS | FREE else 16)
