"""Requests to halt withdrawals: written with the case that asks for one, answered or withdrawn later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chains.core.amounts import format_coins
from monitor import detect
from monitor.ledger import occasions, reader
from monitor.ledger.encode import Json, canonical, case_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Message
from monitor.model import Case, rfc3339
from monitor.step.observations import HaltAnswered, HaltWithdrawn
from monitor.step.setup import Setup

#: the receiver's name in the outbox, and in metrics
RECEIVER = "halt"
#: of the request's body
VERSION = 1
_HOUR = timedelta(hours=1)


def with_requests(
    connection: Connection, setup: Setup, change: Commit, cases: Iterable[Case], now: datetime
) -> tuple[Commit, tuple[Case, ...]]:
    """The commit with what its cases ask for, and the cases as they then are: all of it in the same transaction."""
    halting, all_cases = setup.halting, tuple(cases)
    if halting is None or not any(detect.asks(case, halting, now) for case in all_cases):
        return change, all_cases
    made = occasions.halts_since(connection, now - _HOUR)
    decided: dict[str, Case] = {}
    messages: list[Message] = []
    for case in all_cases:
        if case.id in decided or not detect.asks(case, halting, now):
            continue
        if made >= halting.limit_per_hour:
            note = f"the limit of {halting.limit_per_hour} requests an hour is reached"
            decided[case.id] = detect.decided(case, "limited", note, now)
            continue
        made += 1
        if halting.dry_run:
            decided[case.id] = detect.decided(case, "dry_run", "dry run: it would have been requested", now)
            continue
        decided[case.id] = detect.decided(case, "requested", "", now)
        messages.append(Message(RECEIVER, case.id, canonical(_body(case, setup, now))))
    change = replace(
        change,
        records=(*change.records, *map(_whole, decided.values()), *map(_record, decided.values())),
        messages=(*change.messages, *messages),
    )
    return change, tuple(decided.get(case.id, case) for case in all_cases)


def _body(case: Case, setup: Setup, now: datetime) -> Json:
    """What the exchange's endpoint is told: frozen now, the same however often it is sent."""
    known = case.asset is not None and case.units is not None
    return {
        "version": VERSION,
        "case_id": case.id,
        "entity": setup.facts.entity,
        "rule": case.rule,
        "rules": list(case.rules),
        "severity": case.severity.value,
        "confirmed": not case.evidence.get("unconfirmed"),
        "chain": case.chain,
        "wallet": case.wallet,
        "tier": None if case.tier is None else case.tier.value,
        "asset": case.asset,
        "amount": format_coins(case.units or 0, setup.decimals[case.asset or ""]) if known else None,
        "txid": case.txid,
        "opened_at": rfc3339(case.opened_at),
        "requested_at": rfc3339(now),
    }


def _whole(case: Case) -> Record:
    return Record("case", case_to_json(case))


def _record(case: Case) -> Record:
    return Record("halt", {"case": case.id, **detect.halt_of(case)})


def answered(connection: Connection, observation: HaltAnswered, now: datetime) -> tuple[Commit, tuple[Case, ...]]:
    """The endpoint has taken a request: the case is contained, once however often it answers."""
    case = reader.case(connection, observation.case_id)
    if case is None or detect.halt_of(case).get("state") == "contained":
        return Commit(sent=(observation.row,)), ()
    changed = detect.contained(case, observation.contained_at, observation.said_by, now)
    return _noted(changed, observation.row), (changed,)


def withdrawn(connection: Connection, observation: HaltWithdrawn, now: datetime) -> tuple[Commit, tuple[Case, ...]]:
    """A request that was not taken yet is not sent any more."""
    case = reader.case(connection, observation.case_id)
    if case is None or detect.halt_of(case).get("state") != "requested":
        return Commit(sent=(observation.row,)), ()
    changed = detect.decided(case, "withdrawn", observation.why, now)
    return _noted(changed, observation.row), (changed,)


def _noted(case: Case, row: int) -> Commit:
    return Commit(records=(_whole(case), _record(case)), sent=(row,))
