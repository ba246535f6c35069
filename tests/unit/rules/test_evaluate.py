from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome
from monitor.rules import Confirmation, Figures, Missing, Parameter, Verified, as_check, evaluate, parse
from monitor.rules.grammar import COVER, RESERVE
from monitor.rules.operands import Value
from monitor.rules.profile import Staked
from monitor.rules.units import Per
from tests.unit.rules.profiles import PROFILE, rule, with_parameter

ON = date(2026, 11, 22)
D = Decimal
CUSTOMER = ("cust_cold", "cust_hot", "cust_third", "cust_staked")
HOT_LIMIT = "sum(E.cust_hot) <= param.share * sum(E.cust_*)"
CONFIRMED = Confirmation("900", "Sato", ON, "letter of the authority", "0" * 64)


def figures(**changes: Value) -> Figures:
    """One asset "M" at a price of 1: 95 cold, 5 hot, 1 guarantee, 100 owed. ``changes``: by class, or by name."""
    classes: dict[str, Value] = {"cust_cold": 95, "cust_hot": 5, "cust_third": 0, "cust_staked": 0, "guarantee": 1}
    declared: dict[str, Value] = {"declared.own_funds": 950, "cover.total": 1}
    known = {**classes, "own": 0, "reserve": 0, "L": 100, "T": 0, "price": 1, **declared}
    known |= {name.replace("__", "."): value for name, value in changes.items()}
    return Figures(
        on=ON,
        assets=("M",),
        held={("M", name): known[name] for name in (*classes, "own", "reserve")},
        owed={"M": known["L"]},
        transit={"M": known["T"]},
        prices={"M": known["price"]},
        figures={name: value for name, value in known.items() if "." in name},
    )


@pytest.mark.parametrize(
    ("relation", "owed", "outcome", "margin"),
    [
        (">=", 100, Outcome.PASS, 0),
        (">=", 101, Outcome.BREACH, -1),
        (">", 100, Outcome.BREACH, 0),
        ("<=", 100, Outcome.PASS, 0),
        ("<=", 99, Outcome.BREACH, -1),
        ("<", 100, Outcome.BREACH, 0),
        ("==", 100, Outcome.PASS, 0),
        ("==", 101, Outcome.BREACH, -1),
        ("==", 99, Outcome.BREACH, -1),
    ],
)
def test_the_margin_is_what_is_left_on_the_lawful_side(relation: str, owed: int, outcome: Outcome, margin: int) -> None:
    found = evaluate(rule(f"sum(A.cust_*) + T {relation} L", Per.ASSET), PROFILE, figures(L=owed), "M")
    assert (found.outcome, found.value, found.threshold, found.margin) == (outcome, 100, owed, margin)


def test_one_unit_too_little_is_a_breach_at_any_size() -> None:
    large = 10**60
    found = evaluate(rule("A.cust_cold >= L", Per.ASSET), PROFILE, figures(cust_cold=large, L=large + 1), "M")
    assert (found.outcome, found.margin) == (Outcome.BREACH, -1)
    assert evaluate(rule("A.cust_cold > L", Per.ASSET), PROFILE, figures(cust_cold=large, L=large - 1), "M").margin == 1
    less = D(f"{large - 1}.{'9' * 36}")
    found = evaluate(rule("A.cust_cold >= L", Per.ASSET), PROFILE, figures(cust_cold=less, L=large), "M")
    assert (found.outcome, found.margin) == (Outcome.BREACH, D("-1e-36"))


def test_what_no_float_can_hold_is_decided_exactly() -> None:
    text = "sum(E.cust_hot) <= 0.1 * sum(E.cust_*)"
    exact = figures(cust_hot=D("0.1"), cust_cold=D("0.9"))
    found = evaluate(rule(text), PROFILE, exact)
    assert (found.outcome, found.margin) == (Outcome.PASS, 0)
    more = figures(cust_hot=D("0.1000000000000000000000000000000001"), cust_cold=D("0.9"))
    assert evaluate(rule(text), PROFILE, more).outcome is Outcome.BREACH


OPERANDS = [
    ("A.cust_cold >= T", Per.ASSET, "cust_cold"),
    ("A.guarantee >= A.cust_hot", Per.ASSET, "guarantee"),
    ("A.guarantee - A.guarantee >= T", Per.ASSET, "guarantee"),
    ("sum(A.cust_*) + T >= T", Per.ASSET, "cust_third"),
    ("A.cust_cold >= 0 * L", Per.ASSET, "L"),
    ("A.cust_cold + T >= T", Per.ASSET, "T"),
    ("max(L, A.own) >= T", Per.ASSET, "own"),
    ("E.cust_cold >= 0 * E.cust_hot", Per.ASSET, "cust_hot"),
    ("E.cust_cold >= E.cust_hot", Per.ASSET, "price"),
    ("sum(E.cust_cold) >= sum(E.cust_hot)", Per.AGGREGATE, "price"),
    ("sum(E.cust_cold) >= 0 * sum(E.cust_staked)", Per.AGGREGATE, "cust_staked"),
    ("sum(E.reserve) >= 0 * sum(E.cust_hot)", Per.AGGREGATE, "reserve"),
    ("declared.own_funds >= param.share * declared.own_funds", Per.ENTITY, "declared__own_funds"),
    *((f"cover.{name} >= 0 * cover.{name}", Per.ENTITY, f"cover__{name}") for name in COVER),
    *((f"reserve.{name} >= 0 * reserve.{name}", Per.ENTITY, f"reserve__{name}") for name in RESERVE),
    ("max(cover.total, cover.reserve) >= 0 * cover.total", Per.ENTITY, "cover__reserve"),
    ("clamp(cover.total, param.least, cover.reserve) >= 0 * cover.total", Per.ENTITY, "cover__reserve"),
]


@pytest.mark.parametrize(("text", "per", "operand"), OPERANDS)
@pytest.mark.parametrize(
    "bad", [Missing("the endpoints disagree"), D("NaN"), D("Infinity"), D("-1e999999"), 0.5, True], ids=repr
)
def test_an_operand_without_an_exact_value_never_passes(text: str, per: Per, operand: str, bad: Value) -> None:
    asset = "M" if per is Per.ASSET else None
    everything = {f"{kind}__{name}": 2000 for kind, names in (("cover", COVER), ("reserve", RESERVE)) for name in names}
    checked = rule(text, per)
    profile = with_parameter("least", verified=Verified.TRUE)
    assert evaluate(checked, profile, figures(**everything), asset).outcome is not Outcome.UNVERIFIED
    found = evaluate(checked, profile, figures(**{**everything, operand: bad}), asset)
    assert found.outcome is Outcome.UNVERIFIED, found
    assert (found.margin, found.ratio, found.warn) == (None, None, False)
    assert "unknown" in found.operands.values()


@pytest.mark.parametrize("name", ["cust_cold", "L", "cover__total"])
def test_a_negative_holding_debt_or_cover_is_no_value(name: str) -> None:
    text = {"cust_cold": "A.cust_cold <= L", "L": "L <= A.cust_cold"}.get(name)
    if text is None:
        found = evaluate(rule("cover.total <= declared.own_funds", Per.ENTITY), PROFILE, figures(**{name: -1}))
    else:
        found = evaluate(rule(text, Per.ASSET), PROFILE, figures(**{name: -1}), "M")
    assert found.outcome is Outcome.UNVERIFIED
    assert "below zero" in found.basis


def test_nothing_held_needs_no_price_and_no_list_of_assets_is_no_total() -> None:
    zero = dict.fromkeys(CUSTOMER, 0)
    assert evaluate(rule(HOT_LIMIT), PROFILE, figures(price=Missing("no feed"), **zero)).outcome is Outcome.PASS
    found = evaluate(rule(HOT_LIMIT), PROFILE, replace(figures(), assets=()))
    assert (found.outcome, "no list of assets" in found.basis) == (Outcome.UNVERIFIED, True)


@pytest.mark.parametrize("price", [0, -1])
def test_a_price_that_is_not_above_zero_is_no_price(price: int) -> None:
    found = evaluate(rule(HOT_LIMIT), PROFILE, figures(price=price))
    assert (found.outcome, "the price of M is not above zero" in found.basis) == (Outcome.UNVERIFIED, True)


def test_one_asset_without_a_price_leaves_the_whole_aggregate_unverified() -> None:
    known = figures()
    two = replace(known, assets=("M", "N"), held={**known.held, **{("N", name): 1 for name in CUSTOMER}})
    found = evaluate(rule(HOT_LIMIT), PROFILE, two)
    assert (found.outcome, "N has no price" in found.basis) == (Outcome.UNVERIFIED, True)


FLOOR = "declared.own_funds >= param.least"


@pytest.mark.parametrize("verified", [Verified.TRUE, Verified.SECONDARY])
def test_a_secondary_mark_is_printed_and_not_decisive(verified: Verified) -> None:
    profile = with_parameter("least", verified=verified, value=D(950))
    found = evaluate(rule(FLOOR, Per.ENTITY), profile, figures())
    assert found.outcome is Outcome.PASS
    assert f"least 950 {'verified' if verified is Verified.TRUE else 'secondary'}" in found.basis


@pytest.mark.parametrize("placeholder", [True, False])
@pytest.mark.parametrize(("own_funds", "outcome"), [(1000, Outcome.UNVERIFIED), (999, Outcome.BREACH)])
def test_a_number_that_is_not_verified_never_passes_and_a_breach_stays_one(
    *, placeholder: bool, own_funds: int, outcome: Outcome
) -> None:
    profile = with_parameter("least", placeholder=placeholder)
    found = evaluate(rule(FLOOR, Per.ENTITY), profile, figures(declared__own_funds=own_funds))
    assert found.outcome is outcome
    assert (found.value, found.threshold) == (own_funds, 1000)
    assert ("a placeholder of this project, not law" if placeholder else "least 1000 is not verified") in found.basis


def test_a_number_that_is_not_verified_counts_on_either_side_and_inside_functions() -> None:
    for text in (
        "declared.own_funds - param.least >= cover.total",
        "max(param.least, declared.own_funds) >= cover.total",
    ):
        found = evaluate(rule(text, Per.ENTITY), PROFILE, figures(declared__own_funds=5000))
        assert found.outcome is Outcome.UNVERIFIED


@pytest.mark.parametrize(("own_funds", "outcome"), [(900, Outcome.PASS), (899, Outcome.BREACH)])
def test_a_confirmed_number_is_the_one_that_counts_and_the_line_says_so(own_funds: int, outcome: Outcome) -> None:
    profile = with_parameter("least", confirmed=CONFIRMED)
    found = evaluate(rule(FLOOR, Per.ENTITY), profile, figures(declared__own_funds=own_funds))
    assert (found.outcome, found.threshold) == (outcome, 900)
    said = (
        "PASS, parameter confirmed by the entity, not by statute"
        if outcome is Outcome.PASS
        else "confirmed by the entity"
    )
    assert said in found.basis


def test_the_numbers_behind_a_verdict_are_listed_with_their_marks() -> None:
    found = evaluate(rule(HOT_LIMIT), PROFILE, figures())
    assert [(each.name, each.used, each.status) for each in found.parameters] == [("share", D("0.05"), "verified")]
    for part in ("rule true", "frequency daily true", "price spot_close false"):
        assert part in found.basis


def test_the_price_rule_the_frequency_and_the_cure_clock_are_not_decisive() -> None:
    doubtful = replace(rule(HOT_LIMIT), frequency=replace(rule(HOT_LIMIT).frequency, verified=Verified.FALSE))
    assert PROFILE.valuation.verified is Verified.FALSE
    assert evaluate(doubtful, PROFILE, figures()).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("text", "verified", "outcome"),
    [
        ("sum(E.cust_hot) <= 0.05 * sum(E.cust_*)", Verified.FALSE, Outcome.UNVERIFIED),
        ("sum(E.cust_hot) <= sum(E.cust_cold)", Verified.FALSE, Outcome.UNVERIFIED),
        (HOT_LIMIT, Verified.FALSE, Outcome.PASS),
        ("sum(E.cust_hot) <= 0.05 * sum(E.cust_*)", Verified.SECONDARY, Outcome.PASS),
    ],
)
def test_the_words_of_a_rule_count_where_they_hold_its_numbers(text: str, verified: Verified, outcome: Outcome) -> None:
    assert evaluate(rule(text, verified=verified), PROFILE, figures()).outcome is outcome


@pytest.mark.parametrize(
    ("hot", "cold", "relation", "ratio"),
    [(1, 2, "<=", "0.333333333334"), (1, 2, ">=", "0.333333333333"), (5, 95, "<=", "0.050000000000")],
)
def test_a_ratio_is_for_display_and_never_looks_better_than_it_is(
    hot: int, cold: int, relation: str, ratio: str
) -> None:
    found = evaluate(
        rule(f"sum(E.cust_hot) {relation} 0.05 * sum(E.cust_*)"), PROFILE, figures(cust_hot=hot, cust_cold=cold)
    )
    assert (found.ratio, found.ratio_of) == (ratio, "(sum(E.cust_hot)) / (sum(E.cust_*))")


@pytest.mark.parametrize(
    ("hot", "outcome", "warn"), [(4, Outcome.PASS, False), (5, Outcome.PASS, True), (6, Outcome.BREACH, False)]
)
def test_an_internal_limit_warns_below_the_law_and_decides_nothing(hot: int, outcome: Outcome, warn: bool) -> None:
    limited = replace(rule(HOT_LIMIT), warn_at=parse("sum(E.cust_hot) <= 0.04 * sum(E.cust_*)"))
    found = evaluate(limited, PROFILE, figures(cust_hot=hot, cust_cold=100 - hot))
    assert (found.outcome, found.warn) == (outcome, warn)
    assert warn == ("the internal limit sum(E.cust_hot) <= 0.04 * sum(E.cust_*) does not hold" in found.basis)


def test_an_internal_limit_that_cannot_be_computed_warns() -> None:
    limited = replace(rule(HOT_LIMIT), warn_at=parse("sum(E.cust_hot) <= cover.reserve"))
    found = evaluate(limited, PROFILE, figures())
    assert (found.outcome, found.warn) == (Outcome.PASS, True)


@pytest.mark.parametrize(("staked", "value"), [(Staked.HOT, 15), (Staked.COLD, 5), (Staked.NEITHER, 5)])
def test_staked_assets_count_as_the_profile_says_and_once_in_the_total(staked: Staked, value: int) -> None:
    found = evaluate(rule(HOT_LIMIT), replace(PROFILE, staked_counts_as=staked), figures(cust_staked=10))
    assert (found.value, found.threshold) == (value, D("5.5"))


def test_a_clamp_with_its_bounds_the_wrong_way_round_has_no_value() -> None:
    found = evaluate(
        rule("cover.total >= clamp(cover.total, 2 * param.least, param.least)", Per.ENTITY), PROFILE, figures()
    )
    assert (found.outcome, "lower bound 2000 is above its upper bound 1000" in found.basis) == (
        Outcome.UNVERIFIED,
        True,
    )


@given(st.integers(0, 20), st.integers(0, 10), st.integers(0, 10))
def test_a_clamp_is_the_nearest_value_between_its_bounds(value: int, low: int, more: int) -> None:
    text = "cover.total == clamp(declared.own_funds, cover.insurance_limit, cover.reserve)"
    expected = min(max(value, low), low + more)
    known = figures(
        declared__own_funds=value, cover__insurance_limit=low, cover__reserve=low + more, cover__total=expected
    )
    assert evaluate(rule(text, Per.ENTITY), PROFILE, known).outcome is Outcome.PASS


def test_an_asset_is_given_exactly_where_the_rule_is_per_asset() -> None:
    with pytest.raises(ValueError, match="is per asset"):
        evaluate(rule("A.cust_cold >= L", Per.ASSET), PROFILE, figures())
    with pytest.raises(ValueError, match="is per aggregate"):
        evaluate(rule(HOT_LIMIT), PROFILE, figures(), "M")


@pytest.mark.parametrize("value", [D("NaN"), D("Infinity")])
def test_a_parameter_is_a_number(value: Decimal) -> None:
    with pytest.raises(ValueError, match="is no number"):
        Parameter("share", value, PROFILE.parameters["share"].unit, Verified.TRUE, "art. 1")


def test_the_line_of_a_verdict_holds_plain_decimal_strings() -> None:
    line = as_check(evaluate(rule("sum(A.cust_*) == L", Per.ASSET), PROFILE, figures(L=D("1E+2")), "M"))
    assert (line.profile, line.id, line.asset, line.verdict) == ("example", "rule", "M", Outcome.PASS)
    assert (line.value, line.threshold, line.margin) == ("100", "100", "0")
    assert line.operands == {
        "A.cust_cold": "95",
        "A.cust_hot": "5",
        "A.cust_third": "0",
        "A.cust_staked": "0",
        "L": "100",
    }
    unknown = as_check(evaluate(rule("A.cust_cold >= L", Per.ASSET), PROFILE, figures(L=Missing("stale")), "M"))
    assert (unknown.verdict, unknown.value, unknown.threshold, unknown.margin) == (Outcome.UNVERIFIED, None, None, None)
    assert unknown.operands == {"A.cust_cold": "95", "L": "unknown"}
    assert unknown.basis.startswith("L: stale")
