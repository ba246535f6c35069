from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Tier
from monitor.reserve import Basis, Eligible, Exchange, Exclusion, Ineligible, Payee, Place, Policy, Scope, Unknown
from monitor.reserve.insurance import eligible
from tests.unit.reserve.regimes import FULL, INSURANCE, TODAY, D, place, policy

YEN = Exchange("JPY", {})
HOT = Scope(tiers=frozenset({Tier.HOT}))


def one(each: Policy, *places: Place, exchange: Exchange = YEN) -> Eligible:
    (found,) = eligible((each,), places, INSURANCE, exchange, TODAY)
    return found


def test_a_complete_policy_counts_its_limit_less_the_deductible() -> None:
    found = one(FULL)
    assert (found.reasons, found.per_event, found.payable, found.amount) == ((), D(3), D("2.8"), D("2.8"))


ZEROES: dict[Ineligible, dict[str, Any]] = {
    Ineligible.EXPIRED: {"expires": TODAY - timedelta(days=1)},
    Ineligible.NEAR_EXPIRY: {"expires": TODAY + timedelta(days=89)},
    Ineligible.NOT_STARTED: {"starts": TODAY + timedelta(days=1)},
    Ineligible.PERIOD_NOT_DECLARED: {"starts": None},
    Ineligible.AFFILIATE: {"affiliate": True},
    Ineligible.AFFILIATE_NOT_DECLARED: {"affiliate": None},
    Ineligible.EXCLUDES_HACKING: {"exclusions": frozenset({Exclusion.HACKING})},
    Ineligible.EXCLUDES_STATE_ACTOR: {"exclusions": frozenset({Exclusion.STATE_ACTOR})},
    Ineligible.EXCLUSIONS_NOT_DECLARED: {"exclusions": None},
    Ineligible.RATING_NOT_ACCEPTED: {"rating": "C"},
    Ineligible.INSURER_NOT_DECLARED: {"insurer": None},
    Ineligible.AGGREGATE_NOT_DECLARED: {"aggregate_left": None},
    Ineligible.AGGREGATE_USED_UP: {"aggregate_left": D(0)},
    Ineligible.DEDUCTIBLE_NOT_DECLARED: {"deductible": None},
    Ineligible.BELOW_DEDUCTIBLE: {"deductible": D(3)},
    Ineligible.SCOPE_NOT_DECLARED: {"scope": None},
    Ineligible.OUT_OF_SCOPE: {"scope": HOT},
    Ineligible.BASIS_NOT_DECLARED: {"basis": None},
    Ineligible.RETROACTIVE_DATE: {"basis": Basis.CLAIMS_MADE, "retroactive_date": None},
    Ineligible.PAYEE_NOT_DECLARED: {"loss_payee": None},
    Ineligible.PAYEE: {"loss_payee": Payee.OTHER},
    Ineligible.NO_DOCUMENT: {"document_sha256": None},
    Ineligible.NOT_CONFIRMED: {"confirmed_on": TODAY - timedelta(days=366)},
}


@pytest.mark.parametrize("reason", ZEROES)
def test_a_policy_that_fails_one_condition_counts_nothing_and_names_it(reason: Ineligible) -> None:
    found = one(replace(FULL, **ZEROES[reason]), place("cold-1", "100"))
    assert (found.amount, found.reasons) == (D(0), (reason,))


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"expires": None}, Ineligible.PERIOD_NOT_DECLARED),
        ({"rating": None}, Ineligible.INSURER_NOT_DECLARED),
        ({"rating": "CC"}, Ineligible.RATING_NOT_ACCEPTED),
        ({"confirmed_on": None}, Ineligible.NOT_CONFIRMED),
        ({"confirmed_on": TODAY + timedelta(days=1)}, Ineligible.NOT_CONFIRMED),
        (
            {"basis": Basis.CLAIMS_MADE, "retroactive_date": TODAY + timedelta(days=1)},
            Ineligible.RETROACTIVE_DATE,
        ),
        ({"scope": Scope(wallets=frozenset())}, Ineligible.OUT_OF_SCOPE),
        ({"scope": Scope(wallets=frozenset({"cold-2"}))}, Ineligible.OUT_OF_SCOPE),
        ({"scope": Scope(custodians=frozenset({"Trust"}))}, Ineligible.OUT_OF_SCOPE),
    ],
)
def test_the_other_ways_to_fail_a_condition(terms: dict[str, Any], reason: Ineligible) -> None:
    found = one(replace(FULL, **terms), place("cold-1", "100"))
    assert (found.amount, found.reasons) == (D(0), (reason,))


def test_every_reason_of_the_closed_list_has_a_policy_here() -> None:
    elsewhere = {Ineligible.EXCLUDES_OTHER, Ineligible.NOTHING_LEFT}
    assert set(ZEROES) | elsewhere == set(Ineligible)


def test_rules_may_make_any_other_exclusion_disqualifying() -> None:
    rules = replace(INSURANCE, disqualifying=frozenset({Exclusion.INSIDER}))
    (found,) = eligible((replace(FULL, exclusions=frozenset({Exclusion.INSIDER})),), (), rules, YEN, TODAY)
    assert found.reasons == (Ineligible.EXCLUDES_OTHER,)


def test_an_exclusion_that_the_rules_let_pass_leaves_the_policy_counting() -> None:
    assert one(replace(FULL, exclusions=frozenset({Exclusion.INSIDER}))).amount == D("2.8")


def test_a_policy_with_several_failings_names_all() -> None:
    found = one(replace(FULL, affiliate=True, exclusions=None, expires=TODAY - timedelta(days=1)))
    assert set(found.reasons) == {Ineligible.EXPIRED, Ineligible.AFFILIATE, Ineligible.EXCLUSIONS_NOT_DECLARED}


@pytest.mark.parametrize(
    "terms",
    [
        {"expires": TODAY},
        {"starts": TODAY},
        {"basis": Basis.CLAIMS_MADE, "retroactive_date": TODAY},
        {"confirmed_on": TODAY - timedelta(days=365)},
        {"confirmed_on": TODAY},
    ],
)
def test_the_first_and_the_last_day_count(terms: dict[str, Any]) -> None:
    rules = replace(INSURANCE, min_days_to_expiry=0)
    (found,) = eligible((replace(FULL, **terms),), (), rules, YEN, TODAY)
    assert (found.reasons, found.amount) == ((), D("2.8"))


def test_the_last_day_before_the_90_day_rule_counts_and_warns() -> None:
    found = one(replace(FULL, expires=TODAY + timedelta(days=90)))
    assert (found.amount, found.warning, found.stops_on) == (D("2.8"), True, TODAY + timedelta(days=1))


@pytest.mark.parametrize(("days", "warning"), [(119, True), (120, False)])
def test_the_warning_comes_before_the_rule_bites(days: int, warning: bool) -> None:
    assert one(replace(FULL, expires=TODAY + timedelta(days=days))).warning is warning


def test_on_the_day_it_stops_counting_it_counts_nothing() -> None:
    each = replace(FULL, expires=date(2027, 6, 30))
    stops_on = one(each).stops_on
    assert stops_on is not None
    (before,) = eligible((each,), (), INSURANCE, YEN, stops_on - timedelta(days=1))
    (then,) = eligible((each,), (), INSURANCE, YEN, stops_on)
    assert (before.amount, then.reasons) == (D("2.8"), (Ineligible.NEAR_EXPIRY,))


def test_the_aggregate_caps_before_the_deductible_and_the_rating_comes_last() -> None:
    found = one(policy("crime", "20", "1", left="15", rating="BBB"))
    assert found.amount == (D(15) - 1) * D("0.6")
    assert found.amount not in {D(20) - 1, D(15) * D("0.6") - 1, D(20) * D("0.6") - 1}


def test_a_policy_of_part_counts_at_most_the_value_it_covers_before_the_deductible() -> None:
    wallets = (place("hot-1", "4", tier=Tier.HOT), place("cold-1", "100"))
    found = one(policy("hot", "20", "1", scope=HOT), *wallets)
    assert (found.insured, found.payable, found.amount) == (D(4), D(3), D(3))


def test_a_policy_of_everything_is_measured_by_its_limit() -> None:
    assert one(policy("crime", "20"), place("hot-1", "4")).amount == D(20)


def test_a_policy_that_excludes_third_party_custodians_covers_own_wallets_only() -> None:
    each = policy("crime", "20", exclusions=frozenset({Exclusion.THIRD_PARTY_CUSTODIAN}))
    found = one(each, place("own", "5"), place("trusted", "50", custodian="Trust"))
    assert (found.insured, found.amount) == (D(5), D(5))


def test_no_value_is_counted_for_two_policies() -> None:
    wallets = (place("hot-1", "10", tier=Tier.HOT), place("cold-1", "6"))
    both = Scope(tiers=frozenset({Tier.HOT, Tier.COLD}))
    policies = (policy("a-wide", "20", scope=both), policy("hot-a", "8", scope=HOT), policy("hot-b", "8", scope=HOT))
    found = {each.policy.name: each.amount for each in eligible(policies, wallets, INSURANCE, YEN, TODAY)}
    assert found == {"hot-a": D(8), "hot-b": D(2), "a-wide": D(6)}


def test_a_policy_whose_value_is_taken_already_says_so() -> None:
    policies = (policy("a", "10", scope=HOT), policy("b", "10", scope=HOT))
    _, second = eligible(policies, (place("hot-1", "10", tier=Tier.HOT),), INSURANCE, YEN, TODAY)
    assert (second.amount, second.reasons) == (D(0), (Ineligible.NOTHING_LEFT,))


def test_a_policy_that_does_not_count_takes_no_value_from_another() -> None:
    policies = (policy("a", "10", scope=HOT, affiliate=True), policy("b", "10", scope=HOT))
    _, second = eligible(policies, (place("hot-1", "10", tier=Tier.HOT),), INSURANCE, YEN, TODAY)
    assert second.amount == D(10)


def test_a_policy_in_a_currency_without_a_price_is_unknown() -> None:
    found = one(replace(FULL, currency="USD"))
    assert found.amount == Unknown(("price of USD in JPY",))


def test_a_policy_that_counts_nothing_needs_no_price() -> None:
    assert one(replace(FULL, currency="USD", affiliate=True)).amount == D(0)


def test_limit_and_deductible_are_converted_exactly() -> None:
    found = one(replace(FULL, currency="USD"), exchange=Exchange("JPY", {"USD": D("149.8123")}))
    assert found.amount == D("2.8") * D("149.8123")


def test_wallets_of_unknown_value_leave_a_policy_of_part_unknown_unless_known_ones_fill_it() -> None:
    dark = Place("hot-2", "self", Tier.HOT, Unknown(("price of XRP in JPY",)))
    small, large = place("hot-1", "1", tier=Tier.HOT), place("hot-1", "9", tier=Tier.HOT)
    each = policy("hot", "5", scope=HOT)
    assert one(each, dark, small).amount == Unknown(("price of XRP in JPY",))
    assert one(each, dark, large).amount == D(5)


FLAGS = st.sampled_from([True, False, None])
AMOUNTS = st.decimals(0, 50, places=2)
SCOPES = st.sampled_from([None, Scope(), HOT, Scope(wallets=frozenset({"cold-1"})), Scope(wallets=frozenset())])
POLICIES = st.builds(
    replace,
    st.just(FULL),
    limit=AMOUNTS,
    aggregate_left=AMOUNTS | st.none(),
    deductible=AMOUNTS | st.none(),
    affiliate=st.sampled_from([False, False, True, None]),
    rating=st.sampled_from(["AA", "BBB", "C"]),
    scope=SCOPES,
    exclusions=st.none() | st.frozensets(st.sampled_from(Exclusion), max_size=2),
    expires=st.dates(date(2026, 1, 1), date(2028, 1, 1)),
)
WALLETS = (place("hot-1", "7", tier=Tier.HOT), place("cold-1", "30"), place("cold-2", "9", custodian="Trust"))


def named(policies: list[Policy]) -> tuple[Policy, ...]:
    return tuple(replace(each, name=f"policy {index}") for index, each in enumerate(policies))


@given(st.lists(POLICIES, max_size=5).map(named), st.randoms(use_true_random=False))
def test_a_policy_counts_nothing_exactly_where_there_is_a_reason_whatever_the_order(
    policies: tuple[Policy, ...], random: Any
) -> None:
    found = eligible(policies, WALLETS, INSURANCE, YEN, TODAY)
    for each in found:
        assert isinstance(each.amount, Decimal)
        assert bool(each.reasons) == (each.amount == 0), each
        assert each.amount <= each.policy.limit
    shuffled = list(policies)
    random.shuffle(shuffled)
    assert eligible(shuffled, WALLETS[::-1], INSURANCE, YEN, TODAY) == found


@given(st.lists(POLICIES.filter(lambda each: each.scope is not None and not each.scope.whole), max_size=5).map(named))
def test_policies_of_part_together_never_count_more_than_what_they_cover(policies: tuple[Policy, ...]) -> None:
    found = eligible(policies, WALLETS, INSURANCE, YEN, TODAY)
    for lost in WALLETS:
        alone = [each for each in found if [w for w in WALLETS if each.policy.covers(w)] == [lost]]
        amounts = [each.amount for each in alone if isinstance(each.amount, Decimal)]
        assert isinstance(lost.value, Decimal)
        assert sum(amounts, D(0)) <= lost.value
