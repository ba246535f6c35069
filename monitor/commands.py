"""What each command does: each function returns the exit code. Heavy parts are imported where they are needed."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from chains.core.errors import AllEndpointsFailed, ChainError, WrongChain
from monitor.books import check as check_files
from monitor.books import summary
from monitor.config import Config, ConfigError, Mistake, SecretError, load
from monitor.model import rfc3339
from monitor.profiles import check_profiles

if TYPE_CHECKING:
    from monitor.ledger.heads import Checked
    from monitor.ledger.store import Ledger

FINE, FINDING, WRONG, UNDETERMINED = 0, 1, 2, 3
#: longer than any commit, shorter than a person's patience
_API_SECONDS = 15.0


def say(text: str) -> None:
    """One line to standard error: what a person reads while standard output stays data."""
    sys.stderr.write(text + "\n")


def _load(path: Path) -> Config | None:
    try:
        return load(path)
    except ConfigError as error:
        for mistake in error.mistakes:
            say(str(mistake))
        return None


def _open(path: Path, *, writable: bool = False) -> tuple[Config, Ledger] | None:
    """The configuration and its ledger; None once it was said why not."""
    from monitor.ledger.store import Ledger, LedgerError

    config = _load(path)
    if config is None:
        return None
    try:
        return config, Ledger(config.store_url(), writable=writable)
    except (LedgerError, SecretError) as error:
        say(str(error))
        return None


def check(path: Path, *, online: bool) -> int:
    """`porwatch check`: every mistake at once; with ``online`` also what each endpoint serves."""
    from monitor.publish.rungs import rungs, spoken

    mistakes = [*check_files(path), *_profile_mistakes(path), *_web_mistakes(path)]
    for mistake in mistakes:
        say(str(mistake))
    if mistakes:
        return WRONG
    config = load(path)
    sys.stdout.write(summary(config).rstrip("\n") + "\n")
    for line in spoken(rungs(config)):
        sys.stdout.write(line + "\n")
    for line in not_yet(config):
        say(line)
    return asyncio.run(_check_online(config)) if online else FINE


def _profile_mistakes(path: Path) -> list[Mistake]:
    """Of the profiles that a configuration names; none where its own mistakes, told already, hide them."""
    try:
        config = load(path)
    except ConfigError:
        return []
    return check_profiles(config)


def _web_mistakes(path: Path) -> list[Mistake]:
    """Certificates of the web configuration that have expired; none where other mistakes, told already, hide them."""
    from datetime import UTC, datetime

    from monitor.config.web_file import read_web_file

    try:
        config = load(path)
    except ConfigError:
        return []
    if config.web.config_file is None:
        return []
    try:
        read_web_file(config.path(config.web.config_file), config.web, datetime.now(UTC))
    except ConfigError as error:
        return list(error.mistakes)
    return []


async def _check_online(config: Config) -> int:
    from chains.core.registry import open_kind

    states = set()
    for name, settings in config.chains.items():
        chain = open_kind(settings.kind).connect(name, settings, config.decimals, config.base, None)
        try:
            for answer in await chain.identify():
                sys.stdout.write(f"{name} {answer.endpoint}: {answer.state}: {answer.detail}\n")
                states.add(answer.state)
        finally:
            await chain.close()
    if "wrong" in states:
        return WRONG
    return FINE if states <= {"right"} else UNDETERMINED


def not_yet(config: Config) -> list[str]:
    """Configured keys without effect in this version that are safe to leave so; the operator is told each time."""
    lines = []
    if config.books.proposals is not None:
        lines.append("books.proposals: checked, but not used in this version")
    return lines


def _runnable(path: Path) -> Config | None:
    config = _load(path)
    if config is None:
        return None
    for line in not_yet(config):
        say(line)
    return config


def run(path: Path) -> int:
    """`porwatch run`: 0 after a signal, 2 where it cannot start."""
    from monitor import daemon
    from monitor.ledger.store import LedgerError
    from monitor.step.shadow import ShadowRefused

    config = _runnable(path)
    if config is None:
        return WRONG
    try:
        asyncio.run(daemon.run(config))
    except (WrongChain, LedgerError, SecretError, ConfigError, ShadowRefused, daemon.CannotListen) as error:
        say(str(error))
        return WRONG
    return FINE


def once(path: Path, output: str) -> int:
    """`porwatch once`: the verdict on standard output; 1 for a finding, 3 where something is unverified."""
    from monitor import daemon
    from monitor.ledger.journal import JournalError
    from monitor.ledger.store import LedgerError
    from monitor.publish.rungs import rungs, spoken
    from monitor.step.shadow import ShadowRefused

    config = _runnable(path)
    if config is None:
        return WRONG
    try:
        verdict, critical = asyncio.run(daemon.once(config))
    except (WrongChain, LedgerError, SecretError, ShadowRefused) as error:
        say(str(error))
        return WRONG
    except JournalError as error:
        say(str(error))
        return FINDING
    except AllEndpointsFailed as error:
        for cause in dict.fromkeys(str(inner) for inner in error.exceptions):
            say(cause)
        return UNDETERMINED
    except ChainError as error:
        say(str(error))
        return UNDETERMINED
    _print_verdict(verdict, output)
    for line in spoken(rungs(config)):
        say(line)
    return _verdict_code(verdict, critical)


def _verdict_code(verdict: Mapping[str, Any], critical: int) -> int:
    outcomes = {check["verdict"] for check in verdict["checks"]}
    if critical or "BREACH" in outcomes:
        return FINDING
    return UNDETERMINED if "UNVERIFIED" in outcomes else FINE


def _print_verdict(verdict: Mapping[str, Any], output: str) -> None:
    if output == "json":
        sys.stdout.write(json.dumps(verdict, indent=2, ensure_ascii=False) + "\n")
        return
    columns = ("profile", "id", "asset", "verdict", "value", "threshold", "margin", "basis")
    _print_rows(columns, [{name: check[name] for name in columns} for check in verdict["checks"]], output)


def _print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], output: str) -> None:
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


def status(path: Path, output: str) -> int:
    """`porwatch status`: from the ledger, without or beside a running monitor; 1 with a critical case open."""
    from monitor.daemon import scope_of
    from monitor.health import Health
    from monitor.publish.rungs import rows, rungs, spoken
    from monitor.publish.snapshot import take_snapshot
    from monitor.publish.status import render_status
    from monitor.step.writer import utc_now

    opened = _open(path)
    if opened is None:
        return WRONG
    config, ledger = opened
    now = utc_now()
    snapshot = take_snapshot(ledger, Health(now, tuple(config.chains)), scope_of(config), now)
    ledger.close()
    body = {**render_status(snapshot), "rungs": rows(rungs(config))}
    if output == "json":
        sys.stdout.write(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    else:
        _print_rows(("wallet", "chain", "asset", "final"), [_holding(line) for line in body["holdings"]], output)
        if output == "table":
            _print_chains(body)
            sys.stdout.write("".join(f"{line}\n" for line in spoken(rungs(config))))
    return FINDING if any(key[1] == "critical" for key, count in snapshot.cases.items() if count) else FINE


def _holding(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: line.get(name) for name in ("wallet", "chain", "asset", "final")}


def _print_chains(body: Mapping[str, Any]) -> None:
    for chain in body["chains"]:
        at = "not followed yet" if chain["cursor"] is None else f"block {chain['cursor']['height']}"
        sys.stdout.write(f"{chain['chain']}: {at}, final {chain['final']}\n")
    cases = ", ".join(f"{count} {state}" for state, count in body["cases"].items())
    sys.stdout.write(f"cases: {cases}\n")


def cases_list(path: Path, state: str, output: str) -> int:
    """`porwatch cases CONFIG list`."""
    from monitor.ledger import reader
    from monitor.model import CaseState
    from monitor.publish.render import render_case

    if state != "all" and state not in set(CaseState):
        say(f"--state {state}: write open, pending, acknowledged, closed or all")
        return WRONG
    opened = _open(path)
    if opened is None:
        return WRONG
    config, ledger = opened
    with ledger.read() as connection:
        found = reader.cases(connection, states=None if state == "all" else (CaseState(state),))
    ledger.close()
    rows = [render_case(case, config.decimals) for case in found]
    if output == "json":
        sys.stdout.write(json.dumps({"cases": rows, "next": None}, indent=2, ensure_ascii=False) + "\n")
    else:
        columns = ("id", "opened_at", "state", "severity", "rule", "chain", "wallet", "asset", "amount", "txid")
        _print_rows(columns, rows, output)
    return FINE


def cases_show(path: Path, case_id: str) -> int:
    """`porwatch cases CONFIG show ID`."""
    from monitor.ledger import reader
    from monitor.publish.render import render_case

    opened = _open(path)
    if opened is None:
        return WRONG
    config, ledger = opened
    with ledger.read() as connection:
        case = reader.case(connection, case_id)
    ledger.close()
    if case is None:
        say(f"there is no case {case_id}: see `porwatch cases {path} list`")
        return WRONG
    sys.stdout.write(json.dumps(render_case(case, config.decimals), indent=2, ensure_ascii=False) + "\n")
    return FINE


def cases_act(path: Path, case_id: str, action: str, name: str, reason: str) -> int:
    """`porwatch cases CONFIG ack|close ID`: through the running monitor where there is one, else in the ledger."""
    from monitor import daemon
    from monitor.ledger.store import LedgerError

    config = _load(path)
    if config is None:
        return WRONG
    try:
        state = asyncio.run(daemon.act(config, case_id, action, name, reason))
    except LedgerError:
        return _act_through_api(config, case_id, action, name, reason)
    except KeyError:
        say(f"there is no case {case_id}: see `porwatch cases {path} list`")
        return WRONG
    except (ValueError, SecretError) as error:
        say(str(error))
        return WRONG
    sys.stdout.write(f"{case_id} {state}\n")
    return FINE


def _act_through_api(config: Config, case_id: str, action: str, name: str, reason: str) -> int:
    if config.web.config_file is not None or config.web.trusted_proxy is not None:
        # Who stands at this terminal has shown nobody who he is.
        say("the running monitor asks who acts: log in to its API or its console, and do it there")
        return WRONG
    request = urllib.request.Request(
        f"http://{config.web.listen}/api/v1/cases/{case_id}/{action}",
        data=json.dumps({"name": name, "reason": reason}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_API_SECONDS) as response:  # noqa: S310  the scheme is ours
            body = json.load(response)
    except urllib.error.HTTPError as error:
        say(json.load(error)["error"])
        return WRONG
    except OSError as error:
        say(f"the running monitor does not answer on web.listen {config.web.listen}: {error}")
        return UNDETERMINED
    sys.stdout.write(f"{case_id} {body['data']['state']}\n")
    return FINE


def alerts_test(path: Path) -> int:
    """`porwatch alerts test`: 0 where every receiver took the drill, 3 where one did not, 2 without any."""
    from monitor.publish.deliver import receivers
    from monitor.publish.drill import drill
    from monitor.step.writer import utc_now

    config = _load(path)
    if config is None:
        return WRONG
    told = receivers(config.alertmanagers)
    deadman = None if config.deadman.url_file is None else config.path(config.deadman.url_file)
    if not told and deadman is None:
        say("no receiver is configured: write alertmanagers or deadman.url_file")
        return WRONG
    external = config.web.external_url or f"http://{config.web.listen}"
    results = asyncio.run(drill(told, deadman, external, utc_now()))
    for result in results:
        sys.stdout.write(f"{result.receiver}: {'taken' if result.ok else 'FAILED'}: {result.detail}\n")
    return FINE if all(result.ok for result in results) else UNDETERMINED


def journal_verify(path: Path) -> int:
    """`porwatch journal verify`: 1 names the first record or tree head that differs."""
    from monitor.ledger import heads
    from monitor.ledger.journal import JournalError
    from monitor.signing.keys import known_publics

    opened = _open(path)
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

    opened = _open(path, writable=True)
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

    config = _load(path)
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
