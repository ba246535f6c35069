"""`porwatch ceremonies CONFIG list|announce|confirm|cancel`: each function returns the exit code.

Where a monitor runs on the ledger it does the work: it alone writes there.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.config import Config, ConfigError, SecretError, load
from monitor.terminal import say

if TYPE_CHECKING:
    from monitor.build import Desk
    from monitor.detect import Ceremony

FINE, WRONG, UNDETERMINED = 0, 2, 3
#: longer than any commit, shorter than a person's patience
_API_SECONDS = 15.0
#: more than anybody plans; the API gives the rest page by page
_MOST = 500
_COLUMNS = ("id", "phase", "begins_at", "ends_at", "wallets", "purpose", "announced", "confirmed", "cancelled")


def listed(path: Path, output: str) -> int:
    """The newest ceremonies, from the ledger, without or beside a running monitor."""
    from monitor.ledger import ceremonies
    from monitor.ledger.store import Ledger, LedgerError
    from monitor.publish.api.ceremonies import render_ceremony
    from monitor.step.writer import utc_now

    config = _load(path)
    if config is None:
        return WRONG
    try:
        ledger = Ledger(config.store_url(), writable=False)
    except (LedgerError, SecretError) as error:
        say(str(error))
        return WRONG
    with ledger.read() as connection:
        found = ceremonies.ceremonies(connection, limit=_MOST)
    ledger.close()
    _print([render_ceremony(each, utc_now()) for each in found], output)
    return FINE


def announce(path: Path, body: Mapping[str, object]) -> int:
    """Announce work on cold wallets. ``body``: purpose, wallets, from, to and name, as the API takes them."""
    from monitor.publish.api.ceremonies import announcement

    def ask(desk: Desk) -> Awaitable[Ceremony]:
        wanted, name = announcement(dict(body))
        return desk.announce(wanted, name, "")

    return _act(path, "", body, ask)


def confirm(path: Path, ceremony_id: str, name: str) -> int:
    """Confirm a ceremony as the second person."""
    from monitor.publish.api.ceremonies import confirmation

    body = {"name": name}
    return _act(path, f"/{ceremony_id}/confirm", body, lambda desk: desk.confirm(ceremony_id, confirmation(body), ""))


def cancel(path: Path, ceremony_id: str, name: str, reason: str) -> int:
    """Cancel a ceremony."""
    from monitor.publish.api.ceremonies import cancellation

    body = {"name": name, "reason": reason}
    return _act(path, f"/{ceremony_id}/cancel", body, lambda desk: desk.cancel(ceremony_id, *cancellation(body), ""))


def _act(path: Path, route: str, body: Mapping[str, object], ask: Callable[[Desk], Awaitable[Ceremony]]) -> int:
    """In the ledger, or through the running monitor that has it."""
    from monitor.ledger.store import LedgerError, LedgerInUse
    from monitor.publish.api.ceremonies import render_ceremony
    from monitor.step.writer import utc_now

    config = _load(path)
    if config is None:
        return WRONG
    try:
        shown = render_ceremony(asyncio.run(_in_ledger(config, ask)), utc_now())
    except LedgerInUse:
        return _through_api(config, route, body)
    except KeyError:
        say(f"there is no such ceremony: see `porwatch ceremonies {path} list`")
        return WRONG
    except (ValueError, LedgerError, SecretError) as error:
        say(str(error))
        return WRONG
    sys.stdout.write(f"{shown['id']} {shown['phase']}\n")
    return FINE


async def _in_ledger(config: Config, ask: Callable[[Desk], Awaitable[Ceremony]]) -> Ceremony:
    from monitor.build import Desk, opened

    async with opened(config) as monitor:
        return await ask(Desk(monitor.inbox, monitor.watchlist, monitor.proving))


def _through_api(config: Config, route: str, body: Mapping[str, object]) -> int:
    request = urllib.request.Request(
        f"http://{config.web.listen}/api/v1/ceremonies{route}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_API_SECONDS) as response:  # noqa: S310  the scheme is ours
            shown = json.load(response)["data"]
    except urllib.error.HTTPError as error:
        say(_reason(error))
        return WRONG if error.code < 500 else UNDETERMINED
    except OSError as error:
        say(f"the running monitor does not answer on web.listen {config.web.listen}: {error}")
        return UNDETERMINED
    sys.stdout.write(f"{shown['id']} {shown['phase']}\n")
    return FINE


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, LookupError, TypeError):
        return f"web.listen is answered by something else: HTTP status {error.code}"


def _print(rows: Sequence[Mapping[str, Any]], output: str) -> None:
    if output == "json":
        sys.stdout.write(json.dumps({"ceremonies": rows}, indent=2, ensure_ascii=False) + "\n")
        return
    lines = [{name: _cell(row[name]) for name in _COLUMNS} for row in rows]
    if output == "csv":
        writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*_COLUMNS, box=None, pad_edge=False)
    for line in lines:
        table.add_row(*line.values())
    Console(width=None if sys.stdout.isatty() else 1000, soft_wrap=True, highlight=False).print(table)


def _cell(value: object) -> str:
    """Wallets with commas between, people by their name."""
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        return str(value["name"])
    return "" if value is None else str(value)


def _load(path: Path) -> Config | None:
    try:
        return load(path)
    except ConfigError as error:
        for mistake in error.mistakes:
            say(str(mistake))
        return None
