"""One ledger database: opening, migrating, committing and reading it.

SQLite in WAL mode with synchronous=FULL: a commit that returned survives a power cut. There is one
writer (a lock file beside the database says so); readers have connections of their own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, create_engine, delete, event, insert, select, update
from sqlalchemy.engine import make_url

from chains.core.values import BlockRef
from monitor.ledger import journal, schema, state
from monitor.ledger.journal import Entry, Record
from monitor.ledger.migrate import upgrade

#: headers kept below the cursor: deeper than any finality rule we know of (EVM: 2 epochs and then some)
HEADER_WINDOW = 512
_BUSY_TIMEOUT_MS = 10_000


class LedgerError(Exception):
    """The ledger cannot be opened or written; the message says why and what to do."""


class CursorMoved(LedgerError):
    """The block does not follow the stored cursor: someone else moved it, or the caller is wrong."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """How far a declared source has been read. ``position`` is the reader's own canonical JSON."""

    source: str
    position: str
    heartbeat: datetime | None
    records: int
    malformed: int
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One outbox row: what a receiver is to be told about a case, frozen when it happened."""

    receiver: str
    case_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class Advance:
    """The cursor of a chain moves from ``previous`` (None at its first opening) to ``to``."""

    to: BlockRef
    previous: str | None
    final_height: int
    rewind: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """All that one step changes, in one database transaction."""

    records: tuple[Record, ...] = ()
    advance: Advance | None = None
    final: tuple[str, int] | None = None
    feed: FeedState | None = None
    messages: tuple[Message, ...] = ()
    sent: tuple[int, ...] = field(default=())


class Ledger:
    """An open ledger. ``write`` belongs to one thread; ``read`` may be used by any."""

    def __init__(self, url: str, *, writable: bool = True) -> None:
        self._url = make_url(url)
        self._lock: IO[str] | None = None
        if self._url.get_backend_name() != "sqlite":
            raise LedgerError("this version keeps its ledger in SQLite: write store: sqlite:///porwatch.db")
        path = Path(self._url.database or "")
        if not path.parent.is_dir():
            raise LedgerError(f"store: the folder {path.parent} does not exist: create it")
        if not writable and not path.exists():
            raise LedgerError(f"store: {path} does not exist: start `porwatch run` or `porwatch once` first")
        if writable:
            self._lock = _exclusive(path)
        self._reader = _engine(url, writer=False)
        self._writer = _engine(url, writer=True) if writable else None
        if self._writer is not None:
            with self._writer.begin() as connection:
                upgrade(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of one moment, for as long as it is open."""
        with self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction: everything in it is kept, or nothing."""
        if self._writer is None:
            raise LedgerError("this ledger was opened for reading only")
        with self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection and give the lock back."""
        self._reader.dispose()
        if self._writer is not None:
            self._writer.dispose()
        if self._lock is not None:
            self._lock.close()


def commit(connection: Connection, change: Commit, at: datetime) -> tuple[Entry, ...]:
    """Journal and apply every record of ``change``, move its cursor, fill the outbox: all in this transaction."""
    written = []
    for record in change.records:
        written.append(journal.append(connection, record, at))
        state.apply(connection, record, at)
    if change.advance is not None:
        _advance(connection, change.advance, at)
    if change.final is not None:
        chain, height = change.final
        connection.execute(update(schema.cursor).where(schema.cursor.c.chain == chain).values(final_height=height))
    if change.feed is not None:
        _store_feed(connection, change.feed)
    for message in change.messages:
        connection.execute(
            insert(schema.outbox).values(
                receiver=message.receiver,
                case_id=message.case_id,
                payload=message.payload,
                created_at=at,
                sent_at=None,
            )
        )
    if change.sent:
        connection.execute(update(schema.outbox).where(schema.outbox.c.id.in_(change.sent)).values(sent_at=at))
    return tuple(written)


def rebuild(connection: Connection) -> int:
    """State tables from the journal alone, after verifying it. Returns how many records were applied."""
    state.clear(connection)
    count = 0
    for entry in journal.verified(connection):
        state.apply(connection, entry.record(), entry.at)
        count += 1
    return count


def _advance(connection: Connection, move: Advance, at: datetime) -> None:
    columns, to = schema.cursor.c, move.to
    row = connection.execute(select(columns.hash, columns.height).where(columns.chain == to.chain)).first()
    stored = None if row is None else row.hash
    if stored != move.previous:
        raise CursorMoved(f"{to.chain}: the cursor is at {stored}, not at {move.previous}")
    follows = row is None or to.hash == row.hash or (to.parent == row.hash and to.height == row.height + 1)
    if not move.rewind and not follows:
        raise CursorMoved(f"{to.chain}: block {to.height} {to.hash} does not follow the cursor {stored}")
    values = {
        "height": to.height,
        "hash": to.hash,
        "parent": to.parent,
        "time": to.time,
        "final_height": move.final_height,
    }
    if stored is None:
        connection.execute(insert(schema.cursor).values(chain=to.chain, **values))
    else:
        connection.execute(update(schema.cursor).where(columns.chain == to.chain).values(**values))
    _store_header(connection, to, at)


def _store_header(connection: Connection, to: BlockRef, at: datetime) -> None:
    headers = schema.header.c
    connection.execute(delete(schema.header).where(headers.chain == to.chain, headers.height >= to.height))
    connection.execute(
        insert(schema.header).values(
            chain=to.chain, height=to.height, hash=to.hash, parent=to.parent, time=to.time, seen_at=at
        )
    )
    connection.execute(
        delete(schema.header).where(headers.chain == to.chain, headers.height < to.height - HEADER_WINDOW)
    )


def _store_feed(connection: Connection, feed: FeedState) -> None:
    connection.execute(delete(schema.feed).where(schema.feed.c.source == feed.source))
    connection.execute(
        insert(schema.feed).values(
            source=feed.source,
            position=feed.position,
            heartbeat=feed.heartbeat,
            records=feed.records,
            malformed=feed.malformed,
            read_at=feed.read_at,
        )
    )


def _engine(url: str, *, writer: bool) -> Engine:
    engine = create_engine(url, pool_size=1 if writer else 8, max_overflow=0 if writer else 8)

    @event.listens_for(engine, "connect")
    def _pragmas(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # BEGIN is ours: the driver would delay it past the first read
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        if writer:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
        else:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _exclusive(path: Path) -> IO[str]:
    """A lock that the operating system drops with the process, however it ends."""
    try:
        handle = path.with_name(path.name + ".lock").open("a+")
    except OSError as error:
        raise LedgerError(f"store: {path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise LedgerError(f"store: {path} is in use by another porwatch: stop that one first") from error
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle
