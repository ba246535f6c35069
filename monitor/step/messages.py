"""What a step writes of the cases it changed: each with its incident, its record, and what receivers are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from monitor import detect
from monitor.ledger import incidents
from monitor.ledger.encode import canonical, case_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Message
from monitor.model import Case, CaseState


@dataclass(frozen=True, slots=True)
class Written:
    """Changed cases in the order that the step found them, with their records and outbox rows."""

    cases: tuple[Case, ...]
    records: tuple[Record, ...]
    messages: tuple[Message, ...]


def written(connection: Connection, changed: Sequence[Case], receivers: tuple[str, ...]) -> Written:
    """Let the cases that open join their incidents; then write all of them.

    Records are in the order in which incidents count them; of the messages, those that page come first.
    """
    opening = [case for case in changed if detect.opens(case)]
    joined = {case.id: case for case in detect.join(opening, incidents.standing(connection, opening))}
    cases = tuple(joined.get(case.id, case) for case in changed)
    records = tuple(Record("case", case_to_json(case)) for case in detect.in_order(cases))
    return Written(cases, records, _messages(cases, receivers))


def _messages(cases: Sequence[Case], receivers: tuple[str, ...]) -> tuple[Message, ...]:
    """What receivers are to be told: every change of a case that is or was open.

    A pending one is told to nobody, and neither is one that was closed before it was ever open.
    """
    messages: list[Message] = []
    for case in sorted(cases, key=lambda case: not case.pages):
        opened = any(event.action == "opened" for event in case.history)
        if case.state is CaseState.PENDING or not opened:
            continue
        payload = canonical(case_to_json(case))
        messages.extend(Message(receiver, case.id, payload) for receiver in receivers)
    return tuple(messages)
