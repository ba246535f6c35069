"""Rows of the pages, made from the snapshot and from what the ledger answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chains.core.amounts import format_coins
from monitor.ledger.encode import Json
from monitor.model import Outcome, Wallet
from monitor.publish.console.standing import BLIND, NO_CYCLE
from monitor.publish.snapshot import Snapshot

UNVERIFIED = Outcome.UNVERIFIED.value
_ORDER = (Outcome.BREACH.value, UNVERIFIED, Outcome.PASS.value)
_LIMITS = {"follow": BLIND, "cycle": NO_CYCLE}


@dataclass(frozen=True, slots=True)
class Coverage:
    """One asset of the newest verdict; "" where an amount is unknown."""

    asset: str
    held: str
    owed: str
    in_transit: str
    stated: str
    ratio: str
    verified: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Since when a stage has not succeeded; ``seconds`` None: it never has. ``old``: longer than it may be."""

    stage: str
    chain: str
    seconds: float | None
    old: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A configured endpoint, and whether it is still asked."""

    name: str
    quarantined: bool
    lies: int
    failures: int
    requests: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as followed; heights None before it was opened."""

    name: str
    head: int | None
    cursor: int | None
    final: int | None
    lag: int | None
    block_seconds: float | None
    followed: Stage
    identified: bool
    limits: tuple[str, ...]
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """How many checks of a profile ended how; ``outcome`` is the worst of those in force."""

    name: str
    outcome: str
    passed: int
    breached: int
    unverified: int


@dataclass(frozen=True, slots=True)
class Feed:
    """A declared source; seconds None: never."""

    source: str
    read_seconds: float | None
    heartbeat_seconds: float | None
    records: int
    malformed: int


@dataclass(frozen=True, slots=True)
class Holding:
    """Coins of a wallet in one asset at the final block and after the cursor; "" before its chain was opened.

    ``evidence``: how well the last cycle knew it, "" where none did or nothing is held.
    """

    asset: str
    final: str
    seen: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Held:
    """A wallet and what it holds; ``cases``: how many of it are not resolved."""

    wallet: Wallet
    addresses: int
    holdings: tuple[Holding, ...]
    proofs: int
    cases: int


def coverage(snapshot: Snapshot) -> list[Coverage]:
    """A row for every configured asset: one that is not in the verdict is unverified, not absent."""
    body = snapshot.verdict or {"positions": [], "checks": []}
    positions = {row["asset"]: row for row in body["positions"]}
    outcomes = {
        check["asset"]: check["verdict"]
        for check in body["checks"]
        if (check["profile"], check["id"]) == ("baseline", "coverage")
    }
    rows = []
    for asset in sorted({*snapshot.scope.decimals, *positions}):
        row: Mapping[str, str | None] = positions.get(asset, {})
        rows.append(
            Coverage(
                asset=asset,
                held=row.get("held") or "",
                owed=row.get("owed") or "",
                in_transit=row.get("in_transit") or "",
                stated=row.get("stated") or "",
                ratio=row.get("coverage") or "",
                verified=row.get("verified_ratio") or "",
                outcome=outcomes.get(asset) or UNVERIFIED,
            )
        )
    return rows


def profiles(checks: Iterable[Json]) -> list[Profile]:
    """Every profile of a verdict; checks that are not in force yet are counted, but are not its outcome."""
    found: dict[str, list[Json]] = {}
    for check in checks:
        found.setdefault(check["profile"], []).append(check)
    rows = []
    for name, mine in found.items():
        counts = {outcome: sum(check["verdict"] == outcome for check in mine) for outcome in _ORDER}
        binding = [check["verdict"] for check in mine if check.get("in_force", True)]
        worst = min(binding, key=_ORDER.index) if binding else UNVERIFIED
        rows.append(Profile(name, worst, counts["PASS"], counts["BREACH"], counts[UNVERIFIED]))
    return rows


def stages(snapshot: Snapshot, now: datetime) -> list[Stage]:
    """Every stage that has succeeded at least once, following and cycles in any case."""
    last = dict(snapshot.vitals.last_success)
    keys = {*last, *(("follow", chain) for chain in snapshot.scope.assets)}
    if not any(stage == "cycle" for stage, _ in keys):
        keys.add(("cycle", ""))
    return [_stage(stage, chain, last.get((stage, chain)), now) for stage, chain in sorted(keys)]


def _stage(stage: str, chain: str, last: datetime | None, now: datetime) -> Stage:
    limit = _LIMITS.get(stage)
    gone = None if last is None else now - last
    old = limit is not None and (gone is None or gone > limit)
    return Stage(stage, chain, _seconds(gone), old)


def _seconds(gone: timedelta | None) -> float | None:
    return None if gone is None else gone.total_seconds()


def chains(snapshot: Snapshot, now: datetime) -> list[Chain]:
    """Every configured chain."""
    vitals, rows = snapshot.vitals, []
    for name in snapshot.scope.assets:
        cursor, head = snapshot.cursors.get(name), vitals.heads.get(name)
        height = None if cursor is None else cursor.at.height
        rows.append(
            Chain(
                name=name,
                head=head,
                cursor=height,
                final=None if cursor is None else cursor.final_height,
                lag=None if head is None or height is None else max(0, head - height),
                block_seconds=None if cursor is None else now.timestamp() - cursor.at.time,
                followed=_stage("follow", name, vitals.last_success.get(("follow", name)), now),
                identified=bool(vitals.identified.get(name)),
                limits=vitals.limits.get(name, ()),
                endpoints=tuple(_endpoint(snapshot, name, one) for one in snapshot.scope.endpoints.get(name, ())),
            )
        )
    return rows


def _endpoint(snapshot: Snapshot, chain: str, name: str) -> Endpoint:
    vitals = snapshot.vitals
    asked = {outcome: n for (where, who, outcome), n in vitals.rpc.items() if (where, who) == (chain, name)}
    return Endpoint(
        name=name,
        quarantined=name in vitals.quarantined.get(chain, ()),
        lies=vitals.disagreements.get((chain, name), 0),
        failures=sum(n for outcome, n in asked.items() if outcome != "ok"),
        requests=sum(asked.values()),
    )


def feeds(snapshot: Snapshot, now: datetime) -> list[Feed]:
    """Every configured source of the books."""
    rows = []
    for source in snapshot.scope.sources:
        feed = snapshot.feeds.get(source)
        if feed is None:
            rows.append(Feed(source, None, None, 0, 0))
            continue
        beat = None if feed.heartbeat is None else (now - feed.heartbeat).total_seconds()
        rows.append(Feed(source, (now - feed.read_at).total_seconds(), beat, feed.records, feed.malformed))
    return rows


def held(
    snapshot: Snapshot,
    counts: Mapping[tuple[str, str], int],
    proofs: Mapping[str, int],
    cases: Mapping[str, int],
    evidence: Mapping[tuple[str, str, str], str],
) -> list[Held]:
    """Every configured wallet, in the order of owners and tiers as the configuration names them."""
    return [
        Held(
            wallet=wallet,
            addresses=counts.get((wallet.chain, wallet.name), 0),
            holdings=tuple(
                _holding(snapshot, wallet, asset, evidence) for asset in snapshot.scope.assets.get(wallet.chain, ())
            ),
            proofs=proofs.get(wallet.name, 0),
            cases=cases.get(wallet.name, 0),
        )
        for wallet in snapshot.scope.wallets
    ]


def _holding(snapshot: Snapshot, wallet: Wallet, asset: str, evidence: Mapping[tuple[str, str, str], str]) -> Holding:
    if wallet.chain not in snapshot.cursors or asset not in snapshot.scope.decimals:
        return Holding(asset, "", "", "")
    key, decimals = (wallet.chain, wallet.name, asset), snapshot.scope.decimals[asset]
    final, seen = (format_coins(totals.get(key, 0), decimals) for totals in (snapshot.final, snapshot.seen))
    return Holding(asset, final, seen, evidence.get(key, ""))
