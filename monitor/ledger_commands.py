"""`porwatch journal`, `db` and `retention`: each function returns the exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.config import Config, SecretError
from monitor.model import rfc3339
from monitor.terminal import FINDING, FINE, WRONG, load_config, open_ledger, print_rows, say

if TYPE_CHECKING:
    from monitor.ledger.heads import Checked
    from monitor.retention import Part


def journal_verify(path: Path) -> int:
    """`porwatch journal verify`: 1 names the first record or tree head that differs."""
    from monitor.ledger import heads
    from monitor.ledger.journal import JournalError
    from monitor.signing.keys import known_publics

    opened = open_ledger(path)
    if opened is None:
        return WRONG
    config, ledger = opened
    try:
        keys = known_publics(config.report_key_path)
    except SecretError as error:
        say(str(error))
        ledger.close()
        return WRONG
    try:
        with ledger.read() as connection:
            checked = heads.check(connection, keys)
    except JournalError as error:
        say(str(error))
        return FINDING
    finally:
        ledger.close()
    sys.stdout.write(f"{checked.seq} records, unbroken; head {checked.hash}\n")
    sys.stdout.write(_tree_heads(checked, known=bool(keys)))
    return FINE


def _tree_heads(checked: Checked, *, known: bool) -> str:
    from monitor.signing.keys import fingerprint

    if checked.last is None:
        return "no tree head yet\n"
    signer = fingerprint(bytes.fromhex(checked.last.key)) + ("" if known else ", signer not checked")
    last = f"the last over {checked.last.size} records at {rfc3339(checked.last.at)}"
    many = "1 tree head" if checked.heads == 1 else f"{checked.heads} tree heads"
    return f"{many}, {last}; signed by {signer}\n"


def journal_rebuild(path: Path) -> int:
    """`porwatch journal rebuild`: the state tables from a verified journal, in one transaction."""
    from monitor.ledger.journal import JournalError
    from monitor.ledger.store import rebuild

    opened = open_ledger(path, writable=True)
    if opened is None:
        return WRONG
    _, ledger = opened
    try:
        with ledger.write() as connection:
            count = rebuild(connection)
    except JournalError as error:
        say(f"{error}; nothing was changed")
        return FINDING
    finally:
        ledger.close()
    sys.stdout.write(f"state rebuilt from {count} records\n")
    return FINE


def db_upgrade(path: Path, *, apply: bool, owner: str | None = None, owner_password: Path | None = None) -> int:
    """`porwatch db upgrade`: the SQL on standard output, or the upgrade itself, as ``owner`` where one is named."""
    from monitor.ledger import migrate
    from monitor.ledger.store import LedgerError

    config = load_config(path)
    if config is None:
        return WRONG
    try:
        url = config.store_url(owner, owner_password)
        text = migrate.plan(url)
        if apply:
            migrate.apply(url)
    except (LedgerError, SecretError) as error:
        say(str(error))
        return WRONG
    if not apply:
        sys.stdout.write(text)
    newest = migrate.revisions()[-1]
    if not text:
        say(f"nothing to do: the schema is {newest}")
    elif apply:
        say(f"the schema is {newest} now")
    return FINE


def retention(path: Path, output: str, *, apply: bool) -> int:
    """`porwatch retention`: what is kept until when; with ``apply`` what is due ends. 1 where files are wrong."""
    from monitor.ledger.store import LedgerError
    from monitor.retention import check_retention, plan, prune
    from monitor.step.writer import utc_now

    config = load_config(path)
    if config is None:
        return WRONG
    mistakes = check_retention(config)
    for mistake in mistakes:
        say(str(mistake))
    opened = None if mistakes else open_ledger(path, writable=apply)
    if opened is None:
        return WRONG
    ledger, now = opened[1], utc_now()
    today = now.astimezone(config.zone).date()
    try:
        with ledger.read() as connection:
            parts = plan(connection, config, today)
        if apply:
            prune(ledger, config, parts, now)
            with ledger.read() as connection:
                parts = plan(connection, config, today)
    except LedgerError as error:
        say(str(error))
        return WRONG
    finally:
        ledger.close()
    _say_periods(config)
    _print_parts(parts, output)
    return FINDING if any(part.state in {"missing", "differs"} for part in parts) else FINE


def _say_periods(config: Config) -> None:
    from monitor.retention import periods

    for name, period in periods(config).items():
        if period.years is None:
            say(f"{name}: for ever: no configured profile names a period")
        else:
            say(f"{name}: {period.years} years{', ' if period.place else ''}{period.place} ({period.source})")


def _print_parts(parts: Sequence[Part], output: str) -> None:
    rows = [
        {
            "day": part.day.isoformat(),
            "cycle": part.cycle,
            "class": part.record_class,
            "files": len(part.files),
            "until": None if part.until is None else part.until.isoformat(),
            "state": part.state,
        }
        for part in parts
    ]
    if output == "json":
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        print_rows(("day", "cycle", "class", "files", "until", "state"), rows, output)
