"""What the row forms (CSV, XLSX) have in common: the columns of a table, and the summary of header and facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from monitor.publish.report.cells import NUMBERS, Cells
from monitor.publish.report.fields import Column, Kind, View
from monitor.publish.report.presets import sections
from monitor.publish.report.schema import HEADER, HEADER_OBJECTS, HEADER_TABLES
from monitor.publish.report.words import Words

Json = dict[str, Any]


class Role(StrEnum):
    """What a printed column says of its column: the exact value, the rounded one, or its Japanese date."""

    EXACT = "exact"
    ROUNDED = "rounded"
    JAPANESE = "japanese"


@dataclass(frozen=True, slots=True)
class Out:
    """One printed column."""

    column: Column
    role: Role
    label: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table as it is printed: its file name without ending, its title, its columns and rows."""

    name: str
    title: str
    outs: tuple[Out, ...]
    rows: list[Json]

    def printers(self, cells: Cells) -> list[Callable[[Json], str | None]]:
        """For each column the function that prints its cell as text, exactly; a rounded column as the exact one."""
        return [
            partial(cells.japanese_date, out.column) if out.role is Role.JAPANESE else cells.printer(out.column)
            for out in self.outs
        ]


def cells_of(report: Json, words: Words) -> Cells:
    """The printer of a report's values in one language."""
    header = report["header"]
    decimals = {symbol: body["decimals"] for symbol, body in header["assets"].items()}
    return Cells(words, decimals, header["timezone"])


def outs(columns: tuple[Column, ...], place: str, cells: Cells, *, rounded: bool) -> tuple[Out, ...]:
    """The printed columns of ``columns``: those of the PDF also rounded where asked, dates in Japanese."""
    printed: list[Out] = []
    for column in columns:
        label = cells.words.column(column.id, place)
        printed.append(Out(column, Role.EXACT, label))
        if rounded and column.paper and column.kind in NUMBERS:
            printed.append(Out(column, Role.ROUNDED, f"{label} ({cells.words.phrases['rounded']})"))
        if column.paper and cells.has_japanese_date(column):
            printed.append(Out(column, Role.JAPANESE, f"{label}（和暦）"))
    return tuple(printed)


def sheets(report: Json, cells: Cells, *, rounded: bool) -> Iterator[Sheet]:
    """Every table of the report's view and preset, the header's own first."""
    view = View(report["header"]["view"])
    for table in HEADER_TABLES:
        title = cells.words.phrases[table.id]
        columns = outs(table.columns, table.id, cells, rounded=rounded)
        yield Sheet(table.id, title, columns, report["header"][table.id])
    for block, tables in sections(report):
        for table in tables:
            place = f"{block.id}.{table.id}"
            columns = outs(table.seen_by(view), place, cells, rounded=rounded)
            rows = report["blocks"][block.id]["tables"][table.id]
            yield Sheet(place, cells.words.tables[place], columns, rows)


def about(report: Json, cells: Cells) -> list[tuple[str, Column, Mapping[str, Any]]]:
    """The header as lines: label, column, and the object that holds its value."""
    header = report["header"]
    lines: list[tuple[str, Column, Mapping[str, Any]]] = []
    for name in ("entity", "period"):
        if header[name] is not None:
            phrase = cells.words.phrases[name]
            lines += [(f"{phrase}: {cells.words.column(c.id)}", c, header[name]) for c in HEADER_OBJECTS[name]]
    lines += [(cells.words.column(column.id), column, header) for column in HEADER]
    phrase = cells.words.phrases["software"]
    lines += [(f"{phrase}: {cells.words.column(c.id)}", c, header["software"]) for c in HEADER_OBJECTS["software"]]
    return lines


def facts(report: Json, cells: Cells) -> Iterator[tuple[str, str, Column, Mapping[str, Any]]]:
    """Every fact that is printed: the block's title, the label, the column, the object that holds its value."""
    view = View(report["header"]["view"])
    for block, _ in sections(report):
        for fact in block.facts_seen_by(view):
            body = report["blocks"][block.id]["facts"]
            yield cells.words.blocks[block.id], cells.words.column(fact.id, block.id), fact, body


def summary(report: Json, cells: Cells) -> Iterator[tuple[str, str, str | None, Kind]]:
    """Header and facts as lines: section, item, exact value, kind; dates with their Japanese form in the same cell."""
    phrases = cells.words.phrases
    title = cells.words.presets[report["header"]["preset"]]
    yield phrases["header"], title, phrases[standing(report)], Kind.CODE
    for label, column, body in about(report, cells):
        yield phrases["header"], label, with_japanese_date(column, body, cells), column.kind
    for section, label, column, body in facts(report, cells):
        yield section, label, with_japanese_date(column, body, cells), column.kind
    yield phrases["header"], phrases["facts"], phrases["basis"], Kind.CODE


def standing(report: Json) -> str:
    """The phrase for how the report stands: a draft until a second person has approved it."""
    return "draft" if report["header"]["approved_by"] is None else "approved"


def with_japanese_date(column: Column, body: Mapping[str, Any], cells: Cells) -> str | None:
    """The exact value, with 和暦 beside a date where the language shows it."""
    value = cells.exact(column, body)
    if value is None or not cells.has_japanese_date(column):
        return value
    return f"{value}（{cells.japanese_date(column, body)}）"
