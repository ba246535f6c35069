from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.errors import BadAnswer
from chains.core.values import Leg, Transaction, TransactionKind
from chains.ethereum.address import ZERO, canonical_address
from chains.ethereum.blocks import check_receipts, full_block
from chains.ethereum.extract import Assets, Extractor
from chains.ethereum.profiles import TRANSFER
from chains.ethereum.transfers import from_call_trees
from chains.ethereum.watch import AddressWatch
from tests.unit.ethereum.shapes import (
    BASE_FEE,
    MINER,
    OTHER_TOKEN,
    PRICE,
    TOKEN,
    Tx,
    addr,
    call,
    make_block,
    transfer_log,
    tx_hash,
    word,
)

COLD, HOT, STRANGER, CONTRACT = 0xC01D, 0x407, 0x57, 0xC0
FEE = 21_000 * PRICE
SCALE = {"ETH": 1, "USDT": 100}


def read(made: dict[str, Any], *watched: int, traced: bool = True) -> tuple[Transaction, ...]:
    block = full_block("ethereum", made["block"])
    receipts = check_receipts(block, made["receipts"])
    extractor = Extractor("ethereum", Assets("ETH", {TOKEN: "USDT"}, SCALE))
    transfers = from_call_trees(block, made["traces"]) if traced else None
    watch = AddressWatch(canonical_address(addr(n)) for n in watched)
    return extractor.transactions(block, receipts, transfers, watch)


def one(tx: Tx, *watched: int, traced: bool = True) -> Transaction:
    (found,) = read(make_block(9, [tx]), *watched, traced=traced)
    return found


def deltas(transactions: Iterable[Transaction]) -> Counter[tuple[int, str]]:
    total: Counter[tuple[int, str]] = Counter()
    for transaction in transactions:
        for movement in transaction.movements:
            total[int(movement.account.locator, 16), movement.account.asset] += movement.delta
    return total


def legs(transaction: Transaction) -> list[tuple[str, int, int | None, int | None, bool]]:
    def end(locator: str | None) -> int | None:
        return None if locator is None else int(locator, 16)

    return [(x.asset, x.units, end(x.source), end(x.destination), x.fee) for x in transaction.legs]


@pytest.mark.parametrize("traced", [True, False])
def test_a_payment_is_a_fee_leg_and_a_value_leg(traced: bool) -> None:
    found = one(Tx(COLD, STRANGER, 5, fields={"nonce": "0x7", "input": "0xA9059CBB00"}), COLD, traced=traced)
    cold, stranger = canonical_address(addr(COLD)), canonical_address(addr(STRANGER))
    assert found.txid == tx_hash(9, 0)
    assert found.kind is TransactionKind.TRANSACTION
    assert found.legs == (Leg(0, "ETH", FEE, cold, None, fee=True), Leg(1, "ETH", 5, cold, stranger))
    assert [(m.txid, m.index, m.account.locator, m.delta) for m in found.movements] == [
        (found.txid, 0, cold, -FEE),
        (found.txid, 1, cold, -5),
    ]
    assert found.signers == {cold}
    assert found.parties == {"to": addr(STRANGER), "nonce": "7", "selector": "0xa9059cbb"}
    assert found.succeeded


@pytest.mark.parametrize("traced", [True, False])
def test_a_deposit_pays_no_fee_of_ours_and_is_not_signed_by_us(traced: bool) -> None:
    found = one(Tx(STRANGER, HOT, 5), HOT, traced=traced)
    assert legs(found) == [("ETH", 5, STRANGER, HOT, False)]
    assert found.signers == frozenset()


@pytest.mark.parametrize("traced", [True, False])
def test_a_transfer_to_oneself_moves_twice_and_only_the_fee_remains(traced: bool) -> None:
    found = one(Tx(HOT, HOT, 5), HOT, traced=traced)
    assert [m.delta for m in found.movements] == [-FEE, -5, 5]
    assert [m.index for m in found.movements] == [0, 1, 2]


@pytest.mark.parametrize("traced", [True, False])
def test_a_failed_transaction_pays_the_fee_only(traced: bool) -> None:
    tx = Tx(COLD, CONTRACT, 5, ok=False, logs=[transfer_log(COLD, STRANGER, 1)])
    found = one(tx, COLD, STRANGER, CONTRACT, traced=traced)
    assert legs(found) == [("ETH", FEE, COLD, None, True)]
    assert not found.succeeded
    assert found.signers


@pytest.mark.parametrize("traced", [True, False])
def test_a_failed_payment_to_us_is_nothing(traced: bool) -> None:
    assert read(make_block(9, [Tx(STRANGER, HOT, 5, ok=False)]), HOT, traced=traced) == ()


def test_a_free_transaction_that_moves_nothing_still_appears_when_we_signed_it() -> None:
    found = one(Tx(COLD, CONTRACT, receipt={"effectiveGasPrice": "0x0"}), COLD)
    assert found.signers
    assert (found.legs, found.movements) == ((), ())


def test_an_internal_transfer_is_seen_in_traces_and_only_there() -> None:
    tx = Tx(STRANGER, CONTRACT, trace=call(STRANGER, CONTRACT, 0, call(CONTRACT, STRANGER, 3)))
    assert legs(one(tx, CONTRACT)) == [("ETH", 3, CONTRACT, STRANGER, False)]
    assert one(tx, CONTRACT).signers == frozenset()
    assert read(make_block(9, [tx]), CONTRACT, traced=False) == ()


@pytest.mark.parametrize("traced", [True, False])
def test_a_contract_created_with_value_receives_it(traced: bool) -> None:
    found = one(Tx(COLD, None, 5, created=CONTRACT), COLD, CONTRACT, traced=traced)
    assert legs(found)[1] == ("ETH", 5, COLD, CONTRACT, False)
    assert "to" not in found.parties
    assert found.parties["created"] == addr(CONTRACT)


def test_a_token_transfer_is_counted_in_units_of_the_asset() -> None:
    tx = Tx(STRANGER, int(TOKEN, 16), logs=[transfer_log(COLD, STRANGER, 7), transfer_log(STRANGER, HOT, 2)])
    assert legs(one(tx, COLD, HOT)) == [("USDT", 700, COLD, STRANGER, False), ("USDT", 200, STRANGER, HOT, False)]


def test_minting_and_burning_are_legs_with_the_zero_address() -> None:
    tx = Tx(STRANGER, int(TOKEN, 16), logs=[transfer_log(0, HOT, 2), transfer_log(HOT, 0, 1)])
    assert legs(one(tx, HOT)) == [("USDT", 200, 0, HOT, False), ("USDT", 100, HOT, 0, False)]
    assert one(tx, HOT).legs[0].source == ZERO


@pytest.mark.parametrize(
    "log",
    [
        transfer_log(COLD, STRANGER, 7, contract=OTHER_TOKEN),
        transfer_log(COLD, STRANGER, 7) | {"topics": [TRANSFER, word(COLD), word(STRANGER), word(7)], "data": "0x"},
        transfer_log(COLD, STRANGER, 7) | {"topics": [word(1), word(COLD), word(STRANGER)]},
        transfer_log(COLD, STRANGER, 7) | {"topics": [TRANSFER], "data": word(7)},
        transfer_log(COLD, STRANGER, 7) | {"topics": []},
        transfer_log(COLD, STRANGER, 7) | {"data": "0x"},
        transfer_log(COLD, STRANGER, 7) | {"data": word(7) + "00" * 32},
        transfer_log(COLD, STRANGER, 0),
        transfer_log(COLD, STRANGER, 7, contract="0x" + "f" * 39 + "e"),
    ],
    ids=["foreign", "erc721", "other event", "one topic", "no topics", "no data", "long data", "zero", "eip7708"],
)
def test_what_only_looks_like_a_transfer_of_ours_is_none(log: dict[str, Any]) -> None:
    assert read(make_block(9, [Tx(STRANGER, CONTRACT, logs=[log])]), COLD) == ()


def test_every_part_of_the_fee_is_counted() -> None:
    more = {"blobGasUsed": "0x20000", "blobGasPrice": "0x3", "l1Fee": "0x64", "operatorFee": "0x9"}
    found = one(Tx(COLD, STRANGER, receipt=more), COLD)
    assert found.legs[0].units == FEE + 0x20000 * 3 + 100 + 9


@pytest.mark.parametrize(
    "more",
    [{"effectiveGasPrice": None}, {"gasUsed": "21000"}, {"blobGasUsed": "0x1"}, {"status": "0x2"}, {"status": None}],
)
def test_a_fee_or_a_status_that_cannot_be_read_is_a_bad_answer_and_no_zero(more: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        one(Tx(COLD, STRANGER, receipt=more), COLD)


def test_a_strange_receipt_of_strangers_stops_nothing() -> None:
    made = make_block(9, [Tx(STRANGER, 1, receipt={"effectiveGasPrice": None, "status": None}), Tx(COLD, STRANGER, 1)])
    assert [t.position for t in read(made, COLD)] == [1]


def test_transaction_types_of_tomorrow_are_read_like_all_others() -> None:
    found = one(Tx(COLD, STRANGER, 5, fields={"type": "0x7e", "nonce": None, "input": None, "extra": {}}), COLD)
    assert found.legs[1].units == 5
    assert found.parties["nonce"] == "0"


def test_a_deposit_of_a_layer_2_mints_even_where_its_call_fails() -> None:
    free = {"effectiveGasPrice": "0x0"}
    ok = one(Tx(HOT, STRANGER, 5, fields={"mint": "0x8"}, receipt=free), HOT)
    assert legs(ok) == [("ETH", 8, None, HOT, False), ("ETH", 5, HOT, STRANGER, False)]
    failed = one(Tx(HOT, STRANGER, 5, ok=False, fields={"mint": "0x8"}, receipt=free), HOT)
    assert legs(failed) == [("ETH", 8, None, HOT, False)]


def test_rewards_and_withdrawals_are_transactions_of_the_block_itself() -> None:
    txs = [Tx(STRANGER, 1), Tx(STRANGER, 2, gas=100)]
    made = make_block(9, txs, miner=addr(HOT), withdrawals=[(COLD, 3), (STRANGER, 1), (COLD, 2)])
    reward, withdrawal = read(made, HOT, COLD)
    assert (reward.kind, withdrawal.kind) == (TransactionKind.REWARD, TransactionKind.WITHDRAWAL)
    assert (reward.txid, withdrawal.txid) == ("", "")
    assert legs(reward) == [("ETH", 21_100 * (PRICE - BASE_FEE), None, HOT, False)]
    assert [m.delta for m in withdrawal.movements] == [3 * 10**9, 2 * 10**9]
    assert [m.index for t in (reward, withdrawal) for m in t.movements] == [0, 1, 2]
    assert (reward.position, withdrawal.position) == (2, 3)


def test_an_empty_block_rewards_nobody() -> None:
    assert read(make_block(9, miner=addr(HOT)), HOT) == ()


def test_transactions_that_pay_no_base_fee_take_nothing_from_the_reward() -> None:
    made = make_block(9, [Tx(STRANGER, 1, receipt={"effectiveGasPrice": "0x0"}), Tx(STRANGER, 1)], miner=MINER)
    assert read(made, int(MINER, 16))[0].movements[0].delta == 21_000 * (PRICE - BASE_FEE)


people = st.integers(1, 4)
transactions = st.lists(
    st.builds(
        lambda sender, to, wei, ok, tokens, inner: Tx(
            sender,
            to,
            wei,
            ok=ok,
            logs=[transfer_log(*t) for t in tokens],
            trace=call(sender, to, wei, *(call(*i) for i in inner)),
        ),
        people,
        people,
        st.integers(0, 5),
        st.booleans(),
        st.lists(st.tuples(people, people, st.integers(0, 5)), max_size=3),
        st.lists(st.tuples(people, people, st.integers(0, 5)), max_size=3),
    ),
    max_size=4,
)


@given(transactions, st.sets(people))
def test_movements_are_the_legs_ends_that_are_watched_and_nothing_gets_lost(txs: list[Tx], watched: set[int]) -> None:
    made = make_block(9, txs)
    everybody, some = read(made, 1, 2, 3, 4), read(made, *watched)
    # Whoever watches only a few sees exactly the movements of those few.
    every = deltas(everybody)
    assert deltas(some) == Counter({key: units for key, units in every.items() if key[0] in watched})
    # Among all there are, value is only lost to fees.
    fees = sum(leg.units for t in everybody for leg in t.legs if leg.fee)
    assert sum(units for (_, asset), units in every.items() if asset == "ETH") == -fees == -FEE * len(txs)
    assert sum(units for (_, asset), units in every.items() if asset == "USDT") == 0
    for transaction in some:
        assert [m.index for m in transaction.movements] == list(range(len(transaction.movements)))
        assert [leg.index for leg in transaction.legs] == list(range(len(transaction.legs)))
        assert all(leg.units > 0 for leg in transaction.legs)


@given(transactions, people)
def test_what_a_transaction_may_touch_includes_all_that_it_does_touch(txs: list[Tx], watched: int) -> None:
    made = make_block(9, txs)
    block = full_block("ethereum", made["block"])
    traced = from_call_trees(block, made["traces"])
    extractor = Extractor("ethereum", Assets("ETH", {TOKEN: "USDT"}, SCALE))
    logs = [log for receipt in made["receipts"] for log in receipt["logs"]]
    watch = AddressWatch([addr(watched)])
    named = {sent.hash for sent in extractor.may_touch(block, logs, traced, watch)}
    assert {t.txid for t in read(made, watched)} <= named


def test_a_watched_safe_names_the_safe_transaction_that_it_executed_and_nobody_else_does() -> None:
    hash_ = "0x" + "ab" * 32
    topic = "0x442e715f626346e8c54381002da614f62bee8d27386535b2521ec8540898556e"
    executed = {"address": f"0x{CONTRACT:040x}", "topics": [topic, hash_], "data": "0x" + "00" * 32}
    assert one(Tx(HOT, CONTRACT, 1, logs=[executed]), HOT, CONTRACT).parties["safe_tx_hash"] == hash_
    assert "safe_tx_hash" not in one(Tx(HOT, CONTRACT, 1, logs=[executed]), HOT).parties
