"""Records and outbox rows of changed cases."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.ledger.encode import canonical, case_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Message
from monitor.model import Case, CaseState


def case_records(cases: Iterable[Case]) -> tuple[Record, ...]:
    """A journal record for each changed case."""
    return tuple(Record("case", case_to_json(case)) for case in cases)


def case_messages(cases: Iterable[Case], receivers: tuple[str, ...]) -> tuple[Message, ...]:
    """What receivers are to be told: every change of a case that is or was open.

    A pending one is told to nobody, and neither is one that was closed before it was ever open.
    """
    messages: list[Message] = []
    for case in cases:
        opened = any(event.action == "opened" for event in case.history)
        if case.state is CaseState.PENDING or not opened:
            continue
        payload = canonical(case_to_json(case))
        messages.extend(Message(receiver, case.id, payload) for receiver in receivers)
    return tuple(messages)
