"""The report as CSV (RFC 4180), a file per table: UTF-8 with byte-order mark and CRLF, as Japanese Excel reads it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from monitor.publish.report.cells import FREE, Cells
from monitor.publish.report.fields import Kind
from monitor.publish.report.layout import Sheet, cells_of, sheets, summary
from monitor.publish.report.words import Words

#: what a spreadsheet takes for a formula at the beginning of a cell; Japanese input also in full width
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def write(report: dict[str, Any], words: Words, folder: Path) -> list[Path]:
    """Writes every table of the report and ``summary.csv`` into ``folder``; returns the files. Amounts are in coins."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = cells_of(report, words)
    lines = [[s, item, _safe(value, kind)] for s, item, value, kind in summary(report, cells)]
    tables = sheets(report, cells, rounded=False)
    return [
        _write(folder / "summary.csv", lines),
        *(_write(folder / f"{sheet.name}.csv", _lines(sheet, cells)) for sheet in tables),
    ]


def _lines(sheet: Sheet, cells: Cells) -> Iterator[list[str]]:
    yield [out.label for out in sheet.outs]
    columns = [(printer, out.column.kind) for printer, out in zip(sheet.printers(cells), sheet.outs, strict=True)]
    for row in sheet.rows:
        yield [_safe(printer(row), kind) for printer, kind in columns]


def _safe(value: str | None, kind: Kind) -> str:
    """Free text that a spreadsheet would compute gets an apostrophe in front; figures stay as they are."""
    if value is None:
        return ""
    return safe_cell(value) if kind in FREE else value


def safe_cell(text: str) -> str:
    """``text`` with an apostrophe in front where a spreadsheet would compute it."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _write(path: Path, lines: Iterable[list[str]]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows(lines)
    return path
