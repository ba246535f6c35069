"""One ledger database: opening, migrating, committing and reading it.

There is one writer, and a commit that returned survives a power cut (see sqlite and postgres for
how). Whoever opens a ledger to write raises its epoch; every write transaction compares it, so that
a writer that was taken for dead, and is not, writes nothing over its successor. Readers have
connections of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, insert, make_url, select, update
from sqlalchemy.exc import DBAPIError

from chains.core.values import BlockRef
from monitor.ledger import journal, schema, state
from monitor.ledger.engines import open_engines
from monitor.ledger.errors import LedgerError, LedgerInUse, TakenOver, refused
from monitor.ledger.journal import Entry, Record
from monitor.ledger.migrate import check, keep, upgrade

__all__ = [
    "HEADER_WINDOW",
    "Advance",
    "Commit",
    "CursorMoved",
    "FeedState",
    "Ledger",
    "LedgerError",
    "LedgerInUse",
    "Message",
    "TakenOver",
    "commit",
    "rebuild",
]

#: headers kept below the cursor: deeper than any finality rule we know of (EVM: 2 epochs and then some)
HEADER_WINDOW = 512


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

    def __init__(self, url: str, *, writable: bool = True, password: Callable[[], str] | None = None) -> None:
        """``password``: asked for at each new connection to a database, in place of the one in ``url``."""
        self._engines = open_engines(make_url(url), writable=writable, password=password)
        self._epoch = 0
        try:
            self._open()
        except DBAPIError as error:
            self.close()
            raise refused(self._engines.name, error) from error
        except BaseException:
            # Nobody holds this object yet, so nobody else could give the file's lock back.
            self.close()
            raise

    def _open(self) -> None:
        writer = self._engines.writer
        if writer is not None and self._engines.migrates_itself:
            keep(self._engines)
        with (writer or self._engines.reader).begin() as connection:
            if writer is not None and self._engines.migrates_itself:
                upgrade(connection)
            check(connection)
            if writer is not None:
                connection.execute(update(schema.writer).values(epoch=schema.writer.c.epoch + 1))
                self._epoch = connection.execute(select(schema.writer.c.epoch)).scalar_one()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of one moment, for as long as it is open."""
        with self._engines.reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction: everything in it is kept, or nothing.

        Raises TakenOver where another porwatch has opened the ledger to write since this one did.
        Where the connection is lost while the transaction ends, only the ledger knows whether it
        was kept: whoever goes on reads its position there.
        """
        if self._engines.writer is None:
            raise LedgerError("this ledger was opened for reading only")
        try:
            connection = self._engines.writer.connect()
        except LedgerInUse:
            # The session was lost and cannot be had again: to a successor, or for as long as the old one lives on.
            with self.read() as reading:
                self._compare(reading, lock=False)
            raise
        with connection, connection.begin():
            self._compare(connection, lock=True)
            yield connection

    def _compare(self, connection: Connection, *, lock: bool) -> None:
        """Raise TakenOver where the epoch is another; ``lock``: and let nobody raise it before the transaction ends."""
        query = select(schema.writer.c.epoch)
        epoch = connection.execute(query.with_for_update(read=True) if lock else query).scalar_one()
        if epoch != self._epoch:
            raise TakenOver(f"store: {self._engines.name} was taken over by another porwatch: this one ends")

    def close(self) -> None:
        """Close every connection and give the lock back."""
        self._engines.close()


def commit(connection: Connection, change: Commit, at: datetime) -> tuple[Entry, ...]:
    """Journal and apply every record of ``change``, move its cursor, fill the outbox: all in this transaction."""
    if change.advance is not None:
        _advance(connection, change.advance, at)
    written = []
    for record in change.records:
        written.append(journal.append(connection, record, at))
        state.apply(connection, record, at)
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
