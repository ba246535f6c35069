"""Views: filters over one report object, each with the hash of the report that it was taken from.

A regulator sees no customer, an examiner sees pseudonyms, a trustee sees everything. What a view leaves out is
absent, not masked: the forms are printed from the filtered object, so they cannot show more.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from monitor.ledger.encode import canonical
from monitor.publish.report.fields import Column, Kind, Table, View
from monitor.publish.report.schema import BLOCKS, validate

Json = dict[str, Any]
#: shorter words cannot be told from ordinary ones ("7", "spot"); customers' columns are left out whatever they hold
_SHORTEST_ID = 6
_WORD = re.compile(r"[^\s,;:|/()\[\]{}\"'「」（）、。]+")


class CustomerLeft(ValueError):
    """A free text of the view names a customer; the message says where."""


def hash_of(report: Json) -> str:
    """SHA-256 of the canonical form of a report."""
    return sha256(canonical(report).encode()).hexdigest()


def view_of(report: Json, view: View, *, pseudonym_key: bytes | None = None) -> Json:
    """The part of a full report that ``view`` shows.

    ``pseudonym_key``: needed for View.AUDITOR, at least 16 bytes; the same key gives the same pseudonyms from
    report to report. Raises ValueError for a report that is itself a view, and CustomerLeft.
    """
    if report["header"]["view"] != View.FULL.value:
        raise ValueError("header.view: a view is taken from the full report only")
    if view is View.FULL:
        return report
    key = _checked_key(pseudonym_key) if view is View.AUDITOR else b""
    customers = frozenset(_customers(report)) if view is not View.TRUSTEE else frozenset()
    blocks = {
        block.id: {
            "facts": _row(report["blocks"][block.id]["facts"], block.facts_seen_by(view), key),
            "tables": {
                table.id: [
                    _row(row, table.seen_by(view), key) for row in report["blocks"][block.id]["tables"][table.id]
                ]
                for table in block.tables_seen_by(view)
            },
        }
        for block in BLOCKS
        if view in block.views and block.id in report["blocks"]
    }
    header = {**report["header"], "view": view.value, "parent": hash_of(report)}
    filtered = {"schema": report["schema"], "header": header, "blocks": blocks}
    _refuse_customers(filtered, customers)
    validate(filtered)
    return filtered


def pseudonym(key: bytes, customer: str) -> str:
    """A stable name of a customer that tells nothing without the key: HMAC-SHA-256, 128 bits of it."""
    return "p-" + hmac.new(key, customer.encode(), sha256).hexdigest()[:32]


def _checked_key(key: bytes | None) -> bytes:
    if key is None or len(key) < 16:
        raise ValueError(
            "pseudonyms need a secret key of at least 16 bytes: a plain hash of an account number is no secret"
        )
    return key


def _row(row: Json, columns: tuple[Column, ...], key: bytes) -> Json:
    return {
        column.id: pseudonym(key, row[column.id]) if key and column.kind is Kind.CUSTOMER else row[column.id]
        for column in columns
    }


def _columns(table: Table, kinds: frozenset[Kind]) -> tuple[str, ...]:
    return tuple(column.id for column in table.columns if column.kind in kinds)


def _customers(report: Json) -> Iterator[str]:
    for block in BLOCKS:
        for table in block.tables:
            ids = _columns(table, frozenset({Kind.CUSTOMER}))
            if ids and block.id in report["blocks"]:
                for row in report["blocks"][block.id]["tables"][table.id]:
                    yield from (row[name] for name in ids)


def _refuse_customers(report: Json, customers: frozenset[str]) -> None:
    """A second lock: no free text may name a customer that the report knows (in a note, a label, a cause)."""
    names = frozenset(name for name in customers if len(name) >= _SHORTEST_ID)
    if not names:
        return
    for block in BLOCKS:
        body = report["blocks"].get(block.id)
        if body is None:
            continue
        _search(body["facts"], f"blocks.{block.id}.facts", names)
        for name, rows in body["tables"].items():
            for index, row in enumerate(rows):
                _search(row, f"blocks.{block.id}.tables.{name}[{index}]", names)


def _search(row: Json, path: str, names: frozenset[str]) -> None:
    for key, value in row.items():
        if isinstance(value, str) and (value in names or not names.isdisjoint(_WORD.findall(value))):
            raise CustomerLeft(f"{path}.{key}: names a customer: write it without the identifier, then report again")
