"""How transactions are told: movements, legs, fees, foreign inputs, rewards."""

from __future__ import annotations

import pytest
from bitcoin.core import CTransaction

from chains.bitcoin.addresses import locator_of
from chains.bitcoin.networks import NETWORKS
from chains.bitcoin.transactions import transactions_of
from chains.bitcoin.walker import walk
from chains.bitcoin.watch import CoinWatch, coin_id_of, outpoint_of
from chains.core.errors import BadAnswer
from chains.core.values import Block, BlockRef, Coin, Transaction, TransactionKind
from tests.unit.bitcoin.synthetic import block, coinbase, transaction

NET = NETWORKS["regtest"]
COLD, HOT, CUSTOMER, OTHER = (b"\x00\x14" + bytes([number]) * 20 for number in range(1, 5))
TAPROOT = b"\x51\x20" + b"\x09" * 32
COLD_ADDRESS, HOT_ADDRESS, CUSTOMER_ADDRESS, OTHER_ADDRESS, TAPROOT_ADDRESS = (
    locator_of(script, NET) for script in (COLD, HOT, CUSTOMER, OTHER, TAPROOT)
)
EARLIER = bytes([0xAB]) * 32


def watch_of(*coins: tuple[int, str, int]) -> CoinWatch:
    """Watches the cold, the hot and the taproot address, and coins (output number of EARLIER, locator, units)."""
    return CoinWatch(
        NET,
        [COLD_ADDRESS, HOT_ADDRESS, TAPROOT_ADDRESS],
        [Coin(coin_id_of(EARLIER, number), locator, "BTC", units) for number, locator, units in coins],
    )


def tell(watch: CoinWatch, *made: CTransaction) -> tuple[Transaction, ...]:
    raw = block(made if made[0].is_coinbase() else [coinbase(7), *made])
    return transactions_of(raw, walk(raw, watch.scripts, watch.coins), watch, "bitcoin", "BTC", NET)


def ref() -> BlockRef:
    return BlockRef("bitcoin", 7, "aa", "bb", 0)


def test_a_payment_and_its_change_and_its_fee() -> None:
    watch = watch_of((0, COLD_ADDRESS, 1000), (1, COLD_ADDRESS, 500))
    spend = transaction([(EARLIER, 0), (EARLIER, 1)], [(1200, CUSTOMER), (200, TAPROOT)], [b"s" * 72])
    (told,) = tell(watch, spend)
    assert [(leg.index, leg.units, leg.source, leg.destination, leg.fee) for leg in told.legs] == [
        (0, 1000, COLD_ADDRESS, None, False),
        (1, 500, COLD_ADDRESS, None, False),
        (2, 1200, None, CUSTOMER_ADDRESS, False),
        (3, 200, None, TAPROOT_ADDRESS, False),
        (4, 100, None, None, True),
    ]
    assert [(each.index, each.account.locator, each.delta, each.coin) for each in told.movements] == [
        (0, COLD_ADDRESS, -1000, coin_id_of(EARLIER, 0)),
        (1, COLD_ADDRESS, -500, coin_id_of(EARLIER, 1)),
        (2, TAPROOT_ADDRESS, 200, coin_id_of(spend.GetTxid(), 1)),
    ]
    assert told.signers == {COLD_ADDRESS}
    assert told.foreign_inputs == 0
    assert told.txid == spend.GetTxid()[::-1].hex()
    assert (told.position, told.kind) == (1, TransactionKind.TRANSACTION)


def test_two_own_wallets_and_a_foreign_input_leave_the_fee_unknown() -> None:
    watch = watch_of((0, COLD_ADDRESS, 1000), (1, HOT_ADDRESS, 500))
    (told,) = tell(watch, transaction([(EARLIER, 0), (bytes(31) + b"\x05", 3), (EARLIER, 1)], [(9000, OTHER)]))
    assert told.foreign_inputs == 1
    assert told.signers == {COLD_ADDRESS, HOT_ADDRESS}
    assert not any(leg.fee for leg in told.legs)
    assert [(leg.index, leg.source or leg.destination) for leg in told.legs] == [
        (0, COLD_ADDRESS),
        (2, HOT_ADDRESS),
        (3, OTHER_ADDRESS),
    ]
    assert "feerate" not in told.parties


def test_a_deposit_has_only_the_watched_outputs() -> None:
    (told,) = tell(watch_of(), transaction([(EARLIER, 0)], [(10, CUSTOMER), (20, HOT), (30, OTHER), (40, HOT)]))
    assert [(leg.index, leg.units, leg.destination) for leg in told.legs] == [
        (2, 20, HOT_ADDRESS),
        (4, 40, HOT_ADDRESS),
    ]
    assert [each.delta for each in told.movements] == [20, 40]
    assert told.signers == frozenset()
    assert told.foreign_inputs == 0


def test_a_coin_received_and_spent_in_one_block_is_told_twice_and_sums_to_nothing() -> None:
    watch = watch_of()
    receive = transaction([(EARLIER, 0)], [(1000, HOT)])
    spend = transaction([(receive.GetTxid(), 0)], [(990, CUSTOMER)])
    told = tell(watch, receive, spend)
    assert [sum(each.delta for each in one.movements) for one in told] == [1000, -1000]
    assert told[1].movements[0].coin == told[0].movements[0].coin
    assert watch.coins == {}
    watch.apply(Block(ref(), told))
    assert watch.coins == {}


def test_a_reward_is_a_kind_of_its_own_and_keeps_its_txid() -> None:
    reward = coinbase(7, [(5000, COLD)])
    (told,) = tell(watch_of(), reward)
    assert told.kind is TransactionKind.REWARD
    assert told.txid == reward.GetTxid()[::-1].hex()
    assert told.movements[0].coin == f"{told.txid}:0"


def test_outputs_without_address_are_named_by_their_script_and_worthless_ones_are_no_legs() -> None:
    watch = watch_of((0, HOT_ADDRESS, 100))
    (told,) = tell(watch, transaction([(EARLIER, 0)], [(0, b"\x6a\x04data"), (60, b"\x51"), (0, HOT)]))
    assert [(leg.index, leg.units, leg.destination) for leg in told.legs if leg.destination] == [(2, 60, "script:51")]
    assert [each.delta for each in told.movements] == [-100]


def test_a_worthless_coin_of_ours_is_nothing_at_all() -> None:
    watch = watch_of()
    receive = transaction([(EARLIER, 0)], [(0, HOT)])
    assert tell(watch, receive, transaction([(receive.GetTxid(), 0)], [(0, CUSTOMER)])) == ()


def test_legs_and_movements_agree_and_the_fee_closes_the_sum() -> None:
    watch = watch_of((0, COLD_ADDRESS, 700), (1, HOT_ADDRESS, 300))
    (told,) = tell(watch, transaction([(EARLIER, 1), (EARLIER, 0)], [(400, HOT), (500, OTHER)]))
    sent = sum(leg.units for leg in told.legs if leg.source)
    assert sent == sum(leg.units for leg in told.legs if not leg.source) == 1000
    for locator in (COLD_ADDRESS, HOT_ADDRESS):
        moved = sum(each.delta for each in told.movements if each.account.locator == locator)
        legs = sum(leg.units for leg in told.legs if leg.destination == locator)
        assert moved == legs - sum(leg.units for leg in told.legs if leg.source == locator)


def test_the_feerate_counts_virtual_bytes() -> None:
    watch = watch_of((0, HOT_ADDRESS, 10_000))
    # One P2WPKH input and one P2WPKH output: 110 virtual bytes with signature and key of 71 and 33 bytes.
    (told,) = tell(watch, transaction([(EARLIER, 0)], [(9_780, CUSTOMER)], [b"s" * 71, b"k" * 33]))
    assert told.parties == {"feerate": "2.00 sat/vB"}


@pytest.mark.parametrize(
    "made",
    [
        # More out than in.
        [transaction([(EARLIER, 0)], [(1001, CUSTOMER)])],
        # The same coin twice, in one transaction and in two.
        [transaction([(EARLIER, 0), (EARLIER, 0)], [(1, CUSTOMER)])],
        [transaction([(EARLIER, 0)], [(1, CUSTOMER)]), transaction([(EARLIER, 0)], [(2, CUSTOMER)])],
        # More than 21 million coins, and less than nothing.
        [transaction([(EARLIER, 5)], [(2_100_000_000_000_001, HOT)])],
        [transaction([(EARLIER, 5)], [(-1, HOT)])],
    ],
)
def test_what_cannot_be_is_refused(made: list[CTransaction]) -> None:
    watch = watch_of((0, COLD_ADDRESS, 1000))
    with pytest.raises(BadAnswer):
        tell(watch, *made)
    assert set(watch.coins) == {outpoint_of(coin_id_of(EARLIER, 0))}


def test_a_transaction_in_another_form_than_the_allowed_one_is_refused() -> None:
    """A count may be written in three bytes instead of one; the network refuses that, and the txid would be another."""
    made = transaction([(EARLIER, 0)], [(900, HOT)]).serialize()
    longer = made[:4] + b"\xfd\x01\x00" + made[5:]
    raw = block([coinbase(7)])
    raw = raw[:80] + b"\x02" + raw[81:] + longer
    watch = watch_of()
    walked = walk(raw, watch.scripts, watch.coins)
    assert [hit.pays for hit in walked.hits] == [(0,)]
    with pytest.raises(BadAnswer, match="one allowed form"):
        transactions_of(raw, walked, watch, "bitcoin", "BTC", NET)


def test_applying_a_block_of_another_state_is_an_error() -> None:
    told = tell(watch_of((0, COLD_ADDRESS, 1000)), transaction([(EARLIER, 0)], [(900, CUSTOMER)]))
    with pytest.raises(ValueError, match="not open"):
        watch_of().apply(Block(ref(), told))


def test_watches_grow_and_are_replaced() -> None:
    watch = watch_of((0, COLD_ADDRESS, 1000))
    watch.add([CUSTOMER_ADDRESS])
    assert CUSTOMER in watch.scripts
    coin = Coin(coin_id_of(EARLIER, 9), HOT_ADDRESS, "BTC", 5)
    watch.replace_coins([coin])
    assert list(watch.coins.values()) == [coin]
    with pytest.raises(ValueError, match="EVM"):
        watch.add([OTHER_ADDRESS, "0xdAC17F958D2ee523a2206206994597C13D831ec7"])
    assert OTHER not in watch.scripts
