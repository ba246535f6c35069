"""Openings at any block, and coverage: what is held at the as-of of the liabilities beside what is owed then."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.sides import JSON, BitcoinSide, EvmSide, Side, coins

LIABILITIES = {"liabilities": {"file": "liabilities.csv"}}


def check_of(verdict: JSON, asset: str) -> JSON:
    found: list[JSON] = [c for c in verdict["checks"] if (c["id"], c["asset"]) == ("coverage", asset)]
    (check,) = found
    return check


def total(ex: Exchange, side: Side, wallet: str) -> int:
    rows = ex.rows("SELECT units FROM total WHERE wallet = ? AND asset = ?", wallet, side.asset)
    return int(rows[0][0]) if rows else 0


def once(ex: Exchange) -> tuple[int, JSON]:
    result = ex.command("once", str(ex.config), "--output", "json")
    assert result.returncode in (0, 1, 3), result.stderr
    return result.returncode, json.loads(result.stdout)


@pytest.mark.parametrize("below", [1, 4, None])
@pytest.mark.parametrize("name", ["bitcoin", "ethereum"])
def test_a_start_below_the_tip_opens_with_what_was_held_there_and_follows_from_there(
    name: str, below: int | None, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """`None`: from the first block of the chain."""
    side: Side
    if name == "bitcoin":
        side = BitcoinSide(request.getfixturevalue("fresh_bitcoind"))
    else:
        side = EvmSide(request.getfixturevalue("fresh_anvil"))
    side.deposit(side.cold, side.unit)
    side.pay(side.cold, side.address(side.hot), side.unit // 3)
    held_before = {wallet: side.held(wallet) for wallet in (side.cold, side.hot)}
    start = side.head() + 1
    txid = side.pay(side.cold, side.outside(), side.unit // 7)
    side.deposit(side.hot, side.unit // 9)
    side.pay(side.hot, side.address(side.cold), side.unit // 11)
    side.mine()
    with exchange(tmp_path / "exchange", [side]) as ex:
        first = {1: side.head(), 4: start, None: 0}[below]
        ex.chains[side.name]["start"] = first
        ex.write_config()
        ex.start()
        opened = [record for record in ex.records("opened") if record["wallets"]]
        assert [record["at"]["height"] for record in opened] == [max(first - 1, 0)]
        if below == 4:
            holdings = {locator: int(units) for locator, _, units in opened[0]["holdings"]}
            assert holdings == {side.address(wallet): units for wallet, units in held_before.items()}
            assert [case["txid"] for case in ex.cases("all")] == [txid]
        for wallet in held_before:
            assert total(ex, side, wallet) == side.held(wallet)
        side.mine(6)
        ex.settle()
        assert not [case for case in ex.cases("all") if case["rule"] == "residual"]
        assert ex.command("journal", "verify", str(ex.config)).returncode == 0


def test_coverage_follows_the_liabilities_and_a_shortfall_is_a_breach(
    anvil: Anvil, bitcoind: Bitcoind, tmp_path: Path
) -> None:
    sides: list[Side] = [BitcoinSide(bitcoind), EvmSide(anvil)]
    with exchange(tmp_path / "exchange", sides, books=LIABILITIES) as ex:
        for side in sides:
            side.mine(6)
        ex.declare({"BTC": "15", "ETH": "75"})
        code, verdict = once(ex)
        assert code == 3, "enough is claimed by one endpoint, and claimed is not verified"
        assert {p["asset"]: p["coverage"] for p in verdict["positions"]} == {
            "BTC": "1.000000000000",
            "ETH": "2.000000000000",
        }
        for asset in ("BTC", "ETH"):
            assert check_of(verdict, asset)["verdict"] == "UNVERIFIED"
            assert "claimed" in check_of(verdict, asset)["basis"]
        assert {p["asset"]: p["verified_ratio"] for p in verdict["positions"]} == {
            "BTC": "0.000000000000", "ETH": "0.000000000000",
        }  # fmt: skip
        ex.declare({"BTC": "15.00000001", "ETH": "75"})
        code, verdict = once(ex)
        assert code == 1
        breach = check_of(verdict, "BTC")
        assert (breach["verdict"], breach["margin"], breach["value"]) == ("BREACH", "-0.00000001", "0.999999999333")
        ex.start()
        labels = {"profile": "baseline", "check": "coverage", "asset": "BTC"}
        ex.settle()
        assert ex.metric("porwatch_check_breached", **labels) == 1
        assert ex.metric("porwatch_check_unverified", profile="baseline", check="coverage", asset="ETH") == 1
        assert ex.metric("porwatch_liabilities", asset="BTC") == 15.00000001
        assert ex.metric("porwatch_coverage_ratio", asset="ETH") == 2


def test_an_asset_without_a_line_and_a_line_without_an_asset(anvil: Anvil, tmp_path: Path) -> None:
    side = EvmSide(anvil)
    side.mine(6)
    with exchange(tmp_path / "exchange", [side], books=LIABILITIES) as ex:
        ex.assets["BTC"] = {"decimals": 8}
        ex.write_config()
        ex.declare({"BTC": "0.1"})
        code, verdict = once(ex)
        assert code == 1
        assert check_of(verdict, "BTC")["verdict"] == "BREACH", "owed, and no wallet holds it"
        assert check_of(verdict, "ETH")["verdict"] == "UNVERIFIED", "held, and what is owed is not known"
        side.mine(6)
        ex.declare({"BTC": "0", "ETH": "0"})
        code, verdict = once(ex)
        assert code == 0
        assert [(p["coverage"], check_of(verdict, p["asset"])["verdict"]) for p in verdict["positions"]] == [
            (None, "PASS"), (None, "PASS"),
        ]  # fmt: skip


def test_a_bad_liabilities_file_is_refused_whole_line_by_line_and_the_last_good_one_stays(
    anvil: Anvil, tmp_path: Path
) -> None:
    side = EvmSide(anvil)
    with exchange(tmp_path / "exchange", [side], books=LIABILITIES) as ex:
        ex.liabilities.write_text("asset,amount\nETH,75\n")
        ex.start()
        ex.wait(ex.cycle, "no cycle")
        assert check_of(ex.get("verdict"), "ETH")["verdict"] == "UNVERIFIED"
        ex.declare({"ETH": "75"})
        side.mine(6)
        ex.wait(lambda: check_of(ex.get("verdict"), "ETH")["operands"]["owed"] == coins(75 * side.unit, 18), "not read")
        # The metrics are a picture that is taken after the verdict.
        ex.wait(lambda: ex.metric("porwatch_books_timestamp_seconds", source="liabilities") > 0, "not shown")
        counted = ex.metric("porwatch_books_malformed_total", source="liabilities")
        read_at = ex.metric("porwatch_books_timestamp_seconds", source="liabilities")
        stamp = datetime.now(UTC).isoformat()
        ex.liabilities.write_text(
            f"asset,amount,as_of\nETH,1,{stamp}\nETH,2,{stamp}\nDOGE,1,{stamp}\nETH,1e3,{stamp}\nETH,-4,{stamp}\n"
        )
        ex.wait(lambda: ex.metric("porwatch_books_malformed_total", source="liabilities") >= counted + 4, "not counted")
        refused = [record["why"] for record in ex.records("refused") if record["source"] == "liabilities"]
        for line in (3, 4, 5, 6):
            assert any(f".csv:{line}:" in why for why in refused), (line, refused)
        problems = [p["problem"] for p in ex.get("status")["problems"] if p["stage"] == "books"]
        assert len(problems) == 1
        ex.settle()
        assert check_of(ex.get("verdict"), "ETH")["operands"]["owed"] == coins(75 * side.unit, 18)
        assert ex.metric("porwatch_books_timestamp_seconds", source="liabilities") == read_at
        # After a restart the last good one is taken up again although the file is still bad.
        assert ex.stop() == 0
        ex.start()
        ex.settle()
        assert check_of(ex.get("verdict"), "ETH")["operands"]["owed"] == coins(75 * side.unit, 18)
        ex.declare({"ETH": "60"})
        ex.wait(lambda: check_of(ex.get("verdict"), "ETH")["value"] == "2.500000000000", "the good one was not read")
        assert not [p for p in ex.get("status")["problems"] if p["stage"] == "books"]


@pytest.mark.parametrize("name", ["bitcoin", "ethereum"])
def test_coverage_is_of_the_as_of_and_not_of_now(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What leaves after the as-of does not change it: neither where the ledger knows, nor where nodes must be asked."""
    side: Side
    if name == "bitcoin":
        side = BitcoinSide(request.getfixturevalue("bitcoind"))
    else:
        side = EvmSide(request.getfixturevalue("anvil"))
    held = side.held(side.cold) + side.held(side.hot)
    with exchange(tmp_path / "exchange", [side], books=LIABILITIES) as ex:
        ex.declare({side.asset: "1"})
        ex.start()
        side.mine(6)
        ex.wait_for_block(side.name, side.head())
        time.sleep(1.1)
        ex.declare({side.asset: coins(held, side.decimals)})
        time.sleep(1.1)
        side.pay(side.hot, side.outside(), side.unit)
        side.mine(6)
        ex.wait_for_block(side.name, side.head())
        ex.settle()
        check = check_of(ex.get("verdict"), side.asset)
        assert (check["value"], check["operands"]["held"]) == ("1.000000000000", coins(held, side.decimals))


def test_an_as_of_before_the_ledger_began_is_read_from_a_node_that_still_can_or_is_unverified(
    fresh_anvil: Anvil, fresh_bitcoind: Bitcoind, tmp_path: Path
) -> None:
    sides: list[Side] = [BitcoinSide(fresh_bitcoind), EvmSide(fresh_anvil)]
    held = {side.asset: side.held(side.cold) + side.held(side.hot) for side in sides}
    for side in sides:
        side.mine(6)
    time.sleep(2)
    with exchange(tmp_path / "exchange", sides, books=LIABILITIES) as ex:
        ex.declare({side.asset: coins(held[side.asset], side.decimals) for side in sides})
        time.sleep(2)
        for side in sides:
            side.pay(side.hot, side.outside(), side.unit)
            side.mine(6)
        ex.start()
        ex.settle()
        evm = check_of(ex.get("verdict"), "ETH")
        assert (evm["value"], evm["verdict"]) == ("1.000000000000", "UNVERIFIED")
        bitcoin = check_of(ex.get("verdict"), "BTC")
        assert bitcoin["verdict"] == "UNVERIFIED"
        assert bitcoin["operands"]["held"] in ("unknown", coins(held["BTC"], 8))


def test_liabilities_older_than_max_age_verify_nothing(anvil: Anvil, tmp_path: Path) -> None:
    side = EvmSide(anvil)
    side.mine(6)
    books = {"liabilities": {"file": "liabilities.csv", "max_age": "1s"}}
    with exchange(tmp_path / "exchange", [side], books=books) as ex:
        ex.declare({"ETH": "1000"})
        time.sleep(1.1)
        code, verdict = once(ex)
        assert (code, check_of(verdict, "ETH")["verdict"]) == (3, "UNVERIFIED")
        assert "max_age" in check_of(verdict, "ETH")["basis"]


def test_an_address_that_was_dropped_leaves_no_trace_in_the_coverage_of_an_earlier_as_of(
    anvil: Anvil, tmp_path: Path
) -> None:
    side, more = EvmSide(anvil), EvmSide(anvil)
    cold, hot = side.wallets()
    hot["addresses"].append(more.address(more.hot))
    gone = {**more.wallets()[0], "name": "gone"}
    with exchange(tmp_path / "exchange", [side], [cold, hot, gone], books=LIABILITIES) as ex:
        ex.declare({"ETH": "1"})
        ex.start()
        side.mine(6)
        ex.wait_for_block(side.name, side.head())
        time.sleep(1.1)
        held = side.held(side.cold) + side.held(side.hot)
        ex.declare({"ETH": coins(held, 18)})
        time.sleep(1.1)
        more.deposit(more.hot, side.unit)
        more.deposit(more.cold, side.unit)
        side.mine(6)
        ex.wait_for_block(side.name, side.head())
        assert ex.stop() == 0
        hot["addresses"].remove(more.address(more.hot))
        ex.wallets = [cold, hot]
        ex.write_config()
        ex.start()
        ex.settle()
        check = check_of(ex.get("verdict"), "ETH")
        assert (check["value"], check["operands"]["held"]) == ("1.000000000000", coins(held, 18))
