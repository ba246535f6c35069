"""Everything that is published about the present, at one moment: one ledger transaction and a copy of the health.

Only tables of totals are read, so its cost does not grow with the number of watched addresses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from monitor.health import Health, Histogram, Loaded
from monitor.ledger import occasions, reader
from monitor.ledger.encode import Json
from monitor.ledger.reader import Cursor, Pending
from monitor.ledger.store import FeedState, Ledger
from monitor.model import CaseState
from monitor.publish.deliver import utc_now
from monitor.publish.scope import Scope

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Counts:
    """A histogram at one moment: counts per bucket, the last one unbounded."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Vitals:
    """A copy of the health (see monitor.health)."""

    started_at: datetime
    chains: tuple[str, ...]
    ready: bool
    last_success: Mapping[tuple[str, str], datetime]
    heads: Mapping[str, int]
    identified: Mapping[str, bool]
    following: Mapping[str, bool]
    problems: Mapping[str, str]
    movements: Mapping[tuple[str, str, str, str], int]
    rpc: Mapping[tuple[str, str, str], int]
    rpc_seconds: Mapping[tuple[str, str, str], Counts]
    disagreements: Mapping[tuple[str, str], int]
    quarantined: Mapping[str, tuple[str, ...]]
    limits: Mapping[str, tuple[str, ...]]
    detection: Mapping[str, Counts]
    reorg_depth: Mapping[str, Counts]
    web_read: bool
    certificate_expires: datetime | None
    loaded: Loaded | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``seen`` and ``final``: units by (chain, wallet, asset) after the cursor and after the newest final block
    (the cursor, while that is lower). ``cases``: open and acknowledged ones by (rule, severity, chain,
    tier). ``unexplained``: units of open and acknowledged cases by (chain, wallet, tier, asset).
    ``residuals`` and ``gaps``: such cases by (chain, wallet). ``verdict``: the newest one as journalled, or None.
    ``shadow``: its newest record, or None.
    """

    at: datetime
    scope: Scope
    vitals: Vitals
    cursors: Mapping[str, Cursor]
    seen: Mapping[tuple[str, str, str], int]
    final: Mapping[tuple[str, str, str], int]
    states: Mapping[CaseState, int]
    cases: Mapping[tuple[str, str, str, str], int]
    unexplained: Mapping[tuple[str, str, str, str], int]
    residuals: Mapping[tuple[str, str], int]
    gaps: Mapping[tuple[str, str], int]
    outbox: Mapping[str, Pending]
    feeds: Mapping[str, FeedState]
    verdict: Json | None
    shadow: Json | None = None

    @property
    def is_silent(self) -> bool:
        """Whether a shadow lasts: cases are told to nobody."""
        return self.shadow is not None and self.shadow["state"] == "begun"


def take_snapshot(ledger: Ledger, health: Health, scope: Scope, now: datetime) -> Snapshot:
    """A snapshot; reads the ledger, so not to be called on the event loop."""
    vitals = _vitals(health)
    with ledger.read() as connection:
        cursors = reader.cursors(connection)
        unexplained, residuals, gaps = _sums(connection)
        return Snapshot(
            at=now,
            scope=scope,
            vitals=vitals,
            cursors=cursors,
            seen=reader.totals(connection),
            final={
                (chain, wallet, asset): units
                for chain, cursor in cursors.items()
                for (wallet, asset), units in reader.totals_at(connection, chain, cursor.final_height).items()
            },
            states=reader.state_counts(connection),
            cases=reader.open_counts(connection),
            unexplained=unexplained,
            residuals=residuals,
            gaps=gaps,
            outbox=reader.pending_messages(connection),
            feeds=reader.feeds(connection),
            verdict=reader.latest_verdict(connection),
            shadow=occasions.newest_shadow(connection),
        )


class Snapshots:
    """The newest snapshot, replaced whole. The first one is taken at once: an empty one would show false zeros."""

    def __init__(self, ledger: Ledger, health: Health, scope: Scope, clock: Callable[[], datetime] = utc_now) -> None:
        self._ledger = ledger
        self._health = health
        self._scope = scope
        self._clock = clock
        self.latest = take_snapshot(ledger, health, scope, clock())

    def rescope(self, scope: Scope) -> None:
        """Publish what another configuration names, from the next snapshot on."""
        self._scope = scope

    async def refresh(self) -> None:
        """Take a snapshot in a thread."""
        self.latest = await asyncio.to_thread(take_snapshot, self._ledger, self._health, self._scope, self._clock())

    async def run(self, every: float = 1.0) -> None:
        """Refresh until cancelled, with at most a fifth of the time spent on it.

        While the ledger cannot be read, the last snapshot stays and its times grow old.
        """
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - one failed read must not end the publishing of all later ones
                self._health.problem("publish", "", f"the ledger cannot be read: {type(error).__name__}: {error}")
            else:
                self._health.problems.pop("publish/", None)
            await asyncio.sleep(max(every, 4 * (loop.time() - started)))


def _sums(
    connection: Connection,
) -> tuple[dict[tuple[str, str, str, str], int], dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """What the unresolved cases add up to; summed here, exactly, because SQL would not be exact."""
    unexplained: dict[tuple[str, str, str, str], int] = {}
    counted: dict[str, dict[tuple[str, str], int]] = {"residual": {}, "sequence_gap": {}}
    for case in reader.cases(connection, states=reader.UNRESOLVED):
        if case.chain is None or case.wallet is None:
            continue
        if "unexplained_outflow" in case.rules and case.asset is not None and case.units is not None:
            key = (case.chain, case.wallet, case.tier.value if case.tier else "", case.asset)
            unexplained[key] = unexplained.get(key, 0) + case.units
        for rule, counts in counted.items():
            if rule in case.rules:
                counts[case.chain, case.wallet] = counts.get((case.chain, case.wallet), 0) + 1
    return unexplained, counted["residual"], counted["sequence_gap"]


def _vitals(health: Health) -> Vitals:
    return Vitals(
        started_at=health.started_at,
        chains=health.chains,
        ready=health.ready,
        last_success=dict(health.last_success),
        heads=dict(health.heads),
        identified=dict(health.identified),
        following=dict(health.following),
        problems=dict(health.problems),
        movements=dict(health.movements),
        rpc=dict(health.rpc),
        rpc_seconds=_counts(health.rpc_seconds),
        disagreements=dict(health.disagreements),
        quarantined=dict(health.quarantined),
        limits=dict(health.limits),
        detection=_counts(health.detection),
        reorg_depth=_counts(health.reorg_depth),
        web_read=health.web_read,
        certificate_expires=health.certificate_expires,
        loaded=health.loaded,
    )


def _counts(histograms: Mapping[_Key, Histogram]) -> dict[_Key, Counts]:
    return {key: Counts(h.bounds, tuple(h.counts), h.sum) for key, h in list(histograms.items())}
