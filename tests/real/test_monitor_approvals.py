"""Approvals as the contract has them: what waits, what is refused, what a cold wallet may never do without one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from tests.real.exchange import Exchange, exchange
from tests.real.sides import JSON, BitcoinSide, EvmSide, Side, coins

GRACE = {"cold": "0s", "hot": "4s", "up_to_percent": 5}


@pytest.fixture
def side(anvil: Anvil) -> EvmSide:
    return EvmSide(anvil)


@pytest.fixture(params=["bitcoin", "ethereum"])
def either(request: pytest.FixtureRequest) -> Side:
    if request.param == "bitcoin":
        return BitcoinSide(request.getfixturevalue("bitcoind"))
    return EvmSide(request.getfixturevalue("anvil"))


def approval(side: Side, name: str, units: int, destination: str, **more: object) -> JSON:
    amount = coins(units, side.decimals)
    named = {"id": name, "chain": side.name, "asset": side.asset, "amount": amount, "destination": destination}
    return {**named, **more}


def open_cases_metric(ex: Exchange, side: Side, rule: str, tier: str) -> float:
    return ex.metric("porwatch_open_cases", rule=rule, severity="critical", chain=side.name, tier=tier)


def test_a_cold_wallet_that_pays_our_own_hot_wallet_without_approval_is_a_case(either: Side, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [either]) as ex:
        ex.start()
        ex.approve(**approval(either, "c-1", either.unit, either.address(either.hot)))
        either.pay(either.cold, either.address(either.hot), either.unit)
        ex.wait_for_block(either.name, either.head())
        assert ex.cases("all") == []
        txid = either.pay(either.cold, either.address(either.hot), either.unit // 2)
        case = ex.only_case(rule="cold_without_approval", severity="critical", txid=txid, wallet=either.cold)
        assert case["amount"] == coins(either.unit // 2, either.decimals)
        assert case["fee"] == coins(either.fee(txid), either.decimals)
        ex.wait(lambda: open_cases_metric(ex, either, case["rule"], "cold") == 1, "no metric")


def test_a_cold_transaction_that_moves_nothing_is_a_case_of_amount_zero(side: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        txid = side.pay(side.cold, side.outside(), 0)
        case = ex.only_case(rule="cold_without_approval", txid=txid, asset="ETH", units="0")
        assert case["fee"] == coins(side.fee(txid), 18)
        side.pay(side.hot, side.outside(), 0)
        ex.wait_for_block(side.name, side.head())
        assert len(ex.cases("all")) == 1, "a hot wallet may sign what moves nothing"


def test_a_reverted_cold_transaction_is_a_case_too(side: EvmSide, tmp_path: Path) -> None:
    reverting = side.outside()
    side.node.rpc("anvil_setCode", reverting, "0x5f5ffd")
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        sent = {"from": side.address(side.cold), "to": reverting, "value": "0x5", "gas": hex(100_000)}
        txid = side.node.rpc("eth_sendTransaction", sent)
        assert side.node.receipt(txid)["status"] == "0x0"
        case = ex.only_case(txid=txid, rule="cold_without_approval", units="0")
        assert case["evidence"]["reverted"] is True


def test_a_small_hot_outflow_waits_and_a_matching_approval_closes_it_unpaged(either: Side, tmp_path: Path) -> None:
    policy = {"approval_grace": {**GRACE, "hot": "60s"}}
    with exchange(tmp_path / "exchange", [either], policy=policy) as ex:
        ex.start()
        customer, amount = either.outside(), either.unit // 100
        either.pay(either.hot, customer, amount)
        case = ex.only_case("pending", rule="unexplained_outflow", state="pending")
        assert case["due_at"] > case["opened_at"]
        assert open_cases_metric(ex, either, "unexplained_outflow", "hot") == 0
        ex.approve(**approval(either, "late-1", amount, customer))
        closed = ex.only_case("closed", id=case["id"], state="closed")
        assert [event["action"] for event in closed["history"]] == ["pending", "approved"]
        reasons = {
            row[0] for row in ex.rows("SELECT reason FROM flow WHERE txid = ? AND part != 'change'", case["txid"])
        }
        assert reasons == {"approved", "fee"}


def test_a_small_hot_outflow_that_nobody_approves_opens_when_it_is_due(side: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side], policy={"approval_grace": GRACE}) as ex:
        ex.start()
        side.pay(side.hot, side.outside(), side.unit // 10)
        opened = ex.only_case()
        assert [event["action"] for event in opened["history"]] == ["pending", "opened"]
        assert opened["history"][1]["at"] >= opened["due_at"] > opened["opened_at"]
        ex.wait(lambda: open_cases_metric(ex, side, "unexplained_outflow", "hot") == 1, "no metric")


def test_a_large_hot_outflow_never_waits_and_many_small_ones_are_no_smaller(side: EvmSide, tmp_path: Path) -> None:
    policy = {"approval_grace": {**GRACE, "hot": "60s"}}
    with exchange(tmp_path / "exchange", [side], policy=policy) as ex:
        ex.start()
        large = side.pay(side.hot, side.outside(), 10 * side.unit)
        ex.only_case("open", txid=large)
        small = [side.pay(side.hot, side.outside(), side.unit) for _ in range(3)]
        ex.wait_for_block(side.name, side.head())
        states = {case["txid"]: case["state"] for case in ex.cases("all")}
        # 5 % of 40 ETH is 2: the first waits, the second would make it 2.
        assert [states[txid] for txid in small] == ["pending", "open", "open"]


def test_an_approval_that_comes_after_the_case_is_noted_and_a_person_closes_it(side: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        customer = side.outside()
        side.pay(side.cold, customer, side.unit)
        case = ex.only_case()
        ex.approve(**approval(side, "late-2", side.unit, customer))
        ex.wait(lambda: "late_approval" in ex.get(f"cases/{case['id']}")["rules"], "the approval was not noted")
        assert ex.get(f"cases/{case['id']}")["state"] == "open"
        act = {"name": "Sato", "reason": "approved by phone"}
        status, answer = ex.post(f"cases/{case['id']}/close", act)
        assert (status, answer["data"]["state"]) == (200, "closed")
        assert answer["data"]["history"][-1]["by"] == "Sato"
        ex.wait(lambda: open_cases_metric(ex, side, "unexplained_outflow", "cold") == 0, "still counted")


def test_post_answers_by_what_became_of_the_approval(side: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        first = approval(side, "p-1", side.unit, side.outside())
        assert ex.post("approvals", first)[0] == 201
        assert ex.post("approvals", {**first, "amount": "1.0"})[0] == 200, "the same, spelled otherwise"
        status, answer = ex.post("approvals", {**first, "amount": "2"})
        assert (status, answer["errorType"]) == (409, "conflict")
        assert "the first content stands" in answer["error"]
        case = ex.only_case(rule="altered_approval", chain=None, wallet=None, severity="critical")
        assert "p-1" in json.dumps(case)
        status, answer = ex.post("approvals", {"id": "p-2", "chain": "ethereum", "amount": 5, "colour": "red"})
        assert (status, answer["errorType"]) == (400, "bad_data")
        for key in ("asset", "amount", "destination", "colour"):
            assert key in answer["error"]
        assert ex.post("approvals", {"id": "p-1", "op": "cancel"})[0] == 201
        assert ex.post("approvals", {"id": "never", "op": "cancel"})[0] == 409
        states = {item["id"]: item["state"] for item in ex.get("approvals")["approvals"]}
        assert states == {"p-1": "cancelled"}
        # Cancelled, so what it allowed is not explained any more.
        side.pay(side.cold, first["destination"], side.unit)
        ex.wait(lambda: [c for c in ex.cases() if c["rule"] == "unexplained_outflow"], "no case")


def test_the_file_is_read_as_a_feed_with_repeats_alterations_cancellations_and_bad_lines(
    side: EvmSide, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        first, second = (approval(side, f"f-{n}", side.unit, side.outside()) for n in (1, 2))
        ex.approve(**first)
        ex.approve(**first)
        ex.start()
        ex.approve(**second)
        ex.approve(**{**second, "destination": side.outside()})
        ex.approve(id="f-1", op="cancel")
        with ex.approvals.open("a") as file:
            file.write("this is no JSON\n")
            file.write('{"id": "half", "chain": "ether')
        ex.only_case(rule="altered_approval")
        ex.wait(lambda: ex.metric("porwatch_books_malformed_total", source="approvals") == 1, "not counted")
        (refused,) = (r for r in ex.records("refused") if r["why"].startswith("line"))
        assert refused["why"].startswith("line 6:")
        states = {item["id"]: item["state"] for item in ex.get("approvals")["approvals"]}
        assert states == {"f-1": "cancelled", "f-2": "open"}
        # A line is a line once it ends, also over a restart.
        assert ex.stop() == 0
        ex.start()
        with ex.approvals.open("a") as file:
            customer = side.outside()
            file.write(f'eum", "asset": "ETH", "amount": "1", "destination": "{customer}"}}\n')
        side.pay(side.hot, customer, side.unit)
        ex.wait_for_block(side.name, side.head())
        assert {item["id"]: item["state"] for item in ex.get("approvals")["approvals"]}["half"] == "used"
        assert ex.metric("porwatch_books_malformed_total", source="approvals") == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: {"not_before": stamp(hours=1)}, "is not valid before"),
        (lambda s: {"not_before": stamp(hours=-2), "not_after": stamp(hours=-1)}, "was valid until"),
        (lambda s: {"wallet": s.hot}, "is for wallet eth-hot"),
        (lambda s: {"max_fee": "0.000000000000000001"}, "allows a fee of 1 base units"),
        (lambda s: {"txid": "0x" + "ab" * 32}, "is for transaction"),
    ],
)
def test_an_approval_that_fits_but_for_one_thing_explains_nothing_and_is_named(
    anvil: Anvil, tmp_path: Path, change: Callable[[EvmSide], JSON], told: str
) -> None:
    side = EvmSide(anvil)
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        customer = side.outside()
        ex.approve(**approval(side, "near", side.unit, customer, **change(side)))
        side.pay(side.cold, customer, side.unit)
        case = ex.only_case(rule="unexplained_outflow")
        (near,) = case["evidence"]["near_approvals"]
        assert near.startswith("near: ")
        assert told in near


def stamp(**ago: int) -> str:
    return (datetime.now(UTC) + timedelta(**ago)).isoformat()


def test_one_approval_explains_one_withdrawal(either: Side, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [either]) as ex:
        ex.start()
        customer = either.outside()
        ex.approve(**approval(either, "once", either.unit, customer))
        either.pay(either.cold, customer, either.unit)
        second = either.pay(either.cold, customer, either.unit)
        ex.only_case(txid=second, rule="unexplained_outflow")


def test_a_feed_whose_heartbeat_is_late_pages_once_for_itself_and_hot_outflows_wait(
    side: EvmSide, tmp_path: Path
) -> None:
    policy = {"approval_grace": {**GRACE, "hot": "1s"}}
    with exchange(tmp_path / "exchange", [side], policy=policy) as ex:
        ex.start()
        assert ex.post("approvals", {"heartbeat": stamp()})[0] == 201
        assert ex.post("approvals", {"heartbeat": stamp(hours=5)})[0] == 400, "a heartbeat of the future"
        assert ex.cases("all") == []
        assert ex.stop() == 0
        # Silent for longer than it may be: the ledger's own memory of the last heartbeat is made older.
        _age_heartbeat(ex, minutes=10)
        ex.start()
        blind = ex.only_case(rule="approvals_blind", severity="critical")
        for _ in range(2):
            side.pay(side.hot, side.outside(), 20 * side.unit)
        ex.wait(lambda: ex.get(f"cases/{blind['id']}")["evidence"]["outflows_waiting"] == 2, "not counted")
        assert ex.get(f"cases/{blind['id']}")["evidence"]["unmatched"] == {"ETH": coins(40 * side.unit, 18)}
        assert len(ex.cases("open")) == 1
        assert len(ex.cases("pending")) == 2
        side.pay(side.cold, side.outside(), side.unit)
        ex.wait(lambda: [case for case in ex.cases("open") if case["tier"] == "cold"], "cold always pages")
        ex.post("approvals", {"heartbeat": stamp()})
        ex.wait(lambda: ex.cases("pending") == [], "what waited does not open once the feed is back")


def _age_heartbeat(ex: Exchange, minutes: int) -> None:
    with sqlite3.connect(ex.folder / "porwatch.db") as connection:
        connection.execute(
            "UPDATE feed SET heartbeat = heartbeat - ? WHERE source = 'approvals'", [minutes * 60 * 10**6]
        )
    connection.close()


def test_without_an_approvals_source_hot_outflows_are_counted_and_cold_ones_are_cases(
    side: EvmSide, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.without_approvals()
        ex.start()
        side.pay(side.hot, side.outside(), side.unit)
        ex.wait_for_block(side.name, side.head())
        labels = {"chain": "ethereum", "asset": "ETH", "direction": "out", "reason": "not_attributed"}
        ex.wait(lambda: ex.metric("porwatch_movements_total", **labels) == 1, "not counted")
        assert ex.post("approvals", approval(side, "x", 1, side.outside()))[0] == 404
        assert ex.cases("all") == []
        side.pay(side.cold, side.outside(), side.unit)
        ex.only_case(rule="unexplained_outflow", wallet=side.cold)
