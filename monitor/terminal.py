"""What the commands share: saying, printing rows, and opening what they work on."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.config import Config, ConfigError, SecretError, load

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

FINE, FINDING, WRONG, UNDETERMINED = 0, 1, 2, 3


def say(text: str) -> None:
    """One line to standard error: what a person reads while standard output stays data."""
    sys.stderr.write(text + "\n")


def load_config(path: Path) -> Config | None:
    """The configuration; None once every mistake was said."""
    try:
        return load(path)
    except ConfigError as error:
        for mistake in error.mistakes:
            say(str(mistake))
        return None


def open_ledger(path: Path, *, writable: bool = False) -> tuple[Config, Ledger] | None:
    """The configuration and its ledger; None once it was said why not."""
    from monitor.ledger.store import Ledger, LedgerError

    config = load_config(path)
    if config is None:
        return None
    try:
        return config, Ledger(config.store_url(), writable=writable)
    except (LedgerError, SecretError) as error:
        say(str(error))
        return None


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], output: str) -> None:
    """A list on standard output, as "csv" or as a table."""
    from rich.console import Console
    from rich.table import Table

    if output == "csv":
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: "" if row[name] is None else row[name] for name in columns} for row in rows)
        sys.stdout.write(buffer.getvalue())
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    # Where standard output is no terminal nothing is wrapped: the lines are for other programs then.
    Console(width=None if sys.stdout.isatty() else 1000, soft_wrap=True, highlight=False).print(table)
