"""The screen on the wall: whether anything is wrong, and whether we would know."""

from __future__ import annotations

from tools.dashboards import shared
from tools.dashboards.builder import Dashboard
from tools.dashboards.shared import sized

WALL = Dashboard(
    "porwatch-wall",
    "porwatch / Wall",
    "For a screen that everybody sees: what left unexplained, what is in breach, and whether porwatch sees at all.",
    (
        tuple(
            sized(panel, 6, 6, large=True)
            for panel in (shared.wallets_losing, shared.critical_cases, shared.breaches, shared.blind_chains)
        ),
        (sized(shared.verdicts, 24, 5),),
        (shared.coverage, shared.open_cases),
        (shared.block_age, shared.alerts_firing),
    ),
    since="now-3h",
)
