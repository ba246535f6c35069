"""A ledger is put back to an earlier state, and its journal says so.

What was published after the backup was made cannot be unsaid: an auditor may hold a tree head over
records that are gone. So the first record after those of the backup, of kind "restored", names the
last head that is known to have been published, and how many records of it are lost. Whoever holds
that head can no longer be given a proof of consistency, and finds here why.

Nothing that was there is deleted: ledger and evidence are kept beside the restored ones.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from monitor.config.resolved import Config
from monitor.ledger import archive, heads, journal, migrate
from monitor.ledger.archive import LEDGER, Manifest
from monitor.ledger.copies import damage, sync
from monitor.ledger.errors import LedgerError
from monitor.ledger.heads import Checked, Head, head_problem
from monitor.ledger.journal import JournalError, Record
from monitor.ledger.sqlite import exclusive
from monitor.ledger.store import Commit, Ledger, commit, rebuild
from monitor.model import rfc3339


@dataclass(frozen=True, slots=True)
class Orders:
    """What a person says of a restore. ``head``: the last published one, where the person knows it."""

    head: Head | None
    by: str | None
    reason: str | None
    replace: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """``seq``: the last record that came back; ``published``: the last head known to be published; ``lost``: records
    of that head that are gone; ``kept``: where the ledger is that was there before.
    """

    manifest: Manifest | None
    seq: int
    published: Head | None
    lost: int
    kept: Path | None


def restore(config: Config, file: Path, orders: Orders, publics: Collection[bytes], now: datetime) -> Restored:
    """Put the backup ``file`` in the place of the ledger. Until its last step nothing there is changed.

    Raises LedgerError for what must not be restored here, JournalError for a journal that does not
    verify or is not an earlier state of what was published.
    """
    store = config.store_path
    if store is None:
        raise LedgerError("store: the ledger is in PostgreSQL: bring it back with pg_restore, then restore --in-place")
    if not store.parent.is_dir():
        raise LedgerError(f"store: the folder {store.parent} does not exist: create it")
    with _locked(store), archive.opened(file) as (manifest, tar):
        _refuse(config, file, manifest, store, orders)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=store.parent) as name:
            work = Path(name)
            archive.unpack(file, manifest, tar, work)
            wrong = damage(work / LEDGER)
            if wrong:
                raise JournalError(f"{file}: the ledger in it is damaged: {wrong}")
            here = _here(store)
            published, lost = _recorded(work / LEDGER, file, manifest, here, orders, publics, now)
            kept = _put(store, config.state_folder, work, now)
    return Restored(manifest, manifest.seq, published, lost, kept)


def restored_in_place(ledger: Ledger, orders: Orders, publics: Collection[bytes], now: datetime) -> Restored:
    """A database that its own tools have brought back: verified, its state built anew, and the journal told."""
    with ledger.write() as connection:
        checked = heads.check(connection, publics)
        published = _newest(checked.last, orders.head)
        _follows(connection, checked, orders.head, publics)
        rebuild(connection)
        lost = _record(connection, None, checked, published, orders, now)
    return Restored(None, checked.seq, published, lost, None)


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """Nobody writes to the ledger, or to the place where one will be."""
    lock = exclusive(store)
    try:
        yield
    finally:
        lock.close()


def _refuse(config: Config, file: Path, manifest: Manifest, store: Path, orders: Orders) -> None:
    if manifest.entity != config.entity.name:
        raise LedgerError(
            f"{file}: is of {manifest.entity!r}, the configuration of {config.entity.name!r}: name the right one"
        )
    if manifest.schema not in migrate.revisions():
        raise LedgerError(
            f"{file}: its schema {manifest.schema} was made by a newer porwatch ({manifest.porwatch}): use that one"
        )
    if store.exists() and not orders.replace:
        raise LedgerError(f"store: {store} exists: say --replace, then it is kept beside the restored one")


@dataclass(frozen=True, slots=True)
class _Here:
    """The ledger that is replaced, as far as it can be read."""

    path: Path
    seq: int
    last: Head | None


def _here(store: Path) -> _Here | None:
    """Whatever its schema is: a newer one is what a rollback leaves. None where there is none that can be read."""
    if not store.exists():
        return None
    with suppress(DBAPIError, JournalError), _plainly(store) as connection:
        return _Here(store, journal.head(connection)[0], heads.newest(connection))
    return None


@contextmanager
def _plainly(store: Path) -> Iterator[Connection]:
    """A SQLite file, read only, without looking at its schema."""
    engine = create_engine(f"sqlite:///file:{store}?mode=ro&uri=true", poolclass=NullPool, hide_parameters=True)
    with engine.connect() as connection:
        yield connection


def _recorded(
    copy: Path,
    file: Path,
    manifest: Manifest,
    here: _Here | None,
    orders: Orders,
    publics: Collection[bytes],
    now: datetime,
) -> tuple[Head | None, int]:
    """Verify the copy, bring it to this schema, build its state anew and write the record."""
    with closing(Ledger(f"sqlite:///{copy}")) as ledger, ledger.write() as connection:
        checked = heads.check(connection, publics)
        if (checked.seq, checked.hash, checked.last) != (manifest.seq, manifest.hash, manifest.head):
            raise JournalError(f"{file}: its journal is not the one that backup.json names")
        _continues(connection, file, checked, here)
        for known in (orders.head, None if here is None else here.last):
            _follows(connection, checked, known, publics)
        published = _newest(checked.last, orders.head, None if here is None else here.last)
        rebuild(connection)
        lost = _record(connection, manifest, checked, published, orders, now)
    return published, lost


def _continues(connection: Connection, file: Path, checked: Checked, here: _Here | None) -> None:
    """The ledger that is replaced begins with the records of the backup, or is itself its beginning."""
    if here is None or not min(here.seq, checked.seq):
        return
    at = min(here.seq, checked.seq)
    with _plainly(here.path) as other:
        same = heads.record_hash(other, at) == heads.record_hash(connection, at)
    if not same:
        raise JournalError(f"{file}: is of another ledger than {here.path}: record {at} differs")


def _follows(connection: Connection, checked: Checked, head: Head | None, publics: Collection[bytes]) -> None:
    """What was published over records that are here must be what they say."""
    if head is None:
        return
    wrong = head_problem(head, publics)
    if wrong:
        raise JournalError(f"the published tree head over {head.size} records {wrong}")
    if head.size <= checked.seq and heads.root_over(connection, head.size) != head.root:
        raise JournalError(f"the published tree head over {head.size} records is of another journal than the backup")


def _newest(*known: Head | None) -> Head | None:
    return max((head for head in known if head is not None), key=lambda head: head.size, default=None)


def _record(
    connection: Connection,
    manifest: Manifest | None,
    checked: Checked,
    published: Head | None,
    orders: Orders,
    now: datetime,
) -> int:
    lost = 0 if published is None else max(published.size - checked.seq, 0)
    body = {
        "backup": None
        if manifest is None
        else {"made_at": rfc3339(manifest.made_at), "porwatch": manifest.porwatch, "ledger": manifest.files[LEDGER][1]},
        "seq": checked.seq,
        "hash": checked.hash,
        "published": None if published is None else published.to_json(),
        "lost": lost,
        "by": orders.by,
        "reason": orders.reason,
    }
    commit(connection, Commit(records=(Record("restored", body),)), now)
    return lost


def _put(store: Path, state: Path, work: Path, now: datetime) -> Path | None:
    """The last step. The ledger's name always leads to a whole ledger: the old one or the restored one."""
    mark = f"before-restore-{now:%Y%m%dT%H%M%SZ}"
    evidence, kept = state / "evidence", None
    _single(work / LEDGER)
    if evidence.exists():
        evidence.rename(evidence.with_name(f"evidence.{mark}"))
    if (work / "evidence").exists():
        # A move, also to another disk than the store's.
        shutil.move(work / "evidence", evidence)
    if store.exists():
        _single(store)
        kept = store.with_name(f"{store.name}.{mark}")
        os.link(store, kept)
    sync(work / LEDGER)
    (work / LEDGER).replace(store)
    sync(store.parent)
    return kept


def _single(path: Path) -> None:
    """Take what is in the log into the database itself; of a damaged one the log stays beside it under its new name."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    for suffix in ("-wal", "-shm"):
        log = path.with_name(path.name + suffix)
        if log.exists():
            log.rename(path.with_name(f"{path.name}.damaged{suffix}"))
