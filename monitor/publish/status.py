"""The status of porwatch as the API and the command line show it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from monitor.ledger.encode import Json
from monitor.model import CaseState, Wallet, rfc3339, utc
from monitor.publish.render import coins
from monitor.publish.snapshot import Snapshot


def render_status(snapshot: Snapshot) -> Json:
    """Chains, stages, problems, books, cases by state, holdings, outbox, who is told; amounts as strings of coins."""
    return {
        "version": snapshot.scope.version,
        "at": rfc3339(snapshot.at),
        "started_at": rfc3339(snapshot.vitals.started_at),
        "ready": snapshot.vitals.ready,
        "configuration": _loaded(snapshot),
        "chains": [_chain(snapshot, chain) for chain in snapshot.scope.assets],
        "stages": [
            {"stage": stage, "chain": chain or None, **_age(snapshot, at)}
            for (stage, chain), at in sorted(snapshot.vitals.last_success.items())
        ],
        "problems": [_problem(key, text) for key, text in sorted(snapshot.vitals.problems.items())],
        "books": [_book(snapshot, source) for source in snapshot.scope.sources],
        "shadow": _shadow(snapshot),
        "cases": {state.value: snapshot.states[state] for state in CaseState},
        "holdings": [line for wallet in snapshot.scope.wallets for line in _holdings(snapshot, wallet)],
        "outbox": [
            {"receiver": name, "pending": p.count, "oldest": None if p.oldest is None else rfc3339(p.oldest)}
            for name, p in sorted(snapshot.outbox.items())
        ],
        "receivers": [
            {"receiver": each.name, "redact": each.redact, "recipients": list(each.recipients)}
            for each in snapshot.scope.channels
        ],
    }


def render_wallets(snapshot: Snapshot, counts: Mapping[tuple[str, str], int]) -> list[Json]:
    """Every configured wallet; ``counts``: followed addresses by (chain, wallet)."""
    return [
        {
            "name": wallet.name,
            "chain": wallet.chain,
            "tier": wallet.tier.value,
            "owner": wallet.owner.value,
            "custodian": wallet.custodian,
            "addresses": counts.get((wallet.chain, wallet.name), 0),
            "holdings": [
                {"asset": line["asset"], "seen": line["seen"], "final": line["final"]}
                for line in _holdings(snapshot, wallet)
            ],
        }
        for wallet in snapshot.scope.wallets
    ]


def _loaded(snapshot: Snapshot) -> Json | None:
    loaded = snapshot.vitals.loaded
    if loaded is None:
        return None
    return {"sha256": loaded.sha256, "loaded_at": rfc3339(loaded.at), "refused": list(loaded.refused)}


def _chain(snapshot: Snapshot, chain: str) -> Json:
    cursor, vitals = snapshot.cursors.get(chain), snapshot.vitals
    at = None if cursor is None else cursor.at
    return {
        "chain": chain,
        "identified": vitals.identified.get(chain, False),
        "following": vitals.following.get(chain, False),
        "head": vitals.heads.get(chain),
        "cursor": None if at is None else {"height": at.height, "hash": at.hash, "time": rfc3339(utc(at.time))},
        "final": None if cursor is None else cursor.final_height,
        "block_age_seconds": None if at is None else _seconds(snapshot, utc(at.time)),
        "quarantined": list(vitals.quarantined.get(chain, ())),
        "limits": list(vitals.limits.get(chain, ())),
        "followed": _age(snapshot, vitals.last_success.get(("follow", chain))),
    }


def _shadow(snapshot: Snapshot) -> Json | None:
    """Since and until when cases are told to nobody; None where they are told."""
    if snapshot.shadow is None or not snapshot.is_silent:
        return None
    return {"since": snapshot.shadow["since"], "until": snapshot.shadow["until"]}


def _age(snapshot: Snapshot, at: datetime | None) -> Json:
    if at is None:
        return {"last_success": None, "age_seconds": None}
    return {"last_success": rfc3339(at), "age_seconds": _seconds(snapshot, at)}


def _seconds(snapshot: Snapshot, at: datetime) -> float:
    return round((snapshot.at - at).total_seconds(), 3)


def _problem(key: str, text: str) -> Json:
    stage, _, chain = key.partition("/")
    return {"stage": stage, "chain": chain or None, "problem": text}


def _book(snapshot: Snapshot, source: str) -> Json:
    feed = snapshot.feeds.get(source)
    if feed is None:
        return {"source": source, "read_at": None, "heartbeat": None, "records": 0, "malformed": 0}
    return {
        "source": source,
        "read_at": rfc3339(feed.read_at),
        "heartbeat": None if feed.heartbeat is None else rfc3339(feed.heartbeat),
        "records": feed.records,
        "malformed": feed.malformed,
    }


def _holdings(snapshot: Snapshot, wallet: Wallet) -> list[Json]:
    """A wallet's recorded coins per asset, after the cursor and at the final block; null before its chain opened."""
    lines = []
    for asset in snapshot.scope.assets.get(wallet.chain, ()):
        key = (wallet.chain, wallet.name, asset)
        opened = wallet.chain in snapshot.cursors
        lines.append(
            {
                "chain": wallet.chain,
                "wallet": wallet.name,
                "tier": wallet.tier.value,
                "owner": wallet.owner.value,
                "asset": asset,
                "seen": _coins(asset, snapshot.seen, key, snapshot.scope.decimals) if opened else None,
                "final": _coins(asset, snapshot.final, key, snapshot.scope.decimals) if opened else None,
            }
        )
    return lines


def _coins(
    asset: str, totals: Mapping[tuple[str, str, str], int], key: tuple[str, str, str], decimals: Mapping[str, int]
) -> str | None:
    return coins(asset, totals.get(key, 0), decimals)
