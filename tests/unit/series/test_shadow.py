from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import CaseState, Event, Price, Severity
from monitor.series import Payments, shadow_summary
from tests.unit.publish.samples import DECIMALS, NOW, THEFT, numbered

PRICES = {asset: Price(asset, "JPY", price, NOW) for asset, price in {"BTC": "10000000.5", "ETH": "300000"}.items()}


def summed(
    *lines: tuple[str, int, str], prices: dict[str, Price] | None = None, cases: tuple[object, ...] = ()
) -> dict:
    payments = Payments()
    for asset, units, reason in lines:
        payments.add(asset, units, reason)
    return shadow_summary(payments, cases, PRICES if prices is None else prices, DECIMALS, "JPY")  # type: ignore[arg-type, return-value]


def test_what_could_not_be_judged_is_not_explained() -> None:
    figures = summed(("BTC", 1, "approved"), ("BTC", 1, "not_attributed"), ("BTC", 1, "unexplained"))
    assert figures["payments"] == {"explained": 1, "not_attributed": 1, "unexplained": 1, "share": "0.3333"}


def test_a_share_is_rounded_down_so_that_one_means_all() -> None:
    nearly = summed(("ETH", 10**24 - 1, "approved"), ("ETH", 1, "unexplained"))
    assert nearly["value"]["share"] == "0.9999"
    assert nearly["assets"][0]["share"] == "0.9999"
    assert summed(("ETH", 1, "approved"))["value"]["share"] == "1.0000"


def test_value_is_exact_in_every_asset_and_rounded_once() -> None:
    figures = summed(("BTC", 1, "approved"), ("ETH", 1, "unexplained"))
    value = figures["value"]
    assert (value["explained"], value["unexplained"], value["total"]) == ("0.10", "0.00", "0.10")
    worth = Fraction("10000000.5") / 10**8, Fraction(300000, 10**18)
    assert value["share"] == str(Decimal(int(worth[0] / sum(worth) * 10_000)).scaleb(-4))


@pytest.mark.parametrize("missing", ["BTC", "ETH"])
def test_one_asset_without_a_price_makes_the_share_by_value_unknown(missing: str) -> None:
    prices = {asset: price for asset, price in PRICES.items() if asset != missing}
    figures = summed(("BTC", 1, "approved"), ("ETH", 1, "approved"), prices=prices)
    assert figures["value"]["share"] is None
    assert figures["value"]["total"] is None
    assert figures["value"]["without_price"] == [missing]
    assert figures["payments"]["share"] == "1.0000"


def test_an_asset_that_left_the_configuration_has_no_amount_and_still_counts() -> None:
    figures = summed(("DOGE", 5, "unexplained"))
    assert figures["assets"][0]["unexplained"] is None
    assert figures["payments"]["unexplained"] == 1
    assert figures["value"]["without_price"] == ["DOGE"]


def test_only_what_was_opened_would_have_paged() -> None:
    waited = numbered(
        1,
        state=CaseState.CLOSED,
        history=(Event(NOW, "pending", "porwatch", ""), Event(NOW, "approved", "porwatch", "")),
    )
    warned = numbered(
        2, severity=Severity.WARNING, rule="residual", state=CaseState.ACKNOWLEDGED, detected_after_ms=None
    )
    figures = summed(cases=(THEFT, waited, warned))
    assert figures["would_have_paged"] == 2
    assert figures["rules"] == [
        {"rule": "residual", "severity": "warning", "cases": 1},
        {"rule": "unexplained_outflow", "severity": "critical", "cases": 1},
    ]
    assert (figures["still_open"], figures["critical_open"]) == (1, 1)


@pytest.mark.parametrize(
    ("waits", "median", "slowest"),
    [([7], "7", "7"), ([1, 2], "1.5", "2"), ([9, 1, 5], "5", "9"), ([4, 4, 8, 2], "4", "8")],
)
def test_the_median_is_of_whole_milliseconds_and_exact(waits: list[int], median: str, slowest: str) -> None:
    cases = tuple(numbered(n, detected_after_ms=wait) for n, wait in enumerate(waits))
    latency = summed(cases=cases)["latency"]
    assert latency == {"measured": len(waits), "median_ms": median, "slowest_ms": slowest}


REASONS = st.sampled_from(["approved", "wrap", "not_attributed", "unexplained"])


@given(st.lists(st.tuples(st.sampled_from(["BTC", "ETH"]), st.integers(1, 10**30), REASONS), min_size=1, max_size=30))
def test_nothing_is_lost_and_a_share_never_exceeds_what_is_true(lines: list[tuple[str, int, str]]) -> None:
    figures = summed(*lines)
    paid = figures["payments"]
    assert paid["explained"] + paid["not_attributed"] + paid["unexplained"] == len(lines)
    for asset in figures["assets"]:
        units = sum(each for name, each, _ in lines if name == asset["asset"])
        amounts = [Decimal(asset[key]) for key in ("explained", "not_attributed", "unexplained")]
        assert sum(map(Fraction, amounts)) * 10 ** DECIMALS[asset["asset"]] == units
        share = Fraction(amounts[0]) * 10 ** DECIMALS[asset["asset"]] / units
        assert 0 <= share - Fraction(asset["share"]) < Fraction(1, 10_000)
        assert (asset["share"] == "1.0000") == (share == 1)
