"""Whole verdicts under shipped profiles: the worked cases of the rules, in units and with their cure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from monitor.assess import Declared, Funds, Inputs, verdict
from monitor.assess.inputs import DayPrice, Provider, Stated
from monitor.model import Owner, Tier
from monitor.reserve import Basis, Exclusion, FundAsset, FundKind, Payee, Policy, Risk, Scope
from tests.unit.assess.sample import NOW, inputs

JP_PRICES = {"BTC": "15000000", "ETH": "500000", "XRP": "400"}
JP_HELD = {
    "cold": {"BTC": "9650", "ETH": "97500", "XRP": "181000000"},
    "hot": {"BTC": "350", "ETH": "2600", "XRP": "19000000"},
    "guarantee": {"BTC": "350", "ETH": "2600", "XRP": "18500000"},
}
JP_OWED = {"BTC": "10000", "ETH": "100000", "XRP": "200000000"}


def japan(**more: Any) -> Inputs:
    return inputs(JP_HELD, JP_OWED, JP_PRICES, ("jp-psa-2020",), **more)


def check(made: Inputs, name: str, asset: str | None = None) -> dict[str, Any]:
    body = verdict(made)
    (found,) = (c for c in body["checks"] if (c["id"], c["asset"]) == (name, asset) and c["profile"] != "baseline")
    return found


def test_japan_the_hot_limit_is_breached_by_an_aggregate_and_the_cure_is_an_amount() -> None:
    hot = check(japan(), "hot_ratio")
    assert (hot["verdict"], hot["value"], hot["threshold"], hot["margin"]) == (
        "BREACH",
        "14150000000",
        "14002500000",
        "-147500000",
    )
    assert hot["ratio"].startswith("0.0505")
    assert "368750 XRP" in hot["cure"]


def test_japan_guarantee_assets_are_matched_asset_by_asset_in_units() -> None:
    assert check(japan(), "guarantee", "BTC")["verdict"] == "PASS"
    assert check(japan(), "guarantee", "ETH")["verdict"] == "PASS"
    xrp = check(japan(), "guarantee", "XRP")
    assert (xrp["verdict"], xrp["margin"]) == ("BREACH", "-500000")
    assert xrp["cure"].startswith("move 500000 XRP from hot to cold")


def test_japan_one_move_cures_both_breaches_and_the_plan_says_it() -> None:
    assert verdict(japan())["plan"] == ["jp-psa-2020: move 500000 XRP from hot to cold"]
    moved = {
        **JP_HELD,
        "cold": {**JP_HELD["cold"], "XRP": "181500000"},
        "hot": {**JP_HELD["hot"], "XRP": "18500000"},
    }
    cured = inputs(moved, JP_OWED, JP_PRICES, ("jp-psa-2020",))
    assert check(cured, "hot_ratio")["ratio"] == "0.049812533477"
    assert check(cured, "hot_ratio")["verdict"] == "PASS"
    assert check(cured, "guarantee", "XRP")["verdict"] == "PASS"
    assert verdict(cured)["plan"] == []


def test_japan_a_breach_of_coverage_has_a_day_by_which_it_must_be_cured() -> None:
    """Found on Friday 2026-11-20; the Monday after is a holiday: five business days end on Monday the 30th."""
    short = check(inputs(JP_HELD, {**JP_OWED, "BTC": "10001"}, JP_PRICES, ("jp-psa-2020",)), "coverage", "BTC")
    assert (short["verdict"], short["due"], short["cure"]) == ("BREACH", "2026-11-30", "add 1 BTC to customer wallets")


def test_assets_of_the_firm_inside_customer_wallets_are_a_finding() -> None:
    (mixed,) = (f for f in verdict(japan())["findings"] if f["kind"] == "own_assets_mixed")
    assert (mixed["asset"], mixed["amount"]) == ("ETH", "100.000000000000000000")


@pytest.mark.parametrize(("missing", "name"), [("BTC", "hot_ratio"), ("XRP", "net_assets")])
def test_a_missing_price_is_unverified_and_never_a_pass(missing: str, name: str) -> None:
    prices = {asset: price for asset, price in JP_PRICES.items() if asset != missing}
    found = check(inputs(JP_HELD, JP_OWED, prices, ("jp-psa-2020",)), name)
    assert found["verdict"] == "UNVERIFIED"


def test_a_stale_price_is_unverified_and_says_of_when_it_is() -> None:
    made = japan(at=NOW + timedelta(hours=27))
    found = check(made, "hot_ratio")
    assert found["verdict"] == "UNVERIFIED"
    assert "2026-11-20T06:00:00Z is older than max_age" in found["basis"]


def test_what_one_endpoint_claims_makes_a_pass_unverified_and_leaves_a_breach() -> None:
    made = japan()
    claimed = tuple(replace(line, verified=0) for line in made.readings[0].lines or ())
    doubted = replace(made, readings=(replace(made.readings[0], lines=claimed),))
    assert check(doubted, "coverage", "BTC")["verdict"] == "UNVERIFIED"
    assert "claimed by one endpoint" in check(doubted, "coverage", "BTC")["basis"]
    assert check(doubted, "hot_ratio")["verdict"] == "BREACH"


def test_korea_the_price_rule_turns_the_verdict() -> None:
    held = {"cold": {"BTC": "760", "ETH": "9000"}, "hot": {"BTC": "240", "ETH": "1000"}}
    spot = {"BTC": "150000000", "ETH": "5000000", "XRP": "1"}
    made = inputs(held, {"BTC": "1000", "ETH": "10000"}, spot, ("kr-vaupa",), currency="KRW")
    unknown = check(made, "cold_ratio")
    assert unknown["verdict"] == "UNVERIFIED"
    assert "365" in unknown["basis"]
    days = [NOW.date() - timedelta(days=back) for back in range(1, 366)]
    history = tuple(
        DayPrice(asset, "KRW", day, price)
        for day in days
        for asset, price in (("BTC", "100000000"), ("ETH", "6000000"))
    )
    meant = replace(made, books=replace(made.books, price_days=history))
    found = check(meant, "cold_ratio")
    assert (found["verdict"], found["ratio"]) == ("PASS", "0.812500000000")
    short = replace(made, books=replace(made.books, price_days=history[2:]))
    assert check(short, "cold_ratio")["verdict"] == "UNVERIFIED"


def test_hong_kong_the_cover_is_short_by_seven_and_a_half_million() -> None:
    held = {"cold": {"XRP": "985000000"}, "hot": {"XRP": "15000000"}}
    made = inputs(held, {"XRP": "1000000000"}, {"XRP": "1", "BTC": "1", "ETH": "1"}, ("hk-vatp",), currency="HKD")
    assert check(made, "cold_ratio")["verdict"] == "PASS"
    assert check(made, "compensation")["verdict"] == "UNVERIFIED"
    cash = FundAsset("set aside", FundKind.CASH, "HKD", Decimal(500_000_000), segregated=True, own_issued=False)
    funded = replace(made, books=replace(made.books, funds=Funds(NOW, (cash,)), funds_reason=""))
    found = check(funded, "compensation")
    assert (found["verdict"], found["value"], found["threshold"], found["margin"]) == (
        "BREACH",
        "500000000",
        "507500000",
        "-7500000",
    )
    assert found["cure"] == "raise cover.total by 7500000 HKD"


def policy(**terms: Any) -> Policy:
    """Three hundred million that count where nothing asks for more."""
    given: dict[str, Any] = {
        "name": "crime",
        "currency": "HKD",
        "limit": Decimal(300_000_000),
        "insurer": "Insurer Ltd",
        "affiliate": False,
        "aggregate_left": Decimal(300_000_000),
        "deductible": Decimal(0),
        "starts": date(2026, 1, 1),
        "expires": date(2027, 12, 31),
        "basis": Basis.OCCURRENCE,
        "loss_payee": Payee.CUSTOMERS,
        "scope": Scope(),
        "exclusions": frozenset(),
        "document_sha256": "0" * 64,
        "confirmed_on": date(2026, 11, 1),
    }
    return Policy(**(given | terms))


@pytest.mark.parametrize(
    ("terms", "counts"),
    [
        ({}, 300_000_000),
        ({"exclusions": None}, 0),
        ({"exclusions": frozenset({Exclusion.STATE_ACTOR})}, 0),
        ({"expires": date(2027, 1, 1)}, 0),
    ],
    ids=["counts", "exclusions not declared", "excludes state actors", "ends too soon"],
)
def test_hong_kong_insurance_counts_without_a_rating_and_never_with_gaps(terms: dict[str, Any], counts: int) -> None:
    held = {"cold": {"XRP": "985000000"}, "hot": {"XRP": "15000000"}}
    made = inputs(held, {"XRP": "1000000000"}, {"XRP": "1"}, ("hk-vatp",), currency="HKD")
    cash = FundAsset("set aside", FundKind.CASH, "HKD", Decimal(200_000_000), segregated=True, own_issued=False)
    funded = replace(made, books=replace(made.books, funds=Funds(NOW, (cash,), (policy(**terms),)), funds_reason=""))
    found = check(funded, "compensation")
    assert Decimal(found["value"]) == 200_000_000 + counts
    assert found["verdict"] == "BREACH"


def changed(made: Inputs, **reserve: Any) -> Inputs:
    """The inputs under a profile whose reserve has other numbers."""
    (body,) = made.facts.profiles
    other = {**body, "reserve": {**body["reserve"], **reserve}}
    return replace(made, facts=replace(made.facts, profiles=(other,)))


def number(name: str, value: str, unit: str = "number") -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "verified": "true",
        "basis": "test",
        "placeholder": False,
        "choice": "",
        "choices": {},
        "confirmed": None,
    }


def test_the_risk_factor_is_its_base_and_what_each_declared_reason_adds() -> None:
    held = {"cold": {"XRP": "1000000000000"}}
    made = inputs(held, {}, {"XRP": "1"}, ("jp-fiea-2026",))
    no_volume = {name: {year: Decimal(0) for year in (2024, 2025, 2026)} for name in ("spot", "margin")}
    figures = Declared(NOW, "JPY", fiscal_year=2026, volumes=no_volume, risks={Risk.NO_DRILL: True})
    books = replace(made.books, funds=Funds(NOW), funds_reason="", declared=figures)
    plain_ = check(replace(made, books=books), "liability_reserve")
    assert plain_["threshold"] == "15000000000"
    reasons = {"no_drill": number("reserve.risks.no_drill", "0.1")}
    raised = changed(replace(made, books=books), risks=reasons, rho=number("reserve.rho", "1.2"))
    assert check(raised, "liability_reserve")["threshold"] == "19500000000"
    unknown = replace(raised, books=replace(books, declared=replace(figures, risks={})))
    assert check(unknown, "liability_reserve")["verdict"] == "UNVERIFIED"


def test_a_table_of_tiers_stands_in_place_of_floor_and_cap() -> None:
    held = {"cold": {"XRP": "1000000000000"}}
    made = inputs(held, {}, {"XRP": "1"}, ("jp-fiea-2026",))
    no_volume = {name: {year: Decimal(0) for year in (2024, 2025, 2026)} for name in ("spot", "margin")}
    figures = Declared(NOW, "JPY", fiscal_year=2026, volumes=no_volume)
    books = replace(made.books, funds=Funds(NOW), funds_reason="", declared=figures)
    steps = {"0": "2000000000", "10000000000": "7000000000", "20000000000": "9000000000"}
    tiers = {name: number(f"reserve.tiers.{name}", amount, "money") for name, amount in steps.items()}
    assert check(changed(replace(made, books=books), tiers=tiers), "liability_reserve")["threshold"] == "7000000000"


def test_a_profile_says_which_checks_may_rest_on_statements() -> None:
    made = inputs({}, {"XRP": "5"}, profiles=("jp-psa-2020",))
    stated = Stated("Trustee", "XRP", 7_000_000, NOW - timedelta(days=1), Owner.CUSTOMER, Tier.COLD)
    with_it = replace(made, books=replace(made.books, statements=(stated,)))
    assert check(with_it, "coverage", "XRP")["verdict"] == "UNVERIFIED"
    (body,) = made.facts.profiles
    rules = [{**rule, "stated": rule["id"] == "coverage"} for rule in body["rules"]]
    allowed = replace(with_it, facts=replace(made.facts, profiles=({**body, "rules": rules},)))
    assert check(allowed, "coverage", "XRP")["verdict"] == "PASS"


def test_the_reserve_of_2026_rests_on_placeholders_and_is_never_a_pass() -> None:
    rich = FundAsset("trust", FundKind.CASH, "JPY", Decimal(10**12), segregated=True, own_issued=False)
    figures = Declared(
        NOW,
        "JPY",
        fiscal_year=2026,
        volumes={name: {year: Decimal(10**12) for year in (2024, 2025, 2026)} for name in ("spot", "margin")},
    )
    made = inputs(JP_HELD, JP_OWED, JP_PRICES, ("jp-fiea-2026",))
    books = replace(made.books, funds=Funds(NOW, (rich,)), declared=figures)
    found = check(replace(made, books=books), "liability_reserve")
    assert found["verdict"] == "UNVERIFIED"
    assert "placeholder" in found["basis"]
    assert not found["in_force"]
    poor = replace(books, funds=Funds(NOW, (replace(rich, amount=Decimal(1)),)))
    assert check(replace(made, books=poor), "liability_reserve")["verdict"] == "BREACH"


def test_a_profile_gives_way_to_its_successor_on_the_day_that_starts() -> None:
    made = inputs(JP_HELD, JP_OWED, JP_PRICES, ("jp-psa-2020",))
    both = replace(made.facts, profiles=(*made.facts.profiles, *inputs({}, profiles=("jp-fiea-2026",)).facts.profiles))
    before = verdict(replace(made, facts=both))
    after = verdict(replace(made, facts=both, at=datetime(2027, 7, 23, 3, tzinfo=UTC)))
    assert {c["profile"] for c in before["checks"]} == {"baseline", "jp-psa-2020"}
    assert {c["profile"] for c in after["checks"]} == {"baseline", "jp-fiea-2026"}


def test_a_wallet_that_is_not_cold_is_hot_for_the_law_whoever_keeps_its_keys() -> None:
    made = inputs({"third": {"BTC": "10"}}, {"BTC": "10"}, JP_PRICES, ("jp-psa-2020",))
    assert check(made, "hot_ratio")["verdict"] == "PASS"
    warm = tuple(replace(w, tier=Tier.WARM) if w.wallet == "third" else w for w in made.facts.wallets)
    found = check(replace(made, facts=replace(made.facts, wallets=warm)), "hot_ratio")
    assert (found["verdict"], found["ratio"]) == ("BREACH", "1.000000000000")


def test_what_somebody_else_has_a_claim_on_counts_nowhere_and_is_listed() -> None:
    made = inputs({"cold": {"BTC": "10"}}, {"BTC": "10"})
    pledged = tuple(replace(w, encumbered="pledged to a bank") if w.wallet == "cold" else w for w in made.facts.wallets)
    body = verdict(replace(made, facts=replace(made.facts, wallets=pledged)))
    assert [c["verdict"] for c in body["checks"] if c["asset"] == "BTC"] == ["BREACH"]
    assert [(f["kind"], f["amount"]) for f in body["findings"] if f["kind"] == "encumbered"] == [
        ("encumbered", "10.00000000")
    ]


def test_custodians_outside_the_inventory_and_providers_not_notified_are_findings() -> None:
    made = inputs({})
    assert [f["kind"] for f in verdict(made)["findings"]] == ["custodian_not_listed"]
    told = {"Trustee": Provider("Trustee", "notified", date(2026, 1, 5))}
    assert verdict(replace(made, facts=replace(made.facts, custodians=told)))["findings"] == []
    untold = {"Trustee": Provider("Trustee", "pending")}
    kinds = [f["kind"] for f in verdict(replace(made, facts=replace(made.facts, custodians=untold)))["findings"]]
    assert kinds == ["provider_not_notified"]


def test_customer_ledger_and_asset_register_must_say_the_same() -> None:
    made = inputs({"cold": {"BTC": "10"}}, {"BTC": "10"})
    register = Declared(NOW, "JPY", general_ledger={"BTC": 999_999_999})
    body = verdict(replace(made, books=replace(made.books, declared=register)))
    (found,) = (f for f in body["findings"] if f["kind"] == "register_differs")
    assert (found["asset"], found["amount"]) == ("BTC", "0.00000001")


def test_more_than_the_limit_in_one_wallet_is_a_finding_by_value() -> None:
    made = inputs({"cold": {"BTC": "10"}, "hot": {"XRP": "1"}}, prices=JP_PRICES)
    limited = replace(made, facts=replace(made.facts, concentration_percent=50))
    found = [f for f in verdict(limited)["findings"] if f["kind"] == "concentration"]
    assert [(f["wallet"], f["value"]) for f in found] == [("cold", "150000000.00000000")]
    unpriced = replace(limited, books=replace(limited.books, prices=()))
    assert "concentration_unknown" in {f["kind"] for f in verdict(unpriced)["findings"]}
