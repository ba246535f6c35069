"""The metrics: one collector over the newest snapshot. A scrape asks neither a node nor the ledger."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from monitor.ledger.encode import Json
from monitor.model import Direction, Reason
from monitor.publish.rules import RULES, Extent, Rule
from monitor.publish.snapshot import Counts, Snapshot, Snapshots

STAGES = ("follow", "cycle", "prove", "books", "deliver")

#: what may move an asset in and out; those of the second pair concern the native asset only
_MOVES = (
    (Direction.IN, (Reason.DEPOSIT, Reason.CHANGE, Reason.INTERNAL, Reason.WRAP, Reason.UNEXPLAINED)),
    (
        Direction.OUT,
        (Reason.APPROVED, Reason.CHANGE, Reason.INTERNAL, Reason.WRAP, Reason.NOT_ATTRIBUTED, Reason.UNEXPLAINED),
    ),
)
_NATIVE_MOVES = ((Direction.IN, (Reason.REWARD, Reason.WITHDRAWAL)), (Direction.OUT, (Reason.FEE,)))

#: label values, in the order of the label names
Labels = TypeVar("Labels", bound=tuple[str, ...])


def metrics_registry(snapshots: Snapshots) -> CollectorRegistry:
    """A registry of porwatch's metrics alone; it refuses a second metric of the same name."""
    registry = CollectorRegistry(auto_describe=True)
    registry.register(SnapshotCollector(snapshots))
    return registry


class SnapshotCollector(Collector):
    """Renders ``snapshots.latest``."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        yield from families(self._snapshots.latest)


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """Every metric family of one snapshot."""
    yield InfoMetricFamily(
        "porwatch_build",
        "Version of porwatch and of Python.",
        value={"version": snapshot.scope.version, "python": platform.python_version()},
    )
    yield _gauge(
        "porwatch_config_last_reload_successful",
        "1: the running configuration is the one that was read last.",
        (),
        {(): 1},
    )
    yield from _chains(snapshot)
    yield from _amounts(snapshot)
    yield from _cases(snapshot)
    yield from _checks(snapshot.verdict)
    yield from _process(snapshot)
    yield from _surroundings(snapshot)


def _chains(snapshot: Snapshot) -> Iterator[Metric]:
    cursors = snapshot.cursors
    for name, text, values in (
        ("head_height", "Newest block that a node has shown.", snapshot.vitals.heads),
        ("cursor_height", "Newest block that was followed.", {c: cursor.at.height for c, cursor in cursors.items()}),
        ("final_height", "Newest final block.", {c: cursor.final_height for c, cursor in cursors.items()}),
        (
            "block_timestamp_seconds",
            "Time of the newest followed block, as the chain states it.",
            {c: cursor.at.time for c, cursor in cursors.items()},
        ),
    ):
        yield _gauge(f"porwatch_{name}", text, ("chain",), {(chain,): value for chain, value in values.items()})
    yield _gauge(
        "porwatch_last_success_timestamp_seconds",
        "When a stage last did its whole work.",
        ("stage", "chain"),
        {key: _seconds(at) for key, at in snapshot.vitals.last_success.items() if key[0] in STAGES},
    )


def _amounts(snapshot: Snapshot) -> Iterator[Metric]:
    scope = snapshot.scope
    balances: dict[tuple[str, str, str, str, str], float] = {}
    unexplained: dict[tuple[str, str, str, str], float] = {}
    for wallet in scope.wallets:
        for asset in scope.assets.get(wallet.chain, ()):
            unexplained[wallet.chain, wallet.name, wallet.tier.value, asset] = 0.0
            if wallet.chain in snapshot.cursors:
                units = snapshot.final.get((wallet.chain, wallet.name, asset), 0)
                labels = (wallet.chain, wallet.name, wallet.tier.value, wallet.owner.value, asset)
                balances[labels] = _coins(snapshot, asset, units)
    for key, units in snapshot.unexplained.items():
        if key[3] in scope.decimals:
            unexplained[key] = _coins(snapshot, key[3], units)
    yield _gauge(
        "porwatch_wallet_balance",
        "Coins recorded at the final block. Approximate (a float) and cached: exact figures are in the API.",
        ("chain", "wallet", "tier", "owner", "asset"),
        balances,
    )
    yield _gauge(
        "porwatch_unexplained_outflow",
        "Coins in open and acknowledged cases of unexplained outflow, fees excluded. Approximate (a float).",
        ("chain", "wallet", "tier", "asset"),
        unexplained,
    )


def _coins(snapshot: Snapshot, asset: str, units: int) -> float:
    # Division of two ints is rounded once, correctly.
    return units / int(10 ** snapshot.scope.decimals[asset])


def _cases(snapshot: Snapshot) -> Iterator[Metric]:
    open_cases: dict[tuple[str, str, str, str], float] = {
        (name, severity.value, chain, tier): 0
        for name, rule in RULES.items()
        for severity in rule.severities
        for chain, tier in _places(rule, snapshot.scope.assets)
    }
    yield _gauge(
        "porwatch_open_cases",
        "Open and acknowledged cases, each once, under the rule that opened it.",
        ("rule", "severity", "chain", "tier"),
        {**open_cases, **snapshot.cases},
    )
    wallets: dict[tuple[str, str], float] = {(wallet.chain, wallet.name): 0 for wallet in snapshot.scope.wallets}
    for name, text, values in (
        ("residual", "a balance that the movements do not give", snapshot.residuals),
        ("sequence_gap", "a counter of the chain that what was seen does not give", snapshot.gaps),
    ):
        yield _gauge(
            f"porwatch_{name}_open",
            f"Open and acknowledged cases of {text}.",
            ("chain", "wallet"),
            {**wallets, **values},
        )


def _places(rule: Rule, chains: Iterable[str]) -> list[tuple[str, str]]:
    """The (chain, tier) pairs that cases of a rule can have."""
    if rule.extent is Extent.WALLET:
        return [(chain, tier.value) for chain in chains for tier in rule.tiers]
    return [(chain, "") for chain in chains] if rule.extent is Extent.CHAIN else [("", "")]


def _checks(verdict: Json | None) -> Iterator[Metric]:
    """Holdings and checks of the newest verdict; what is unknown there has no sample here."""
    positions = [] if verdict is None else verdict["positions"]
    for name, text, key in (
        ("holdings", "Customer coins held at the final anchor, approximate.", "held"),
        ("liabilities", "Coins owed to customers, approximate.", "owed"),
        ("coverage_ratio", "(held + in transit) / owed, approximate: the verdict decides.", "coverage"),
        ("holdings_verified_ratio", "Share of the holdings that is proved or agreed.", "verified_ratio"),
    ):
        values = {(p["asset"],): float(p[key]) for p in positions if p[key] is not None}
        yield _gauge(f"porwatch_{name}", text, ("asset",), values)
    checks = [] if verdict is None else verdict["checks"]
    labelled = [((c["profile"], c["id"], c["asset"] or ""), c) for c in checks]
    names = ("profile", "check", "asset")
    for key, text in (("value", "What a check compares."), ("threshold", "What a check compares with.")):
        sides = {labels: float(c[key]) for labels, c in labelled if c[key] is not None}
        yield _gauge(f"porwatch_check_{key}", f"{text} Approximate: the verdict decides.", names, sides)
    for name, outcome in (("breached", "BREACH"), ("unverified", "UNVERIFIED")):
        flags = {labels: float(c["verdict"] == outcome) for labels, c in labelled}
        yield _gauge(f"porwatch_check_{name}", f"1 where a check's verdict is {outcome}.", names, flags)


def _process(snapshot: Snapshot) -> Iterator[Metric]:
    vitals = snapshot.vitals
    moves: dict[tuple[str, str, str, str], float] = {}
    for chain, assets in snapshot.scope.assets.items():
        for position, asset in enumerate(assets):
            for direction, reasons in (*_MOVES, *(_NATIVE_MOVES if position == 0 else ())):
                moves.update({(chain, asset, direction.value, reason.value): 0 for reason in reasons})
    yield _counter(
        "porwatch_movements",
        "Deposits and parts of outflows, counted when first seen since the start of the process, never taken back.",
        ("chain", "asset", "direction", "reason"),
        {**moves, **vitals.movements},
    )
    names = ("chain", "rpc_endpoint", "outcome")
    endpoints = {(chain, name): 0 for chain, named in snapshot.scope.endpoints.items() for name in named}
    yield _counter(
        "porwatch_endpoint_disagreements",
        "Answers of an endpoint that were proved false, since the start of the process.",
        ("chain", "rpc_endpoint"),
        {**endpoints, **vitals.disagreements},
    )
    quarantined = {(chain, name): 1 for chain, named in vitals.quarantined.items() for name in named}
    yield _gauge(
        "porwatch_endpoint_quarantined",
        "1: the endpoint is not asked any more.",
        ("chain", "rpc_endpoint"),
        {**endpoints, **quarantined},
    )
    yield _counter("porwatch_rpc_requests", "Requests to endpoints.", names, vitals.rpc)
    yield _histogram("porwatch_rpc_seconds", "Time of requests to endpoints.", names, vitals.rpc_seconds)
    yield _histogram(
        "porwatch_detection_seconds",
        "From the first notice of a new head to the commit of the case found in it.",
        ("chain",),
        {(chain,): counts for chain, counts in vitals.detection.items()},
    )
    yield _histogram(
        "porwatch_reorg_depth_blocks",
        "Blocks that a reorganisation replaced.",
        ("chain",),
        {(chain,): counts for chain, counts in vitals.reorg_depth.items()},
    )


def _surroundings(snapshot: Snapshot) -> Iterator[Metric]:
    """What comes in from the books and waits to go out to the receivers: configured ones only."""
    pending = {name: snapshot.outbox.get(name) for name in snapshot.scope.receivers}
    yield _gauge(
        "porwatch_outbox_pending",
        "Alerts that a receiver has not taken yet.",
        ("receiver",),
        {(name,): 0 if p is None else p.count for name, p in pending.items()},
    )
    yield _gauge(
        "porwatch_outbox_oldest_timestamp_seconds",
        "When the oldest alert was written that a receiver has not taken yet; 0 where there is none.",
        ("receiver",),
        {(name,): 0 if p is None or p.oldest is None else _seconds(p.oldest) for name, p in pending.items()},
    )
    feeds = {source: snapshot.feeds.get(source) for source in snapshot.scope.sources}
    for name, text in (("records", "Records read"), ("malformed", "Records refused as malformed")):
        yield _counter(
            f"porwatch_books_{name}",
            f"{text} from a source of the books.",
            ("source",),
            {(source,): 0 if feed is None else getattr(feed, name) for source, feed in feeds.items()},
        )
    yield _gauge(
        "porwatch_books_timestamp_seconds",
        "How recent a source of the books is: its as-of time, or when it was last read whole; 0 where it never was.",
        ("source",),
        {(source,): 0 if feed is None else _seconds(feed.read_at) for source, feed in feeds.items()},
    )


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, Counts]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for key, counts in values.items():
        bounds = (*(str(bound) for bound in counts.bounds), "+Inf")
        family.add_metric(key, list(zip(bounds, accumulate(counts.counts), strict=True)), counts.sum)
    return family
