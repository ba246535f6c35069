"""Every query of every dashboard, asked of a real Prometheus that watched the demo: in the calm, and after the theft.

What each panel must do then stands beside it in tools/dashboards, with the reason: rise, fall, or stay as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.real.staged import Staged, stage
from tools.dashboards.__main__ import DASHBOARDS
from tools.dashboards.builder import Panel, Theft

pytestmark = [pytest.mark.component("anvil", "bitcoind", "prometheus"), pytest.mark.timeout(240)]
PANELS = {f"{board.uid}: {panel.title}": panel for board in DASHBOARDS for panel in board.panels()}
#: more than two scrapes, which are half a second apart here
WINDOWS = {"$__rate_interval": "6s", "$__range": "30s", "$job": "porwatch", "$instance": ".+"}


@pytest.fixture(scope="module")
def staged(require_component: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    with ExitStack() as stack:
        yield stage(require_component("prometheus"), tmp_path_factory.mktemp("staged"), stack)


def asked(expr: str) -> str:
    for variable, value in WINDOWS.items():
        expr = expr.replace(variable, value)
    return expr


def totals(staged: Staged, panel: Panel, began: float, ended: float) -> list[float]:
    """The sum over the series of the panel's first query, at each second: of those that have the labels it is about."""
    sums: dict[float, float] = {}
    for number, expr in enumerate(panel.expressions()):
        series = staged.over(asked(expr), began, ended)
        assert series, f"no data: {asked(expr)}"
        for one in series if number == 0 else ():
            if panel.about.items() <= one["metric"].items():
                for at, value in one["values"]:
                    sums[at] = sums.get(at, 0.0) + float(value)
    return [total for total in sums.values() if not math.isnan(total)]


@pytest.mark.parametrize("name", sorted(PANELS))
def test_every_panel_has_data_and_does_in_the_theft_what_it_says(name: str, staged: Staged) -> None:
    panel = PANELS[name]
    calm = totals(staged, panel, staged.began, staged.stolen)
    theft = totals(staged, panel, staged.stolen, staged.ended)
    assert calm, "a panel that is empty in the calm looks broken"
    assert theft
    if panel.theft is Theft.RISES:
        assert max(theft) > max(calm), panel.why
    if panel.theft is Theft.FALLS:
        assert min(theft) < min(calm), panel.why


def test_in_the_calm_nothing_is_red_and_after_the_theft_the_wall_is(staged: Staged) -> None:
    # The demo has one node of each chain, so nothing is agreed by a quorum: its checks are rightly UNVERIFIED.
    red = [
        p
        for p in PANELS.values()
        if p.colours == "findings" and p.red_above is None and p.title != "Checks not verified"
    ]
    assert len(red) > 8
    for panel in red:
        values = totals(staged, panel, staged.began, staged.stolen)
        assert set(values) == {0}, f"{panel.title} is red without a cause: {values}"
    wall = [panel for panel in DASHBOARDS[0].panels() if panel in red]
    assert sum(max(totals(staged, panel, staged.stolen, staged.ended)) > 0 for panel in wall) == 3
    marks = staged.over('ALERTS{alertstate="firing",category="outflow"}', staged.stolen, staged.ended)
    assert {one["metric"]["wallet"] for one in marks} == {"eth-cold"}
