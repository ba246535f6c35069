"""Whether a case asks the exchange to halt withdrawals, and what its history says of that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.detect.words import SYSTEM
from monitor.model import Case, CaseState, Event, Severity, rfc3339

_RANK = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
#: what makes a case ask: it opened, or a quorum now shows what a lone witness had shown
_OCCASIONS = frozenset({"opened", "confirmed"})
_UNRESOLVED = (CaseState.OPEN, CaseState.ACKNOWLEDGED)
#: the words of a case's history
_EVENTS = {
    "requested": "halt requested",
    "dry_run": "halt not requested",
    "limited": "halt not requested",
    "withdrawn": "halt withdrawn",
}
HALT_EVENTS = frozenset(_EVENTS.values())


@dataclass(frozen=True, slots=True)
class Halting:
    """Which cases ask for a halt. ``limit_per_hour``: requests, dry runs counted as if they were sent."""

    rules: frozenset[str]
    minimum: Severity
    lone_witness: bool
    limit_per_hour: int
    dry_run: bool


def halt_of(case: Case) -> Mapping[str, object]:
    """What is recorded of a case's halt: ``state``, ``requested_at``, ``contained_at`` …; empty where there is none."""
    halt = case.evidence.get("halt")
    return halt if isinstance(halt, Mapping) else {}


def asks(case: Case, halting: Halting, now: datetime) -> bool:
    """Whether a case that changed at ``now`` is the occasion for a halt: at most once for each case."""
    return (
        case.state in _UNRESOLVED
        and not halting.rules.isdisjoint(case.rules)
        and _RANK[case.severity] >= _RANK[halting.minimum]
        and (halting.lone_witness or not case.evidence.get("unconfirmed"))
        and not halt_of(case)
        and any(event.at == now and event.action in _OCCASIONS for event in case.history)
    )


def decided(case: Case, state: str, note: str, now: datetime) -> Case:
    """A case with the decision about its halt: requested, dry_run, limited or withdrawn."""
    halt: dict[str, object] = {**halt_of(case), "state": state}
    halt.setdefault("requested_at", rfc3339(now) if state == "requested" else None)
    event = Event(now, _EVENTS[state], SYSTEM, note)
    return replace(case, evidence={**case.evidence, "halt": halt}, history=(*case.history, event))


def contained(case: Case, at: datetime, said_by: str, now: datetime) -> Case:
    """A case whose request was answered: withdrawals are halted since ``at``, as ``said_by`` says.

    ``time_to_halt_ms``: whole milliseconds since the case exists, rounded down; 0 where withdrawals had been halted
    before.
    """
    waited = max((at - case.opened_at) // timedelta(milliseconds=1), 0)
    halt = {
        **halt_of(case),
        "state": "contained",
        "contained_at": rfc3339(at),
        "said_by": said_by,
        "time_to_halt_ms": waited,
    }
    event = Event(now, "contained", said_by, f"withdrawals halted at {rfc3339(at)}, {waited} ms after the case began")
    return replace(case, evidence={**case.evidence, "halt": halt}, history=(*case.history, event))
