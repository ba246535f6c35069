"""What a reason says beside itself: its note, its batch, what a signature may use, and the leg that a part stands for."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from chains.core.values import Account, Leg, Movement, Transaction, TransactionKind
from monitor.attribute import outputs_hash, split
from monitor.model import Flow, Part, Reason
from tests.unit.attribute.test_explain import BASE, OWNERS, judge, pay


def test_what_is_explained_without_an_approval_names_no_approval_that_nearly_fitted() -> None:
    for_another_wallet = replace(BASE, destination="0xhot-b", wallet="cold")
    (judgement,) = judge(pay(to="0xhot-b"), approvals=(for_another_wallet,))
    assert [(a.reason, a.note) for a in judgement.attributions] == [
        (Reason.FEE, ""),
        (Reason.INTERNAL, ""),
        (Reason.INTERNAL, ""),
    ]


def test_an_approval_alone_is_no_batch() -> None:
    (judgement,) = judge(pay(), approvals=(BASE,))
    assert [(a.approval, a.batch) for a in judgement.attributions] == [("", ()), ("w", ())]


def test_an_approval_that_names_a_transaction_but_another_amount_does_not_excuse_its_cold_signature() -> None:
    (theft,) = judge(pay(source="0xcold"), approvals=(replace(BASE, txid="t", units=7),))
    assert theft.cold_unapproved == ("cold",)
    assert [(a.reason, a.approval) for a in theft.attributions] == [(Reason.UNEXPLAINED, "")] * 2


def test_the_hash_of_outputs_leaves_out_what_strangers_pay_in_the_same_transaction() -> None:
    ours, theirs = Leg(0, "ETH", 5, "0xhot", "0xa"), Leg(1, "ETH", 7, "0xstranger", "0xb")
    item = replace(pay(fee=0), legs=(ours, theirs))
    assert outputs_hash(item, OWNERS) == sha256(b"0xa ETH 5\n").hexdigest()


def test_the_hash_of_outputs_holds_the_outputs_of_a_chain_that_pairs_them_with_no_input() -> None:
    spent, paid = Leg(0, "BTC", 9, "0xhot", None), Leg(1, "BTC", 8, None, "0xa")
    item = replace(pay(fee=0), legs=(spent, paid))
    assert outputs_hash(item, OWNERS) == sha256(b"0xa BTC 8\n").hexdigest()


def parts(*legs: Leg) -> list[Flow]:
    """The parts of one transaction of account-chain legs."""
    ends = [(end, sign * leg.units) for leg in legs for end, sign in ((leg.source, -1), (leg.destination, 1))]
    own = [(end, units) for end, units in ends if end in OWNERS]
    movements = tuple(Movement("t", n, Account("eth", end or "", "ETH"), units) for n, (end, units) in enumerate(own))
    return list(split(Transaction("t", 0, TransactionKind.TRANSACTION, movements, legs), OWNERS))


def test_every_part_says_in_which_transaction_and_by_which_leg() -> None:
    fee = Leg(3, "ETH", 1, "0xhot", None, fee=True)
    change, payment, own = (Leg(4 + n, "ETH", 5, "0xhot", to) for n, to in enumerate(("0xhot", "0xa", "0xcold")))
    assert [(f.txid, f.part, f.sink) for f in parts(fee, change, payment, own)] == [
        ("t", Part.FEE, 3),
        ("t", Part.CHANGE, 4),
        ("t", Part.DESTINATION, 5),
        ("t", Part.OWN, 6),
        ("t", Part.RECEIPT, 6),
    ]


def test_who_takes_a_fee_is_no_destination_that_an_approval_could_name() -> None:
    (fee,) = parts(Leg(0, "ETH", 1, "0xhot", "0xminer", fee=True))
    assert (fee.part, fee.destination) == (Part.FEE, "")
