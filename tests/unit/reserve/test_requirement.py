from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome, Tier
from monitor.reserve import (
    Accrual,
    Clamp,
    Exchange,
    Exposure,
    Facts,
    Place,
    Policy,
    Reserve,
    Risk,
    Scope,
    Tiers,
    Unknown,
    judge,
)
from tests.unit.reserve.regimes import (
    HONG_KONG,
    JAPAN,
    KOREA,
    NO_RISK,
    D,
    cash,
    facts,
    flat,
    held,
    place,
    policy,
)

TIERED = replace(JAPAN, amount=Tiers(((D(0), D(2)), (D(5), D(10)), (D(20), D(40)))))
REGIMES = [JAPAN, KOREA, HONG_KONG, TIERED]
XRP = "price of XRP in JPY"


def test_a_surplus_of_guarantee_assets_heals_no_other_asset() -> None:
    found = judge(JAPAN, facts(held(hot="10", guarantee="4"), held(hot="10", guarantee="16", asset="ETH")))
    assert [line.uncovered_hot for line in found.exposure_lines] == [D(6), D(0)]
    assert found.exp == D(6)


def test_every_step_adds_up_to_the_next() -> None:
    found = judge(JAPAN, facts(held("238", "12", "11", "50"), spot="3000", margin="6000", fund=(cash("3"),)))
    assert sum(line.amount for line in found.volume_lines) == found.vol
    for line in found.exposure_lines:
        assert line.cold + line.hot + line.third + line.other == line.amount
    assert found.rho * (found.vol + found.exp) == found.raw


def test_the_peak_of_three_years_counts_and_older_ones_do_not() -> None:
    spot = {2026: D(300_000), 2025: D(500_000), 2024: D(400_000), 2023: D(900_000)}
    found = judge(JAPAN, facts(volumes={"spot": spot, "margin": flat("0")}))
    (_, line) = found.volume_lines
    assert (line.peak, line.amount, line.current) == (D(500_000), D(40), D(24))


@pytest.mark.parametrize(
    ("raw", "required", "set_by"),
    [
        ("0", "2", "tier 1"),
        ("4.999", "2", "tier 1"),
        ("5", "10", "tier 2"),
        ("20", "40", "tier 3"),
        ("99", "40", "tier 3"),
    ],
)
def test_a_tier_table_is_looked_up_on_the_raw_amount(raw: str, required: str, set_by: str) -> None:
    found = judge(TIERED, facts(held(hot=raw)))
    assert (found.required, found.set_by) == (D(required), set_by)


@pytest.mark.parametrize(
    ("raw", "required", "set_by"),
    [("1.999", "2", "floor"), ("2", "2", "formula"), ("40", "40", "formula"), ("40.001", "40", "cap")],
)
def test_floor_and_cap_hold_from_the_first_yen_beyond_them(raw: str, required: str, set_by: str) -> None:
    found = judge(JAPAN, facts(held(hot=raw)))
    assert (found.required, found.set_by) == (D(required), set_by)


def test_reasons_of_risk_add_up_to_the_most() -> None:
    found = judge(JAPAN, facts(held(hot="10"), risks=dict.fromkeys(Risk, True)))
    assert (found.rho, found.raw, set(found.risks)) == (D(2), D(20), set(JAPAN.risk_additions))


def test_an_unknown_price_leaves_the_test_unverified_and_names_the_price() -> None:
    dark = Exposure("XRP", Unknown((XRP,)), D(0), D(0), D(0), D(0))
    found = judge(JAPAN, facts(held("10"), dark, fund=(cash("40"),)))
    assert (found.verdict, found.unknown, found.set_by) == (Outcome.UNVERIFIED, (XRP,), "")
    for amount in (found.exp, found.raw, found.required, found.credit, found.net, found.surplus, found.accrual):
        assert amount == Unknown((XRP,))
    assert (found.vol, found.fund) == (D(0), D(40))


def test_a_missing_year_of_volume_leaves_the_test_unverified_and_names_it() -> None:
    volumes = {"spot": {2026: D(1), 2024: D(1)}, "margin": flat("0")}
    found = judge(JAPAN, facts(volumes=volumes, fund=(cash("40"),)))
    assert (found.verdict, found.unknown) == (Outcome.UNVERIFIED, ("volume of spot in 2025",))


def test_a_product_without_declared_volume_or_without_a_rate_is_unknown() -> None:
    absent = judge(JAPAN, facts(volumes={"spot": flat("1")}))
    assert absent.unknown == tuple(f"volume of margin in {year}" for year in (2024, 2025, 2026))
    strange = judge(JAPAN, facts(volumes={"spot": flat("1"), "margin": flat("1"), "options": flat("1")}))
    assert strange.unknown == ("rate of options",)


def test_a_risk_nobody_declared_is_unknown() -> None:
    found = judge(JAPAN, facts(risks={**{risk: False for risk in Risk if risk is not Risk.NO_DRILL}}))
    assert found.unknown == ("risk no_drill",)


def test_a_fund_in_a_currency_without_a_price_leaves_the_test_unverified() -> None:
    rules = replace(JAPAN, fund=replace(JAPAN.fund, currencies=None))
    found = judge(rules, facts(fund=(cash("40"), cash("1", "XXX", "other"))))
    assert (found.verdict, found.unknown) == (Outcome.UNVERIFIED, ("price of XXX in JPY",))


def test_a_term_without_weight_is_not_asked_for() -> None:
    dark = Exposure("XRP", Unknown((XRP,)), D(20), D(0), D(0), D(0))
    found = judge(KOREA, facts(dark, volumes={}, risks={}))
    assert found.raw == D(1)


def test_the_open_choices_of_the_build_up_are_parameters() -> None:
    given_ = facts(held("28.8"), spot="300", margin="100", policies=(policy("crime", "1.5"),))
    plain = judge(JAPAN, given_)
    assert plain.accrual == (D("0.025") + D("0.432")) / 4
    with_floor = replace(JAPAN, accrual=Accrual(4, "required", with_risk_factor=False, floor_years=3))
    assert judge(with_floor, given_).accrual == D("0.666666666667")
    to_net = replace(JAPAN, accrual=Accrual(4, "net", with_risk_factor=False, floor_years=1))
    assert judge(to_net, given_).accrual == D(1)
    risky = replace(JAPAN, accrual=Accrual(4, "required", with_risk_factor=True, floor_years=None))
    assert judge(risky, replace(given_, risks={**NO_RISK, Risk.INCIDENTS: True})).accrual == D("0.125675")


def test_a_share_that_does_not_come_out_even_is_rounded_up() -> None:
    thirds = replace(JAPAN, accrual=Accrual(3, "required", with_risk_factor=False, floor_years=None))
    assert judge(thirds, facts(held(hot="4"))).accrual == D("1.333333333334")


def test_the_worst_loss_is_the_one_with_most_uncovered_not_the_largest() -> None:
    insured = policy("crime", "50", scope=Scope(wallets=frozenset({"cold-1"})))
    given_ = facts(fund=(cash("2"),), policies=(insured,), places=(place("cold-1", "50"), place("cold-2", "30")))
    found = judge(JAPAN, given_).stress
    assert (found.largest.name, found.largest.uncovered) == ("cold-1", D(0))
    assert [(line.name, line.uncovered) for line in found.worst] == [("cold-2", D(28)), ("cold-1", D(0))]


def test_a_custodian_is_lost_whole_and_own_wallets_one_by_one() -> None:
    own = (place("cold-1", "50"), place("cold-2", "40"))
    trusted = (place("trust-1", "30", "Trust"), place("trust-2", "31", "Trust"))
    largest = judge(JAPAN, facts(places=(*own, *trusted))).stress.largest
    assert (largest.kind, largest.name, largest.loss) == ("custodian", "Trust", D(61))


def test_a_policy_pays_for_a_loss_at_most_what_was_lost_under_it() -> None:
    scope = Scope(wallets=frozenset({"trust-1", "cold-1"}))
    places = (place("trust-1", "5", "Trust"), place("trust-2", "95", "Trust"), place("cold-1", "60"))
    found = judge(JAPAN, facts(places=places, policies=(policy("crime", "50", scope=scope),))).stress
    assert (found.worst[0].name, found.worst[0].insurance, found.worst[0].uncovered) == ("Trust", D(5), D(95))


def test_the_stress_line_is_unknown_while_one_wallet_is_or_there_are_none() -> None:
    dark = Place("cold-2", "self", Tier.COLD, Unknown((XRP,)))
    found = judge(JAPAN, facts(places=(place("cold-1", "50"), dark))).stress
    assert (found.largest, found.worst) == (Unknown((XRP,)), Unknown((XRP,)))
    assert judge(JAPAN, facts()).stress.largest == Unknown(("wallets of customers",))


def test_an_unknown_fund_leaves_the_loss_known_and_what_is_uncovered_unknown() -> None:
    rules = replace(JAPAN, fund=replace(JAPAN.fund, currencies=None))
    found = judge(rules, facts(places=(place("cold-1", "50"),), fund=(cash("1", "USD"),))).stress
    assert (found.largest.loss, found.worst) == (D(50), Unknown(("price of USD in JPY",)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: held("-1"), "BTC cold: Decimal('-1') is not a decimal of zero or more"),
        (lambda: replace(held(), hot=1.5), "BTC hot: 1.5 is not a decimal"),
        (lambda: replace(held(), hot=D("NaN")), "BTC hot"),
        (lambda: place("cold-1", "-1"), "value of cold-1"),
        (lambda: policy("crime", "1", "-1"), "deductible of crime"),
        (lambda: replace(cash("1"), haircut=D("1.1")), "haircut of account"),
        (lambda: facts(held(), held()), "exposures: BTC stands there twice"),
        (lambda: facts(fund=(cash("1"), cash("1"))), "fund: account stands there twice"),
        (lambda: facts(volumes={"spot": {2026: D(-1)}}), "volume of spot in 2026"),
    ],
)
def test_what_cannot_be_an_amount_is_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)


AMOUNT = st.decimals(0, 100_000, places=3)
MORE = st.decimals(0, 1_000, places=3)
HELD = st.builds(Exposure, st.sampled_from(["BTC", "ETH", "XRP"]), AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT)
ASSETS = st.lists(HELD, max_size=3, unique_by=lambda each: each.asset)
RULES = st.sampled_from(REGIMES)
POLICIES = st.lists(st.builds(lambda limit: policy("p", str(limit)), AMOUNT), max_size=3)


@st.composite
def situations(draw: st.DrawFn) -> Facts:
    policies = [replace(each, name=f"policy {index}") for index, each in enumerate(draw(POLICIES))]
    return facts(
        *draw(ASSETS),
        volumes={kind: {year: draw(AMOUNT) for year in (2026, 2025, 2024)} for kind in ("spot", "margin")},
        risks=draw(st.fixed_dictionaries(dict.fromkeys(Risk, st.booleans()))),
        policies=tuple(policies),
        fund=(cash(str(draw(AMOUNT))),),
        exchange=Exchange("JPY", {}),
    )


def required(rules: Any, given_: Facts) -> Decimal:
    amount = judge(rules, given_).required
    assert isinstance(amount, Decimal)
    return amount


@given(RULES, situations())
def test_the_bounds_of_the_requirement_hold(rules: Any, given_: Facts) -> None:
    found: Reserve = judge(rules, given_)
    if isinstance(rules.amount, Clamp):
        assert found.required >= rules.amount.floor
        assert rules.amount.cap is None or found.required <= rules.amount.cap
    else:
        assert found.required in {amount for _, amount in rules.amount.steps}
    assert D(0) <= found.credit <= rules.insurance.most * found.required
    assert found.credit <= found.eligible
    assert found.net >= (1 - rules.insurance.most) * found.required
    assert 0 <= found.accrual <= max(D(0), found.required - found.fund)
    assert (found.verdict is Outcome.PASS) == (found.fund >= found.net)


@given(
    RULES, situations().filter(lambda each: each.exposures), MORE, st.sampled_from(["cold", "hot", "third", "other"])
)
def test_more_exposure_never_asks_for_less(rules: Any, given_: Facts, more: Decimal, name: str) -> None:
    first, *others = given_.exposures
    grown = replace(given_, exposures=(replace(first, **{name: getattr(first, name) + more}), *others))
    assert required(rules, grown) >= required(rules, given_)


@given(RULES, situations().filter(lambda each: each.exposures), MORE)
def test_more_guarantee_assets_never_ask_for_more(rules: Any, given_: Facts, more: Decimal) -> None:
    first, *others = given_.exposures
    grown = replace(given_, exposures=(replace(first, guarantee=first.guarantee + more), *others))
    assert required(rules, grown) <= required(rules, given_)


@given(RULES, situations(), MORE, st.sampled_from([2024, 2025, 2026]), st.sampled_from(["spot", "margin"]))
def test_more_volume_never_asks_for_less(rules: Any, given_: Facts, more: Decimal, year: int, kind: str) -> None:
    years = given_.volumes[kind]
    grown = replace(given_, volumes={**given_.volumes, kind: {**years, year: years[year] + more}})
    assert required(rules, grown) >= required(rules, given_)


@given(RULES, situations(), st.sampled_from(Risk))
def test_another_reason_of_risk_never_asks_for_less(rules: Any, given_: Facts, reason: Risk) -> None:
    without = replace(given_, risks={**given_.risks, reason: False})
    assert required(rules, replace(given_, risks={**given_.risks, reason: True})) >= required(rules, without)


@given(RULES, situations(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_declared_does_not_matter(rules: Any, given_: Facts, random: Any) -> None:
    exposures: list[Exposure] = list(given_.exposures)
    policies: list[Policy] = list(given_.policies)
    random.shuffle(exposures)
    random.shuffle(policies)
    assert judge(rules, replace(given_, exposures=tuple(exposures), policies=tuple(policies))) == judge(rules, given_)
