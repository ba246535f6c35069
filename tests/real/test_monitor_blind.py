"""A node that is down: it is said at once, nothing is made up, and nothing is missing afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from chains.lab.process import wait_until
from tests.conftest import CHECKOUT
from tests.real.exchange import Exchange, exchange
from tests.real.faulty_node import FaultyNode, closed
from tests.real.servers import Prometheus
from tests.real.sides import BitcoinSide, EvmSide, Side

RULES = CHECKOUT / "alerts" / "rules" / "porwatch.yml"


def impatient_rules(folder: Path) -> Path:
    """The shipped rule of the blind chain, with seconds instead of minutes."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    (rule,) = (r for group in groups for r in group["rules"] if r["alert"] == "PorwatchChainBlind")
    quick = {**rule, "expr": rule["expr"].replace("<= 120", "<= 3"), "for": "1s"}
    assert quick["expr"] != rule["expr"]
    path = folder / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "quick", "rules": [quick]}]}))
    return path


def problem(ex: Exchange, chain: str) -> str:
    """What the status says is wrong with following a chain; "" if nothing."""
    found = [p["problem"] for p in ex.get("status")["problems"] if (p["stage"], p["chain"]) == ("follow", chain)]
    return found[0] if found else ""


def last_success(ex: Exchange, chain: str) -> float:
    return ex.metric("porwatch_last_success_timestamp_seconds", stage="follow", chain=chain)


def test_a_node_that_is_down_is_reported_per_chain_and_everything_is_caught_up_after_it(
    fresh_anvil: Anvil,
    fresh_bitcoind: Bitcoind,
    start_prometheus: Callable[..., Prometheus],
    tmp_path: Path,
) -> None:
    sides: list[Side] = [BitcoinSide(fresh_bitcoind), EvmSide(fresh_anvil)]
    with exchange(tmp_path / "exchange", sides) as ex:
        ex.start()
        prometheus = start_prometheus(
            {
                "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
                "rule_files": [str(impatient_rules(tmp_path))],
                "scrape_configs": [{"job_name": "p", "static_configs": [{"targets": [f"127.0.0.1:{ex.port}"]}]}],
            }
        )

        def blind() -> list[str]:
            return [a["labels"]["chain"] for a in prometheus.alerts() if a["state"] == "firing"]

        for side in sides:
            _down_and_up(ex, side, blind)
        assert len(ex.cases("all")) == 2
        assert ex.command("journal", "verify", str(ex.config)).returncode == 0


def _down_and_up(ex: Exchange, side: Side, blind: Callable[[], list[str]]) -> None:
    wait_until(lambda: blind() == [], "no alert while all is well", 20)
    side.stop()
    ex.wait(lambda: problem(ex, side.name), "the status says nothing")
    held, since = ex.get("status")["holdings"], last_success(ex, side.name)
    wait_until(lambda: blind() == [side.name], "the blind alert, for this chain only", 30)
    assert ex.status_of("/-/ready") == 200, "readiness depends on no node once it was reached"
    assert ex.status_of("/-/healthy") == 200
    assert last_success(ex, side.name) == since
    assert ex.get("status")["holdings"] == held, "unknown is not zero"
    ex.wait(lambda: ex.get("verdict")["anchors"].keys() == {"bitcoin", "ethereum"} - {side.name}, "still measured")
    checks = {check["id"]: check for check in ex.get("verdict")["checks"]}
    assert checks["residual"]["verdict"] == "UNVERIFIED"
    assert side.name in checks["residual"]["basis"]
    side.start()
    side.deposit(side.hot, side.unit)
    txid = side.pay(side.cold, side.outside(), side.unit)
    side.mine(2)
    ex.wait_for_block(side.name, side.head())
    assert [case["txid"] for case in ex.cases("all") if case["chain"] == side.name] == [txid]
    for wallet in (side.cold, side.hot):
        (row,) = ex.rows("SELECT units FROM total WHERE wallet = ?", wallet)
        assert int(row[0]) == side.held(wallet)
    ex.wait(lambda: not problem(ex, side.name), "the problem is still shown")
    wait_until(lambda: blind() == [], "the alert is over", 20)


def test_a_theft_while_no_node_answers_is_one_case_once_one_does(
    anvil: Anvil, bitcoind: Bitcoind, tmp_path: Path
) -> None:
    sides: list[Any] = [BitcoinSide(bitcoind), EvmSide(anvil)]
    with (
        FaultyNode(upstream=bitcoind.url) as bitcoin_node,
        FaultyNode(upstream=anvil.url) as evm_node,
        exchange(tmp_path / "exchange", sides) as ex,
    ):
        nodes = {"bitcoin": bitcoin_node, "ethereum": evm_node}
        for name, node in nodes.items():
            ex.chains[name]["endpoints"][0]["url"] = node.url
        ex.write_config()
        ex.start()
        cursors = {side.name: ex.cursor(side.name) for side in sides}
        for node in nodes.values():
            node.fault = closed
        stolen = {side.pay(side.cold, side.outside(), side.unit) for side in sides}
        for side in sides:
            side.mine(3)
            ex.wait(lambda side=side: problem(ex, side.name), "the status says nothing")
            assert ex.cursor(side.name) == cursors[side.name]
        assert ex.cases("all") == []
        for node in nodes.values():
            node.fault = None
        for side in sides:
            ex.wait_for_block(side.name, side.head())
        assert {case["txid"] for case in ex.cases("all")} == stolen
        ex.settle()
        assert len(ex.cases("all")) == 2
