"""For compliance and a regulator's visit: the verdicts and their history. Figures that count are in the report."""

from __future__ import annotations

from tools.dashboards import shared
from tools.dashboards.builder import Colours, Dashboard, Panel, Query, Theft
from tools.dashboards.shared import sized

_held = Panel(
    "timeseries",
    "Held",
    "Final holdings of customer wallets by asset, in coins, approximate. House, guarantee and reserve do not count.",
    "short",
    (Query("max by (asset) (porwatch_holdings)", "{{asset}}"),),
    Theft.FALLS,
    "what was stolen is no longer held",
    {"asset": "USDT"},
    width=12,
    height=8,
    minimum=0,
)
_owed = Panel(
    "timeseries",
    "Owed",
    "Owed to customers by asset, in coins, as the books declare it; approximate.",
    "short",
    (Query("max by (asset) (porwatch_liabilities)", "{{asset}}"),),
    Theft.STEADY,
    "a theft does not change what is owed",
    width=12,
    height=8,
    minimum=0,
)
_verified = Panel(
    "timeseries",
    "Verified share of the holdings",
    "Share of the holdings that is proved or agreed by a quorum. Claimed and stated ones do not count.",
    "percentunit",
    (Query("max by (asset) (porwatch_holdings_verified_ratio)", "{{asset}}"),),
    Theft.STEADY,
    "what is left is known as well as before",
    width=12,
    height=9,
    minimum=0,
)
_sides = Panel(
    "timeseries",
    "Values and thresholds",
    "What each check compares, and with what; each in the unit of its own check, approximate. The verdict decides.",
    "short",
    (
        Query("max by (profile, check, asset) (porwatch_check_value)", "{{profile}} {{check}} {{asset}}"),
        Query("max by (profile, check, asset) (porwatch_check_threshold)", "threshold {{profile}} {{check}} {{asset}}"),
    ),
    Theft.FALLS,
    "the value of the coverage check follows the holdings",
    {"check": "coverage", "asset": "USDT"},
    width=12,
    height=9,
)
_history = Panel(
    "timeseries",
    "Breaches and unverified checks",
    "How many checks read BREACH and UNVERIFIED over time.",
    "none",
    (
        Query("sum(max by (profile, check, asset) (porwatch_check_breached))", "BREACH"),
        Query("sum(max by (profile, check, asset) (porwatch_check_unverified))", "UNVERIFIED"),
    ),
    Theft.RISES,
    "coverage is in breach after the theft",
    width=12,
    height=9,
    decimals=0,
    minimum=0,
    stepped=True,
    painted={"BREACH": "red", "UNVERIFIED": "yellow"},
)
_cycle_age = Panel(
    "stat",
    "Newest verdict, age",
    "Time since the last cycle ended in a verdict.",
    "s",
    (Query('time() - max(porwatch_last_success_timestamp_seconds{stage="cycle"})'),),
    Theft.STEADY,
    "cycles go on",
    decimals=0,
    colours=Colours.FINDINGS,
    red_above=shared.CYCLE_SECONDS,
)

REGULATOR = Dashboard(
    "porwatch-regulator",
    "porwatch / Coverage and checks",
    "Verdicts, coverage and holdings over time. A picture for the eye: the figures that count are in the report.",
    (
        tuple(sized(panel, 8, 4) for panel in (shared.breaches, shared.unverified, _cycle_age)),
        (shared.verdicts,),
        (shared.coverage, _history),
        (_held, _owed),
        (_sides, _verified),
        (sized(shared.books_age, 24, 7),),
    ),
    since="now-30d",
    refresh="1m",
)
