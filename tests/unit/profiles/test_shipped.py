from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from monitor.config.models import SHIPPED_PROFILES
from monitor.model import Outcome
from monitor.profiles import read_profile
from monitor.profiles.calendars import read_calendar
from monitor.profiles.files import shipped_names
from monitor.rules import Figures, Parameter, Per, Profile, Verified, evaluate, show
from monitor.rules.grammar import Comparison
from monitor.rules.predicates import Predicate, Records

ON = date(2026, 11, 20)
#: (profile, check, per, mark of the rule) of every row of section 5 of the rules reference
ROWS = [
    ("jp-psa-2020", "coverage", Per.ASSET, Verified.TRUE),
    ("jp-psa-2020", "hot_ratio", Per.AGGREGATE, Verified.TRUE),
    ("jp-psa-2020", "guarantee", Per.ASSET, Verified.TRUE),
    ("jp-psa-2020", "guarantee_cold", Per.WALLET, Verified.FALSE),
    ("jp-psa-2020", "net_assets", Per.AGGREGATE, Verified.SECONDARY),
    ("jp-psa-2020", "daily_record", Per.ENTITY, Verified.TRUE),
    ("jp-psa-2020", "annual_audit", Per.ENTITY, Verified.TRUE),
    ("jp-fiea-2026", "liability_reserve", Per.ENTITY, Verified.FALSE),
    ("jp-fiea-2026", "insider_channel", Per.ENTITY, Verified.SECONDARY),
    ("hk-vatp", "cold_ratio", Per.AGGREGATE, Verified.TRUE),
    ("hk-vatp", "compensation", Per.AGGREGATE, Verified.SECONDARY),
    ("hk-vatp", "address_whitelist", Per.MOVEMENT, Verified.TRUE),
    ("kr-vaupa", "cold_ratio", Per.AGGREGATE, Verified.TRUE),
    ("kr-vaupa", "cover", Per.AGGREGATE, Verified.SECONDARY),
    ("sg-psr", "cold_ratio", Per.AGGREGATE, Verified.SECONDARY),
    ("eu-mica-casp", "statement", Per.ENTITY, Verified.TRUE),
    ("eu-mica-casp", "own_funds", Per.ENTITY, Verified.FALSE),
    ("eu-emt", "deposits", Per.ENTITY, Verified.FALSE),
    ("us-genius", "reserves", Per.BLOCK, Verified.TRUE),
]
#: (profile, parameter, value, mark), typed from the same table
NUMBERS = [
    ("jp-psa-2020", "hot_limit", "0.05", Verified.TRUE),
    ("jp-psa-2020", "fiat_trust_cure_days", "2", Verified.FALSE),
    ("hk-vatp", "cold_share", "0.98", Verified.TRUE),
    ("hk-vatp", "cold_cover_share", "0.50", Verified.SECONDARY),
    ("hk-vatp", "hot_cover_share", "1.00", Verified.SECONDARY),
    ("kr-vaupa", "cold_share", "0.80", Verified.TRUE),
    ("kr-vaupa", "hot_cover_share", "0.05", Verified.SECONDARY),
    ("kr-vaupa", "floor", "3000000000", Verified.SECONDARY),
    ("sg-psr", "cold_share", "0.90", Verified.SECONDARY),
    ("eu-mica-casp", "overheads_share", "0.25", Verified.FALSE),
    ("eu-emt", "deposit_share", "0.30", Verified.FALSE),
    ("us-genius", "treasury_days_limit", "93", Verified.TRUE),
]


def test_every_profile_that_the_configuration_accepts_is_shipped_and_reads() -> None:
    assert set(shipped_names("profiles")) == set(SHIPPED_PROFILES)
    assert [read_profile(name).id for name in SHIPPED_PROFILES] == list(SHIPPED_PROFILES)


@pytest.mark.parametrize(("name", "check", "per", "verified"), ROWS)
def test_every_row_of_the_reference_is_a_check(name: str, check: str, per: Per, verified: Verified) -> None:
    rule = read_profile(name).rule(check)
    assert (rule.per, rule.verified) == (per, verified)


@pytest.mark.parametrize(("name", "parameter", "value", "verified"), NUMBERS)
def test_every_number_of_the_reference_is_a_parameter_with_its_mark(
    name: str, parameter: str, value: str, verified: Verified
) -> None:
    found = read_profile(name).parameters[parameter]
    assert (found.value, found.verified) == (Decimal(value), verified)


@pytest.mark.parametrize("name", SHIPPED_PROFILES)
def test_no_threshold_is_written_into_an_expression(name: str) -> None:
    for rule in read_profile(name).rules:
        if isinstance(rule.condition, Comparison):
            assert not any(character.isdigit() for character in show(rule.condition)), rule.id


def test_the_clock_of_japan_is_five_business_days_from_memory() -> None:
    cure = read_profile("jp-psa-2020").rule("coverage").cure
    assert cure is not None
    assert (cure.n, cure.unit.value, cure.starts.value, cure.verified) == (
        5,
        "business_day",
        "day_after",
        Verified.FALSE,
    )


def test_every_number_of_the_japanese_reserve_is_a_placeholder() -> None:
    reserve = read_profile("jp-fiea-2026").reserve
    assert reserve is not None
    numbers = reserve.parameters()
    assert len(numbers) == 18
    assert {each.placeholder for each in numbers.values()} == {True}
    shown = {name.removeprefix("reserve."): each.value for name, each in numbers.items()}
    for name, value in {
        "rates.spot": "0.00008",
        "rates.margin": "0.00001",
        "w_cold": "0.015",
        "w_hot": "1",
        "w_third": "0.02",
        "floor": "2000000000",
        "cap": "40000000000",
        "kappa": "0.5",
        "phase_in_years": "4",
        "min_days_to_expiry": "90",
    }.items():
        assert shown[name] == Decimal(value), name


@pytest.mark.parametrize(("eligible", "outcome"), [(10**12, Outcome.UNVERIFIED), (0, Outcome.BREACH)])
def test_the_japanese_reserve_never_passes_on_placeholders(eligible: int, outcome: Outcome) -> None:
    profile = read_profile("jp-fiea-2026")
    figures = Figures(on=ON, figures={"reserve.eligible": eligible, "reserve.net": 2 * 10**9})
    found = evaluate(profile.rule("liability_reserve"), profile, figures)
    assert found.outcome is outcome
    assert "a placeholder of this project, not law" in found.basis
    assert len(found.parameters) == 18


@pytest.mark.parametrize("name", ["kr-vaupa", "hk-vatp"])
def test_the_reserve_of_korea_and_hong_kong_uses_the_numbers_of_their_checks(name: str) -> None:
    profile = read_profile(name)
    assert profile.reserve is not None
    assert profile.reserve.w_hot == profile.parameters["hot_cover_share"]
    assert (profile.reserve.cap, profile.reserve.guarantee_offset, dict(profile.reserve.rates)) == (None, False, {})


@pytest.mark.parametrize("name", SHIPPED_PROFILES)
def test_a_check_of_a_shipped_profile_without_any_data_never_passes(name: str) -> None:
    profile = read_profile(name)
    for rule in profile.rules:
        found = evaluate(rule, profile, Figures(on=ON), "BTC" if rule.per is Per.ASSET else None)
        assert found.outcome is Outcome.UNVERIFIED, rule.id
        assert set(found.operands.values()) == {"unknown"}


def everything(profile: Profile) -> Figures:
    """Data with which every condition of the profile holds."""
    classes = {"cust_cold": 1000, "cust_hot": 0, "cust_third": 0, "cust_staked": 0, "guarantee": 10}
    big = dict.fromkeys(
        [f"declared.{name}" for name in profile.declared] + ["cover.total", "cover.insurance_limit", "cover.reserve"],
        10**15,
    )
    month = [ON - timedelta(days=back) for back in range(1, 30)]
    return Figures(
        on=ON,
        assets=("BTC",),
        held={("BTC", name): value for name, value in classes.items()},
        owed={"BTC": 1000},
        transit={"BTC": 0},
        prices={"BTC": 1},
        figures={**big, "declared.longest_treasury_days": 93, "reserve.eligible": 1, "reserve.net": 1},
        facts={
            **{f"declared.{name}": ON for name in profile.declared if name.startswith("last_")},
            **{
                f"declared.{name}": True
                for name in profile.declared
                if name.endswith(("listed", "certified", "client"))
            },
            "declared.client_addresses": frozenset({"a"}),
            "destinations": frozenset({"a"}),
            "storage.guarantee": {"vault": "cold"},
            "records": Records(month[-1], frozenset(month)),
        },
    )


@pytest.mark.parametrize("name", SHIPPED_PROFILES)
def test_where_every_condition_holds_exactly_the_unverified_numbers_do_not_pass(name: str) -> None:
    profile = read_profile(name)
    doubtful = {
        "jp-psa-2020": {"guarantee_cold"},
        "jp-fiea-2026": {"guarantee_cold", "liability_reserve"},
        "eu-mica-casp": {"own_funds"},
        "eu-emt": {"deposits"},
    }.get(name, set())
    found = {
        rule.id: evaluate(rule, profile, everything(profile), "BTC" if rule.per is Per.ASSET else None)
        for rule in profile.rules
    }
    assert {each for each, judged in found.items() if judged.outcome is Outcome.UNVERIFIED} == doubtful
    assert {judged.outcome for each, judged in found.items() if each not in doubtful} <= {Outcome.PASS}


def marked(profile: Profile) -> list[Parameter]:
    return [*profile.parameters.values(), *(profile.reserve.parameters().values() if profile.reserve else ())]


@pytest.mark.parametrize("name", SHIPPED_PROFILES)
def test_every_number_has_a_basis_and_what_is_from_memory_is_not_verified(name: str) -> None:
    for parameter in marked(read_profile(name)):
        assert parameter.basis
        assert not ("from memory" in parameter.basis and parameter.verified is not Verified.FALSE)


@pytest.mark.parametrize("name", shipped_names("calendars"))
def test_a_shipped_calendar_names_its_range_and_covers_2024_to_2028(name: str) -> None:
    calendar, source = read_calendar(name, Path())
    assert (calendar.name, source.name) == (name, name)
    assert calendar.first <= date(2024, 1, 1)
    assert calendar.last >= date(2028, 12, 31)


@pytest.mark.parametrize(
    ("name", "holidays", "business_days"),
    [
        (
            "jp_business_days",
            # 2024 and 2025 as the Cabinet Office publishes them; 22 September 2026 lies between two holidays
            [
                "2024-02-12",
                "2024-09-23",
                "2024-11-04",
                "2025-02-24",
                "2025-05-06",
                "2025-11-24",
                "2026-09-22",
                "2026-11-23",
            ],
            ["2024-02-13", "2026-12-31", "2026-11-24"],
        ),
        (
            "target_business_days",
            ["2024-03-29", "2025-04-21", "2026-05-01", "2028-12-26"],
            ["2026-11-11", "2026-12-24"],
        ),
        (
            "us_federal_business_days",
            ["2026-11-26", "2026-06-19", "2027-07-05", "2025-01-20"],
            ["2026-07-03", "2026-11-27"],
        ),
    ],
)
def test_known_holidays_and_business_days(name: str, holidays: list[str], business_days: list[str]) -> None:
    calendar, _ = read_calendar(name, Path())
    assert not any(calendar.is_business_day(date.fromisoformat(day)) for day in holidays)
    assert all(calendar.is_business_day(date.fromisoformat(day)) for day in business_days)


def test_predicates_of_shipped_profiles_are_judged_per_what_they_are_about() -> None:
    found = {
        (rule.condition.function, rule.per)
        for name in SHIPPED_PROFILES
        for rule in read_profile(name).rules
        if isinstance(rule.condition, Predicate)
    }
    assert found == {
        ("record_each", Per.ENTITY),
        ("age_at_most", Per.ENTITY),
        ("is_true", Per.ENTITY),
        ("storage_is", Per.WALLET),
        ("destination_listed", Per.MOVEMENT),
    }
