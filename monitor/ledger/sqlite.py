"""The ledger in one SQLite file.

WAL mode with synchronous=FULL: a commit that returned survives a power cut. There is one writer (a
lock file beside the database says so); readers have connections of their own.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from monitor.ledger.copies import copy_database
from monitor.ledger.errors import LedgerError, LedgerInUse

_BUSY_TIMEOUT_MS = 10_000


class Sqlite:
    """Engines on one file; with ``writable`` also the lock, held until ``close``. Raises LedgerError."""

    #: `run` migrates it without being asked
    migrates_itself = True

    def __init__(self, url: URL, *, writable: bool) -> None:
        path = Path(url.database or "")
        self.name, self._path = str(path), path
        if not path.parent.is_dir():
            raise LedgerError(f"store: the folder {path.parent} does not exist: create it")
        if not writable and not path.exists():
            raise LedgerError(f"store: {path} does not exist: start `porwatch run` or `porwatch once` first")
        self._lock = exclusive(path) if writable else None
        self.reader = _engine(url, writer=False)
        self.writer = _engine(url, writer=True) if writable else None

    def keep(self, schema: str) -> None:
        """Copy the ledger to FILE.schema-NNNN before its schema is changed; a copy of an earlier try is replaced."""
        target = self._path.with_name(f"{self._path.name}.schema-{schema}")
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        copy_database(self._path, part)
        part.replace(target)

    def close(self) -> None:
        """Close every connection and give the lock back."""
        self.reader.dispose()
        if self.writer is not None:
            self.writer.dispose()
        if self._lock is not None:
            self._lock.close()


def _engine(url: URL, *, writer: bool) -> Engine:
    engine = create_engine(url, pool_size=1 if writer else 8, max_overflow=0 if writer else 8, hide_parameters=True)

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


def exclusive(path: Path) -> IO[bytes]:
    """A lock that the operating system drops with the process, however it ends."""
    try:
        # Without a buffer: closing one that cannot be written would raise again.
        handle = path.with_name(path.name + ".lock").open("ab", buffering=0)
    except OSError as error:
        raise LedgerError(f"store: {path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise LedgerInUse(f"store: {path} is in use by another porwatch: stop that one first") from error
    try:
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n".encode())
    except OSError as error:
        handle.close()
        raise LedgerError(f"store: {path} cannot be written: {error.strerror}") from error
    return handle
