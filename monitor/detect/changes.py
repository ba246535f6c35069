"""What happens to a case that exists: a person acts, time passes, the chain turns. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from chains.core.values import BlockRef, Fault, Witness
from monitor.detect.breaches import RULE as BREACH
from monitor.detect.words import SYSTEM
from monitor.model import (
    Approval,
    Case,
    CaseState,
    Event,
    Notice,
    Severity,
)


def reorged_out(cases: Iterable[Case], now: datetime, fork: BlockRef) -> tuple[Case, ...]:
    """Cases whose transaction left the chain with its block: they stay as they are, and say so."""
    note = f"its block left the chain above {fork.height} {fork.hash}"
    return tuple(
        replace(case, reorged_out=True, history=(*case.history, Event(now, "reorged out", SYSTEM, note)))
        for case in cases
        if not case.reorged_out
    )


def due(cases: Iterable[Case], now: datetime) -> tuple[Case, ...]:
    """Pending cases whose grace period has ended, opened."""
    return tuple(
        replace(
            case,
            state=CaseState.OPEN,
            history=(*case.history, Event(now, "opened", SYSTEM, "no approval came within the grace period")),
        )
        for case in cases
    )


def approved(case: Case, approval: Approval, paid: int, *, wholly: bool, now: datetime) -> Case:
    """A case after an approval was found for one of its sinks, of which its wallet paid ``paid`` units.

    A pending case whose last sink is explained is closed, and goes on about the rest before that; an
    open one stays open, with the late approval noted: a person closes it.
    """
    if case.state is CaseState.PENDING:
        history = (*case.history, Event(now, "approved", SYSTEM, f"approval {approval.id}"))
        if wholly:
            return replace(case, state=CaseState.CLOSED, history=history)
        less = {approval.destination: paid}
        left = tuple(replace(d, units=u) for d in case.destinations if (u := d.units - less.get(d.address, 0)))
        return replace(case, units=(case.units or 0) - paid, destinations=left, history=history)
    event = Event(now, "late approval", SYSTEM, f"approval {approval.id} came after the case was opened")
    rules = case.rules if "late_approval" in case.rules else (*case.rules, "late_approval")
    return replace(case, rules=rules, history=(*case.history, event))


def another_fault(case: Case, fault: Fault, *, quorum_holds: bool, now: datetime) -> Case:
    """The same endpoint lied again: noted once for each kind, and more severe where the quorum is lost by it."""
    note = f"{fault.kind}: {fault.detail}"
    known = any(event.note.partition(":")[0] == fault.kind for event in case.history)
    history = case.history if known else (*case.history, Event(now, "lied again", SYSTEM, note))
    return replace(case, severity=case.severity if quorum_holds else Severity.CRITICAL, history=history)


def unconfirmed(case: Case, witness: Witness) -> Case:
    """A case of a block that too few endpoints show."""
    source = f"unconfirmed: shown by {', '.join(witness.endpoints)}, {witness.needed} endpoints must agree"
    return replace(case, evidence={**case.evidence, "source": source, "unconfirmed": True})


def notified(case: Case, notice: Notice, name: str, reason: str, now: datetime, *, how: str = "none") -> Case:
    """A person has told somebody outside of a case, whose state stays. Raises ValueError for a pending case."""
    if case.state is CaseState.PENDING:
        raise ValueError(f"case {case.id} is pending: it may still be explained, and is told to nobody")
    event = Event(now, "notified", name, reason, "" if how == "none" else how, notice)
    return replace(case, history=(*case.history, event))


def acted(case: Case, action: str, name: str, reason: str, now: datetime, *, how: str = "none") -> Case:
    """A person acknowledges ("ack") or closes ("close") a case, with name, reason and ``how`` the person logged in.

    Raises ValueError where the case's state does not allow it, and for closing the breach of a check: only a
    later PASS with its evidence does.
    """
    if action == "close" and case.rule == BREACH:
        raise ValueError(f"case {case.id} is the breach of a check: only a later PASS closes it, acknowledge it")
    allowed = {"ack": (CaseState.OPEN,), "close": (CaseState.OPEN, CaseState.ACKNOWLEDGED, CaseState.PENDING)}
    if case.state not in allowed[action]:
        raise ValueError(f"case {case.id} is {case.state.value}: it cannot be {action}ed again")
    state = CaseState.ACKNOWLEDGED if action == "ack" else CaseState.CLOSED
    event = Event(now, "acknowledged" if action == "ack" else "closed", name, reason, "" if how == "none" else how)
    return replace(case, state=state, history=(*case.history, event))
