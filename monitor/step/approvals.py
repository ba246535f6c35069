"""Steps about approvals: each line registered once, repeated, refused or cancelled; late ones matched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from monitor import detect
from monitor.attribute import mismatch
from monitor.ledger import reader
from monitor.ledger.encode import approval_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, FeedState
from monitor.model import Approval, Cancellation, Case, CaseState, Direction, Part, Reason, Sighting, case_id, rfc3339
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
    cases: dict[str, Case] = field(default_factory=dict)


def read(
    connection: Connection, setup: Setup, observation: ApprovalsRead, now: datetime
) -> tuple[Commit, tuple[Case, ...], tuple[str, ...]]:
    """Register what was read. The answers, in order: created, repeated, conflict, cancelled, unknown or used."""
    plan = _Plan()
    answers = tuple(
        _cancel(connection, plan, item, observation.source)
        if isinstance(item, Cancellation)
        else _approve(connection, setup, plan, item, observation.source, now)
        for item in observation.records
    )
    for why in observation.malformed:
        plan.records.append(_refusal(observation.source, "", why))
    changed = tuple(plan.cases.values())
    change = Commit(
        records=(*plan.records, *case_records(changed)),
        feed=_feed(connection, observation, now),
        messages=case_messages(changed, setup.receivers),
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


def _approve(connection: Connection, setup: Setup, plan: _Plan, item: Approval, source: str, now: datetime) -> str:
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
    used = _match(connection, setup, plan, item, now)
    plan.known[item.id] = (item.digest, "used" if used else "open")
    return "created"


def _match(connection: Connection, setup: Setup, plan: _Plan, item: Approval, now: datetime) -> bool:
    """Give a new approval to the oldest outflow that still waits for one; True if it found any."""
    waiting = reader.unexplained_to(connection, item.chain, item.destination, item.asset)
    for place in dict.fromkeys(_place(row) for row in waiting):
        if place in plan.taken:
            continue
        parts = [row for row in reader.flows_of(connection, item.chain, place[2]) if row.part != Part.FEE]
        sink = [row for row in parts if _place(row) == place and row.direction == Direction.OUT]
        if sum(row.units for row in sink) != item.units:
            continue
        first = sink[0]
        sighting = Sighting(first.earliest, first.latest)
        if mismatch(item, {row.wallet for row in sink}, first.txid, sighting, first.fee or 0):
            continue
        cases = _cases_of(connection, plan, item, sink)
        if all(case.state is CaseState.CLOSED for case in cases):
            continue  # a person has settled it: the approval is for what comes next
        plan.taken.add(place)
        left = [row for row in parts if row.reason == Reason.UNEXPLAINED and _place(row) not in plan.taken]
        for case in cases:
            plan.cases[case.id] = _after(case, item, sink, left, setup, now)
        explained = {row.wallet for row in sink} - {row.wallet for row in left}
        plan.records.append(_matched(item, first, sorted(explained)))
        return True
    return False


def _place(row: Any) -> tuple[str, int, str, int]:
    """What one approval can explain: an output or transfer of a transaction in a block."""
    return row.chain, row.height, row.txid, row.sink


def _cases_of(connection: Connection, plan: _Plan, item: Approval, sink: list[Any]) -> list[Case]:
    """The cases about the wallets that paid a sink, as of the lines read so far."""
    keys = [case_id(item.chain, sink[0].txid, wallet, item.asset) for wallet in sorted({row.wallet for row in sink})]
    stored = {**reader.cases_by_id(connection, keys), **plan.cases}
    return [stored[key] for key in keys if key in stored]


def _after(case: Case, item: Approval, sink: list[Any], left: list[Any], setup: Setup, now: datetime) -> Case:
    """A case after ``item`` explained ``sink``; ``left``: what of the transaction nothing explains yet."""
    paid = sum(row.units for row in sink if row.wallet == case.wallet)
    wholly = not any(row.wallet == case.wallet and row.asset == case.asset for row in left)
    after = detect.approved(case, item, paid, wholly=wholly, now=now)
    if after.units == case.units:
        return after
    return replace(after, value=detect.value_of(item.asset, after.units or 0, setup.fresh_prices(now), setup.decimals))


def _matched(item: Approval, row: Any, fees_of: list[str]) -> Record:
    """``fees_of``: the wallets whose part in the transaction is now wholly explained, their fee with it."""
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
            "fees_of": fees_of,
        },
    )
