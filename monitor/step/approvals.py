"""Steps about approvals: each line registered once, repeated, refused or cancelled; late ones matched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from monitor import detect
from monitor.attribute import Claim, Names, Sink, assign, claims_of
from monitor.ledger import reader
from monitor.ledger.encode import Json, approval_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, FeedState
from monitor.model import (
    Approval,
    BadSignature,
    Cancellation,
    Case,
    CaseState,
    Direction,
    Part,
    Reason,
    Sighting,
    case_id,
    rfc3339,
)
from monitor.step.messages import written
from monitor.step.observations import ApprovalsRead
from monitor.step.setup import Setup

SOURCE = "approvals"

#: what one approval can explain: an output or transfer of a transaction in a block
_Place = tuple[str, int, str, int]


@dataclass(slots=True)
class _Plan:
    """What this reading changes so far: later lines are judged against earlier ones.

    ``known``: digest and state by id; ``new``: the approvals first read now, by id.
    """

    records: list[Record] = field(default_factory=list)
    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    new: dict[str, Approval] = field(default_factory=dict)
    taken: set[_Place] = field(default_factory=set)
    cases: dict[str, Case] = field(default_factory=dict)

    def is_open(self, approval: Approval) -> bool:
        """Whether nothing that was read now has cancelled it."""
        return approval.id not in self.known or self.known[approval.id][1] == "open"


def read(
    connection: Connection, setup: Setup, observation: ApprovalsRead, now: datetime
) -> tuple[Commit, tuple[Case, ...], tuple[str, ...]]:
    """Register what was read, then match it as a whole with the outflows that wait for an approval.

    The answers, in order: created, repeated, conflict, cancelled, unknown or used.
    """
    plan = _Plan()
    answers = tuple(
        _cancel(connection, plan, item, observation.source)
        if isinstance(item, Cancellation)
        else _approve(connection, plan, item, observation.source, now)
        for item in observation.records
    )
    for bad in observation.bad_signatures:
        _bad_signature(connection, plan, bad, observation.source, now)
    for why in observation.malformed:
        plan.records.append(_refusal(observation.source, "", why))
    _match(connection, setup, plan, now)
    done = written(connection, tuple(plan.cases.values()), setup.receivers)
    change = Commit(
        records=(*plan.records, *done.records),
        feed=_feed(connection, observation, now),
        messages=done.messages,
    )
    return change, done.cases, answers


def _feed(connection: Connection, observation: ApprovalsRead, now: datetime) -> FeedState:
    old = reader.feeds(connection).get(SOURCE)
    beats = [beat for beat in (observation.heartbeat, old.heartbeat if old else None) if beat is not None]
    return FeedState(
        source=SOURCE,
        position=observation.position if observation.position is not None else (old.position if old else ""),
        heartbeat=max(beats, default=None),
        records=len(observation.records) + (old.records if old else 0),
        malformed=len(observation.malformed) + len(observation.bad_signatures) + (old.malformed if old else 0),
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
    plan.known[item.id] = (item.digest, "open")
    plan.new[item.id] = item
    return "created"


def _bad_signature(connection: Connection, plan: _Plan, bad: BadSignature, source: str, now: datetime) -> None:
    """A line that nobody with a known key has signed: refused, and a case for each id and key."""
    plan.records.append(_refusal(source, bad.id, bad.why))
    case = detect.bad_signature(bad, source, now)
    if reader.case(connection, case.id) is None:
        plan.cases[case.id] = case


def _match(connection: Connection, setup: Setup, plan: _Plan, now: datetime) -> None:
    """Give what was read to the outflows that still wait for an approval, the oldest first where they are alike."""
    offered, sizes = _offered(connection, plan)
    waiting: dict[str, list[tuple[Sink, list[Any]]]] = {}
    for chain, destination, asset in dict.fromkeys((a.chain, a.destination, a.asset) for a in offered):
        waiting.setdefault(chain, []).extend(_waiting(connection, plan, chain, destination, asset))
    for chain, items in waiting.items():
        claims = claims_of([approval for approval in offered if approval.chain == chain], sizes)
        found, _ = assign(claims, [sink for sink, _ in items])
        for claim, (_, rows) in zip(found, items, strict=True):
            if claim is not None:
                _settle(connection, setup, plan, claim, rows, now)


def _offered(connection: Connection, plan: _Plan) -> tuple[list[Approval], dict[str, int]]:
    """What was read now, with what was read before of the same batches: a last member lets all of them explain.

    Also how many of each batch were read and not cancelled, over all chains.
    """
    fresh = [approval for approval in plan.new.values() if plan.is_open(approval)]
    batches = {approval.batch for approval in fresh if approval.batch is not None}
    if not batches:
        return fresh, {}
    sizes = reader.batch_sizes(connection, batches)
    for approval in fresh:
        if approval.batch is not None:
            sizes[approval.batch] = sizes.get(approval.batch, 0) + 1
    stored = reader.batch_members(connection, batches)
    for approval in stored:
        if approval.batch is not None and not plan.is_open(approval):
            sizes[approval.batch] -= 1
    return [*fresh, *(approval for approval in stored if plan.is_open(approval))], sizes


def _waiting(
    connection: Connection, plan: _Plan, chain: str, destination: str, asset: str
) -> list[tuple[Sink, list[Any]]]:
    """The payments to a destination that nothing explains and no person has settled, with their rows; oldest first."""
    found = []
    rows = reader.unexplained_to(connection, chain, destination, asset)
    for place in dict.fromkeys(_place(row) for row in rows):
        parts = [row for row in reader.flows_of(connection, chain, place[2]) if row.part != Part.FEE]
        sink = [row for row in parts if _place(row) == place and row.direction == Direction.OUT]
        cases = _cases_of(connection, plan, sink)
        # Where a person has settled it, the approval is for what comes next.
        if not all(case.state is CaseState.CLOSED for case in cases):
            found.append((_sink(sink), sink))
    return found


def _sink(rows: list[Any]) -> Sink:
    first = rows[0]
    safe = frozenset((first.safe_tx_hash or "").split())
    return Sink(
        first.asset,
        first.destination,
        sum(row.units for row in rows),
        frozenset(row.wallet for row in rows),
        Names(first.txid, safe, first.outputs_hash or ""),
        Sighting(first.earliest, first.latest),
        first.fee or 0,
    )


def _settle(connection: Connection, setup: Setup, plan: _Plan, claim: Claim, sink: list[Any], now: datetime) -> None:
    """A payment is explained after all: its cases and its parts say so, and its approvals are used up."""
    first = sink[0]
    parts = [row for row in reader.flows_of(connection, first.chain, first.txid) if row.part != Part.FEE]
    plan.taken.add(_place(first))
    left = [row for row in parts if row.reason == Reason.UNEXPLAINED and _place(row) not in plan.taken]
    for case in _cases_of(connection, plan, sink):
        plan.cases[case.id] = _after(case, claim, sink, left, setup, now)
    explained = {row.wallet for row in sink} - {row.wallet for row in left}
    plan.records.append(_matched(claim, first, sorted(explained)))


def _place(row: Any) -> _Place:
    return row.chain, row.height, row.txid, row.sink


def _cases_of(connection: Connection, plan: _Plan, sink: list[Any]) -> list[Case]:
    """The cases about the wallets that paid a sink, as of the lines read so far."""
    first = sink[0]
    keys = [case_id(first.chain, first.txid, wallet, first.asset) for wallet in sorted({row.wallet for row in sink})]
    stored = {**reader.cases_by_id(connection, keys), **plan.cases}
    return [stored[key] for key in keys if key in stored]


def _after(case: Case, claim: Claim, sink: list[Any], left: list[Any], setup: Setup, now: datetime) -> Case:
    """A case after ``claim`` explained ``sink``; ``left``: what of the transaction nothing explains yet."""
    paid = sum(row.units for row in sink if row.wallet == case.wallet)
    wholly = not any(row.wallet == case.wallet and row.asset == case.asset for row in left)
    first = claim.approvals[0]
    after = detect.approved(case, first, paid, wholly=wholly, now=now)
    if after.units == case.units:
        return after
    return replace(after, value=detect.value_of(first.asset, after.units or 0, setup.fresh_prices(now), setup.decimals))


def _matched(claim: Claim, row: Any, fees_of: list[str]) -> Record:
    """``fees_of``: the wallets whose part in the transaction is now wholly explained, their fee with it."""
    body: Json = {
        "chain": row.chain,
        "height": row.height,
        "txid": row.txid,
        "sink": row.sink,
        "reason": "internal" if row.part == "own" else "approved",
        "approval": claim.ids[0],
        "note": "approved after it was seen",
        "fees_of": fees_of,
    }
    if len(claim.ids) > 1:
        body["batch"] = list(claim.ids)
    return Record("matched", body)
