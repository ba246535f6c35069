"""The journal, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from monitor.ledger import schema
from monitor.ledger.journal import Entry


@dataclass(frozen=True, slots=True)
class Heading:
    """A record without its body."""

    seq: int
    at: datetime
    kind: str
    previous: str
    hash: str


def records(connection: Connection, *, kind: str | None, limit: int, after: int | None) -> list[Heading]:
    """Records, newest first; ``after``: the number of the last one already seen. Nothing is verified here."""
    columns = schema.journal.c
    names = ("seq", "at", "kind", "previous", "hash")
    query = select(*(columns[name] for name in names)).order_by(columns.seq.desc()).limit(limit)
    if kind is not None:
        query = query.where(columns.kind == kind)
    if after is not None:
        query = query.where(columns.seq < after)
    return [Heading(row.seq, row.at, row.kind, row.previous, row.hash) for row in connection.execute(query)]


def first_record(connection: Connection) -> datetime | None:
    """When the journal begins, or None while it is empty."""
    columns = schema.journal.c
    at: datetime | None = connection.execute(select(columns.at).order_by(columns.seq).limit(1)).scalar_one_or_none()
    return at


def record(connection: Connection, seq: int) -> Entry | None:
    """One record as it stands, or None where there is none."""
    row = connection.execute(select(schema.journal).where(schema.journal.c.seq == seq)).first()
    return None if row is None else Entry(row.seq, row.at, row.kind, row.body, row.previous, row.hash)
