"""The schema of the report object: from this one declaration follow the JSON Schema, the reading and every form.

The canonical form of a report is ``monitor.ledger.encode.canonical`` of the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from monitor.people import same_person
from monitor.publish.report import annexes, blocks, codes
from monitor.publish.report.fields import Block, Column, Kind, Table, View

SCHEMA = "porwatch-report-1"
#: rows of one table; a spreadsheet holds 1,048,576 on a sheet, and more than this is no report
MOST_ROWS = 2_000_000
_MOST_PROBLEMS = 100

#: every section, in the order in which it is printed
BLOCKS: tuple[Block, ...] = (
    blocks.RECONCILIATION,
    annexes.COVERAGE_SERIES,
    blocks.REQUIREMENTS,
    blocks.RESERVE,
    blocks.LIABILITIES,
    blocks.ASSETS,
    annexes.IN_TRANSIT,
    annexes.SEGREGATION,
    annexes.CUSTODIANS,
    annexes.FIAT,
    annexes.STABLECOIN,
    annexes.EXCEPTIONS,
    annexes.ALERTS,
    annexes.CLAIMS,
    annexes.KEY_CUSTODY,
    annexes.LIMITATIONS,
    annexes.EVIDENCE,
)
BY_ID = {block.id: block for block in BLOCKS}

#: the plain keys of the header; ``period`` is an object or null, the rest as declared
HEADER: tuple[Column, ...] = (
    Column("report_id", Kind.TEXT),
    Column("currency", Kind.TEXT),
    Column("timezone", Kind.TEXT),
    Column("as_of", Kind.TIME),
    Column("business_date", Kind.DATE),
    Column("prepared_by", Kind.TEXT),
    Column("prepared_at", Kind.TIME),
    Column("approved_by", Kind.TEXT, null=True),
    Column("approved_at", Kind.TIME, null=True),
    Column("previous_report", Kind.HASH, null=True),
    Column("parent", Kind.HASH, null=True),
    Column("preset", Kind.CODE, codes=codes.PRESETS),
    Column("view", Kind.CODE, codes=tuple(view.value for view in View)),
)
#: the objects of the header
HEADER_OBJECTS: dict[str, tuple[Column, ...]] = {
    "entity": (
        Column("name", Kind.TEXT),
        Column("lei", Kind.TEXT, null=True),
        Column("registration", Kind.TEXT, null=True),
    ),
    "period": (Column("from", Kind.TIME), Column("to", Kind.TIME)),
    "software": (Column("version", Kind.TEXT), Column("commit", Kind.TEXT, null=True)),
}
HEADER_TABLES: tuple[Table, ...] = (blocks.HEADER_ANCHORS, blocks.HEADER_PROFILES)

_DECIMAL = r"^-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,99})?$"
#: kind → its JSON Schema; the texts of codes and the symbols of assets are added where they are used
_KINDS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string", "maxLength": 3000},
    Kind.CODE: {"type": "string"},
    Kind.ASSET: {"type": "string", "minLength": 1, "maxLength": 40, "description": "a key of header.assets"},
    Kind.AMOUNT: {
        "type": "string",
        "pattern": "^(0|-?[1-9][0-9]{0,99})$",
        "description": "whole base units; decimals of the asset in header.assets",
    },
    Kind.MONEY: {"type": "string", "pattern": _DECIMAL, "description": "exact"},
    Kind.RATIO: {"type": "string", "pattern": _DECIMAL, "description": "exact, or rounded down to 12 digits"},
    Kind.TIME: {
        "type": "string",
        "format": "date-time",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$",
    },
    Kind.DATE: {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    Kind.COUNT: {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
    Kind.FLAG: {"enum": ["true", "secondary", "false"]},
    Kind.VERDICT: {"enum": ["PASS", "BREACH", "UNVERIFIED"]},
    Kind.HASH: {"type": "string", "pattern": "^(0x)?[0-9a-f]{16,128}$"},
    Kind.ADDRESS: {"type": "string", "minLength": 1, "maxLength": 400},
    Kind.CUSTOMER: {"type": "string", "minLength": 1, "maxLength": 400},
}

_EXPRESSIONS = {kind: re.compile(schema["pattern"]) for kind, schema in _KINDS.items() if "pattern" in schema}
_EXPECTED = {
    Kind.AMOUNT: "a whole number of base units, written as a string such as '150000000'",
    Kind.MONEY: "an exact decimal, written as a string such as '1500.25'",
    Kind.RATIO: "an exact decimal, written as a string such as '1.05'",
    Kind.TIME: "a time with offset such as '2026-11-24T00:00:00+09:00'",
    Kind.DATE: "a day such as '2026-11-24'",
    Kind.HASH: "lower-case hex of 8 to 64 bytes",
}
_DECIMALS = frozenset({Kind.MONEY, Kind.RATIO})
_MINUS_ZERO = re.compile(r"-0(\.0+)?")


def tables_of(view: View) -> Iterator[tuple[Block, Table, tuple[Column, ...]]]:
    """Every table that ``view`` shows, with its block and the columns shown, in the order of printing."""
    for block in BLOCKS:
        if view in block.views:
            for table in block.tables_seen_by(view):
                yield block, table, table.seen_by(view)


def kind_schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema of a kind, without null and without the words of a code."""
    return _KINDS[kind]


def json_schema() -> dict[str, Any]:
    """The published JSON Schema (2020-12). What some views leave out is not required; ``validate`` is stricter."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "porwatch report",
        "description": "Amounts are strings of base units; money and ratios are exact decimal strings.",
        "type": "object",
        "additionalProperties": False,
        "required": ["schema", "header", "blocks"],
        "properties": {
            "schema": {"const": SCHEMA},
            "header": _header(),
            "blocks": {
                "type": "object",
                "additionalProperties": False,
                "required": [block.id for block in BLOCKS if not block.optional],
                "properties": {block.id: _block(block) for block in BLOCKS},
            },
        },
        "$defs": {kind.value: _KINDS[kind] for kind in Kind},
    }


def _header() -> dict[str, Any]:
    properties = _properties(HEADER)
    for name, columns in HEADER_OBJECTS.items():
        properties[name] = _object(columns)
    properties["period"] = {"anyOf": [properties["period"], {"type": "null"}]}
    for table in HEADER_TABLES:
        properties[table.id] = {"type": "array", "items": _object(table.columns)}
    decimals = {"type": "integer", "minimum": 0, "maximum": 77}
    properties["assets"] = {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["decimals"],
            "properties": {"decimals": decimals},
        },
    }
    return {"type": "object", "additionalProperties": False, "required": sorted(properties), "properties": properties}


def _block(block: Block) -> dict[str, Any]:
    shown_to_all = [table.id for table in block.tables if table.views == frozenset(View)]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["facts", "tables"],
        "properties": {
            "facts": _object(block.facts),
            "tables": {
                "type": "object",
                "additionalProperties": False,
                "required": shown_to_all,
                "properties": {table.id: {"type": "array", "items": _object(table.columns)} for table in block.tables},
            },
        },
    }


def _object(columns: tuple[Column, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [column.id for column in columns if column.views == frozenset(View)],
        "properties": _properties(columns),
    }


def _properties(columns: tuple[Column, ...]) -> dict[str, Any]:
    return {column.id: _value(column) for column in columns}


def _value(column: Column) -> dict[str, Any]:
    if column.kind is Kind.CODE:
        return {"enum": [*column.codes, *([None] if column.null else [])]}
    reference = {"$ref": f"#/$defs/{column.kind.value}"}
    return {"anyOf": [reference, {"type": "null"}]} if column.null else reference


class ReportInvalid(ValueError):
    """The report object is not as declared; ``problems`` says where and what, at most 100 of them."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems[:_MOST_PROBLEMS])
        more = len(problems) - len(self.problems)
        super().__init__("\n".join([*self.problems, *([f"and {more} more"] if more else [])]))


def validate(report: Any) -> None:
    """Raises ReportInvalid unless ``report`` is exactly as declared for the view that its header names.

    Unknown keys are refused, every row is complete, null stands only where it is declared.
    """
    problems: list[str] = []
    if _keys(report, {"schema", "header", "blocks"}, "report", problems):
        if report["schema"] != SCHEMA:
            problems.append(f"schema: {report['schema']!r} is not known here: write {SCHEMA!r}")
        if _check_header(report["header"], problems):
            view = View(report["header"]["view"])
            _check_blocks(report["blocks"], view, frozenset(report["header"]["assets"]), problems)
    if problems:
        raise ReportInvalid(problems)


def _keys(
    value: Any, wanted: set[str], path: str, problems: list[str], *, optional: frozenset[str] = frozenset()
) -> bool:
    """Whether ``value`` is an object with exactly the wanted keys; says what is missing or too much."""
    if not isinstance(value, dict):
        problems.append(f"{path}: must be an object, not {type(value).__name__}")
        return False
    missing = sorted(wanted - optional - value.keys())
    unknown = sorted(str(key) for key in value.keys() - wanted)
    problems.extend(f"{path}.{key}: is missing" for key in missing)
    problems.extend(f"{path}.{key}: is not a key of the report" for key in unknown)
    return not missing and not unknown


def _check_header(header: Any, problems: list[str]) -> bool:
    before = len(problems)
    wanted = (
        {column.id for column in HEADER} | HEADER_OBJECTS.keys() | {table.id for table in HEADER_TABLES} | {"assets"}
    )
    if not _keys(header, wanted, "header", problems):
        return False
    _check_assets(header["assets"], problems)
    assets = frozenset(header["assets"]) if isinstance(header["assets"], dict) else frozenset()
    _check_row({column.id: header[column.id] for column in HEADER}, HEADER, "header", assets, problems)
    for name, columns in HEADER_OBJECTS.items():
        if name != "period" or header[name] is not None:
            _check_row(header[name], columns, f"header.{name}", assets, problems)
    for table in HEADER_TABLES:
        _check_rows(header[table.id], table.columns, f"header.{table.id}", assets, problems)
    if len(problems) == before:
        _check_persons(header, problems)
    return len(problems) == before


def _check_assets(assets: Any, problems: list[str]) -> None:
    if not isinstance(assets, dict):
        problems.append("header.assets: must be an object of symbols")
        return
    for symbol, body in assets.items():
        path = f"header.assets.{symbol}"
        if not symbol or len(symbol) > 40:
            problems.append(f"{path}: a symbol has 1 to 40 characters")
        if _keys(body, {"decimals"}, path, problems):
            decimals = body["decimals"]
            if type(decimals) is not int or not 0 <= decimals <= 77:
                problems.append(f"{path}.decimals: must be a whole number from 0 to 77, not {decimals!r}")


def _check_persons(header: dict[str, Any], problems: list[str]) -> None:
    """Two people, or a draft; a filter names what it is a filter of."""
    if (header["approved_by"] is None) != (header["approved_at"] is None):
        problems.append("header.approved_by: stands together with approved_at, or both are null (a draft)")
    if header["approved_by"] is not None and same_person(header["approved_by"], header["prepared_by"]):
        problems.append("header.approved_by: must be another person than prepared_by")
    if not header["prepared_by"].strip() or not (header["approved_by"] or "x").strip():
        problems.append("header.prepared_by, header.approved_by: write a name")
    if (header["view"] == View.FULL.value) != (header["parent"] is None):
        problems.append("header.parent: the hash of the full report in a view of it, null in the full report")
    try:
        ZoneInfo(header["timezone"])
    except (ValueError, OSError, KeyError):
        problems.append(f"header.timezone: {header['timezone']!r:.80} is not a time zone such as 'Asia/Tokyo'")
    period = header["period"]
    if period is not None and datetime.fromisoformat(period["from"]) >= datetime.fromisoformat(period["to"]):
        problems.append("header.period: must end after it begins")
    if re.fullmatch("[A-Z]{3}", header["currency"]) is None:
        problems.append(f"header.currency: {header['currency']!r} is not an ISO 4217 code such as 'JPY'")


def _check_blocks(blocks_: Any, view: View, assets: frozenset[str], problems: list[str]) -> None:
    shown = [block for block in BLOCKS if view in block.views]
    optional = frozenset(block.id for block in shown if block.optional)
    if not _keys(blocks_, {block.id for block in shown}, "blocks", problems, optional=optional):
        return
    for block in shown:
        if block.id not in blocks_:
            continue
        body, path = blocks_[block.id], f"blocks.{block.id}"
        tables = {table.id: table for table in block.tables_seen_by(view)}
        if not _keys(body, {"facts", "tables"}, path, problems):
            continue
        _check_row(body["facts"], block.facts_seen_by(view), f"{path}.facts", assets, problems)
        if _keys(body["tables"], set(tables), f"{path}.tables", problems):
            for name, table in tables.items():
                _check_rows(body["tables"][name], table.seen_by(view), f"{path}.tables.{name}", assets, problems)


def _check_rows(rows: Any, columns: tuple[Column, ...], path: str, assets: frozenset[str], problems: list[str]) -> None:
    if not isinstance(rows, list):
        problems.append(f"{path}: must be a list of rows")
    elif len(rows) > MOST_ROWS:
        problems.append(f"{path}: has {len(rows)} rows; at most {MOST_ROWS} are allowed: report a shorter period")
    else:
        for index, row in enumerate(rows):
            _check_row(row, columns, f"{path}[{index}]", assets, problems)
            if len(problems) > _MOST_PROBLEMS:
                return


def _check_row(row: Any, columns: tuple[Column, ...], path: str, assets: frozenset[str], problems: list[str]) -> None:
    if not _keys(row, {column.id for column in columns}, path, problems):
        return
    for column in columns:
        value = row[column.id]
        if value is None:
            if not column.null:
                problems.append(f"{path}.{column.id}: must not be null")
        elif (wrong := _wrong(value, column, assets)) is not None:
            problems.append(f"{path}.{column.id}: {wrong}")
        elif column.kind is Kind.AMOUNT and row.get(column.of) is None:
            problems.append(f"{path}.{column.id}: an amount needs its asset in {column.of!r}")


def _wrong(value: Any, column: Column, assets: frozenset[str]) -> str | None:
    """What is wrong with one value that is not null, or None."""
    kind = column.kind
    if kind is Kind.COUNT:
        fits = type(value) is int and 0 <= value < 2**53
        return None if fits else f"{value!r:.80} is not a whole number from 0 to 2^53 - 1"
    if not isinstance(value, str):
        return f"must be a string, not {type(value).__name__}"
    if kind is Kind.ASSET:
        return None if value in assets else f"{value!r:.80} is not in header.assets"
    if kind is Kind.CODE:
        return None if value in column.codes else f"{value!r:.80} is none of {', '.join(column.codes)}"
    if (expression := _EXPRESSIONS.get(kind)) is not None:
        if expression.fullmatch(value) is None:
            return f"{value!r:.120} is not {_EXPECTED[kind]}"
        return _not_in_calendar(value, kind)
    return _wrong_text(value, kind)


def _wrong_text(value: str, kind: Kind) -> str | None:
    schema = _KINDS[kind]
    if "enum" in schema:
        return None if value in schema["enum"] else f"{value!r:.80} is none of {', '.join(schema['enum'])}"
    if not schema.get("minLength", 0) <= len(value) <= schema["maxLength"]:
        return f"has {len(value)} characters: from {schema.get('minLength', 0)} to {schema['maxLength']} are allowed"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "holds half a character (a lone surrogate)"
    return None


def _not_in_calendar(value: str, kind: Kind) -> str | None:
    """Days that no calendar has, or that a time zone or the Japanese eras could not express."""
    if kind not in {Kind.TIME, Kind.DATE}:
        return "must not be minus zero" if kind in _DECIMALS and _MINUS_ZERO.fullmatch(value) else None
    try:
        year = datetime.fromisoformat(value).year if kind is Kind.TIME else date.fromisoformat(value).year
    except ValueError:
        return f"{value!r} is not in the calendar"
    return None if 1869 <= year <= 9998 else f"{value!r} is outside the years 1869 to 9998"
