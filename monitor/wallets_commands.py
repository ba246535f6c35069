"""`porwatch wallets challenge` and `wallets prove`: each function returns the exit code.

Where a monitor runs on the ledger it does the work: it alone writes there.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.core.errors import ChainError, WrongChain
from monitor.config import Config, ConfigError, SecretError, load
from monitor.control.handed import BODY_BYTES_MOST, Handed, read_handed
from monitor.control.render import Row, causes, challenge_row
from monitor.terminal import say

FINE, FINDING, WRONG, UNDETERMINED = 0, 1, 2, 3
#: longer than a read from every endpoint may take with all its tries
_API_SECONDS = 180.0


class _Refused(Exception):
    """What the running monitor said no to; ``code`` is the exit code that this means."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def challenge(path: Path, request: Mapping[str, object], output: str) -> int:
    """Issue challenges and print them: 2 for what cannot be asked, 3 where nodes cannot be reached.

    ``request``: as monitor.proving.read_wanted takes it.
    """
    from monitor.ledger.store import LedgerError
    from monitor.proving import Undetermined

    config = _load(path)
    if config is None:
        return WRONG
    try:
        rows = asyncio.run(_ask(config, request))
    except _Refused as error:
        say(str(error))
        return error.code
    except (WrongChain, LedgerError, SecretError, ValueError) as error:
        say(str(error))
        return WRONG
    except (Undetermined, ChainError) as error:
        for cause in causes(error):
            say(cause)
        return UNDETERMINED
    if output != "table":
        _print_rows("challenges", rows, output)
        return FINE
    for row in rows:
        say(f"{row['wallet']} {row['address']}, to be answered by {row['expires_at']}:")
        sys.stdout.write(row["challenge"] + "\n\n")
    return FINE


async def _ask(config: Config, request: Mapping[str, object]) -> list[Row]:
    from monitor.build import opened
    from monitor.ledger.store import LedgerInUse
    from monitor.proving import read_wanted

    wanted = read_wanted(request)
    try:
        async with opened(config) as monitor:
            return [challenge_row(each) for each in await monitor.proving.ask(wanted)]
    except LedgerInUse:
        return await asyncio.to_thread(_post, config, "challenges", request)


def prove(path: Path, file: str, output: str) -> int:
    """Verify proofs and record the good ones: 1 names each bad one, 3 where one could not be determined."""
    from monitor.ledger.store import LedgerError

    config = _load(path)
    if config is None:
        return WRONG
    try:
        handed = read_handed(_read(file))
    except (OSError, ValueError) as error:
        say(f"{file}: {error.strerror if isinstance(error, OSError) else error}")
        return WRONG
    try:
        rows = asyncio.run(_prove(config, handed))
    except _Refused as error:
        say(str(error))
        return error.code
    except (WrongChain, LedgerError, SecretError) as error:
        say(str(error))
        return WRONG
    _print_results(rows, output)
    results = {row["result"] for row in rows}
    if "bad" in results:
        return FINDING
    return UNDETERMINED if "undetermined" in results else FINE


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(BODY_BYTES_MOST + 1)
    with Path(file).open("rb") as stream:
        return stream.read(BODY_BYTES_MOST + 1)


async def _prove(config: Config, handed: Sequence[Handed]) -> list[Row]:
    from monitor.build import opened
    from monitor.ledger.store import LedgerInUse

    try:
        async with opened(config) as monitor:
            return [await monitor.proving.judged(each) for each in handed]
    except LedgerInUse:
        bodies = [{"challenge": each.challenge, "kind": each.kind.value, "proof": each.proof} for each in handed]
        answers = [await asyncio.to_thread(_post, config, "proofs", body) for body in bodies]
        return [row for rows in answers for row in rows]


def _post(config: Config, what: str, body: Mapping[str, object]) -> list[Row]:
    """What the running monitor makes of a request. Raises _Refused."""
    request = urllib.request.Request(
        f"http://{config.web.listen}/api/v1/control/{what}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_API_SECONDS) as response:  # noqa: S310  the scheme is ours
            rows: list[Row] = json.load(response)["data"][what]
    except urllib.error.HTTPError as error:
        raise _Refused(_reason(error), WRONG if error.code < 500 else UNDETERMINED) from error
    except OSError as error:
        message = f"the running monitor does not answer on web.listen {config.web.listen}: {error}"
        raise _Refused(message, UNDETERMINED) from error
    return rows


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, LookupError, TypeError):
        return f"web.listen is answered by something else: HTTP status {error.code}"


def _print_results(rows: Sequence[Row], output: str) -> None:
    if output != "table":
        _print_rows("proofs", rows, output)
        return
    for row in rows:
        name = f"{row['kind']} {row['address'] or '(no challenge)'}"
        if row["result"] == "shown":
            detail = ", ".join(f"{key} {value}" for key, value in row["detail"].items())
            sys.stdout.write(f"{name}: control shown after block {row['block']['height']}: {detail}\n")
        else:
            sys.stdout.write(f"{name}: {row['result'].upper()}: {row['reason']}\n")


def _print_rows(name: str, rows: Sequence[Row], output: str) -> None:
    if output == "json":
        sys.stdout.write(json.dumps({name: rows}, indent=2, ensure_ascii=False) + "\n")
        return
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: Any) -> str | None:
    """What is more than one value stands in its cell as JSON."""
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)


def _load(path: Path) -> Config | None:
    try:
        return load(path)
    except ConfigError as error:
        for mistake in error.mistakes:
            say(str(mistake))
        return None
