"""Every worked case of the rules reference, section 7, with its numbers typed from there, on the shipped profiles."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from monitor.config.mistakes import ConfigError
from monitor.model import Outcome
from monitor.profiles import read_profile
from monitor.rules import Figures, Judged, Profile, evaluate

ON = date(2026, 11, 22)
D = Decimal
JAPAN = {
    # asset: (owed, cold, hot, guarantee, price)
    "BTC": (10_000, 9_650, 350, 350, 15_000_000),
    "ETH": (100_000, 97_500, 2_600, 2_600, 500_000),
    "XRP": (200_000_000, 181_000_000, 19_000_000, 18_500_000, 400),
}


def japan(moved_xrp: int = 0, **declared: int) -> Figures:
    """The three assets, with ``moved_xrp`` moved from hot to cold."""
    held: dict[tuple[str, str], Decimal | int] = {}
    for asset, (_, cold, hot, guarantee, _) in JAPAN.items():
        moved = moved_xrp if asset == "XRP" else 0
        held |= {(asset, "cust_cold"): cold + moved, (asset, "cust_hot"): hot - moved, (asset, "guarantee"): guarantee}
        held |= {(asset, "cust_third"): 0, (asset, "cust_staked"): 0}
    return Figures(
        on=ON,
        assets=tuple(JAPAN),
        held=held,
        owed={asset: line[0] for asset, line in JAPAN.items()},
        transit=dict.fromkeys(JAPAN, 0),
        prices={asset: line[4] for asset, line in JAPAN.items()},
        figures={f"declared.{name}": value for name, value in declared.items()},
    )


def book(
    prices: dict[str, int] | None = None, figures: dict[str, Decimal | int] | None = None, **classes: int
) -> Figures:
    """One asset "M" whose coins are worth 1, in the given classes; nothing in the others."""
    held = {("M", name): classes.get(name, 0) for name in ("cust_cold", "cust_hot", "cust_third", "cust_staked")}
    return Figures(on=ON, assets=("M",), held=held, prices=prices or {"M": 1}, figures=figures or {})


def judged(profile: str | Profile, rule: str, figures: Figures, asset: str | None = None) -> Judged:
    read = read_profile(profile) if isinstance(profile, str) else profile
    return evaluate(read.rule(rule), read, figures, asset)


@pytest.mark.parametrize(("asset", "margin"), [("BTC", 0), ("ETH", 100), ("XRP", 0)])
def test_japan_coverage_passes_for_every_asset(asset: str, margin: int) -> None:
    found = judged("jp-psa-2020", "coverage", japan(), asset)
    assert (found.outcome, found.margin) == (Outcome.PASS, margin)


def test_japan_hot_limit_is_an_aggregate_in_money_and_is_broken() -> None:
    found = judged("jp-psa-2020", "hot_ratio", japan())
    assert found.outcome is Outcome.BREACH
    assert found.value == 14_150_000_000
    assert found.threshold == 14_002_500_000
    assert found.margin == -147_500_000
    assert found.ratio is not None
    assert D(found.ratio).quantize(D("0.000001")) == D("0.050527")
    assert found.operands["E.cust_cold"] == str(280_050_000_000 - 14_150_000_000)


@pytest.mark.parametrize(
    ("asset", "gap", "printed"), [("BTC", 0, "0.0350"), ("ETH", 0, "0.0260"), ("XRP", -500_000, "0.0950")]
)
def test_japan_guarantee_is_judged_in_units_of_each_asset(asset: str, gap: int, printed: str) -> None:
    found = judged("jp-psa-2020", "guarantee", japan(), asset)
    assert (found.outcome, found.margin) == (Outcome.BREACH if gap else Outcome.PASS, gap)
    _, cold, hot, _, _ = JAPAN[asset]
    assert str((D(hot) / (cold + hot)).quantize(D("0.0001"))) == printed


def test_japan_the_guarantee_gap_of_xrp_is_200_million_yen() -> None:
    margin = judged("jp-psa-2020", "guarantee", japan(), "XRP").margin
    assert margin is not None
    assert margin * 400 == -200_000_000


@pytest.mark.parametrize(("net_assets", "outcome"), [(13_950_000_000, Outcome.PASS), (13_949_999_999, Outcome.BREACH)])
def test_japan_net_assets_must_reach_the_guarantee_value(net_assets: int, outcome: Outcome) -> None:
    assert judged("jp-psa-2020", "net_assets", japan(net_assets=net_assets)).outcome is outcome


def test_japan_moving_368_750_xrp_cures_the_ratio_only() -> None:
    for moved, outcome in ((368_750, Outcome.PASS), (368_749, Outcome.BREACH)):
        assert judged("jp-psa-2020", "hot_ratio", japan(moved)).outcome is outcome
    assert judged("jp-psa-2020", "guarantee", japan(368_750), "XRP").outcome is Outcome.BREACH


def test_japan_moving_500_000_xrp_cures_both() -> None:
    ratio, guarantee = (
        judged("jp-psa-2020", "hot_ratio", japan(500_000)),
        judged("jp-psa-2020", "guarantee", japan(500_000), "XRP"),
    )
    assert (ratio.outcome, guarantee.outcome) == (Outcome.PASS, Outcome.PASS)
    assert ratio.value == 13_950_000_000
    assert ratio.ratio is not None
    assert D(ratio.ratio).quantize(D("0.000001")) == D("0.049813")
    assert guarantee.value == guarantee.threshold == 18_500_000


def test_hong_kong_cold_share_passes_and_cover_is_short_by_7_5_million() -> None:
    total = {"cover.total": 300_000_000 + 150_000_000 + 50_000_000}
    figures = book(cust_cold=985_000_000, cust_hot=15_000_000, figures=dict(total))
    cold, cover = judged("hk-vatp", "cold_ratio", figures), judged("hk-vatp", "compensation", figures)
    assert (cold.outcome, cold.ratio) == (Outcome.PASS, "0.985000000000")
    assert (cover.outcome, cover.threshold, cover.margin) == (Outcome.BREACH, 507_500_000, -7_500_000)


@pytest.mark.parametrize(
    ("btc", "eth", "sides", "share", "outcome"),
    [
        (150_000_000, 5_000_000, (159_000_000_000, 200_000_000_000), "0.795000000000", Outcome.BREACH),
        (100_000_000, 6_000_000, (130_000_000_000, 160_000_000_000), "0.812500000000", Outcome.PASS),
    ],
)
def test_korea_the_price_rule_flips_the_verdict(
    btc: int, eth: int, sides: tuple[int, int], share: str, outcome: Outcome
) -> None:
    held = {
        ("BTC", "cust_cold"): 760,
        ("BTC", "cust_hot"): 240,
        ("ETH", "cust_cold"): 9_000,
        ("ETH", "cust_hot"): 1_000,
    }
    held |= {(asset, name): 0 for asset in ("BTC", "ETH") for name in ("cust_third", "cust_staked")}
    figures = Figures(on=ON, assets=("BTC", "ETH"), held=held, prices={"BTC": btc, "ETH": eth})
    found = judged("kr-vaupa", "cold_ratio", figures)
    assert (found.outcome, found.ratio, found.value) == (outcome, share, sides[0])
    assert found.threshold == D("0.8") * sides[1]


def test_korea_cover_is_45_billion_where_the_floor_does_not_bind() -> None:
    figures = book(
        cust_cold=4_100_000_000_000,
        cust_hot=900_000_000_000,
        figures={"cover.insurance_limit": 40_000_000_000, "cover.reserve": 5_000_000_000},
    )
    assert judged("kr-vaupa", "cold_ratio", figures).ratio == "0.820000000000"
    cover = judged("kr-vaupa", "cover", figures)
    assert (cover.outcome, cover.threshold, cover.margin) == (Outcome.PASS, 45_000_000_000, 0)


def overlay(folder: object, text: str) -> Profile:
    file = folder / "overlay.yaml"  # type: ignore[operator]
    file.write_text(text, encoding="utf-8")
    return read_profile(str(file))


def test_korea_small_coin_only_market_has_a_floor_of_half_a_billion(tmp_path: object) -> None:
    profile = overlay(tmp_path, "extends: kr-vaupa\nchoose: {floor: other}\n")
    figures = book(cust_hot=6_000_000_000, figures={"cover.insurance_limit": 0, "cover.reserve": 500_000_000})
    cover = judged(profile, "cover", figures)
    assert (cover.outcome, cover.threshold) == (Outcome.PASS, 500_000_000)


def test_singapore_88_percent_cold_is_short_by_20() -> None:
    found = judged("sg-psr", "cold_ratio", book(cust_cold=880, cust_hot=120))
    assert (found.outcome, found.ratio, found.margin) == (Outcome.BREACH, "0.880000000000", -20)


@pytest.mark.parametrize(("choice", "deposits"), [("ordinary", 60_000_000), ("significant", 120_000_000)])
def test_eu_emt_deposits_of_200_million_issued(tmp_path: object, choice: str, deposits: int) -> None:
    profile = overlay(tmp_path, f"extends: eu-emt\nchoose: {{deposit_share: {choice}}}\n")
    figures = {"declared.tokens_outstanding": 200_000_000, "declared.bank_deposits": deposits - 1}
    found = judged(profile, "deposits", Figures(on=ON, figures=figures))
    assert (found.outcome, found.threshold) == (Outcome.BREACH, deposits)


@pytest.mark.parametrize("choice", ["class_2", "class_3"])
def test_mica_own_funds_of_a_firm_with_2_4_million_of_overheads(tmp_path: object, choice: str) -> None:
    profile = overlay(tmp_path, f"extends: eu-mica-casp\nchoose: {{annex_iv: {choice}}}\n")
    figures = {"declared.own_funds": 599_999, "declared.fixed_overheads": 2_400_000}
    found = judged(profile, "own_funds", Figures(on=ON, figures=figures))
    assert (found.outcome, found.threshold) == (Outcome.BREACH, 600_000)


def test_an_empty_book_is_lawful_and_has_no_ratio() -> None:
    found = judged("jp-psa-2020", "hot_ratio", book())
    assert (found.outcome, found.value, found.threshold, found.ratio) == (Outcome.PASS, 0, 0, None)


def test_a_choice_that_is_none_is_refused(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match="huge is no choice: write one of ordinary, significant"):
        overlay(tmp_path, "extends: eu-emt\nchoose: {deposit_share: huge}\n")
