"""The worked cases of rules.md 9, 7 and 3.3: every printed figure, exactly."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from monitor.model import Outcome
from monitor.reserve import (
    Accrual,
    Clamp,
    Exchange,
    Exclusion,
    Facts,
    FundAsset,
    FundKind,
    Ineligible,
    Reserve,
    ReserveRules,
    Risk,
    Weights,
    judge,
)
from tests.unit.reserve.regimes import (
    HONG_KONG,
    JAPAN,
    KOREA,
    NO_RISK,
    TODAY,
    D,
    cash,
    facts,
    held,
    place,
    policy,
)

STATE = frozenset({Exclusion.STATE_ACTOR})
ONE_TENTH = {**NO_RISK, Risk.INCIDENTS: True}
TWO_TENTHS = {**ONE_TENTH, Risk.NO_DRILL: True}
CASES = {
    "small": (
        facts(held("28.8", "1.2", "1.2"), spot="300", margin="100", fund=(cash("2"),)),
        ("0.025", "0.432", "0.457", "2.0", "0", "2.0", "2.0", "0", "0"),
    ),
    "mid": (
        facts(
            held("238", "12", "12", "50"),
            spot="3000",
            margin="6000",
            risks=ONE_TENTH,
            policies=(policy("crime", "3", "0.2"),),
            fund=(cash("3"),),
        ),
        ("0.30", "4.57", "5.357", "5.357", "2.6785", "2.6785", "3.0", "0.3215", "1.2175"),
    ),
    "large": (
        facts(
            held("1340", "60", "58.5", "100"),
            spot="12000",
            margin="30000",
            policies=(policy("crime", "20", "1", left="15"), policy("excess", "5", exclusions=STATE)),
            fund=(cash("14"),),
        ),
        ("1.26", "23.6", "24.86", "24.86", "12.43", "12.43", "14", "1.57", "6.215"),
    ),
    "giant": (
        facts(
            held("2850", "150", "150"),
            spot="40000",
            margin="90000",
            risks=TWO_TENTHS,
            policies=(policy("crime", "50", "5"),),
            fund=(cash("20"),),
        ),
        ("4.1", "42.75", "56.22", "40", "20", "20", "20", "0", "11.7125"),
    ),
}


def figures(found: Reserve) -> tuple[object, ...]:
    return (
        found.vol,
        found.exp,
        found.raw,
        found.required,
        found.credit,
        found.net,
        found.fund,
        found.surplus,
        found.accrual,
    )


@pytest.mark.parametrize("name", CASES)
def test_a_worked_case_comes_out_to_the_last_digit(name: str) -> None:
    given, expected = CASES[name]
    found = judge(JAPAN, given)
    assert figures(found) == tuple(Decimal(text) for text in expected)
    assert (found.verdict, found.unknown) == (Outcome.PASS, ())


@pytest.mark.parametrize(
    ("name", "set_by", "eligible"),
    [("small", "floor", "0"), ("mid", "formula", "2.8"), ("large", "formula", "14"), ("giant", "cap", "45")],
)
def test_what_set_the_requirement_and_what_insurance_is_eligible_is_shown(
    name: str, set_by: str, eligible: str
) -> None:
    found = judge(JAPAN, CASES[name][0])
    assert (found.set_by, found.eligible) == (set_by, D(eligible))


def test_the_policy_that_excludes_state_attacks_counts_nothing_and_says_so() -> None:
    crime, excess = judge(JAPAN, CASES["large"][0]).policies
    assert (crime.per_event, crime.payable, crime.factor, crime.amount) == (D(15), D(14), D(1), D(14))
    assert (excess.amount, excess.reasons) == (D(0), (Ineligible.EXCLUDES_STATE_ACTOR,))


def test_a_theft_beyond_the_cap_is_shown_beside_a_legal_pass() -> None:
    giant = facts(held("2850"), fund=(cash("40"),), places=(place("cold-1", "48.2"), place("cold-2", "40")))
    found = judge(JAPAN, giant)
    assert found.verdict is Outcome.PASS
    (worst, _) = found.stress.worst
    assert (worst.kind, worst.name, worst.loss, worst.uncovered) == ("wallet", "cold-1", D("48.2"), D("8.2"))


def test_insurance_that_the_cap_cuts_off_still_pays_in_the_stress_line() -> None:
    given = facts(
        held("600"), fund=(cash("20"),), places=(place("cold-1", "48.2"),), policies=(policy("crime", "16", "1"),)
    )
    found = judge(JAPAN, given)
    assert found.credit == D("4.5")
    assert found.stress.largest == found.stress.worst[0]
    assert found.stress.largest.uncovered == D("13.2")


def hong_kong(fund: tuple[FundAsset, ...]) -> Facts:
    given = facts(held("985", "15"), exchange=Exchange("HKD", {}), fund=fund, volumes={}, risks={})
    return replace(given, policies=(policy("crime", "300", currency="HKD"),))


def test_hong_kong_asks_half_of_cold_and_all_of_hot() -> None:
    guarantee = FundAsset("bank", FundKind.BANK_GUARANTEE, "HKD", D(50), True, False, expires=TODAY)
    found = judge(HONG_KONG, hong_kong((cash("150", "HKD"), guarantee)))
    assert (found.required, found.credit, found.net) == (D("507.5"), D(300), D("207.5"))
    assert (found.fund, found.surplus, found.verdict) == (D(200), D("-7.5"), Outcome.BREACH)


@pytest.mark.parametrize(("hot", "floor", "required"), [("900", "3", "45"), ("6", "0.5", "0.5"), ("6", "3", "3")])
def test_korea_asks_a_twentieth_of_hot_but_at_least_the_floor(hot: str, floor: str, required: str) -> None:
    rules = replace(KOREA, amount=Clamp(D(floor), None))
    given = facts(held("4100", hot, "6"), exchange=Exchange("KRW", {}), volumes={}, risks={})
    assert judge(rules, given).required == D(required)


SECURITIES = ReserveRules(
    rates={"stock": D("0.00008")},
    peak_years=3,
    weights=Weights(D(0), D(0), D(0), D(0)),
    guarantee_offset=False,
    amount=Clamp(D(0), None),
    risk_additions={},
    risk_most=D(1),
    accrual=Accrual(years=4, target="required", with_risk_factor=False, floor_years=None),
    insurance=replace(JAPAN.insurance, most=D(0)),
    fund=JAPAN.fund,
    replenish_months=0,
)
STOCKS = {"stock": {2026: D(10) ** 14, 2025: D(9) * 10**13, 2024: D(12) * 10**13}}


def test_the_securities_precedent_is_exact_where_binary_floats_are_not() -> None:
    assert 0.2 / 10_000 * 1e14 != 2_000_000_000, "a float gives 2000000000.0000002"
    found = judge(SECURITIES, facts(volumes=STOCKS, risks={}))
    assert (found.required, found.accrual) == (D(9_600_000_000), D(2_000_000_000))


def test_the_securities_precedent_stops_at_the_ceiling() -> None:
    found = judge(SECURITIES, facts(volumes=STOCKS, risks={}, fund=(cash("9000000000"),)))
    assert found.accrual == D(600_000_000)
