"""A copy of a SQLite database at one moment, taken while others write to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from monitor.ledger.errors import LedgerError

#: a copy does not wait for writers (WAL), only for somebody who changes the journal mode
_BUSY_SECONDS = 10.0


def copy_database(source: Path, target: Path) -> None:
    """Copy ``source`` to the new file ``target``, mode 0600, one file without a log beside it, and sync it.

    All pages in one step: a step of fewer would begin anew at each commit of the writer. Raises
    LedgerError, and leaves no target behind, where it cannot be read or written to the end.
    """
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise LedgerError(f"{target}: cannot be made: {error.strerror}") from error
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as read,
            closing(sqlite3.connect(target)) as written,
        ):
            read.backup(written, pages=-1)
            written.execute("PRAGMA journal_mode=DELETE")
        sync(target)
        sync(target.parent)
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise LedgerError(f"{source} cannot be copied to {target}: {error}") from error


def damage(path: Path) -> str:
    """What SQLite finds wrong with a database as a whole, or ""."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else str(found)


def sync(path: Path) -> None:
    """Have the operating system write a file, or the names in a folder, down for a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
