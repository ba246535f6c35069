"""The report as PDF/A-3 by Typst, in one language. The template lays out; strings reach it as JSON, never as markup.

Long tables print their first rows and say in which file the rest is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from monitor.publish.report import glyphs
from monitor.publish.report.cells import NUMBERS, Cells, grouped, visible
from monitor.publish.report.charts import charts_of
from monitor.publish.report.fields import Column, Kind, Table, View
from monitor.publish.report.layout import Json, about, cells_of, standing, with_japanese_date
from monitor.publish.report.presets import sections
from monitor.publish.report.schema import HEADER_TABLES
from monitor.publish.report.words import Words

_TEMPLATE = "report.typ"
_RIGHT = NUMBERS | {Kind.COUNT}
#: a word longer than this may be broken (addresses, hashes, 78-digit amounts), after every eight characters
_LONGEST_WORD = 18
_BREAK = "\u200b"
_LONG_WORD = re.compile(rf"[!-~−]{{{_LONGEST_WORD},}}")


def write(report: Json, words: Words, path: Path) -> list[Path]:
    """Writes the PDF; returns [path]. Needs the extra ``report``."""
    # heavy, and only in the extra `report`
    import typst  # noqa: PLC0415

    moment = datetime.fromisoformat(report["header"]["prepared_at"]).astimezone(UTC)
    pdf = typst.compile(
        str(Path(__file__).with_name(_TEMPLATE)),
        sys_inputs={"report": json.dumps(document(report, words), ensure_ascii=False)},
        font_paths=[str(glyphs.font().parent)],
        ignore_system_fonts=True,
        format="pdf",
        # what SOURCE_DATE_EPOCH would set
        timestamp=int(moment.timestamp()),
        pdf_standards="a-3a",
    )
    path.write_bytes(pdf)
    return [path]


def document(report: Json, words: Words) -> Json:
    """Everything that the template prints, as strings and whole numbers."""
    cells = cells_of(report, words)
    header, phrases = report["header"], words.phrases
    prepared = datetime.fromisoformat(header["prepared_at"]).astimezone(UTC)
    state = standing(report)
    return {
        "language": words.language,
        "font": glyphs.FAMILY,
        "date": [prepared.year, prepared.month, prepared.day],
        "title": words.presets[header["preset"]],
        "author": _plain(header["entity"]["name"]),
        "document": f"{words.presets[header['preset']]} {_plain(header['report_id'])}",
        "entity": _breakable(_plain(header["entity"]["name"])),
        "report_id": _breakable(_plain(header["report_id"])),
        "draft": phrases["draft"] if state == "draft" else None,
        "notes": [phrases[name] for name in _notes(report)],
        "page": phrases["page"],
        "contents": phrases["contents"],
        "about_title": phrases["header"],
        "about": [[label, _value(column, body, cells)] for label, column, body in about(report, cells)],
        "anchors": [_table(table, table.columns, header[table.id], table.id, cells) for table in HEADER_TABLES],
        "sections": list(_sections(report, cells)),
    }


def _notes(report: Json) -> Iterator[str]:
    if standing(report) == "draft":
        yield "draft_note"
    if report["header"]["parent"] is not None:
        yield "view_note"
    yield "basis"


def _sections(report: Json, cells: Cells) -> Iterator[Json]:
    view = View(report["header"]["view"])
    for block, tables in sections(report):
        body = report["blocks"][block.id]
        yield {
            "title": cells.words.blocks[block.id],
            "facts": [
                [cells.words.column(fact.id, block.id), _value(fact, body["facts"], cells)]
                for fact in block.facts_seen_by(view)
            ],
            "charts": charts_of(block.id, report, cells),
            "tables": [
                _table(table, table.seen_by(view), body["tables"][table.id], f"{block.id}.{table.id}", cells)
                for table in tables
            ],
        }


def _table(table: Table, columns: tuple[Column, ...], rows: list[Json], place: str, cells: Cells) -> Json:
    printed = tuple(column for column in columns if column.paper)
    shown = rows[: table.paper_rows]
    body = [[_value(column, row, cells) for column in printed] for row in shown]
    heads = [cells.words.column(column.id, place) for column in printed]
    phrases, file = cells.words.phrases, f"csv/{place}.csv"
    notes = [] if rows else [phrases["no_rows"]]
    if len(shown) < len(rows):
        notes.append(phrases["more_rows"].format(shown=len(shown), total=len(rows), file=file))
    if rows and len(printed) < len(columns):
        more = ", ".join(cells.words.column(column.id, place) for column in columns if not column.paper)
        notes.append(phrases["more_columns"].format(file=file, columns=more))
    return {
        "title": cells.words.tables.get(place) or phrases[place],
        "columns": [
            {"label": _breakable(head), "right": column.kind in _RIGHT, "weight": _weight(head, body, index, column)}
            for index, (head, column) in enumerate(zip(heads, printed, strict=True))
        ],
        "rows": [
            [_cell(cell, column, row) for cell, column in zip(line, printed, strict=True)]
            for line, row in zip(body, shown, strict=True)
        ],
        "notes": notes,
    }


def _value(column: Column, body: Mapping[str, Any], cells: Cells) -> str:
    value = with_japanese_date(column, body, cells)
    if value is None:
        return cells.words.phrases["null"]
    if column.kind in NUMBERS:
        value = grouped(value)
    if column.kind is Kind.COUNT:
        value = f"{int(value):,}"
    value = glyphs.printable(value)
    if column.kind in {Kind.TIME, Kind.DATE}:
        # where a column is narrow, a line may end before the time and before the Japanese date
        return value.replace("T", f"{_BREAK}T", 1).replace("（", f"{_BREAK}（")
    return _breakable(value)


def _plain(value: str) -> str:
    return glyphs.printable(visible(value))


def _cell(cell: str, column: Column, row: Mapping[str, Any]) -> Json:
    """A cell for the template; ``after`` is what must not be broken: the Japanese date beside an ISO one."""
    text, _, after = cell.partition(f"{_BREAK}（") if column.kind in {Kind.TIME, Kind.DATE} else (cell, "", "")
    return {"text": text, "after": f"（{after}" if after else "", "tone": _tone(column, row)}


def _tone(column: Column, row: Mapping[str, Any]) -> str:
    """A verdict's colour; colour never says what the word does not."""
    return str(row[column.id]).lower() if column.kind is Kind.VERDICT else ""


@lru_cache(maxsize=65536)
def _breakable(text: str) -> str:
    return _LONG_WORD.sub(lambda found: _BREAK.join(re.findall(".{1,8}", found[0])), text)


def _weight(head: str, body: list[list[str]], index: int, column: Column) -> int:
    """How wide a column wants to be, from its longest cell: between 5 and 26 letters, a hash up to 36."""
    longest = max((_letters(line[index]) for line in body), default=0)
    return min(max(longest, _letters(head) // 2, 5), 36 if column.kind is Kind.HASH else 26)


def _letters(text: str) -> int:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text if c != _BREAK)
