"""Panels that more than one dashboard shows."""

from __future__ import annotations

from dataclasses import replace

from tools.dashboards.builder import Colours, Panel, Query, Theft

#: the ages from which PorwatchChainBlind, PorwatchCycleStale and PorwatchBooksStale fire
BLIND_SECONDS, CYCLE_SECONDS, BOOKS_SECONDS = 120, 300, 93_600

_FOLLOWED = 'porwatch_last_success_timestamp_seconds{stage="follow"}'

critical_cases = Panel(
    "stat",
    "Critical cases",
    "Open and acknowledged cases of severity critical. Each is something that a person must resolve.",
    "none",
    (Query('sum(max by (rule, severity, chain, tier) (porwatch_open_cases{severity="critical"}))'),),
    Theft.RISES,
    "the theft opens cases",
    colours=Colours.FINDINGS,
)
wallets_losing = Panel(
    "stat",
    "Unexplained outflows",
    "Pairs of wallet and asset from which something left that no approval explains, in open and acknowledged cases.",
    "none",
    (Query("sum(max by (chain, wallet, tier, asset) (porwatch_unexplained_outflow) > bool 0)"),),
    Theft.RISES,
    "the stolen wallet and assets are counted",
    colours=Colours.FINDINGS,
)
breaches = Panel(
    "stat",
    "Checks in breach",
    "Checks of active profiles whose verdict is BREACH. porwatch decides in exact numbers; this counts its verdicts.",
    "none",
    (Query("sum(max by (profile, check, asset) (porwatch_check_breached))"),),
    Theft.RISES,
    "less is held than owed after the theft",
    colours=Colours.FINDINGS,
)
unverified = Panel(
    "stat",
    "Checks not verified",
    "Checks that could not be determined. UNVERIFIED is never a pass.",
    "none",
    (Query("sum(max by (profile, check, asset) (porwatch_check_unverified))"),),
    Theft.STEADY,
    "nodes and books answer as before, so no check is determined less well",
    colours=Colours.FINDINGS,
)
blind_chains = Panel(
    "stat",
    "Chains not seen",
    "Chains that were not followed successfully for two minutes. An outflow there would not be noticed.",
    "none",
    (Query(f"sum(time() - max by (chain) ({_FOLLOWED}) > bool {BLIND_SECONDS})"),),
    Theft.STEADY,
    "the chains are followed during the theft too; a theft is not blindness",
    colours=Colours.FINDINGS,
)
verdicts = Panel(
    "stat",
    "Verdicts",
    "The verdict on each check of each active profile, as porwatch decided it. Operands and margins are in its API.",
    "none",
    (
        Query(
            "2 * max by (profile, check, asset) (porwatch_check_breached)"
            " + max by (profile, check, asset) (porwatch_check_unverified)",
            "{{profile}} {{check}} {{asset}}",
        ),
    ),
    Theft.RISES,
    "coverage turns from PASS (0) to BREACH (2)",
    width=24,
    height=5,
    colours=Colours.VERDICT,
    large=True,
)
coverage = Panel(
    "timeseries",
    "Coverage",
    "(held + in transit) / owed by asset, approximate. Whether it suffices is the verdict's business, not this line's.",
    "percentunit",
    (Query("max by (asset) (porwatch_coverage_ratio)", "{{asset}}"),),
    Theft.FALLS,
    "what was stolen is no longer held",
    width=12,
    height=9,
    decimals=2,
)
open_cases = Panel(
    "timeseries",
    "Open cases",
    "Open and acknowledged cases by severity.",
    "none",
    (Query("sum by (severity) (max by (rule, severity, chain, tier) (porwatch_open_cases))", "{{severity}}"),),
    Theft.RISES,
    "the theft opens cases",
    width=12,
    height=9,
    decimals=0,
    minimum=0,
    stepped=True,
    painted={"critical": "red", "warning": "yellow", "info": "blue"},
)
block_age = Panel(
    "timeseries",
    "Age of the newest block",
    "Age of the newest followed block, by the chain's own time. It grows between blocks; how long is normal depends on"
    " the chain.",
    "s",
    (Query("time() - max by (chain) (porwatch_block_timestamp_seconds)", "{{chain}}"),),
    Theft.STEADY,
    "blocks come as before",
    width=12,
    height=8,
    minimum=0,
)
stage_ages = Panel(
    "timeseries",
    "Age of each stage",
    "Time since each stage last did its whole work.",
    "s",
    (
        Query(
            "time() - max by (stage, chain) (porwatch_last_success_timestamp_seconds)",
            "{{stage}} {{chain}}",
        ),
    ),
    Theft.STEADY,
    "all stages go on",
    width=12,
    height=8,
    minimum=0,
    red_above=CYCLE_SECONDS,
)
alerts_firing = Panel(
    "table",
    "Alerts firing",
    "Firing alerts of Prometheus, the second path. PorwatchWatchdog fires always: without it, something is wrong.",
    "none",
    (
        Query(
            'count by (alertname, severity, chain, wallet, asset) (ALERTS{alertstate="firing",alertname=~"Porwatch.+"})'
        ),
    ),
    Theft.RISES,
    "alerts about the outflow join the watchdog",
    width=12,
    height=8,
    columns=("Alertname", "Severity", "Chain", "Wallet", "Asset", "Firing"),
)
books_age = Panel(
    "timeseries",
    "Age of the books",
    "How old each source of the books is: its own as-of time, or when it was last read whole. Checks that need one"
    " older than its max_age become UNVERIFIED; the dashed line is the default.",
    "s",
    (Query("time() - max by (source) (porwatch_books_timestamp_seconds > 0)", "{{source}}"),),
    Theft.STEADY,
    "the books are written as before",
    width=12,
    height=8,
    minimum=0,
    red_above=BOOKS_SECONDS,
)


def sized(panel: Panel, width: int, height: int, *, large: bool = False) -> Panel:
    """The same panel at another size."""
    return replace(panel, width=width, height=height, large=large or panel.large)
