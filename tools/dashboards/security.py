"""For the security team: what left, from where, why it counts, and whether the watch itself is sound."""

from __future__ import annotations

from tools.dashboards import shared
from tools.dashboards.builder import Colours, Dashboard, Panel, Query, Theft
from tools.dashboards.shared import sized

_warnings = Panel(
    "stat",
    "Warnings",
    "Open and acknowledged cases of severity warning.",
    "none",
    (Query('sum(max by (rule, severity, chain, tier) (porwatch_open_cases{severity="warning"}))'),),
    Theft.STEADY,
    "a theft is critical, not a warning",
    colours=Colours.FINDINGS,
)
_approvals_age = Panel(
    "stat",
    "Approvals, age",
    "How long ago the approvals source was last read whole. Without it every withdrawal looks like a theft.",
    "s",
    (Query('time() - max(porwatch_books_timestamp_seconds{source="approvals"})'),),
    Theft.STEADY,
    "the approvals go on",
    decimals=0,
)
_waiting = Panel(
    "stat",
    "Alerts waiting",
    "Alerts that a receiver has not taken yet. Nothing is lost, but nobody has heard of them on the first path.",
    "none",
    (Query("sum(max by (receiver) (porwatch_outbox_pending))"),),
    Theft.STEADY,
    "the receiver takes every alert at once",
    colours=Colours.FINDINGS,
)
_left = Panel(
    "table",
    "What left without an approval",
    "Coins in open and acknowledged cases of unexplained outflow, fees excluded, approximate. Every wallet and asset"
    " has its line, so that none is missing unnoticed. Exact amounts, destinations and transactions are in the case.",
    "none",
    (Query("max by (chain, wallet, tier, asset) (porwatch_unexplained_outflow)"),),
    Theft.RISES,
    "the stolen coins appear",
    {"wallet": "eth-cold"},
    width=12,
    height=10,
    colours=Colours.FINDINGS,
    columns=("Chain", "Wallet", "Tier", "Asset", "Coins"),
)
_by_rule = Panel(
    "table",
    "Cases by rule",
    "Open and acknowledged cases under the rule that opened each. Every rule of this version has its line.",
    "none",
    (Query("sum by (rule, severity) (max by (rule, severity, chain, tier) (porwatch_open_cases))"),),
    Theft.RISES,
    "the theft opens cases of unexplained outflow",
    {"rule": "unexplained_outflow"},
    width=12,
    height=10,
    colours=Colours.FINDINGS,
    columns=("Rule", "Severity", "Cases"),
)
_reasons = Panel(
    "timeseries",
    "Parts of outflows by reason",
    "Destinations, own wallets and fees of outgoing transactions, by the reason that explains each; counted when first"
    " seen. Unexplained is the reason that has none.",
    "none",
    (
        Query(
            'sum by (reason) (increase(porwatch_movements_total{direction="out"}[$__rate_interval]))',
            "{{reason}}",
        ),
    ),
    Theft.RISES,
    "the stolen parts have no reason",
    {"reason": "unexplained"},
    width=12,
    height=9,
    minimum=0,
    stacked=True,
    painted={
        "unexplained": "red",
        "not_attributed": "orange",
        "approved": "green",
        "fee": "blue",
        "internal": "purple",
    },
)
_balances = Panel(
    "timeseries",
    "Balances by wallet",
    "Coins at the final block, approximate. A theft shows here only once its block is final; cases come before that.",
    "short",
    (Query("max by (chain, wallet, asset) (porwatch_wallet_balance)", "{{wallet}} {{asset}}"),),
    Theft.FALLS,
    "the drained wallet is empty",
    {"wallet": "eth-cold"},
    width=12,
    height=9,
    stepped=True,
)
_detection = Panel(
    "bargauge",
    "From the head to the case",
    "Cases of the time shown that were committed within so many seconds of the first notice of their block.",
    "none",
    (
        Query(
            'sum by (le) (increase(porwatch_detection_seconds_bucket{le=~"0.25|0.5|1.0|2.5|5.0|60.0"}[$__range]))',
            "within {{le}} s",
        ),
    ),
    Theft.RISES,
    "the cases of the theft were timed",
    width=8,
    height=8,
    decimals=0,
    minimum=0,
)
_gaps = Panel(
    "timeseries",
    "Residuals and sequence gaps",
    "Open cases of wallets whose balance or counter is not what the blocks give: something moved that no block showed.",
    "none",
    (
        Query("sum(max by (chain, wallet) (porwatch_residual_open))", "residuals"),
        Query("sum(max by (chain, wallet) (porwatch_sequence_gap_open))", "sequence gaps"),
    ),
    Theft.STEADY,
    "the theft is seen whole, so balances and counters agree with the blocks",
    width=8,
    height=8,
    decimals=0,
    minimum=0,
    stepped=True,
)
_lies = Panel(
    "timeseries",
    "False answers of endpoints",
    "Answers that were proved false, and endpoints that are not asked any more.",
    "none",
    (
        Query(
            "sum by (chain, rpc_endpoint) (increase(porwatch_endpoint_disagreements_total[$__rate_interval]))",
            "{{chain}} {{rpc_endpoint}}",
        ),
        Query("sum(max by (chain, rpc_endpoint) (porwatch_endpoint_quarantined))", "quarantined"),
    ),
    Theft.STEADY,
    "the endpoints tell the truth",
    width=8,
    height=8,
    decimals=0,
    minimum=0,
)

SECURITY = Dashboard(
    "porwatch-security",
    "porwatch / Security",
    "What left and is not explained, from which wallets, by which rules, how fast it was seen, what could hide more.",
    (
        tuple(
            sized(panel, 4, 4)
            for panel in (
                shared.critical_cases,
                _warnings,
                shared.wallets_losing,
                shared.blind_chains,
                _approvals_age,
                _waiting,
            )
        ),
        (_left, _by_rule),
        (_reasons, _balances),
        (_detection, _gaps, _lies),
    ),
)
