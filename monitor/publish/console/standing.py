"""What the first line of the console says: how things stand, from what is published, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.model import CaseState, Outcome
from monitor.publish.snapshot import Snapshot

#: a page whose figures are older says so; they are taken anew every second or so
OLD = timedelta(seconds=15)
#: as in alerts/rules: a chain is blind, a cycle is missing, a page is stuck
BLIND = timedelta(minutes=2)
NO_CYCLE = timedelta(minutes=5)
STUCK = timedelta(minutes=5)


class Level(StrEnum):
    """From the worst. What cannot be determined is worse than a warning, and never fine."""

    ALARM = "alarm"
    UNKNOWN = "unknown"
    ATTENTION = "attention"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Ground:
    """One reason: a key of the catalogue and what goes into it; ``count`` chooses between one and many."""

    level: Level
    key: str
    values: Mapping[str, str] = field(default_factory=dict)
    count: int | None = None


def standing(snapshot: Snapshot, now: datetime) -> tuple[Level, tuple[Ground, ...]]:
    """The worst level and every reason, the worst first."""
    grounds = [*_cases(snapshot), *_checks(snapshot), *_unseen(snapshot, now), *_operations(snapshot, now)]
    order = list(Level)
    grounds.sort(key=lambda ground: order.index(ground.level))
    return (grounds[0].level if grounds else Level.CLEAR), tuple(grounds)


def _cases(snapshot: Snapshot) -> Iterator[Ground]:
    by_severity: dict[str, int] = {}
    for (_rule, severity, _chain, _tier), count in snapshot.cases.items():
        by_severity[severity] = by_severity.get(severity, 0) + count
    for severity, count in sorted(by_severity.items()):
        level = Level.ALARM if severity == "critical" else Level.ATTENTION
        yield Ground(level, f"standing.cases_{severity}", count=count)
    if pending := snapshot.states[CaseState.PENDING]:
        yield Ground(Level.ATTENTION, "standing.pending", count=pending)


def _checks(snapshot: Snapshot) -> Iterator[Ground]:
    if snapshot.verdict is None:
        yield Ground(Level.UNKNOWN, "standing.no_verdict")
        return
    found: dict[str, int] = {}
    for check in snapshot.verdict["checks"]:
        if check.get("in_force", True):
            found[check["verdict"]] = found.get(check["verdict"], 0) + 1
    if breached := found.get(Outcome.BREACH.value):
        yield Ground(Level.ALARM, "standing.breach", count=breached)
    if unverified := found.get(Outcome.UNVERIFIED.value):
        yield Ground(Level.UNKNOWN, "standing.unverified", count=unverified)


def _unseen(snapshot: Snapshot, now: datetime) -> Iterator[Ground]:
    """Why something could happen, or have happened, without being seen."""
    vitals = snapshot.vitals
    if now - snapshot.at > OLD:
        yield Ground(Level.UNKNOWN, "standing.old", {"n": str(int((now - snapshot.at).total_seconds()))})
    for chain in snapshot.scope.assets:
        last = vitals.last_success.get(("follow", chain))
        if not vitals.identified.get(chain):
            yield Ground(Level.UNKNOWN, "standing.unidentified", {"chain": chain})
        elif last is None or now - last > BLIND:
            yield Ground(Level.UNKNOWN, "standing.blind", {"chain": chain})
    cycles = [at for (stage, _), at in vitals.last_success.items() if stage == "cycle"]
    if snapshot.verdict is not None and (not cycles or now - max(cycles) > NO_CYCLE):
        yield Ground(Level.UNKNOWN, "standing.no_cycle")


def _operations(snapshot: Snapshot, now: datetime) -> Iterator[Ground]:
    for receiver, waiting in sorted(snapshot.outbox.items()):
        if waiting.oldest is not None and now - waiting.oldest > STUCK:
            yield Ground(Level.UNKNOWN, "standing.stuck", {"receiver": receiver})
    if problems := len(snapshot.vitals.problems):
        yield Ground(Level.ATTENTION, "standing.problems", count=problems)
    for chain, names in sorted(snapshot.vitals.quarantined.items()):
        if names:
            yield Ground(Level.ATTENTION, "standing.quarantined", {"chain": chain}, count=len(names))
    for source, feed in sorted(snapshot.feeds.items()):
        if feed.malformed:
            yield Ground(Level.ATTENTION, "standing.malformed", {"source": source}, count=feed.malformed)
