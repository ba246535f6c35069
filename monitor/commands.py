"""What each command does: each function returns the exit code. Heavy parts are imported where they are needed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chains.core.errors import AllEndpointsFailed, ChainError, WrongChain
from monitor.books import check as check_files
from monitor.books import summary
from monitor.config import Config, ConfigError, Mistake, SecretError, load
from monitor.profiles import check_profiles
from monitor.terminal import FINDING, FINE, UNDETERMINED, WRONG, load_config, open_ledger, print_rows, say


def check(path: Path, *, online: bool) -> int:
    """`porwatch check`: every mistake at once; with ``online`` also what each endpoint serves."""
    from monitor.publish.rungs import rungs, spoken

    mistakes = [*check_files(path), *_rule_mistakes(path), *_web_mistakes(path)]
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


def _rule_mistakes(path: Path) -> list[Mistake]:
    """Of the profiles that a configuration names and of what they ask; none where its own mistakes hide them."""
    from monitor.retention import check_retention

    try:
        config = load(path)
    except ConfigError:
        return []
    return check_profiles(config) or check_retention(config)


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
    config = load_config(path)
    if config is None:
        return None
    for line in not_yet(config):
        say(line)
    return config


def run(path: Path) -> int:
    """`porwatch run`: 0 after a signal, 2 where it cannot start."""
    from monitor import daemon
    from monitor.ledger.store import LedgerError
    from monitor.serving import CannotListen
    from monitor.step.shadow import ShadowRefused

    config = _runnable(path)
    if config is None:
        return WRONG
    try:
        asyncio.run(daemon.run(config))
    except (WrongChain, LedgerError, SecretError, ConfigError, ShadowRefused, CannotListen) as error:
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
    print_rows(columns, [{name: check[name] for name in columns} for check in verdict["checks"]], output)


def status(path: Path, output: str) -> int:
    """`porwatch status`: from the ledger, without or beside a running monitor; 1 with a critical case open."""
    from monitor.health import Health
    from monitor.publish.rungs import rows, rungs, spoken
    from monitor.publish.snapshot import take_snapshot
    from monitor.publish.status import render_status
    from monitor.serving import scope_of
    from monitor.step.writer import utc_now

    opened = open_ledger(path)
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
        print_rows(("wallet", "chain", "asset", "final"), [_holding(line) for line in body["holdings"]], output)
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


def alerts_test(path: Path) -> int:
    """`porwatch alerts test`: 0 where every receiver took the drill, 3 where one did not, 2 without any."""
    from monitor.publish.deliver import receivers
    from monitor.publish.drill import drill
    from monitor.step.writer import utc_now

    config = load_config(path)
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
