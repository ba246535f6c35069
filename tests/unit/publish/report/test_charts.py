"""The charts' shapes follow the tables, in whole ten-thousandths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.publish.report.charts import _percent, charts_of
from monitor.publish.report.layout import cells_of
from monitor.publish.report.words import words

from .samples import full_report


def charts(report: dict[str, Any], block: str) -> list[dict[str, Any]]:
    return charts_of(block, report, cells_of(report, words("en")))


def test_a_line_is_broken_where_coverage_is_unknown(sample: dict[str, Any]) -> None:
    (chart,) = charts(sample, "coverage_series")
    assert [panel["title"] for panel in chart["panels"]] == ["BTC", "ETH", "XRP", "USDT"]
    assert [[len(s) for s in panel["segments"]] for panel in chart["panels"]] == [[30], [30], [30], [10, 17]]


def test_the_required_level_is_always_inside_the_frame(sample: dict[str, Any]) -> None:
    (chart,) = charts(sample, "coverage_series")
    floors = [panel["floor"] for panel in chart["panels"]]
    # XRP ranges from 0.985 to 1.012: the level 1 stands at 15 of 27
    assert floors == [0, 0, 5556, 0]
    for panel in chart["panels"]:
        for segment in panel["segments"]:
            assert all(0 <= value <= 10_000 for point in segment for value in point)


def test_an_asset_whose_coverage_was_never_known_has_no_panel_and_an_empty_series_no_chart() -> None:
    report = full_report(addresses=1)
    points = report["blocks"]["coverage_series"]["tables"]["points"]
    for point in points:
        point["coverage"] = None
    assert charts(report, "coverage_series") == []
    report["blocks"]["coverage_series"]["tables"]["points"] = []
    assert charts(report, "coverage_series") == []


def test_shares_of_a_bar_are_those_of_the_amounts(sample: dict[str, Any]) -> None:
    composition, flows = charts(sample, "reconciliation")
    bitcoin = composition["bars"][0]
    # 9,650 of 10,470.5 coins
    assert bitcoin["parts"][0] == {"colour": 0, "share": 9216, "text": "92.2%"}
    assert [bar["label"] for bar in flows["bars"][:2]] == ["BTC in", "BTC out"]
    assert {entry["label"] for entry in flows["legend"]} == {"deposit", "approved", "unexplained", "fee"}


def test_unknown_or_negative_holdings_are_not_drawn() -> None:
    report = full_report(addresses=1)
    rows = report["blocks"]["reconciliation"]["tables"]["by_class"]
    rows[0]["own"], rows[1]["own"] = None, "-1"
    composition = charts(report, "reconciliation")[0]
    assert [bar["label"] for bar in composition["bars"]] == ["XRP", "USDT"]


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(1, 3, "33.3%"), (1, 10**30, "< 0.1%"), (10**30 - 1, 10**30, "> 99.9%"), (7, 7, "100.0%")],
)
def test_a_share_never_claims_nothing_or_all_by_rounding(part: int, whole: int, said: str) -> None:
    assert _percent(part, whole) == said


@given(parts=st.lists(st.integers(1, 2**256), min_size=1, max_size=6))
def test_a_bar_is_full_whatever_its_parts(parts: list[int]) -> None:
    report = full_report(addresses=1)
    shape = report["blocks"]["reconciliation"]["tables"]["flows"][0]
    report["blocks"]["reconciliation"]["tables"]["flows"] = [{**shape, "quantity": str(part)} for part in parts]
    (bar,) = charts(report, "reconciliation")[1]["bars"]
    assert abs(sum(part["share"] for part in bar["parts"]) - 10_000) <= len(parts)
