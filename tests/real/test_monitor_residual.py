"""What no movement shows is found by the balance; what the configuration adds or drops is no movement."""

from __future__ import annotations

from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.faulty_node import FaultyNode, node_error
from tests.real.sides import FORWARDER, BitcoinSide, EvmSide, Side, coins

TRACES = frozenset({"debug_traceBlockByHash", "trace_block", "debug_traceTransaction", "trace_transaction"})


def watched(ex: Exchange) -> dict[str, str]:
    return dict(ex.rows("SELECT locator, wallet FROM watched"))


def flows(ex: Exchange) -> list[tuple[object, ...]]:
    return ex.rows("SELECT wallet, part, reason, units FROM flow")


def test_without_traces_an_internal_transfer_is_a_residual_of_the_right_account_booked_once(
    anvil: Anvil, tmp_path: Path
) -> None:
    side = EvmSide(anvil)
    side.node.rpc("anvil_setCode", side.address(side.cold), FORWARDER)
    side.node.mine()
    with FaultyNode(upstream=anvil.url) as proxy, exchange(tmp_path / "exchange", [side]) as ex:
        proxy.only, proxy.fault = TRACES, node_error(-32601, "the method does not exist")
        ex.chains["ethereum"]["endpoints"][0]["url"] = proxy.url
        ex.write_config()
        ex.start()
        amount = 3 * 10**17
        data = f"0x{int(side.outside(), 16):064x}{amount:064x}"
        anvil.receipt(anvil.send(anvil.accounts[6], side.address(side.cold), data=data))
        side.mine(6)
        case = ex.only_case(rule="residual", severity="critical", txid=None, wallet=side.cold, asset="ETH")
        assert (case["units"], case["amount"]) == (str(amount), coins(amount, 18))
        assert case["evidence"]["accounts"] == [[side.address(side.cold), str(-amount)]]
        assert "internal" in " ".join(case["evidence"]["not_enumerated"])
        assert case["seen_at"] in {"seen", "final"}, "whichever of the two looks comes first"
        ex.wait(lambda: ex.metric("porwatch_residual_open", chain="ethereum", wallet=side.cold) == 1, "no metric")
        side.mine(6)
        ex.settle()
        assert len(ex.cases("all")) == 1, "booked once: the next cycle finds nothing new"
        (booked,) = ex.records("residual")
        assert booked["accounts"] == [[side.address(side.cold), "ETH", side.cold, str(-amount)]]
        (row,) = ex.rows("SELECT units FROM total WHERE wallet = ? AND asset = 'ETH'", side.cold)
        assert int(row[0]) == side.held(side.cold)
        assert {c["id"]: c["verdict"] for c in ex.get("verdict")["checks"]}["residual"] == "BREACH"
        # The next one is a new case, also after a restart.
        assert ex.stop() == 0
        anvil.receipt(anvil.send(anvil.accounts[6], side.address(side.cold), data=data))
        side.mine(6)
        ex.start()
        ex.wait(lambda: len(ex.cases("all")) == 2, "the second residual was not found")
        ex.settle()
        assert len(ex.cases("all")) == 2


def test_ether_that_appears_from_nowhere_is_a_residual_that_warns(anvil: Anvil, tmp_path: Path) -> None:
    side = EvmSide(anvil)
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        anvil.fund(side.address(side.hot), side.held(side.hot) + 5)
        side.mine(6)
        ex.only_case(rule="residual", severity="warning", wallet=side.hot, units="-5")


@pytest.mark.parametrize("name", ["bitcoin", "ethereum"])
def test_a_wallet_and_an_address_that_are_added_later_open_with_what_they_hold_and_dropped_ones_retire(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    side: Side
    more: Side
    if name == "bitcoin":
        node: Bitcoind = request.getfixturevalue("bitcoind")
        side, more = BitcoinSide(node), BitcoinSide(node)
    else:
        other: Anvil = request.getfixturevalue("anvil")
        side, more = EvmSide(other), EvmSide(other)
    first, second = side.wallets()
    with exchange(tmp_path / "exchange", [side], [first]) as ex:
        ex.start()
        side.deposit(side.hot, side.unit)
        ex.wait_for_block(side.name, side.head())
        assert ex.stop() == 0
        # A whole wallet more, and an address more in the wallet that was there.
        first["addresses"].append(more.address(more.cold))
        ex.wallets = [first, second]
        ex.write_config()
        side.deposit(side.cold, side.unit)
        ex.start()
        ex.wait_for_block(side.name, side.head())
        assert set(watched(ex)) == {side.address(side.cold), side.address(side.hot), more.address(more.cold)}
        totals = {w: int(units) for w, units in ex.rows("SELECT wallet, units FROM total WHERE asset = ?", side.asset)}
        assert totals == {side.cold: side.held(side.cold) + more.held(more.cold), side.hot: side.held(side.hot)}
        assert [flow for flow in flows(ex) if flow[0] == side.hot] == [], "an opening is no deposit"
        assert [row[2:] for row in flows(ex)] == [("deposit", str(side.unit))]
        side.mine(7)
        ex.settle()
        assert ex.cases("all") == [], "no residual"
        _drop(ex, side, more, first)


def _drop(ex: Exchange, side: Side, more: Side, first: dict[str, object]) -> None:
    assert ex.stop() == 0
    ex.wallets = [first]
    first["addresses"] = [side.address(side.cold)]
    ex.write_config()
    ex.start()
    assert set(watched(ex)) == {side.address(side.cold)}
    (retired,) = ex.records("retired")
    assert set(retired["locators"]) == {side.address(side.hot), more.address(more.cold)}
    side.pay(side.hot, side.outside(), side.unit // 2)
    side.mine(6)
    ex.wait_for_block(side.name, side.head())
    ex.settle()
    assert ex.cases("all") == [], "what is not configured any more is not watched"
    position = {p["asset"]: p["held"] for p in ex.get("verdict")["positions"]}
    assert position[side.asset] == coins(side.held(side.cold), side.decimals)


def test_a_ranged_descriptor_finds_change_and_payments_on_every_address_of_its_range(
    bitcoind: Bitcoind, tmp_path: Path
) -> None:
    side = BitcoinSide(bitcoind)
    bitcoind.create_wallet("ranged")
    wallet = {
        "name": "ranged", "chain": "bitcoin", "tier": "hot", "owner": "customer",
        "descriptors": bitcoind.descriptors("ranged"), "gap_limit": 20,
    }  # fmt: skip
    for _ in range(3):
        bitcoind.fund(bitcoind.new_address("ranged", "bech32m"), side.unit)
    bitcoind.mine()
    with exchange(tmp_path / "exchange", [side], [wallet]) as ex:
        ex.start()
        bitcoind.fund(bitcoind.new_address("ranged"), side.unit)
        bitcoind.mine()
        customer = side.outside()
        ex.approve(id="r-1", chain="bitcoin", asset="BTC", amount="2.50000000", destination=customer)
        bitcoind.send("ranged", customer, 250_000_000)
        bitcoind.mine()
        ex.wait_for_block("bitcoin", side.head())
        assert {row[1:3] for row in flows(ex)} == {
            ("receipt", "deposit"), ("destination", "approved"), ("change", "change"), ("fee", "fee"),
        }  # fmt: skip
        (row,) = ex.rows("SELECT units FROM total")
        assert int(row[0]) == bitcoind.balance("ranged")
        assert ex.cases("all") == []
