"""The journal: append-only records, each chained to the one before by its hash.

A record's hash is SHA-256 over the previous hash, seq, time, kind and body, a line each, where the
body is canonical JSON. The first record's previous hash is 64 zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError

from monitor.ledger import schema
from monitor.ledger.encode import Json, canonical, parse
from monitor.ledger.types import microseconds

GENESIS = "0" * 64
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened, to be journalled and applied to the state. ``body`` is JSON without floats."""

    kind: str
    body: Json


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it stands in the journal. ``body`` is its canonical text."""

    seq: int
    at: datetime
    kind: str
    body: str
    previous: str
    hash: str

    def record(self) -> Record:
        return Record(self.kind, parse(self.body))


class JournalError(Exception):
    """The journal does not verify; the message names the first record that differs."""


def entry_hash(seq: int, at: datetime, kind: str, body: str, previous: str) -> str:
    """The hash of one record (see the module's docstring)."""
    text = "\n".join((previous, str(seq), str(microseconds(at)), kind, body))
    return sha256(text.encode()).hexdigest()


def head(connection: Connection) -> tuple[int, str]:
    """Seq and hash of the last record; (0, GENESIS) of an empty journal."""
    columns = schema.journal.c
    row = connection.execute(select(columns.seq, columns.hash).order_by(columns.seq.desc()).limit(1)).first()
    return (0, GENESIS) if row is None else (row.seq, row.hash)


def append(connection: Connection, record: Record, at: datetime) -> Entry:
    """Write one record at the end, in the caller's transaction."""
    seq, previous = head(connection)
    body = canonical(record.body)
    entry = Entry(seq + 1, at, record.kind, body, previous, entry_hash(seq + 1, at, record.kind, body, previous))
    connection.execute(
        insert(schema.journal).values(
            seq=entry.seq, at=at, kind=entry.kind, body=body, previous=previous, hash=entry.hash
        )
    )
    return entry


def entries(connection: Connection, after: int | None = None) -> Iterator[Entry]:
    """All records in order, or those after one, a page at a time."""
    last = -(2**63) if after is None else after  # below any seq that SQLite can hold
    while True:
        rows = connection.execute(
            select(schema.journal).where(schema.journal.c.seq > last).order_by(schema.journal.c.seq).limit(_PAGE)
        ).all()
        for row in rows:
            yield Entry(row.seq, row.at, row.kind, row.body, row.previous, row.hash)
        if len(rows) < _PAGE:
            return
        last = rows[-1].seq


def verified(connection: Connection, after: tuple[int, str] | None = None) -> Iterator[Entry]:
    """All records in order, each checked: no gap in seq, the chain unbroken, the hash its own.

    ``after``: seq and hash of a record that was checked before; only those behind it are read.
    Raises JournalError at the first that differs.
    """
    seq, previous = after or (0, GENESIS)
    try:
        for entry in entries(connection, None if after is None else seq):
            if entry.seq != seq + 1:
                raise JournalError(f"record {seq + 1} is missing: the next one is {entry.seq}")
            if entry.previous != previous:
                raise JournalError(f"record {entry.seq} does not follow record {seq}: its previous hash differs")
            if entry.hash != entry_hash(entry.seq, entry.at, entry.kind, entry.body, entry.previous):
                raise JournalError(f"record {entry.seq} ({entry.kind}) was changed: its hash differs")
            yield entry
            seq, previous = entry.seq, entry.hash
    except (DBAPIError, OverflowError) as error:
        # text that is no UTF-8, or a time beyond any calendar: written by no porwatch
        raise JournalError(f"a record after record {seq} cannot be read: {error}") from error
