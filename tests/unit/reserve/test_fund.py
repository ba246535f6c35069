from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from monitor.reserve import Cause, Exchange, FundAsset, FundKind, FundRules, NotCounted, TopUp, Unknown, Use, may_use
from monitor.reserve.fund import fund_line
from monitor.reserve.replenish import add_months, replenishment
from tests.unit.reserve.regimes import JAPAN, TODAY, D, cash

YEN = Exchange("JPY", {})
EVERY = FundRules(frozenset(FundKind), None, D("0.02"))
BOND = FundAsset("JGB 375", FundKind.BOND, "JPY", D(10), segregated=True, own_issued=False, government=True)
PROMISE = FundAsset("bank", FundKind.BANK_GUARANTEE, "JPY", D(10), segregated=True, own_issued=False, expires=TODAY)


def test_segregated_cash_counts_whole() -> None:
    line = fund_line(cash("3"), JAPAN.fund, YEN, TODAY)
    assert (line.reasons, line.amount) == ((), D(3))


@pytest.mark.parametrize(("declared", "counts"), [(None, "9.8"), ("0.01", "9.8"), ("0.05", "9.5"), ("1", "0")])
def test_of_two_haircuts_of_a_bond_the_larger_counts(declared: str | None, counts: str) -> None:
    line = fund_line(replace(BOND, haircut=None if declared is None else D(declared)), JAPAN.fund, YEN, TODAY)
    assert (line.value, line.amount) == (D(10), D(counts))


@pytest.mark.parametrize(
    ("asset", "change", "reason"),
    [
        (cash("3"), {"segregated": None}, NotCounted.SEGREGATION_NOT_DECLARED),
        (cash("3"), {"segregated": False}, NotCounted.NOT_SEGREGATED),
        (cash("3"), {"own_issued": None}, NotCounted.ISSUER_NOT_DECLARED),
        (cash("3"), {"own_issued": True}, NotCounted.OWN_ISSUED),
        (BOND, {"government": None}, NotCounted.GOVERNMENT_NOT_DECLARED),
        (BOND, {"government": False}, NotCounted.NOT_GOVERNMENT),
        (PROMISE, {"expires": None}, NotCounted.EXPIRY_NOT_DECLARED),
        (PROMISE, {"expires": TODAY - timedelta(days=1)}, NotCounted.EXPIRED),
    ],
)
def test_what_fails_one_condition_counts_nothing_and_names_it(
    asset: FundAsset, change: dict[str, Any], reason: NotCounted
) -> None:
    assert fund_line(asset, EVERY, YEN, TODAY).reasons == ()
    line = fund_line(replace(asset, **change), EVERY, YEN, TODAY)
    assert (line.amount, line.reasons) == (D(0), (reason,))


def test_japan_takes_no_bank_guarantee_and_no_dollars() -> None:
    assert fund_line(PROMISE, JAPAN.fund, YEN, TODAY).reasons == (NotCounted.KIND,)
    assert fund_line(cash("3", "USD"), JAPAN.fund, YEN, TODAY).reasons == (NotCounted.CURRENCY,)


def test_where_other_currencies_count_one_without_a_price_is_unknown_and_never_zero() -> None:
    assert fund_line(cash("3", "XXX"), EVERY, YEN, TODAY).amount == Unknown(("price of XXX in JPY",))
    assert fund_line(cash("3", "USD"), EVERY, Exchange("JPY", {"USD": D("149.8")}), TODAY).amount == D("449.4")


def used(
    amount: str, day: date, cause: Cause = Cause.EXTERNAL_OUTFLOW, approval: str = "", currency: str = "JPY"
) -> Use:
    return Use(day, D(amount), currency, cause, approval)


@pytest.mark.parametrize(
    ("cause", "approval", "allowed"),
    [
        (Cause.EXTERNAL_OUTFLOW, "", True),
        (Cause.ACCIDENT, "", True),
        (Cause.OTHER, "", False),
        (Cause.OTHER, " ", False),
        (Cause.OTHER, "2026-123", True),
    ],
)
def test_an_outflow_and_an_accident_are_paid_at_once_anything_else_with_approval(
    cause: Cause, approval: str, allowed: bool
) -> None:
    assert may_use(used("1", TODAY, cause, approval)) is allowed


def test_a_use_is_due_back_months_later_and_one_without_approval_at_once() -> None:
    uses = (used("1", date(2026, 8, 31)), used("1", date(2026, 11, 1), Cause.OTHER))
    plan = replenishment(uses, D(5), D(2), YEN, 6, TODAY)
    assert [(line.allowed, line.due, line.outstanding) for line in plan.lines] == [
        (True, date(2027, 2, 28), D(1)),
        (False, date(2026, 11, 1), D(1)),
    ]
    assert (plan.immediate, plan.due, plan.state) == (D(5), date(2026, 11, 1), TopUp.OVERDUE)


def test_what_was_put_back_repays_the_oldest_use() -> None:
    uses = (used("3", date(2026, 7, 1)), used("2", date(2026, 10, 1)))
    plan = replenishment(uses, D(5), D("2.5"), YEN, 6, TODAY)
    assert [line.outstanding for line in plan.lines] == [D("0.5"), D(2)]
    assert (plan.due, plan.state) == (date(2027, 1, 1), TopUp.DUE)


def test_the_due_day_itself_is_not_overdue() -> None:
    plan = replenishment((used("3", date(2026, 5, 24)),), D(5), D(1), YEN, 6, TODAY)
    assert (plan.due, plan.state) == (TODAY, TopUp.DUE)


def test_a_full_reserve_owes_nothing_and_neither_does_one_that_was_never_used() -> None:
    assert replenishment((used("3", TODAY),), D(5), D(0), YEN, 6, TODAY).state is TopUp.NOTHING_DUE
    assert replenishment((), D(5), D(2), YEN, 6, TODAY).state is TopUp.NOTHING_DUE


def test_a_use_in_a_currency_without_a_price_leaves_the_plan_unknown() -> None:
    plan = replenishment((used("3", TODAY, currency="USD"),), D(5), D(2), YEN, 6, TODAY)
    assert (plan.state, plan.lines[0].outstanding) == (TopUp.UNKNOWN, Unknown(("price of USD in JPY",)))
    unclear = replenishment((used("3", TODAY),), D(5), Unknown(("volume of spot in 2025",)), YEN, 6, TODAY)
    assert unclear.state is TopUp.UNKNOWN


@pytest.mark.parametrize(
    ("day", "months", "due"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 11, 24), 0, date(2026, 11, 24)),
        (date(2026, 11, 30), 1, date(2026, 12, 30)),
        (date(9999, 12, 31), 12, date.max),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last_of_the_month(day: date, months: int, due: date) -> None:
    assert add_months(day, months) == due
