"""Steps about approvals: each line registered once, repeated, refused or cancelled; late ones matched."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from monitor import detect
from monitor.attribute import mismatch
from monitor.ledger import reader
from monitor.ledger.encode import approval_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, FeedState
from monitor.model import Approval, Cancellation, Case, CaseState, Sighting, case_id, rfc3339
from monitor.step.messages import case_messages, case_records
from monitor.step.observations import ApprovalsRead
from monitor.step.setup import Setup

SOURCE = "approvals"


@dataclass(slots=True)
class _Plan:
    """What this reading changes so far: later lines are judged against earlier ones."""

    records: list[Record] = field(default_factory=list)
    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    taken: set[tuple[str, int, str, int]] = field(default_factory=set)
    before: dict[str, Case] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)


def read(
    connection: Connection, setup: Setup, observation: ApprovalsRead, now: datetime
) -> tuple[Commit, tuple[Case, ...], tuple[str, ...]]:
    """Register what was read. The answers, in order: created, repeated, conflict, cancelled, unknown or used."""
    plan = _Plan()
    answers = tuple(
        _cancel(connection, plan, item, observation.source)
        if isinstance(item, Cancellation)
        else _approve(connection, plan, item, observation.source, now)
        for item in observation.records
    )
    for why in observation.malformed:
        plan.records.append(_refusal(observation.source, "", why))
    changed = tuple(case for key, case in plan.cases.items() if plan.before.get(key) != case)
    change = Commit(
        records=(*plan.records, *case_records(changed)),
        feed=_feed(connection, observation, now),
        messages=case_messages(changed, plan.before, setup.receivers),
    )
    return change, changed, answers


def _feed(connection: Connection, observation: ApprovalsRead, now: datetime) -> FeedState:
    old = reader.feeds(connection).get(SOURCE)
    beats = [beat for beat in (observation.heartbeat, old.heartbeat if old else None) if beat is not None]
    return FeedState(
        source=SOURCE,
        position=observation.position if observation.position is not None else (old.position if old else ""),
        heartbeat=max(beats, default=None),
        records=len(observation.records) + (old.records if old else 0),
        malformed=len(observation.malformed) + (old.malformed if old else 0),
        read_at=now,
    )


def _refusal(source: str, item_id: str, why: str) -> Record:
    return Record("refused", {"source": source, "id": item_id, "why": why})


def _known(connection: Connection, plan: _Plan, item_id: str) -> tuple[str, str] | None:
    """Digest and state of an approval, as of the lines read so far."""
    if item_id not in plan.known:
        stored = reader.approval(connection, item_id)
        if stored is None:
            return None
        plan.known[item_id] = (stored[0].digest, stored[1])
    return plan.known[item_id]


def _cancel(connection: Connection, plan: _Plan, item: Cancellation, source: str) -> str:
    known = _known(connection, plan, item.id)
    if known is None:
        plan.records.append(_refusal(source, item.id, "cancels an approval that was never read"))
        return "unknown"
    digest, state = known
    if state == "used":
        plan.records.append(_refusal(source, item.id, "cancels an approval that is already used"))
        return "used"
    if state == "cancelled":
        return "repeated"
    plan.records.append(Record("cancelled", {"id": item.id, "source": source}))
    plan.known[item.id] = (digest, "cancelled")
    return "cancelled"


def _approve(connection: Connection, plan: _Plan, item: Approval, source: str, now: datetime) -> str:
    known = _known(connection, plan, item.id)
    if known is not None and known[0] == item.digest:
        return "repeated"
    if known is not None:
        why = f"approval {item.id} was read before with other content: the first content stands"
        plan.records.append(_refusal(source, item.id, why))
        case = detect.altered_approval(item.id, source, why, now)
        stored = reader.case(connection, case.id)
        if stored is None:
            plan.cases[case.id] = case
        return "conflict"
    body = {"approval": approval_to_json(item), "first_read": rfc3339(now), "source": source}
    plan.records.append(Record("approval", body))
    used = _match(connection, plan, item, now)
    plan.known[item.id] = (item.digest, "used" if used else "open")
    return "created"


def _match(connection: Connection, plan: _Plan, item: Approval, now: datetime) -> bool:
    """Give a new approval to the oldest outflow that still waits for one; True if it found any."""
    groups: dict[tuple[str, int, str, int], list[Any]] = {}
    for row in reader.unexplained_to(connection, item.chain, item.destination, item.asset):
        groups.setdefault((row.chain, row.height, row.txid, row.sink), []).append(row)
    for key, rows in groups.items():
        if key in plan.taken or sum(row.units for row in rows) != item.units:
            continue
        first = rows[0]
        sighting = Sighting(first.earliest, first.latest)
        if mismatch(item, {row.wallet for row in rows}, first.txid, sighting, first.fee or 0):
            continue
        plan.taken.add(key)
        closed = _note_in_cases(connection, plan, item, rows, now)
        plan.records.append(_matched(item, first, closed))
        return True
    return False


def _matched(item: Approval, row: Any, closed: list[str]) -> Record:
    return Record(
        "matched",
        {
            "chain": row.chain,
            "height": row.height,
            "txid": row.txid,
            "sink": row.sink,
            "reason": "internal" if row.part == "own" else "approved",
            "approval": item.id,
            "note": "approved after it was seen",
            "fees_of": closed,
        },
    )


def _note_in_cases(connection: Connection, plan: _Plan, item: Approval, rows: list[Any], now: datetime) -> list[str]:
    """Tell the cases of these flow parts; returns the wallets whose case is wholly explained and closed thereby."""
    closed = []
    for wallet in sorted({row.wallet for row in rows}):
        key = case_id(item.chain, rows[0].txid, wallet, item.asset)
        case = plan.cases.get(key) or reader.case(connection, key)
        if case is None:
            continue
        plan.before.setdefault(key, case)
        left = [
            row
            for row in reader.flows_of(connection, item.chain, rows[0].txid)
            if row.wallet == wallet
            and row.asset == item.asset
            and row.reason == "unexplained"
            and row.part != "fee"
            and (row.chain, row.height, row.txid, row.sink) not in plan.taken
        ]
        plan.cases[key] = detect.approved(case, item, wholly=not left, now=now)
        if plan.cases[key].state is CaseState.CLOSED and case.state is CaseState.PENDING:
            closed.append(wallet)
    return closed
