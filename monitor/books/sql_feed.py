"""Approvals from a database: a query with a column that only grows, read on from where the last reading ended.

A transaction may commit later than one whose cursor is larger. So every reading begins ``overlap`` rows
before the bookmark; what was read there already is known and passed over.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from monitor.books.approvals import KEYS, ApprovalError, Heartbeat, SignatureError, decode, parse_approval
from monitor.books.feed import Malformed
from monitor.books.keys import SIGNATURE, Keys
from monitor.books.sql import Database, exact, statement
from monitor.books.text import parse_past
from monitor.config.models import ApprovalsSql
from monitor.config.resolved import Config
from monitor.model import Approval, Cancellation, rfc3339

if TYPE_CHECKING:
    from sqlalchemy import Connection

#: rows of one page, and of one commit
PAGE = 500
_FEED = "porwatch_feed"
_TRUE = "1 = 1"

Cursor = int | str | datetime


@dataclass(frozen=True, slots=True)
class SqlRead:
    """One page. ``position``: to be stored with what was read; ``following``: where the next one begins, or None.

    ``rows``: to be given to ``SqlApprovals.taken`` once the page is committed.
    """

    position: str
    records: tuple[Approval | Cancellation, ...]
    malformed: tuple[Malformed, ...]
    heartbeat: Heartbeat | None
    following: Cursor | None
    rows: tuple[bytes, ...]


class SqlApprovals:
    """The approvals of one query; remembers the rows of the overlap, so that each is taken once."""

    def __init__(self, config: Config, source: ApprovalsSql) -> None:
        self._config, self._source = config, source
        self._database = Database(config.path(source.dsn_file))
        self._query = sha256(f"{source.query}\n{source.cursor}".encode()).hexdigest()[:16]
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def read(self, position: str, following: Cursor | None, now: datetime, keys: Keys | None) -> SqlRead:
        """The next page: at ``following``, or, where that is None, before the bookmark. Raises BooksError.

        ``position``: as the last page gave it, or "". Another query is read from its beginning.
        """
        marked = self._marked(position)
        with self._database.read() as connection:
            heartbeat = self._heartbeat(connection, now, keys) if following is None else None
            if following is None:
                self._refuse_null(connection)
            start = self._overlap(connection, marked) if following is None else following
            rows = self._page(connection, start)
        last = self._cursor(rows[-1]) if rows else None
        full = len(rows) == PAGE
        if full and last == start:
            why = f"more than {PAGE} rows have the same {self._source.cursor}: use a finer cursor"
            raise self._database.wrong(why)
        fresh = [(digest, row) for row in rows if (digest := _digest(row)) not in self._known]
        records, malformed = self._parse([row for _, row in fresh], now, keys)
        return SqlRead(
            self._position(marked if last is None else last),
            records,
            malformed,
            heartbeat,
            last if full else None,
            tuple(digest for digest, _ in fresh),
        )

    def taken(self, page: SqlRead) -> None:
        """The page is in the ledger: its rows need not be taken again."""
        for digest in page.rows:
            self._known[digest] = None
        while len(self._known) > 2 * (self._source.overlap + PAGE):
            self._known.popitem(last=False)

    def _select(self, where: str, rest: str) -> Any:
        """The configured query, filtered; names of columns are checked by the configuration."""
        return statement(self._source.query, "SELECT * FROM (", f"\n) AS {_FEED} WHERE {where} {rest}")

    def _refuse_null(self, connection: Connection) -> None:
        column = self._source.cursor
        if connection.execute(self._select(f"{column} IS NULL", "LIMIT 1")).first() is not None:
            raise self._database.wrong(f"column {column} is NULL in a row: the row would never be read")

    def _overlap(self, connection: Connection, marked: Cursor | None) -> Cursor | None:
        """The cursor ``overlap`` rows before the bookmark; None for the beginning."""
        if marked is None:
            return None
        column = self._source.cursor
        order = f"ORDER BY {column} DESC LIMIT 1 OFFSET {self._source.overlap}"
        row = connection.execute(self._select(f"{column} <= :at", order), {"at": marked}).mappings().first()
        return None if row is None else self._cursor(_lower(dict(row)))

    def _page(self, connection: Connection, start: Cursor | None) -> list[dict[str, Any]]:
        column = self._source.cursor
        where, values = (_TRUE, {}) if start is None else (f"{column} >= :at", {"at": start})
        found = connection.execute(self._select(where, f"ORDER BY {column} LIMIT {PAGE}"), values)
        return [_lower(dict(row)) for row in found.mappings()]

    def _cursor(self, row: Mapping[str, Any]) -> Cursor:
        value = self._value(row, self._source.cursor)
        if type(value) is int or isinstance(value, str | datetime):
            return value
        if isinstance(value, Decimal) and value == value.to_integral_value():
            return int(value)
        why = f"column {self._source.cursor} has type {type(value).__name__}: use a whole number, a time or text"
        raise self._database.wrong(why)

    def _value(self, row: Mapping[str, Any], column: str) -> Any:
        if column.lower() not in row:
            raise self._database.wrong(f"the query has no column {column}: it has {', '.join(row)[:200]}")
        return row[column.lower()]

    def _heartbeat(self, connection: Connection, now: datetime, keys: Keys | None) -> Heartbeat | None:
        """Read before the rows: what commits between the two is not claimed to be read."""
        if self._source.heartbeat_query is None:
            return None
        rows = connection.execute(statement(self._source.heartbeat_query)).fetchmany(2)
        wanted = 1 if keys is None else 2
        if len(rows) != 1 or len(rows[0]) < wanted:
            raise self._database.wrong(f"heartbeat_query gives no single row of {wanted} column(s)")
        try:
            time = exact(rows[0][0], "of heartbeat_query")
            if time is None:
                return None
            parse_past(time, now)
            record: dict[str, Any] = {"heartbeat": time}
            if keys is not None:
                record[SIGNATURE] = _signature(exact(rows[0][1], "of heartbeat_query"))
            heartbeat = parse_approval(record, self._config, now, keys)
        except ValueError as error:
            raise self._database.wrong(f"heartbeat_query: {error}") from error
        assert isinstance(heartbeat, Heartbeat)
        return heartbeat

    def _parse(
        self, rows: list[dict[str, Any]], now: datetime, keys: Keys | None
    ) -> tuple[tuple[Approval | Cancellation, ...], tuple[Malformed, ...]]:
        records: list[Approval | Cancellation] = []
        malformed: list[Malformed] = []
        for number, row in enumerate(rows, 1):
            record = self._record(row)
            if record is None:
                continue
            try:
                parsed = parse_approval(record, self._config, now, keys)
            except SignatureError as error:
                malformed.append(Malformed(number, f"row {record.get('id')!r:.200}: {error}", error.bad))
            except ApprovalError as error:
                malformed.append(Malformed(number, f"row {record.get('id')!r:.200}: {error}"))
            else:
                assert not isinstance(parsed, Heartbeat)
                records.append(parsed)
        return tuple(records), tuple(malformed)

    def _record(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """A row as the JSON line that it stands for; None where it is neither approved nor cancelled."""
        source = self._source
        cells: dict[str, Any] = {}
        mapped: dict[str, str] = {key: column for key, column in source.columns.items()}  # noqa: C416  keys widen to str
        for key in (*KEYS, SIGNATURE):
            column = mapped.get(key, key)
            if key in mapped or column in row:
                cells[key] = self._exact(row, column)
        record = {key: cell for key, cell in cells.items() if cell is not None}
        if SIGNATURE in record:
            record[SIGNATURE] = _signature(record[SIGNATURE])
        if isinstance(record.get("batch_size"), str) and record["batch_size"].isdecimal():
            record["batch_size"] = int(record["batch_size"])
        if source.statuses is not None:
            status = self._exact(row, source.statuses.column)
            if status in source.statuses.cancelled:
                return {key: record[key] for key in ("id", SIGNATURE) if key in record} | {"op": "cancel"}
            if status not in source.statuses.approved:
                return None
        if source.amount_is == "net" and "amount" in record:
            record["amount"] = self._gross(record["amount"], row)
        return record

    def _gross(self, net: str, row: Mapping[str, Any]) -> str:
        """What leaves the wallet: the net amount and the fee that the customer pays, exactly."""
        assert self._source.fee_column is not None
        fee = self._exact(row, self._source.fee_column) or "0"
        try:
            with localcontext() as context:
                context.prec = 400  # more digits than a line may have amounts of
                return format(Decimal(net) + Decimal(fee), "f")
        except ArithmeticError:
            return f"{net} + {fee}"  # no amount: refused with the row, as it is written

    def _exact(self, row: Mapping[str, Any], column: str) -> str | None:
        try:
            return exact(self._value(row, column), column)
        except ValueError as error:
            # About the column, not about this row: nothing is read before it is put right.
            raise self._database.wrong(str(error)) from error

    def _marked(self, position: str) -> Cursor | None:
        try:
            stored = json.loads(position) if position else {}
        except ValueError:
            return None
        if not isinstance(stored, dict) or stored.get("query") != self._query or stored.get("cursor") is None:
            return None
        kind, value = stored["kind"], stored["cursor"]
        if kind == "time":
            return datetime.fromisoformat(value)
        return int(value) if kind == "whole" else str(value)

    def _position(self, cursor: Cursor | None) -> str:
        kind = "whole" if isinstance(cursor, int) else "time" if isinstance(cursor, datetime) else "text"
        value = None if cursor is None else cursor.isoformat() if isinstance(cursor, datetime) else str(cursor)
        stored = {"query": self._query, "kind": kind, "cursor": value}
        return json.dumps(stored, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _lower(row: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in row.items()}


def _digest(row: Mapping[str, Any]) -> bytes:
    shown = [
        (name, type(value).__name__, rfc3339(value) if _aware(value) else str(value)) for name, value in row.items()
    ]
    return sha256(json.dumps(shown).encode()).digest()


def _aware(value: Any) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _signature(text_: str | None) -> object:
    """A signature's column: {"key": NAME, "sig": BASE64} as text."""
    try:
        return decode(text_ or "null")
    except ApprovalError:
        return text_
