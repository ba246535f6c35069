"""`porwatch backup` and `porwatch restore`: each function returns the exit code."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config import Config, SecretError
from monitor.terminal import FINDING, FINE, WRONG, load_config, say

if TYPE_CHECKING:
    from monitor.ledger.heads import Head
    from monitor.ledger.restore import Restored

#: a tree head, alone or in a bundle's evidence/journal.json
_LARGEST_HEAD = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was written on the command line of `restore`; ``head``: a file with the last published tree head."""

    head: Path | None = None
    name: str | None = None
    reason: str | None = None
    replace: bool = False
    in_place: bool = False


def backup(path: Path, file: Path) -> int:
    """`porwatch backup CONFIG FILE`: 0; 1 where the journal does not verify; 2 where it cannot be made."""
    from monitor.ledger.backup import make_backup
    from monitor.ledger.errors import LedgerError
    from monitor.ledger.journal import JournalError
    from monitor.signing.keys import known_publics
    from monitor.step.writer import utc_now

    config = load_config(path)
    if config is None:
        return WRONG
    try:
        made = make_backup(config, file, known_publics(config.report_key_path), utc_now())
    except JournalError as error:
        say(str(error))
        return FINDING
    except (LedgerError, SecretError) as error:
        say(str(error))
        return WRONG
    sys.stdout.write(f"{file}: {made.seq} records, head {made.hash}; {len(made.files) - 1} files of evidence\n")
    say(f"the report key is NOT in it: keep a copy of {config.report_key_path} elsewhere")
    return FINE


def restore(path: Path, file: Path | None, request: Request) -> int:
    """`porwatch restore CONFIG FILE`: 0; 1 for a changed backup or another journal; 2 for what must not be restored."""
    from monitor.ledger.archive import ArchiveError
    from monitor.ledger.errors import LedgerError
    from monitor.ledger.journal import JournalError

    config = load_config(path)
    if config is None:
        return WRONG
    if (file is None) != request.in_place:
        say("write the FILE of a backup, or --in-place for a database that its own tools have brought back")
        return WRONG
    try:
        done = _restored(config, file, request)
    except (JournalError, ArchiveError) as error:
        say(f"{error}; nothing was changed")
        return FINDING
    except (LedgerError, SecretError, ValueError) as error:
        say(str(error))
        return WRONG
    _tell(config, done)
    return FINE


def _restored(config: Config, file: Path | None, request: Request) -> Restored:
    from monitor.ledger import restore as restoring
    from monitor.ledger.store import Ledger
    from monitor.signing.keys import known_publics
    from monitor.step.writer import utc_now

    head = None if request.head is None else _read_head(request.head)
    orders = restoring.Orders(head, request.name, request.reason, request.replace)
    publics = known_publics(config.report_key_path)
    if file is not None:
        return restoring.restore(config, file, orders, publics, utc_now())
    with closing(Ledger(config.store_url())) as ledger:
        return restoring.restored_in_place(ledger, orders, publics, utc_now())


def _read_head(path: Path) -> Head:
    """A tree head as a file of its own, or as the key ``head`` of a bundle's journal.json. Raises ValueError."""
    from monitor.ledger.heads import head_from_json

    try:
        if path.stat().st_size > _LARGEST_HEAD:
            raise ValueError(f"larger than {_LARGEST_HEAD} bytes")
        body = json.loads(path.read_text(encoding="utf-8"))
        return head_from_json(body["head"] if isinstance(body, dict) and "head" in body else body)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"--head {path}: is no tree head: {error}; name evidence/journal.json of a report") from error


def _tell(config: Config, done: Restored) -> None:
    sys.stdout.write(f"{done.seq} records came back; record {done.seq + 1} says that they did\n")
    if done.published is None:
        say("no tree head is known to have been published: if one was, restore again with --head")
    elif done.lost:
        say(
            f"the tree head over {done.published.size} records was published: {done.lost} of them are LOST; "
            "tell whoever holds it or a report that rests on it"
        )
    if done.kept is not None:
        say(f"what was there is kept as {done.kept}")
    if not config.report_key_path.exists():
        say(f"{config.report_key_path} is missing: put the report key back before `run`, which would make another one")
