"""The native asset in another form is still ours: a wrap is explained, once, and by what the chain showed."""

from __future__ import annotations

import pytest

from chains.core.values import Account, Leg, Movement, Transaction, TransactionKind
from monitor.attribute import Rules, explain, split
from monitor.model import Approval, Judgement, Reason
from tests.unit.attribute.test_explain import BASE, OWNERS, RULES, sighted


def wrapping(wallet: str, *, units: int = 5, wrap: bool = True) -> Transaction:
    """ETH to the contract and as much of its token back, as the chain package tells it."""
    legs = (
        Leg(0, "ETH", 1, wallet, None, fee=True),
        Leg(1, "ETH", units, wallet, "0xweth", wrap=wrap),
        Leg(2, "WETH", units, "0xweth", wallet, wrap=wrap),
    )
    deltas = (("ETH", -1), ("ETH", -units), ("WETH", units))
    movements = tuple(Movement("t", n, Account("eth", wallet, a), delta) for n, (a, delta) in enumerate(deltas))
    return Transaction("t", 0, TransactionKind.TRANSACTION, movements, legs, signers=frozenset({wallet}))


def judged(transaction: Transaction, *approvals: Approval, rules: Rules = RULES) -> Judgement:
    (found,) = explain([(transaction, split(transaction, OWNERS), sighted(0))], OWNERS, approvals, rules)
    return found


def reasons(judgement: Judgement) -> list[Reason]:
    return [a.reason for a in judgement.attributions]


def test_a_hot_wallet_may_wrap() -> None:
    found = judged(wrapping("0xhot"))
    assert reasons(found) == [Reason.FEE, Reason.WRAP, Reason.WRAP]
    assert found.cold_unapproved == ()


def test_what_is_no_wrap_by_the_chain_is_an_outflow_and_a_deposit() -> None:
    assert reasons(judged(wrapping("0xhot", wrap=False))) == [Reason.UNEXPLAINED, Reason.UNEXPLAINED, Reason.DEPOSIT]


def test_a_wrap_from_cold_needs_an_approval_and_uses_it() -> None:
    found = judged(wrapping("0xcold"))
    assert reasons(found) == [Reason.UNEXPLAINED, Reason.UNEXPLAINED, Reason.WRAP]
    assert found.cold_unapproved == ("cold",)
    approval = Approval(**{name: getattr(BASE, name) for name in BASE.__slots__} | {"destination": "0xweth"})
    found = judged(wrapping("0xcold"), approval)
    assert reasons(found) == [Reason.FEE, Reason.WRAP, Reason.WRAP]
    assert [a.approval for a in found.attributions] == ["", approval.id, ""]
    assert found.cold_unapproved == ()


@pytest.mark.parametrize("wallet", ["0xcold", "0xhot"])
def test_a_policy_that_lets_cold_pay_own_wallets_lets_it_wrap(wallet: str) -> None:
    found = judged(wrapping(wallet), rules=Rules(approvals_configured=True, cold_needs_approval=False))
    assert reasons(found) == [Reason.FEE, Reason.WRAP, Reason.WRAP]
    assert found.cold_unapproved == ()
