"""For those who keep it running: ages, lags, endpoints, books, delivery."""

from __future__ import annotations

from tools.dashboards import shared
from tools.dashboards.builder import Colours, Dashboard, Panel, Query, Theft
from tools.dashboards.shared import sized

_GOES_ON = "work goes on as before"
_TRUE = "the nodes are as before"

_up = Panel(
    "stat",
    "Scraped",
    "Whether Prometheus reaches porwatch.",
    "none",
    (Query("min(up)"),),
    Theft.STEADY,
    _GOES_ON,
    colours=Colours.FLAG,
)
_reloaded = Panel(
    "stat",
    "Configuration in force",
    "yes: the running configuration is the one that was read last. NO: the last reload was refused.",
    "none",
    (Query("min(porwatch_config_last_reload_successful)"),),
    Theft.STEADY,
    "nobody reloads it",
    colours=Colours.FLAG,
)
_versions = Panel(
    "stat",
    "Version",
    "Version of porwatch and of Python.",
    "none",
    (Query("count by (version, python) (porwatch_build_info)", "{{version}} on Python {{python}}"),),
    Theft.STEADY,
    _GOES_ON,
)
_scrape = Panel(
    "stat",
    "Scrape, duration",
    "How long the last scrape took.",
    "s",
    (Query("max(scrape_duration_seconds)"),),
    Theft.STEADY,
    "a scrape costs the same",
    decimals=3,
)
_series = Panel(
    "stat",
    "Series",
    "Series of the last scrape. They follow the configuration, not the traffic.",
    "locale",
    (Query("max(scrape_samples_scraped)"),),
    Theft.STEADY,
    "label sets exist from the start, so that a case adds none",
)
_lag = Panel(
    "timeseries",
    "Blocks behind",
    "Blocks that the nodes have and the ledger does not yet, and blocks of the ledger that are not final.",
    "none",
    (
        Query(
            "max by (chain) (porwatch_head_height) - max by (chain) (porwatch_cursor_height)", "{{chain}} not followed"
        ),
        Query(
            "max by (chain) (porwatch_cursor_height) - max by (chain) (porwatch_final_height)", "{{chain}} not final"
        ),
    ),
    Theft.STEADY,
    "blocks come and become final as before",
    width=12,
    height=8,
    decimals=0,
    minimum=0,
)
_heights = Panel(
    "timeseries",
    "Heights",
    "Newest followed block of each chain.",
    "locale",
    (Query("max by (chain) (porwatch_cursor_height)", "{{chain}}"),),
    Theft.STEADY,
    "heights rise with or without a theft",
    width=12,
    height=8,
    stepped=True,
)
_requests = Panel(
    "timeseries",
    "Requests to endpoints",
    "Requests by endpoint and outcome.",
    "reqps",
    (
        Query(
            "sum by (chain, rpc_endpoint, outcome) (rate(porwatch_rpc_requests_total[$__rate_interval]))",
            "{{chain}} {{rpc_endpoint}} {{outcome}}",
        ),
    ),
    Theft.STEADY,
    _TRUE,
    width=12,
    height=8,
    minimum=0,
)
_latency = Panel(
    "timeseries",
    "Time of requests, 95th percentile",
    "Ninety-five of a hundred requests take at most so long.",
    "s",
    (
        Query(
            "histogram_quantile(0.95, sum by (le, chain, rpc_endpoint)"
            " (rate(porwatch_rpc_seconds_bucket[$__rate_interval])))",
            "{{chain}} {{rpc_endpoint}}",
        ),
    ),
    Theft.STEADY,
    _TRUE,
    width=12,
    height=8,
    minimum=0,
)
_quarantined = Panel(
    "timeseries",
    "Endpoints in quarantine",
    "1: the endpoint gave a provably false answer, or is of another chain, and is not asked any more.",
    "none",
    (Query("max by (chain, rpc_endpoint) (porwatch_endpoint_quarantined)", "{{chain}} {{rpc_endpoint}}"),),
    Theft.STEADY,
    _TRUE,
    width=8,
    height=8,
    decimals=0,
    minimum=0,
    stepped=True,
)
_reorgs = Panel(
    "bargauge",
    "Reorganisations by depth",
    "Reorganisations of the time shown that replaced at most so many blocks.",
    "none",
    (
        Query(
            'sum by (le) (increase(porwatch_reorg_depth_blocks_bucket{le=~"1.0|2.0|3.0|6.0|64.0"}[$__range]))',
            "up to {{le}}",
        ),
    ),
    Theft.STEADY,
    "the chains of the demo do not reorganise",
    width=8,
    height=8,
    decimals=0,
    minimum=0,
)
_movements = Panel(
    "timeseries",
    "Movements",
    "Deposits and parts of outflows, counted when first seen.",
    "none",
    (
        Query(
            "sum by (chain, direction) (increase(porwatch_movements_total[$__rate_interval]))",
            "{{chain}} {{direction}}",
        ),
    ),
    Theft.STEADY,
    "the theft is two movements among many",
    width=8,
    height=8,
    minimum=0,
)
_records = Panel(
    "timeseries",
    "Records read and refused",
    "Records of the books that were taken over, and those that were malformed.",
    "none",
    (
        Query("sum by (source) (increase(porwatch_books_records_total[$__rate_interval]))", "{{source}}"),
        Query("sum by (source) (increase(porwatch_books_malformed_total[$__rate_interval]))", "{{source}} refused"),
    ),
    Theft.STEADY,
    "the books are written as before",
    width=12,
    height=8,
    minimum=0,
)
_pending = Panel(
    "timeseries",
    "Alerts waiting",
    "Alerts that a receiver has not taken yet.",
    "none",
    (Query("max by (receiver) (porwatch_outbox_pending)", "{{receiver}}"),),
    Theft.STEADY,
    "the receiver takes every alert at once",
    width=12,
    height=8,
    decimals=0,
    minimum=0,
    stepped=True,
)
_oldest = Panel(
    "timeseries",
    "Oldest waiting alert, age",
    "How long the oldest alert waits that a receiver has not taken; 0 where none waits.",
    "s",
    (
        Query(
            "max by (receiver) ((time() - porwatch_outbox_oldest_timestamp_seconds)"
            " * (porwatch_outbox_oldest_timestamp_seconds > bool 0))",
            "{{receiver}}",
        ),
    ),
    Theft.STEADY,
    "the receiver takes every alert at once",
    width=12,
    height=8,
    minimum=0,
    red_above=300,
)

OPERATIONS = Dashboard(
    "porwatch-operations",
    "porwatch / Operations",
    "Whether porwatch keeps up: ages and lags, endpoints, books, delivery.",
    (
        (
            *(sized(panel, 4, 4) for panel in (_up, shared.blind_chains, _reloaded)),
            sized(_versions, 6, 4),
            *(sized(panel, 3, 4) for panel in (_scrape, _series)),
        ),
        (shared.stage_ages, shared.block_age),
        (_lag, _heights),
        (_requests, _latency),
        (_quarantined, _reorgs, _movements),
        (shared.books_age, _records),
        (_pending, _oldest),
        (sized(shared.alerts_firing, 24, 8),),
    ),
)
