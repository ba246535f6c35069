"""However and whenever the monitor ends, nothing is lost and nothing is told twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.faulty_node import FaultyNode, Handler
from tests.real.servers import Alertmanager, WebhookReceiver
from tests.real.sides import BitcoinSide, EvmSide, Side, coins

#: what a monitor asks a node for only after it knows that there is a new block
INSPECTION = {"bitcoin": frozenset({"getblock"}), "ethereum": frozenset({"eth_getBlockReceipts", "eth_getLogs"})}


@pytest.fixture
def sides(anvil: Anvil, bitcoind: Bitcoind) -> list[Side]:
    return [BitcoinSide(bitcoind), EvmSide(anvil)]


def end(ex: Exchange, how: str) -> None:
    if how == "SIGKILL":
        ex.kill()
        return
    begin = time.monotonic()
    assert ex.stop() == 0
    assert time.monotonic() - begin < 15


def verify(ex: Exchange) -> None:
    """The journal is unbroken, and the stored headers leave out no block."""
    result = ex.command("journal", "verify", str(ex.config))
    assert result.returncode == 0, result.stderr
    for (chain,) in ex.rows("SELECT DISTINCT chain FROM header"):
        heights = [row[0] for row in ex.rows("SELECT height FROM header WHERE chain = ? ORDER BY height", chain)]
        assert heights == list(range(heights[0], heights[-1] + 1))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_thefts_mined_while_it_was_down_are_found_once_and_no_block_is_skipped(
    sides: list[Side], how: str, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", sides) as ex:
        ex.start()
        end(ex, how)
        stolen = {}
        for side in sides:
            customer = side.outside()
            ex.approve(id=f"{side.name}-down", chain=side.name, asset=side.asset, destination=customer, amount="0.25")
            side.pay(side.hot, customer, side.unit // 4)
            stolen[side.pay(side.cold, side.outside(), side.unit)] = side
            side.mine(3)
        ex.start()
        assert {case["txid"] for case in ex.cases("all")} == set(stolen)
        for case in ex.cases("all"):
            side = stolen[case["txid"]]
            assert (case["wallet"], case["amount"]) == (side.cold, coins(side.unit, side.decimals))
            earliest, latest = case["evidence"]["seen_between"]
            assert earliest < case["block"]["time"] < latest, "on catch-up the block's own time counts, with its skew"
        before = ex.cases("all")
        end(ex, how)
        ex.start()
        assert ex.cases("all") == before
        for side in sides:
            (row,) = ex.rows("SELECT units FROM total WHERE wallet = ?", side.hot)
            assert int(row[0]) == side.held(side.hot)
        verify(ex)


class Gate:
    """A fault that holds an answer back until the test is over; ``reached``: a request waits at it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, handler: Handler, reply: Any) -> None:
        self.reached.set()
        self.opened.wait(60)
        handler.hang_up()


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_monitor_that_ends_between_a_block_and_its_inspection_finds_the_theft_after_it(
    sides: list[Side], how: str, tmp_path: Path
) -> None:
    for side in sides:
        gate = Gate()
        with FaultyNode(upstream=side.url) as proxy, exchange(tmp_path / side.name, [side]) as ex:
            ex.chains[side.name]["endpoints"][0]["url"] = proxy.url
            ex.write_config()
            ex.start()
            proxy.only, proxy.fault = INSPECTION[side.name], gate
            txid = side.pay(side.cold, side.outside(), side.unit)
            assert gate.reached.wait(30)
            end(ex, how)
            assert ex.rows("SELECT id FROM cases") == []
            proxy.fault = None
            gate.opened.set()
            ex.start()
            ex.only_case(txid=txid, rule="unexplained_outflow")
            verify(ex)


def test_a_monitor_that_is_killed_at_any_moment_loses_and_repeats_nothing(sides: list[Side], tmp_path: Path) -> None:
    chance = random.Random(2)
    with exchange(tmp_path / "exchange", sides) as ex:
        stolen = set()
        for _ in range(4):
            ex.start()
            stolen |= {side.pay(side.hot, side.outside(), side.unit // 10) for side in sides}
            time.sleep(chance.uniform(0, 0.6))
            ex.kill()
        ex.start()
        cases = ex.cases("all")
        assert {case["txid"] for case in cases} == stolen
        assert len(cases) == len(stolen)
        verify(ex)


def test_a_page_that_was_committed_but_not_delivered_goes_out_after_the_restart_and_once(
    sides: list[Side],
    start_alertmanager: Callable[..., Alertmanager],
    webhook: WebhookReceiver,
    tmp_path: Path,
) -> None:
    route = {"receiver": "pager", "group_by": ["case_id"], "group_wait": "0s", "group_interval": "1s"}
    receivers = [{"name": "pager", "webhook_configs": [{"url": webhook.url}]}]
    alertmanager = start_alertmanager({"route": route, "receivers": receivers})
    (side, *_) = sides
    with exchange(tmp_path / "exchange", [side], alertmanagers=[{"url": alertmanager.url}]) as ex:
        ex.start()
        alertmanager.stop()
        txid = side.pay(side.cold, side.outside(), side.unit)
        case = ex.only_case(txid=txid)
        ex.wait(lambda: ex.metric("porwatch_outbox_pending", receiver="alertmanager-1") == 1, "nothing waits")
        ex.kill()
        alertmanager.start()
        ex.start()
        page = webhook.wait_for(lambda post: True)
        assert [alert["labels"]["case_id"] for alert in page.body["alerts"]] == [case["id"]]
        ex.wait(lambda: ex.metric("porwatch_outbox_pending", receiver="alertmanager-1") == 0, "still waiting")
        time.sleep(2)
        assert len(webhook.posts) == 1
