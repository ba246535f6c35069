"""A reorganisation takes blocks away, never a case: accounts follow the branch that won."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.servers import Alertmanager, WebhookReceiver
from tests.real.sides import JSON, BitcoinSide, EvmSide, Side


@pytest.fixture
def sides(fresh_anvil: Anvil, fresh_bitcoind: Bitcoind) -> list[Side]:
    return [BitcoinSide(fresh_bitcoind), EvmSide(fresh_anvil)]


def follows_the_node(ex: Exchange, side: Side) -> bool:
    """Whether the ledger holds for both wallets exactly what the node says now."""
    totals = {
        wallet: int(units) for wallet, units in ex.rows("SELECT wallet, units FROM total WHERE chain = ?", side.name)
    }
    return all(totals[wallet] == side.held(wallet) for wallet in (side.cold, side.hot))


def case_of(ex: Exchange, side: Side) -> JSON:
    (case,) = (case for case in ex.cases("all") if case["chain"] == side.name)
    return case


def test_a_theft_that_is_reorganised_away_stays_a_case_also_across_a_restart_and_pages_once(
    sides: list[Side],
    start_alertmanager: Callable[..., Alertmanager],
    webhook: WebhookReceiver,
    tmp_path: Path,
) -> None:
    route = {"receiver": "pager", "group_by": ["case_id"], "group_wait": "0s", "group_interval": "1s"}
    receivers = [{"name": "pager", "webhook_configs": [{"url": webhook.url}]}]
    alertmanager = start_alertmanager({"route": route, "receivers": receivers})
    with exchange(tmp_path / "exchange", sides, alertmanagers=[{"url": alertmanager.url}]) as ex:
        ex.start()
        for side in sides:
            side.mine(6)
            side.deposit(side.hot, side.unit)
            side.pay(side.cold, side.outside(), side.unit * 2)
            side.deposit(side.cold, side.unit // 2)
            ex.wait_for_block(side.name, side.head())
            assert follows_the_node(ex, side)
        before = {side.name: case_of(ex, side) for side in sides}
        for side in sides:
            side.reorg(3)
            ex.wait(lambda side=side: case_of(ex, side)["reorged_out"], "the reorganisation was not seen")
            ex.wait_for_block(side.name, side.head())
            ex.wait(lambda side=side: follows_the_node(ex, side), "the accounts do not follow the new branch")
        _still_open(ex, sides, before)
        assert ex.stop() == 0
        ex.start()
        _still_open(ex, sides, before)
        ex.settle()
        assert len(ex.cases("all")) == 2, "no residual, no other case"
        _mined_again(ex, sides, before)
        pages = [post for post in webhook.posts if post.body["status"] == "firing"]
        assert sorted(post.body["groupLabels"]["case_id"] for post in pages) == sorted(c["id"] for c in before.values())
        assert ex.command("journal", "verify", str(ex.config)).returncode == 0


def _still_open(ex: Exchange, sides: list[Side], before: dict[str, JSON]) -> None:
    for side in sides:
        case = case_of(ex, side)
        assert (case["state"], case["reorged_out"]) == ("open", True)
        unchanged = ("id", "txid", "amount", "fee", "destinations", "opened_at", "block")
        assert [case[key] for key in unchanged] == [before[side.name][key] for key in unchanged]


def _mined_again(ex: Exchange, sides: list[Side], before: dict[str, JSON]) -> None:
    for side in sides:
        old = before[side.name]
        side.mine_again(old["txid"])
        ex.wait(lambda side=side: not case_of(ex, side)["reorged_out"], "not seen again")
        case = case_of(ex, side)
        assert (case["id"], case["state"], case["amount"]) == (old["id"], "open", old["amount"])
        assert case["block"]["hash"] != old["block"]["hash"]
        assert [event["action"] for event in case["history"]] == ["opened", "reorged out", "mined again"]
        assert follows_the_node(ex, side)


def test_a_reorganisation_while_the_monitor_is_down_is_rewound_at_the_next_start(
    sides: list[Side], tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", sides) as ex:
        ex.start()
        for side in sides:
            side.mine(6)
            side.deposit(side.hot, side.unit)
            side.pay(side.cold, side.outside(), side.unit)
            side.mine()
            ex.wait_for_block(side.name, side.head())
        ex.kill()
        for side in sides:
            side.reorg(3)
        ex.start()
        for side in sides:
            assert case_of(ex, side)["reorged_out"]
            assert follows_the_node(ex, side)
        assert [record["to"]["chain"] for record in ex.records("rewound")] in (
            ["bitcoin", "ethereum"],
            ["ethereum", "bitcoin"],
        )


def test_an_approval_used_on_a_branch_that_lost_explains_the_payment_on_the_one_that_won(
    fresh_bitcoind: Bitcoind, tmp_path: Path
) -> None:
    side = BitcoinSide(fresh_bitcoind)
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        side.mine(6)
        customer = side.outside()
        ex.approve(id="w-1", chain="bitcoin", asset="BTC", amount="0.5", destination=customer)
        side.pay(side.hot, customer, side.unit // 2)
        ex.wait_for_block(side.name, side.head())
        side.reorg(1)
        ex.wait_for_block(side.name, side.head())
        ex.wait(lambda: ex.records("rewound"), "the reorganisation was not seen")
        side.mine()
        ex.wait_for_block(side.name, side.head())
        ex.wait(lambda: follows_the_node(ex, side), "the accounts do not follow")
        assert ex.cases("all") == []
        # Used once, and not once a branch.
        side.pay(side.hot, customer, side.unit // 2)
        ex.only_case("pending" if ex.cases("pending") else "open", wallet=side.hot)
