"""Nodes that are gone, slow, short of answers, of another chain, or alive on a chain that stands still."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from chains.lab.process import wait_until
from tests.conftest import CHECKOUT
from tests.real.exchange import Exchange
from tests.real.faulty_node import Handler, changed, closed, rate_limited
from tests.real.matrix.acts import (
    Plants,
    Proxies,
    behind,
    caught_up,
    cursors,
    nothing_lost,
    problem,
    success,
    timed,
)
from tests.real.matrix.record import Row
from tests.real.servers import Prometheus, WebhookReceiver
from tests.real.sides import BitcoinSide, EvmSide, Side
from tests.real.test_monitor_bad_node import is_block
from tests.real.test_monitor_restart import INSPECTION

HOURS = 6
LIVE_SECONDS = 30
LATE_SECONDS = 2
#: what tells which chain an endpoint serves, and an answer of another one
IDENTITY: dict[str, tuple[str, str]] = {
    "bitcoin": ("getblockhash", "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
    "ethereum": ("eth_chainId", "0x1"),
}


def move_clocks(sides: list[Side], hours: int) -> None:
    """The time of the chains, ``hours`` after now."""
    for side in sides:
        if isinstance(side, BitcoinSide):
            side.node.rpc("setmocktime", int(time.time()) + hours * 3600)
        elif isinstance(side, EvmSide):
            ahead = int(side.node.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16) - int(time.time())
            side.node.rpc("evm_increaseTime", hours * 3600 - max(ahead, 0))


def told(webhook: WebhookReceiver) -> list[dict[str, Any]]:
    """Every alert about a case in the order in which it was first told, each once."""
    alerts: dict[str, dict[str, Any]] = {}
    for post in list(webhook.posts):
        for alert in post.body:
            if "case_id" in alert["labels"]:
                alerts.setdefault(alert["labels"]["case_id"], alert)
    return list(alerts.values())


def test_all_endpoints_down_for_six_hours(
    row: Row, own_sides: list[Side], proxies: Proxies, webhook: WebhookReceiver, tmp_path: Path
) -> None:
    """All RPC down for 6 h. Every endpoint of both chains hangs up; meanwhile a theft, an approved withdrawal and three
    more blocks each hour of the chain's own time; then the endpoints are back."""
    nodes = proxies(own_sides)
    with behind(nodes, tmp_path, own_sides, alertmanagers=[{"url": webhook.url.rstrip("/")}]) as ex:
        ex.start()
        plants, stood = Plants(ex), cursors(ex, own_sides)
        for node in nodes.values():
            node.fault = closed
        for side in own_sides:
            ex.wait(lambda side=side: problem(ex, side.name), "the status says nothing")
        since = {side.name: success(ex, side.name) for side in own_sides}
        down = time.monotonic()
        for hour in range(1, HOURS + 1):
            move_clocks(own_sides, hour)
            for side in own_sides:
                plants.steal(side)
                plants.pay(side)
                side.mine(3)
        # For less than this porwatch takes what it finds for what it has just seen.
        time.sleep(max(0, LIVE_SECONDS + 2 - (time.monotonic() - down)))
        assert cursors(ex, own_sides) == stood
        assert {side.name: success(ex, side.name) for side in own_sides} == since
        assert min(time.time() - at for at in since.values()) > LIVE_SECONDS
        assert ex.cases("all") == []
        row.saw("both cursors frozen", "age of the last success grows", "no case")
        missed = sum(side.head() - stood[side.name] for side in own_sides)
        with timed(row, missed):
            for node in nodes.values():
                node.fault = None
            caught_up(ex, own_sides)
        nothing_lost(row, ex, own_sides, plants)
        _in_order_with_event_time(row, ex, plants, webhook)


def _in_order_with_event_time(row: Row, ex: Exchange, plants: Plants, webhook: WebhookReceiver) -> None:
    cases = {case["id"]: case for case in ex.cases("all")}
    ex.wait(lambda: len(told(webhook)) == len(cases), "not every case was told")
    for chain, stolen in plants.stolen.items():
        of_chain = [cases[alert["labels"]["case_id"]] for alert in told(webhook) if alert["labels"]["chain"] == chain]
        assert [case["txid"] for case in of_chain] == stolen
        times = [case["block"]["time"] for case in of_chain]
        assert times == sorted(set(times))
        for case in of_chain:
            earliest, latest = case["evidence"]["seen_between"]
            assert earliest < case["block"]["time"] < latest
    row.saw("alerts in the order of the events; each case has the time of its block")


def quick_rules(folder: Path) -> Path:
    """The shipped rules of a blind and of a halted chain, with seconds instead of minutes."""
    shorter = {
        "PorwatchChainBlind": ("<= 120", "<= 3"),
        "PorwatchNodeHeadStalled": ("[5m])) > 300)", "[5m])) > 5)"),
    }
    groups = yaml.safe_load((CHECKOUT / "alerts" / "rules" / "porwatch.yml").read_text())["groups"]
    quick = []
    for rule in (rule for group in groups for rule in group["rules"] if rule["alert"] in shorter):
        long, short = shorter[rule["alert"]]
        assert long in rule["expr"]
        quick.append({**rule, "expr": rule["expr"].replace(long, short), "for": "1s"})
    assert len(quick) == len(shorter)
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "quick", "rules": quick}]}))
    return path


@pytest.mark.timeout(300)
def test_a_halted_chain_and_a_dead_endpoint_are_two_alerts(
    row: Row,
    start_anvil: Callable[..., Anvil],
    bitcoind: Bitcoind,
    proxies: Proxies,
    start_prometheus: Callable[..., Prometheus],
    tmp_path: Path,
) -> None:
    """Chain halt beside dead RPC. The EVM node answers but makes no block any more; the Bitcoin endpoint hangs up
    (a real Prometheus with the shipped rules, minutes shortened to seconds)."""
    chain = EvmSide(start_anvil(block_time=1))
    sides: list[Side] = [BitcoinSide(bitcoind), chain]
    nodes = proxies(sides)
    with behind(nodes, tmp_path, sides) as ex:
        ex.start()
        prometheus = start_prometheus(
            {
                "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
                "rule_files": [str(quick_rules(tmp_path))],
                "scrape_configs": [{"job_name": "p", "static_configs": [{"targets": [f"127.0.0.1:{ex.port}"]}]}],
            }
        )

        def firing() -> set[tuple[str, str]]:
            alerts = prometheus.alerts()
            return {(a["labels"]["alertname"], a["labels"]["chain"]) for a in alerts if a["state"] == "firing"}

        time.sleep(5)
        assert firing() == set()
        with timed(row):
            chain.node.rpc("evm_setIntervalMining", 0)
            nodes["bitcoin"].fault = closed
            want = {("PorwatchNodeHeadStalled", "ethereum"), ("PorwatchChainBlind", "bitcoin")}
            # Twelve of the chain's own intervals, which are longer where the machine has other work.
            wait_until(lambda: firing() == want, "one alert for each", 180)
        assert problem(ex, "ethereum") == ""
        row.saw("PorwatchNodeHeadStalled for the halted chain only", "PorwatchChainBlind for the dead endpoint only")
        nodes["bitcoin"].fault = None
        chain.node.rpc("evm_setIntervalMining", 1)
        wait_until(lambda: firing() == set(), "both are over", 60)
        row.saw("both end by themselves")


def test_a_rate_limit_slows_reading_and_loses_nothing(
    row: Row, sides: list[Side], proxies: Proxies, tmp_path: Path
) -> None:
    """Rate limit (429, Retry-After 2 s). Blocks are refused, heads are answered; a theft and an approved withdrawal
    meanwhile."""
    nodes = proxies(sides)
    with behind(nodes, tmp_path, sides) as ex:
        ex.start()
        plants, stood = Plants(ex), cursors(ex, sides)
        for side in sides:
            nodes[side.name].only = INSPECTION[side.name]
            nodes[side.name].fault = rate_limited("2")
            plants.steal(side)
            plants.pay(side)
        since = {side.name: success(ex, side.name) for side in sides}
        time.sleep(2)
        assert cursors(ex, sides) == stood
        before, begin = {name: len(node.requests) for name, node in nodes.items()}, time.monotonic()
        time.sleep(6)
        for name, node in nodes.items():
            a_second = (len(node.requests) - before[name]) / (time.monotonic() - begin)
            assert a_second < 20, f"{name}: {a_second} requests a second to an endpoint that says slow down"
        assert all(success(ex, name) - at < 3 for name, at in since.items())
        row.saw("cursors frozen, age of the last success grows", "fewer than 20 requests a second while refused")
        with timed(row, sum(side.head() - stood[side.name] for side in sides)):
            for node in nodes.values():
                node.fault = None
            caught_up(ex, sides)
        nothing_lost(row, ex, sides, plants)


def late(handler: Handler, reply: Any) -> None:
    """The right answer, after a time that is long for a node and shorter than any time-out."""
    time.sleep(LATE_SECONDS)
    handler.send_json(reply)


def test_slow_endpoints_delay_and_lose_nothing(row: Row, sides: list[Side], proxies: Proxies, tmp_path: Path) -> None:
    """Slow RPC. Every answer of both endpoints takes 2 s; a theft and an approved withdrawal meanwhile."""
    nodes = proxies(sides)
    with behind(nodes, tmp_path, sides) as ex:
        ex.start()
        plants, stood = Plants(ex), cursors(ex, sides)
        for node in nodes.values():
            node.fault = late
        with timed(row, 2 * len(sides)):
            for side in sides:
                plants.steal(side)
                plants.pay(side)
            caught_up(ex, sides, 120)
            ex.wait(lambda: len(ex.cases("all")) == len(sides), "a theft is not a case", 60)
        assert all(ex.cursor(side.name) > stood[side.name] for side in sides)
        row.saw("follows all the same, only later")
        for node in nodes.values():
            node.fault = None
        nothing_lost(row, ex, sides, plants)


def short(block: Any) -> Any:
    """A block with its last transaction, or the end of its bytes, cut off."""
    return block[:-20] if isinstance(block, str) else {**block, "transactions": block["transactions"][:-1]}


@pytest.mark.parametrize("answer", ["null", "short"])
def test_a_lagging_node_answers_null_or_short(
    row: Row, sides: list[Side], proxies: Proxies, answer: str, tmp_path: Path
) -> None:
    """A lagging node answers null or short. A block below the head is null, or lacks its last transaction."""
    row.title += f" ({answer})"
    nodes = proxies(sides)
    with behind(nodes, tmp_path, sides) as ex:
        ex.errors_expected = True  # a block that lacks a transaction is shown from its root, and logged as a lie
        ex.start()
        plants, stood = Plants(ex), cursors(ex, sides)
        held = ex.get("status")["holdings"]
        for side in sides:
            change = (lambda _: None) if answer == "null" else short
            nodes[side.name].fault = changed(
                lambda result, change=change: change(result) if is_block(result) else result
            )
            plants.steal(side)
        for side in sides:
            ex.wait(lambda side=side: problem(ex, side.name), "the status says nothing")
        assert cursors(ex, sides) == stood
        assert ex.get("status")["holdings"] == held
        row.saw("an error, the cursor does not move", "no holding becomes zero")
        with timed(row, sum(side.head() - stood[side.name] for side in sides)):
            for node in nodes.values():
                node.fault = None
            caught_up(ex, sides)
        nothing_lost(row, ex, sides, plants, others=len([case for case in ex.cases("all") if not case["txid"]]))


def test_an_endpoint_that_turns_to_another_chain(row: Row, sides: list[Side], proxies: Proxies, tmp_path: Path) -> None:
    """Wrong chain id or genesis. First at the start; then while running: the only endpoint of each chain hangs up and
    comes back as one of another chain."""
    nodes = proxies(sides)
    for side in sides:
        with behind({side.name: nodes[side.name]}, tmp_path / side.name, [side]) as ex:
            method, other = IDENTITY[side.name]
            nodes[side.name].only = frozenset({method})
            nodes[side.name].fault = changed(lambda _, other=other: other)
            refused = ex.command("run", str(ex.config))
            assert refused.returncode == 2
            assert side.name in refused.stderr
            assert not ex.rows("SELECT seq FROM journal")
            nodes[side.name].fault, nodes[side.name].only = None, frozenset()
    row.saw("refuses to start (exit 2), journals nothing")
    with behind(nodes, tmp_path, sides) as ex:
        ex.errors_expected = True  # the endpoint lies now about what it said before
        ex.start()
        plants, stood = Plants(ex), cursors(ex, sides)
        for side in sides:
            nodes[side.name].fault = closed
            plants.steal(side)
            ex.wait(lambda side=side: problem(ex, side.name), "the status says nothing")
        for side in sides:
            method, other = IDENTITY[side.name]
            nodes[side.name].only, nodes[side.name].fault = frozenset({method}), changed(lambda _, other=other: other)
        for side in sides:
            ex.wait(lambda side=side: "endpoint-1" in problem(ex, side.name), "the endpoint is not named")
        time.sleep(3)
        assert cursors(ex, sides) == stood
        row.saw("while running: cursor frozen, the endpoint named")
        with timed(row, sum(side.head() - stood[side.name] for side in sides)):
            for node in nodes.values():
                node.fault = None
            caught_up(ex, sides)
        nothing_lost(row, ex, sides, plants, others=len([case for case in ex.cases("all") if not case["txid"]]))
