"""Reasons: each approval at most once, the earliest deadline first, and every guard of a match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.values import Account, Leg, Movement, Transaction, TransactionKind
from monitor.attribute import Names, Rules, explain, mismatch, outputs_hash, split
from monitor.model import Approval, Judgement, Owner, Reason, Sighting, Tier, Wallet

HOT = Wallet("hot", "eth", Tier.HOT, Owner.CUSTOMER, "self", 0)
HOT_B = Wallet("hot-b", "eth", Tier.HOT, Owner.CUSTOMER, "self", 1)
COLD = Wallet("cold", "eth", Tier.COLD, Owner.CUSTOMER, "self", 2)
OWNERS = {"0xhot": HOT, "0xhot-b": HOT_B, "0xcold": COLD}
RULES = Rules(approvals_configured=True, cold_needs_approval=True)
NEVER = datetime(2030, 1, 1, tzinfo=UTC)
BASE = Approval("w", "eth", "ETH", 5, "0xa", None, None, None, NEVER, None, None, None, "")


def at(minute: int) -> datetime:
    return datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(minutes=minute)


def sighted(minute: int) -> Sighting:
    return Sighting(at(minute), at(minute))


def pay(
    txid: str = "t",
    source: str = "0xhot",
    to: str = "0xa",
    units: int = 5,
    *,
    fee: int = 1,
    signer: str | None = None,
) -> Transaction:
    """One transfer of ETH (none where ``units`` is 0), signed by its source unless said otherwise."""
    signer = signer or source
    legs = [Leg(0, "ETH", fee, signer, None, fee=True)] if fee and signer in OWNERS else []
    legs += [Leg(1, "ETH", units, source, to)] if units else []
    ends = [(leg.source, -leg.units) for leg in legs] + [(leg.destination, leg.units) for leg in legs]
    movements = [(end, units) for end, units in ends if end in OWNERS]
    return Transaction(
        txid,
        0,
        TransactionKind.TRANSACTION,
        tuple(Movement(txid, n, Account("eth", end or "", "ETH"), units) for n, (end, units) in enumerate(movements)),
        tuple(legs),
        signers=frozenset({signer} & set(OWNERS)),
    )


def judge(
    *items: Transaction, approvals: Sequence[Approval] = (), rules: Rules = RULES, minutes: Sequence[int] = ()
) -> tuple[Judgement, ...]:
    times = minutes or [0] * len(items)
    split_up = [(item, split(item, OWNERS), sighted(m)) for item, m in zip(items, times, strict=True)]
    return explain(split_up, OWNERS, approvals, rules)


def used(judgements: Sequence[Judgement]) -> list[str]:
    """The approval of each transaction's payment, "" where there is none."""
    return [next(a.approval for a in j.attributions if a.flow.part != "fee") for j in judgements]


def reasons(judgement: Judgement) -> list[Reason]:
    return [a.reason for a in judgement.attributions]


def maximum_matching(fits: Sequence[Sequence[bool]]) -> int:
    """How many flows could get an approval of their own, by augmenting paths."""
    owner: dict[int, int] = {}

    def place(flow: int, tried: set[int]) -> bool:
        for approval, fit in enumerate(fits[flow]):
            if fit and approval not in tried:
                tried.add(approval)
                if approval not in owner or place(owner[approval], tried):
                    owner[approval] = flow
                    return True
        return False

    return sum(place(flow, set()) for flow in range(len(fits)))


windows = st.tuples(st.integers(0, 12), st.integers(0, 6)).map(lambda w: (w[0], w[0] + w[1]))


@given(st.lists(windows, max_size=7), st.lists(st.integers(0, 18), max_size=7).map(sorted))
def test_earliest_deadline_first_leaves_no_withdrawal_without_an_approval_that_another_choice_would_find(
    intervals: list[tuple[int, int]], minutes: list[int]
) -> None:
    approvals = [
        replace(BASE, id=f"w{n}", not_before=at(first), not_after=at(last)) for n, (first, last) in enumerate(intervals)
    ]
    names = used(judge(*(pay(f"t{n}") for n in range(len(minutes))), approvals=approvals, minutes=minutes))
    found = [name for name in names if name]
    assert len(found) == len(set(found)), "an approval explained two payments"
    fits = [[first <= minute <= last for first, last in intervals] for minute in minutes]
    assert len(found) == maximum_matching(fits)
    for name, row in zip(names, fits, strict=True):
        assert not name or row[int(name[1:])]


@given(st.lists(st.sampled_from([None, "hot", "hot-b"]), max_size=5), st.lists(st.booleans(), max_size=5))
def test_of_approvals_that_end_together_the_one_for_this_wallet_only_is_used_first(
    wallets: list[str | None], from_b: list[bool]
) -> None:
    approvals = [replace(BASE, id=f"w{n}", wallet=wallet) for n, wallet in enumerate(wallets)]
    payers = ["hot-b" if b else "hot" for b in from_b]
    items = [pay(f"t{n}", f"0x{payer}") for n, payer in enumerate(payers)]
    found = [name for name in used(judge(*items, approvals=approvals)) if name]
    fits = [[wallet in (None, payer) for wallet in wallets] for payer in payers]
    assert len(found) == maximum_matching(fits)


@given(st.lists(st.none() | st.integers(0, 4), max_size=5), st.lists(st.integers(1, 5), max_size=5))
def test_of_approvals_that_end_together_the_tightest_fee_limit_is_used_first(
    limits: list[int | None], fees: list[int]
) -> None:
    approvals = [replace(BASE, id=f"w{n}", max_fee=limit) for n, limit in enumerate(limits)]
    found = [n for n in used(judge(*(pay(f"t{n}", fee=f) for n, f in enumerate(fees)), approvals=approvals)) if n]
    fits = [[limit is None or fee <= limit for limit in limits] for fee in fees]
    assert len(found) == maximum_matching(fits)


kinds = st.fixed_dictionaries(
    {
        "wallet": st.sampled_from([None, None, "hot", "hot-b"]),
        "max_fee": st.sampled_from([None, None, 1, 2]),
        "txid": st.sampled_from([None, None, None, "t0", "t1", "t2"]),
        "window": windows,
    }
)
payments = st.tuples(st.sampled_from(["hot", "hot-b"]), st.integers(1, 3), st.integers(0, 14))


@given(st.lists(kinds, max_size=6), st.lists(payments, max_size=6))
def test_of_what_is_known_at_one_time_no_other_choice_explains_more(
    drawn: list[dict[str, Any]], paid: list[tuple[str, int, int]]
) -> None:
    paid = sorted(paid, key=lambda p: p[2])
    approvals = [
        replace(
            BASE,
            id=f"w{n}",
            wallet=kind["wallet"],
            max_fee=kind["max_fee"],
            txid=kind["txid"],
            not_before=at(kind["window"][0]),
            not_after=at(kind["window"][1]),
        )
        for n, kind in enumerate(drawn)
    ]
    items = [pay(f"t{n}", f"0x{payer}", fee=fee) for n, (payer, fee, _) in enumerate(paid)]
    names = used(judge(*items, approvals=approvals, minutes=[minute for _, _, minute in paid]))
    fits = [
        [not mismatch(approval, {payer}, Names(f"t{n}"), sighted(minute), fee) for approval in approvals]
        for n, (payer, fee, minute) in enumerate(paid)
    ]
    found = [name for name in names if name]
    assert len(found) == len(set(found)) == maximum_matching(fits)
    for name, row in zip(names, fits, strict=True):
        assert not name or row[int(name[1:])]
    for n, row in enumerate(fits):
        exact = [m for m, fit in enumerate(row) if fit and approvals[m].txid]
        assert not exact or approvals[int(names[n][1:])].txid, "an approval for this very transaction goes first"


def outs(*payments: tuple[str, int]) -> Transaction:
    """A transaction of several transfers, no fee."""
    legs = tuple(Leg(n, "ETH", units, "0xhot", to) for n, (to, units) in enumerate(payments))
    movements = tuple(Movement("t", n, Account("eth", "0xhot", "ETH"), -leg.units) for n, leg in enumerate(legs))
    return Transaction("t", 0, TransactionKind.TRANSACTION, movements, legs, signers=frozenset({"0xhot"}))


def test_the_hash_of_outputs_is_of_what_others_are_paid_and_of_nothing_else() -> None:
    wanted = sha256(b"0xa ETH 10\n0xa ETH 5\n0xb ETH 7\n").hexdigest()
    assert outputs_hash(outs(("0xb", 7), ("0xa", 5), ("0xa", 10)), OWNERS) == wanted
    assert outputs_hash(outs(("0xa", 10), ("0xhot-b", 3), ("0xb", 7), ("0xa", 5)), OWNERS) == wanted
    bumped = pay(fee=9)
    assert outputs_hash(pay(fee=1), OWNERS) == outputs_hash(bumped, OWNERS) == sha256(b"0xa ETH 5\n").hexdigest()
    assert outputs_hash(pay(to="0xhot-b"), OWNERS) == sha256(b"").hexdigest()


def test_an_approval_by_the_hash_of_outputs_explains_only_a_transaction_with_these_outputs() -> None:
    named = replace(BASE, outputs_hash=outputs_hash(pay(), OWNERS))
    assert used(judge(pay("other-id", fee=3), approvals=(named,))) == ["w"]
    (judgement,) = judge(outs(("0xa", 5), ("0xb", 1)), approvals=(named,))
    assert [a.approval for a in judgement.attributions] == ["", ""]
    assert judgement.attributions[0].note.startswith("w: is for a transaction whose outputs have the hash")


def test_an_approval_by_its_safe_transaction_goes_first_and_explains_no_other() -> None:
    safe = "0x" + "ab" * 32
    named, loose = replace(BASE, id="named", safe_tx_hash=safe), replace(BASE, id="loose", not_after=at(1))
    executed = replace(pay("t1"), parties={"safe_tx_hash": f"{'0x' + 'cd' * 32} {safe}"})
    assert used(judge(pay("t0"), executed, pay("t2"), approvals=(named, loose))) == ["loose", "named", ""]
    (judgement,) = judge(pay(), approvals=(named,))
    assert judgement.attributions[1].note == f"named: is for Safe transaction {safe}"


def batch(*units: int, size: int | None = None, **changes: Any) -> list[Approval]:
    return [replace(BASE, id=f"b{n}", units=u, batch="b", batch_size=size, **changes) for n, u in enumerate(units)]


def explained(
    approvals: Sequence[Approval], *items: Transaction, sizes: dict[str, int] | None = None
) -> list[tuple[str, ...]]:
    split_up = [(item, split(item, OWNERS), sighted(0)) for item in items]
    judgements = explain(split_up, OWNERS, approvals, RULES, sizes or {"b": len(approvals)})
    last = [judgement.attributions[-1] for judgement in judgements]
    return [a.batch or ((a.approval,) if a.approval else ()) for a in last]


def test_a_batch_explains_one_payment_of_its_exact_sum_once() -> None:
    members = batch(1, 4)
    assert explained(members, pay("t1"), pay("t2")) == [("b0", "b1"), ()]
    assert explained(members, pay(units=4)) == explained(members, pay(units=6)) == [()]
    assert explained([*members, replace(BASE, id="x", units=1)], pay(units=6)) == [()], "no sums beside the batch"
    assert explained(batch(5), pay()) == [("b0",)]


@pytest.mark.parametrize("change", [{"wallet": "hot-b"}, {"not_after": at(-1)}, {"txid": "other"}, {"max_fee": 0}])
def test_one_member_that_does_not_fit_is_enough_to_leave_the_batch_unused(change: dict[str, Any]) -> None:
    first, second = batch(1, 4)
    assert explained([first, replace(second, **change)], pay()) == [()]


@pytest.mark.parametrize(("stated", "read", "whole"), [(2, 2, True), (3, 2, False), (2, 3, False), (None, 2, True)])
def test_an_incomplete_batch_explains_nothing(stated: int | None, read: int, whole: bool) -> None:
    assert explained(batch(1, 4, size=stated), pay(), sizes={"b": read}) == [("b0", "b1") if whole else ()]


def test_a_batch_whose_members_state_two_sizes_explains_nothing() -> None:
    first, second = batch(1, 4, size=2)
    assert explained([first, replace(second, batch_size=3)], pay()) == [()]


def test_a_batch_pays_each_destination_in_its_own_sum() -> None:
    members = [*batch(1, 4), replace(BASE, id="c", units=7, batch="b", destination="0xb")]
    assert explained(members, outs(("0xa", 5), ("0xb", 7)), sizes={"b": 3}) == [("c",)]


def test_a_batch_allows_no_signature_over_nothing() -> None:
    split_up = [(item := pay(source="0xcold", units=0), split(item, OWNERS), sighted(0))]
    (judgement,) = explain(split_up, OWNERS, batch(5, txid="t"), RULES, {"b": 1})
    assert judgement.cold_unapproved == ("cold",)


def test_the_example_of_two_windows() -> None:
    a = replace(BASE, id="a", not_before=at(0), not_after=at(10))
    b = replace(BASE, id="b", not_before=at(1), not_after=at(3))
    assert used(judge(pay("t1"), pay("t2"), approvals=(a, b), minutes=(2, 5))) == ["b", "a"]


def test_the_order_in_which_approvals_were_read_changes_nothing() -> None:
    approvals = [replace(BASE, id=f"w{n}", not_after=at(n)) for n in range(3)]
    forward = used(judge(pay("t1"), pay("t2"), approvals=approvals))
    assert forward == used(judge(pay("t1"), pay("t2"), approvals=approvals[::-1])) == ["w0", "w1"]


def test_an_approval_for_this_transaction_goes_before_one_that_ends_sooner() -> None:
    named = replace(BASE, id="named", txid="t")
    soon = replace(BASE, id="soon", not_after=at(1))
    assert used(judge(pay(), approvals=(soon, named))) == ["named"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"txid": "other"}, "is for transaction other"),
        ({"wallet": "hot-b"}, "is for wallet hot-b, paid by hot"),
        ({"tag": "7"}, "asks for tag '7', this payment has none"),
        ({"not_before": at(1)}, "is not valid before"),
        ({"not_after": at(-1)}, "was valid until"),
        ({"max_fee": 0}, "allows a fee of 0 base units, 1 were paid"),
    ],
)
def test_one_thing_that_differs_is_enough(change: dict[str, object], why: str) -> None:
    approval = replace(BASE, **change)
    assert mismatch(approval, {"hot"}, Names("t"), sighted(0), 1).startswith(why)
    (judgement,) = judge(pay(), approvals=(approval,))
    assert reasons(judgement) == [Reason.UNEXPLAINED, Reason.UNEXPLAINED]
    assert judgement.attributions[1].note.startswith(f"w: {why}")


@pytest.mark.parametrize(
    "change",
    [{"txid": "t"}, {"wallet": "hot"}, {"not_before": at(0)}, {"not_after": at(0)}, {"max_fee": 1}],
)
def test_what_agrees_to_the_last_unit_and_second_fits(change: dict[str, object]) -> None:
    assert mismatch(replace(BASE, **change), {"hot"}, Names("t"), sighted(0), 1) == ""


@pytest.mark.parametrize("change", [{"units": 4}, {"units": 6}, {"destination": "0xA"}, {"asset": "USDT"}])
def test_another_amount_destination_or_asset_is_another_movement(change: dict[str, object]) -> None:
    (judgement,) = judge(pay(), approvals=(replace(BASE, **change),))
    assert reasons(judgement) == [Reason.UNEXPLAINED, Reason.UNEXPLAINED]


def test_a_wallet_that_paid_only_a_part_of_an_output_is_not_its_payer() -> None:
    assert mismatch(replace(BASE, wallet="hot"), {"hot", "hot-b"}, Names("t"), sighted(0), 1)


def test_a_sighting_with_skew_fits_a_window_that_it_touches() -> None:
    seen = Sighting(at(0), at(10))
    assert mismatch(replace(BASE, not_before=at(10)), {"hot"}, Names("t"), seen, 1) == ""
    assert mismatch(replace(BASE, not_after=at(0)), {"hot"}, Names("t"), seen, 1) == ""
    assert mismatch(replace(BASE, not_before=at(11)), {"hot"}, Names("t"), seen, 1)
    assert mismatch(replace(BASE, not_after=at(-1)), {"hot"}, Names("t"), seen, 1)


def test_hot_to_own_is_internal_and_needs_nothing() -> None:
    (judgement,) = judge(pay(to="0xhot-b"))
    assert reasons(judgement) == [Reason.FEE, Reason.INTERNAL, Reason.INTERNAL]


def test_cold_to_own_needs_an_approval_where_the_policy_says_so() -> None:
    item, lenient = pay(source="0xcold", to="0xhot"), replace(RULES, cold_needs_approval=False)
    (refused,), (allowed,) = judge(item), judge(item, approvals=(replace(BASE, destination="0xhot"),))
    assert (reasons(refused)[:2], refused.cold_unapproved) == ([Reason.UNEXPLAINED] * 2, ("cold",))
    assert (reasons(allowed)[:2], allowed.cold_unapproved) == ([Reason.FEE, Reason.INTERNAL], ())
    (free,) = judge(item, rules=lenient)
    assert (reasons(free)[:2], free.cold_unapproved) == ([Reason.FEE, Reason.INTERNAL], ())


def test_cold_to_outside_needs_an_approval_whatever_the_policy_says() -> None:
    lenient = Rules(approvals_configured=False, cold_needs_approval=False)
    (judgement,) = judge(pay(source="0xcold"), rules=lenient)
    assert (reasons(judgement), judgement.cold_unapproved) == ([Reason.UNEXPLAINED] * 2, ("cold",))


def test_without_a_source_of_approvals_hot_outflows_are_not_attributed_and_their_fee_is_a_fee() -> None:
    (judgement,) = judge(pay(), rules=replace(RULES, approvals_configured=False))
    assert reasons(judgement) == [Reason.FEE, Reason.NOT_ATTRIBUTED]


@pytest.mark.parametrize("lenient", [True, False])
def test_a_cold_signature_over_nothing_is_unapproved(lenient: bool) -> None:
    (judgement,) = judge(pay(source="0xcold", units=0), rules=replace(RULES, cold_needs_approval=not lenient))
    assert (reasons(judgement), judgement.cold_unapproved) == ([Reason.UNEXPLAINED], ("cold",))


def test_an_approval_that_names_the_transaction_allows_a_cold_signature_over_nothing_once() -> None:
    approval = replace(BASE, txid="t")
    first, second = judge(pay(source="0xcold", units=0), pay(source="0xcold", units=0), approvals=(approval,))
    assert ([a.approval for a in first.attributions], first.cold_unapproved) == (["w"], ())
    assert ([a.approval for a in second.attributions], second.cold_unapproved) == ([""], ("cold",))


@pytest.mark.parametrize("change", [{"wallet": "hot"}, {"not_after": at(-1)}, {"not_before": at(1)}, {"max_fee": 0}])
def test_a_cold_signature_over_nothing_must_fit_its_approval_too(change: dict[str, object]) -> None:
    (judgement,) = judge(pay(source="0xcold", units=0), approvals=(replace(BASE, txid="t", **change),))
    assert judgement.cold_unapproved == ("cold",)


def test_an_approval_that_names_no_transaction_allows_no_signature_over_nothing() -> None:
    (judgement,) = judge(pay(source="0xcold", units=0), approvals=(BASE,))
    assert judgement.cold_unapproved == ("cold",)


def test_a_cold_signature_that_lets_an_approved_hot_payment_happen_is_explained_by_it() -> None:
    item = pay(source="0xhot", signer="0xcold")
    (approved,), (refused,) = judge(item, approvals=(BASE,)), judge(item)
    assert (reasons(approved), approved.cold_unapproved) == ([Reason.FEE, Reason.APPROVED], ())
    assert (reasons(refused), refused.cold_unapproved) == ([Reason.UNEXPLAINED] * 2, ("cold",))


def test_without_a_source_of_approvals_a_cold_signature_is_still_unapproved() -> None:
    (judgement,) = judge(
        pay(source="0xhot", signer="0xcold"), rules=Rules(approvals_configured=False, cold_needs_approval=True)
    )
    assert reasons(judgement) == [Reason.UNEXPLAINED, Reason.NOT_ATTRIBUTED]
    assert judgement.cold_unapproved == ("cold",)


def test_what_comes_in_is_a_deposit_unless_an_own_wallet_or_the_block_paid_it() -> None:
    (deposit,) = judge(pay(source="0xa", to="0xhot"))
    assert reasons(deposit) == [Reason.DEPOSIT]
    for kind, reason in (
        (TransactionKind.REWARD, Reason.REWARD),
        (TransactionKind.WITHDRAWAL, Reason.WITHDRAWAL),
    ):
        item = Transaction(
            "", 0, kind, (Movement("", 0, Account("eth", "0xhot", "ETH"), 5),), (Leg(0, "ETH", 5, None, "0xhot"),)
        )
        assert reasons(judge(item)[0]) == [reason]


def test_a_cold_wallet_needs_an_approval_for_everything_in_what_it_signed() -> None:
    first, second = pay(source="0xcold"), pay(source="0xcold", to="0xb", fee=0)
    legs = (*first.legs, *(replace(leg, index=2) for leg in second.legs))
    both = replace(first, legs=legs, movements=(*first.movements, *(replace(m, index=9) for m in second.movements)))
    (judgement,) = judge(both, approvals=(BASE,))
    assert reasons(judgement) == [Reason.UNEXPLAINED, Reason.APPROVED, Reason.UNEXPLAINED]
    assert judgement.cold_unapproved == ("cold",)


def test_a_hot_signature_over_nothing_uses_up_no_approval() -> None:
    approval = replace(BASE, txid="t")
    nothing, payment = judge(pay(units=0), pay(), approvals=(approval,))
    assert [a.approval for a in nothing.attributions] == [""]
    assert used([payment]) == ["w"]


@pytest.mark.parametrize(("strict", "cold"), [(True, ("cold",)), (False, ())])
def test_a_cold_signature_under_a_move_between_hot_wallets_is_judged_by_the_policy(
    strict: bool, cold: tuple[str, ...]
) -> None:
    item = pay(source="0xhot", to="0xhot-b", signer="0xcold")
    (judgement,) = judge(item, rules=replace(RULES, cold_needs_approval=strict))
    assert judgement.cold_unapproved == cold


def test_a_cold_signature_under_a_payment_that_nobody_explains_is_unapproved_whatever_the_policy_says() -> None:
    lenient = Rules(approvals_configured=False, cold_needs_approval=False)
    (judgement,) = judge(pay(source="0xhot", signer="0xcold"), rules=lenient)
    assert judgement.cold_unapproved == ("cold",)


def test_of_what_one_transaction_brings_only_the_part_from_an_own_wallet_is_internal() -> None:
    own, outside = pay(to="0xhot-b", fee=0), pay(source="0xa", to="0xhot-b", units=3)
    legs = (*own.legs, *(replace(leg, index=2) for leg in outside.legs))
    both = replace(own, legs=legs, movements=(*own.movements, *(replace(m, index=9) for m in outside.movements)))
    (judgement,) = judge(both)
    assert reasons(judgement) == [Reason.INTERNAL, Reason.INTERNAL, Reason.DEPOSIT]
