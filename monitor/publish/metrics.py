"""The metrics: one rendering of the newest snapshot. A scrape asks neither a node nor the ledger."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from operator import truediv
from typing import TypeVar

from monitor.health import DETECTION_BUCKETS, REORG_BUCKETS
from monitor.ledger.encode import Json
from monitor.model import Direction, Reason
from monitor.publish.exposition import OPENMETRICS, TEXT, Family, Kind, Renderer, wants_openmetrics
from monitor.publish.rules import RULES, Extent, Rule
from monitor.publish.scope import Scope
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


class Metrics:
    """Answers scrapes from ``snapshots.latest``; several threads may ask."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._renderer = Renderer()
        self._places: Places | None = None
        self._one = threading.Lock()

    def answer(self, accept: str) -> tuple[bytes, str]:
        """Body and content type for a client with this Accept header."""
        openmetrics = wants_openmetrics(accept)
        snapshot = self._snapshots.latest
        with self._one:
            if self._places is None or not self._places.fit(snapshot):
                self._places = Places.of(snapshot)
            body = self._renderer.render(families(snapshot, self._places), openmetrics=openmetrics)
        return body, OPENMETRICS if openmetrics else TEXT


@dataclass(frozen=True, slots=True)
class Places:
    """What is the same in every snapshot of one configuration: the label sets of each wallet and asset. They are most
    of all series, so they are made once and not for each scrape.

    ``holdings``: (chain, wallet, asset) with the labels of its balance and the base units of a coin, of opened chains.
    ``outflows``: the labels of what may be unexplained, with their position.
    """

    scope: Scope
    opened: frozenset[str]
    holdings: tuple[tuple[str, str, str], ...]
    balances: tuple[tuple[str, str, str, str, str], ...]
    coin: tuple[int, ...]
    outflows: dict[tuple[str, str, str, str], int]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Places:
        """Those of a snapshot."""
        scope, opened = snapshot.scope, frozenset(snapshot.cursors)
        each = [(wallet, asset) for wallet in scope.wallets for asset in scope.assets.get(wallet.chain, ())]
        held = [(wallet, asset) for wallet, asset in each if wallet.chain in opened]
        outflows = [(wallet.chain, wallet.name, wallet.tier.value, asset) for wallet, asset in each]
        return cls(
            scope=scope,
            opened=opened,
            holdings=tuple((wallet.chain, wallet.name, asset) for wallet, asset in held),
            balances=tuple((w.chain, w.name, w.tier.value, w.owner.value, asset) for w, asset in held),
            coin=tuple(int(10 ** scope.decimals[asset]) for _, asset in held),
            outflows={labels: index for index, labels in enumerate(outflows)},
        )

    def fit(self, snapshot: Snapshot) -> bool:
        """Whether they are those of this snapshot too."""
        return self.scope is snapshot.scope and self.opened == snapshot.cursors.keys()


def families(snapshot: Snapshot, places: Places | None = None) -> Iterator[Family]:
    """Every metric family of one snapshot; ``places`` that fit it spare making them."""
    build = {"version": snapshot.scope.version, "python": platform.python_version()}
    text, loaded = "Version of porwatch and of Python.", snapshot.vitals.loaded
    yield Family("porwatch_build", text, Kind.INFO, tuple(build), (tuple(build.values()),), (1,))
    yield _gauge(
        "porwatch_config_last_reload_successful",
        "1: the running configuration is the one that was read last.",
        (),
        {(): 1 if loaded is None else int(not loaded.refused)},
    )
    yield _gauge(
        "porwatch_config_last_reload_success_timestamp_seconds",
        "When the running configuration was taken over.",
        (),
        {} if loaded is None else {(): _seconds(loaded.at)},
    )
    yield _gauge(
        "porwatch_journal_tampered",
        "1: the journal was found to be another one than was written, and no tree head is signed.",
        (),
        {(): int("journal/" in snapshot.vitals.problems)},
    )
    yield _gauge("porwatch_shadow", "1: a shadow lasts, cases are told to nobody.", (), {(): int(snapshot.is_silent)})
    yield from _web(snapshot)
    yield from _chains(snapshot)
    yield from _amounts(snapshot, places or Places.of(snapshot))
    yield from _cases(snapshot)
    yield from _checks(snapshot.verdict)
    yield from _process(snapshot)
    yield from _surroundings(snapshot)


def _web(snapshot: Snapshot) -> Iterator[Family]:
    vitals = snapshot.vitals
    yield _gauge(
        "porwatch_web_config_last_reload_successful",
        "1: the web configuration that is served is the one that was read last.",
        (),
        {(): int(vitals.web_read)},
    )
    expires = vitals.certificate_expires
    yield _gauge(
        "porwatch_web_certificate_expiry_timestamp_seconds",
        "When the first certificate of the chain that is served expires; absent without TLS.",
        (),
        {} if expires is None else {(): _seconds(expires)},
    )


def _chains(snapshot: Snapshot) -> Iterator[Family]:
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


def _amounts(snapshot: Snapshot, places: Places) -> Iterator[Family]:
    # Division of two ints is rounded once, correctly.
    units = map(snapshot.final.get, places.holdings, repeat(0))
    yield Family(
        "porwatch_wallet_balance",
        "Coins recorded at the final block. Approximate (a float) and cached: exact figures are in the API.",
        Kind.GAUGE,
        ("chain", "wallet", "tier", "owner", "asset"),
        places.balances,
        tuple(map(truediv, units, places.coin)),
    )
    keys, values = list(places.outflows), [0.0] * len(places.outflows)
    for key, lost in snapshot.unexplained.items():
        if key[3] not in snapshot.scope.decimals:
            continue
        coins = lost / int(10 ** snapshot.scope.decimals[key[3]])
        if key in places.outflows:
            values[places.outflows[key]] = coins
        else:
            # A wallet that is no longer configured: its case is open all the same.
            keys.append(key)
            values.append(coins)
    yield Family(
        "porwatch_unexplained_outflow",
        "Coins in open and acknowledged cases of unexplained outflow, fees excluded. Approximate (a float).",
        Kind.GAUGE,
        ("chain", "wallet", "tier", "asset"),
        keys,
        values,
    )


def _cases(snapshot: Snapshot) -> Iterator[Family]:
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


def _checks(verdict: Json | None) -> Iterator[Family]:
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


def _process(snapshot: Snapshot) -> Iterator[Family]:
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
        {(chain,): vitals.detection.get(chain, _empty(DETECTION_BUCKETS)) for chain in vitals.chains},
    )
    yield _histogram(
        "porwatch_reorg_depth_blocks",
        "Blocks that a reorganisation replaced.",
        ("chain",),
        {(chain,): vitals.reorg_depth.get(chain, _empty(REORG_BUCKETS)) for chain in vitals.chains},
    )


def _surroundings(snapshot: Snapshot) -> Iterator[Family]:
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


def _empty(bounds: tuple[float, ...]) -> Counts:
    """A histogram that has counted nothing: its first case must not be the first sight of its series."""
    return Counts(bounds, (0,) * (len(bounds) + 1), 0.0)


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> Family:
    return Family(name, text, Kind.GAUGE, labels, tuple(values), tuple(values.values()))


def _counter(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, float]) -> Family:
    return Family(name, text, Kind.COUNTER, labels, tuple(values), tuple(values.values()))


def _histogram(name: str, text: str, labels: tuple[str, ...], values: Mapping[Labels, Counts]) -> Family:
    return Family(name, text, Kind.HISTOGRAM, labels, tuple(values), tuple(values.values()))
