"""Flow parts: exact for every transaction, fee first, cold before warm before hot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.values import Account, Leg, Movement, Transaction, TransactionKind
from monitor.attribute import AttributionError, split
from monitor.model import TIER_ORDER, Direction, Flow, Owner, Part, Tier, Wallet

COLD = Wallet("cold", "c", Tier.COLD, Owner.CUSTOMER, "self", 3)
WARM = Wallet("warm", "c", Tier.WARM, Owner.CUSTOMER, "self", 2)
HOT = Wallet("hot", "c", Tier.HOT, Owner.CUSTOMER, "self", 1)
HOT_FIRST = Wallet("hot-first", "c", Tier.HOT, Owner.HOUSE, "self", 0)
OWNERS = {f"{w.name}-{n}": w for w in (COLD, WARM, HOT, HOT_FIRST) for n in range(2)}
OUTSIDE = ("anna", "ben")
EVERYONE = (*OWNERS, *OUTSIDE)

Ends = list[tuple[str, int]]


def utxo(spends: Ends, pays: Ends, foreign: int = 0) -> Transaction:
    """A transaction as a UTXO chain tells it; the fee is what the outputs leave, unknown with foreign inputs."""
    count = len(spends) + foreign
    legs = [Leg(n, "BTC", units, source, None) for n, (source, units) in enumerate(spends)]
    legs += [Leg(count + n, "BTC", units, None, destination) for n, (destination, units) in enumerate(pays)]
    fee = sum(units for _, units in spends) - sum(units for _, units in pays)
    if not foreign and fee:
        legs.append(Leg(count + len(pays), "BTC", fee, None, None, fee=True))
    deltas = [(locator, -units) for locator, units in spends]
    deltas += [(locator, units) for locator, units in pays if locator in OWNERS]
    return transaction(legs, deltas, "BTC", foreign)


def account(moves: Iterable[tuple[str, str, int]], sender: str | None, fee: int) -> Transaction:
    """A transaction as an account chain tells it: every leg with both its ends."""
    ends = [(sender, None, fee, True)] if sender in OWNERS and fee else []
    ends += [(source, to, units, False) for source, to, units in moves if {source, to} & set(OWNERS)]
    legs = [Leg(n, "ETH", units, source, to, is_fee) for n, (source, to, units, is_fee) in enumerate(ends)]
    deltas = [
        (end, sign * leg.units)
        for leg in legs
        for end, sign in ((leg.source, -1), (leg.destination, 1))
        if end in OWNERS
    ]
    return transaction(legs, [(end, units) for end, units in deltas if end], "ETH")


def transaction(legs: list[Leg], deltas: Ends, asset: str, foreign: int = 0) -> Transaction:
    movements = tuple(Movement("t", n, Account("c", who, asset), units) for n, (who, units) in enumerate(deltas))
    return Transaction("t", 0, TransactionKind.TRANSACTION, movements, tuple(legs), foreign_inputs=foreign)


def net(flows: Iterable[Flow]) -> dict[str, int]:
    """Σ parts in − Σ parts out by wallet, change aside."""
    sums: dict[str, int] = {}
    for flow in flows:
        if flow.part is not Part.CHANGE:
            sign = 1 if flow.direction is Direction.IN else -1
            sums[flow.wallet] = sums.get(flow.wallet, 0) + sign * flow.units
    return {wallet: units for wallet, units in sums.items() if units}


def moved(item: Transaction) -> dict[str, int]:
    sums: dict[str, int] = {}
    for movement in item.movements:
        wallet = OWNERS[movement.account.locator].name
        sums[wallet] = sums.get(wallet, 0) + movement.delta
    return {wallet: units for wallet, units in sums.items() if units}


def out(flows: Iterable[Flow], *, by_sink: bool) -> dict[object, int]:
    sums: dict[object, int] = {}
    for flow in flows:
        if flow.direction is Direction.OUT:
            key = (flow.part, flow.destination, flow.sink) if by_sink else flow.wallet
            sums[key] = sums.get(key, 0) + flow.units
    return sums


amounts = st.integers(1, 1000) | st.integers(1, 2**256 - 1)
own_ends = st.lists(st.tuples(st.sampled_from(list(OWNERS)), amounts), min_size=1, max_size=5)


@st.composite
def utxos(draw: st.DrawFn, *, foreign: bool = True) -> Transaction:
    spends = draw(own_ends)
    others = draw(st.integers(0, 2)) if foreign else 0
    left = sum(units for _, units in spends) + (draw(amounts) if others else 0)
    pays = []
    for destination in draw(st.lists(st.sampled_from(EVERYONE), max_size=6)):
        if left:
            units = draw(st.integers(1, left))
            left -= units
            pays.append((destination, units))
    return utxo(spends, pays, others)


@st.composite
def accounts(draw: st.DrawFn) -> Transaction:
    end = st.sampled_from(EVERYONE)
    moves = draw(st.lists(st.tuples(end, end, amounts), max_size=6))
    return account(moves, draw(st.none() | end), draw(st.integers(0, 10**18)))


@given(utxos() | accounts())
def test_parts_add_up_to_what_moved_in_every_wallet(item: Transaction) -> None:
    flows = split(item, OWNERS)
    assert net(flows) == moved(item)
    assert all(flow.units > 0 for flow in flows)
    assert [flow.index for flow in flows] == list(range(len(flows)))


@given(utxos(foreign=False))
def test_without_foreign_inputs_every_output_and_the_fee_are_paid_in_full(item: Transaction) -> None:
    flows = split(item, OWNERS)
    for leg in item.legs:
        paid = sum(f.units for f in flows if f.sink == leg.index and f.direction is Direction.OUT)
        change = sum(f.units for f in flows if f.sink == leg.index and f.part is Part.CHANGE)
        if leg.source is None:
            assert paid + change == leg.units
            assert change == 0 or leg.destination in OWNERS


@given(utxos(foreign=False))
def test_sinks_are_filled_fee_first_from_cold_to_hot_and_then_as_configured(item: Transaction) -> None:
    wallets = {wallet.name: wallet for wallet in OWNERS.values()}
    outs = [flow for flow in split(item, OWNERS) if flow.direction is Direction.OUT]
    order = [(TIER_ORDER[wallets[f.wallet].tier], wallets[f.wallet].order) for f in outs]
    assert order == sorted(order)
    parts = [f.part is Part.FEE for f in outs]
    assert parts == sorted(parts, reverse=True)
    sinks = [f.sink for f in outs if f.part is not Part.FEE]
    assert sinks == sorted(sinks)


@given(utxos(), st.randoms(use_true_random=False))
def test_the_order_of_inputs_changes_nothing(item: Transaction, random: object) -> None:
    inputs = [leg for leg in item.legs if leg.source is not None]
    outputs = [leg for leg in item.legs if leg.source is None]
    shuffled = list(inputs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    renumbered = tuple(replace(leg, index=n) for n, leg in enumerate(shuffled))
    assert split(replace(item, legs=(*renumbered, *outputs)), OWNERS) == split(item, OWNERS)


@given(utxos(foreign=False), st.randoms(use_true_random=False))
def test_the_order_of_outputs_changes_neither_what_a_wallet_pays_nor_what_an_outsider_gets(
    item: Transaction, random: object
) -> None:
    inputs = [leg for leg in item.legs if leg.source is not None]
    outputs = [leg for leg in item.legs if leg.source is None]
    random.shuffle(outputs)  # type: ignore[attr-defined]
    before, after = split(item, OWNERS), split(replace(item, legs=(*inputs, *outputs)), OWNERS)
    assert out(after, by_sink=False) == out(before, by_sink=False)

    def paid_out(flows: Iterable[Flow]) -> dict[object, int]:
        return {k: u for k, u in out(flows, by_sink=True).items() if isinstance(k, tuple) and k[0] is not Part.OWN}

    assert paid_out(after) == paid_out(before)


def test_cold_and_hot_pay_a_customer_and_another_own_wallet() -> None:
    flows = split(utxo([("hot-0", 40), ("cold-0", 30)], [("anna", 50), ("hot-first-0", 15)]), OWNERS)
    assert [(f.wallet, f.part, f.destination, f.receiver, f.units) for f in flows] == [
        ("cold", Part.FEE, "", "", 5),
        ("cold", Part.DESTINATION, "anna", "", 25),
        ("hot", Part.DESTINATION, "anna", "", 25),
        ("hot-first", Part.RECEIPT, "hot-first-0", "hot-first", 15),
        ("hot", Part.OWN, "hot-first-0", "hot-first", 15),
    ]


def test_what_a_wallet_gets_beyond_what_it_spent_was_paid_by_another() -> None:
    flows = split(utxo([("hot-0", 10), ("warm-0", 90)], [("hot-1", 60)]), OWNERS)
    assert [(f.wallet, f.part, f.units) for f in flows] == [
        ("warm", Part.FEE, 40),
        ("hot", Part.CHANGE, 10),
        ("hot", Part.RECEIPT, 50),
        ("warm", Part.OWN, 50),
    ]


def test_with_foreign_inputs_we_paid_no_more_than_we_lost() -> None:
    flows = split(utxo([("hot-0", 10)], [("anna", 100), ("hot-1", 4)], foreign=1), OWNERS)
    assert [(f.part, f.units) for f in flows] == [(Part.DESTINATION, 6), (Part.CHANGE, 4)]


def test_what_no_output_took_beside_foreign_inputs_is_fee() -> None:
    flows = split(utxo([("hot-0", 10)], [("anna", 2)], foreign=1), OWNERS)
    assert [(f.part, f.units, f.sink) for f in flows] == [(Part.DESTINATION, 2, 2), (Part.FEE, 8, -1)]


def test_a_transfer_within_a_wallet_is_change_and_one_between_wallets_has_two_sides() -> None:
    flows = split(account([("hot-0", "hot-1", 7), ("cold-0", "hot-0", 5), ("anna", "hot-0", 3)], "hot-0", 1), OWNERS)
    assert [(f.wallet, f.part, f.direction, f.receiver, f.units) for f in flows] == [
        ("hot", Part.FEE, Direction.OUT, "", 1),
        ("hot", Part.CHANGE, Direction.IN, "hot", 7),
        ("cold", Part.OWN, Direction.OUT, "hot", 5),
        ("hot", Part.RECEIPT, Direction.IN, "hot", 5),
        ("hot", Part.RECEIPT, Direction.IN, "hot", 3),
    ]


def test_assets_of_one_transaction_are_split_each_by_itself() -> None:
    eth, usdt = account([("hot-0", "anna", 5)], "hot-0", 1), Leg(9, "USDT", 8, "hot-0", "ben")
    both = replace(
        eth, legs=(*eth.legs, usdt), movements=(*eth.movements, Movement("t", 9, Account("c", "hot-0", "USDT"), -8))
    )
    assert [(f.asset, f.part, f.units) for f in split(both, OWNERS)] == [
        ("ETH", Part.FEE, 1),
        ("ETH", Part.DESTINATION, 5),
        ("USDT", Part.DESTINATION, 8),
    ]


@pytest.mark.parametrize("off", [1, -1])
def test_parts_that_differ_from_movements_by_one_unit_are_refused(off: int) -> None:
    item = utxo([("hot-0", 10)], [("anna", 9)])
    wrong = replace(item, movements=(replace(item.movements[0], delta=-10 + off),))
    with pytest.raises(AttributionError, match="transaction t: flow parts and movements differ"):
        split(wrong, OWNERS)


def test_change_goes_to_the_wallet_that_it_comes_from_and_says_so() -> None:
    flows = split(utxo([("hot-0", 10)], [("anna", 6), ("hot-1", 3)]), OWNERS)
    (change,) = (flow for flow in flows if flow.part is Part.CHANGE)
    assert (change.wallet, change.receiver, change.units, change.direction) == ("hot", "hot", 3, Direction.IN)
