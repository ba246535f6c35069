"""Backups of a ledger in SQLite, with its evidence, taken while a monitor runs.

The ledger is copied first, the evidence after it: every file that the copy names is there. The copy
is opened and its journal verified before anything is called a backup. Keys are not in it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection
from contextlib import closing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from monitor.config.resolved import Config
from monitor.ledger import archive, heads, migrate
from monitor.ledger.archive import LEDGER, Manifest
from monitor.ledger.copies import copy_database, damage, sync
from monitor.ledger.errors import LedgerError
from monitor.ledger.journal import JournalError
from monitor.ledger.store import Ledger


def make_backup(config: Config, file: Path, publics: Collection[bytes], now: datetime) -> Manifest:
    """Write the new file ``file``, mode 0600. Raises LedgerError, JournalError where the journal does not verify."""
    store = config.store_path
    if store is None:
        raise LedgerError(by_hand(config, file))
    if not store.exists():
        raise LedgerError(f"store: {store} does not exist: there is nothing to back up")
    if file.exists():
        raise LedgerError(f"{file} exists: write another name, a backup is never overwritten")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as work:
            made = _made(config, store, Path(work), publics, now)
            part = Path(work) / "archive"
            with part.open("xb") as out:
                os.fchmod(out.fileno(), 0o600)
                archive.write(out, made[0], made[1])
            sync(part)
            # A link fails where somebody made the file meanwhile; a rename would replace it.
            os.link(part, file)
        sync(file.parent)
    except OSError as error:
        raise LedgerError(f"{file}: cannot be written: {error.strerror or error}") from error
    return made[0]


def _made(
    config: Config, store: Path, work: Path, publics: Collection[bytes], now: datetime
) -> tuple[Manifest, dict[str, Path]]:
    copy = work / LEDGER
    copy_database(store, copy)
    wrong = damage(copy)
    if wrong:
        raise JournalError(f"{store}: the database is damaged ({wrong}): copy the file as it is, and restore a backup")
    with closing(Ledger(f"sqlite:///{copy}", writable=False)) as ledger, ledger.read() as connection:
        checked = heads.check(connection, publics)
    sources = {LEDGER: copy, **archive.evidence_files(config.state_folder / "evidence")}
    manifest = Manifest(
        porwatch=version("porwatch"),
        entity=config.entity.name,
        schema=migrate.revisions()[-1],
        made_at=now,
        seq=checked.seq,
        hash=checked.hash,
        head=checked.last,
        files={name: archive.digest_of(path) for name, path in sources.items()},
    )
    return manifest, sources


def by_hand(config: Config, file: Path) -> str:
    """How a ledger in PostgreSQL is backed up: its own tools know more than we do."""
    url = config.store.url.replace("postgresql+psycopg://", "postgresql://", 1)
    return (
        "store: the ledger is in PostgreSQL, whose own tools back it up. Run\n"
        f"  pg_dump --format=custom --no-owner --file={file} '{url}'\n"
        f"and copy {config.state_folder / 'evidence'} after it. docs/how-to/backup-restore.md says how it comes back."
    )
