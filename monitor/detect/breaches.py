"""Cases of breached checks, each with the day by which the law wants it cured. Pure.

A breach at the close of the business day opens a case at once, one in a provisional verdict once it has
lasted. UNVERIFIED neither opens nor closes; only a later PASS closes, whoever else would like to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from monitor.detect.words import SYSTEM
from monitor.model import Case, CaseState, Event, Outcome, Severity, case_id, rfc3339

RULE = "check_breach"
#: of the built-in profile only what is owed makes a legal case; residuals have cases of their own
_OWN_CASES = ("baseline residual",)


def subject_of(check: Mapping[str, Any]) -> str:
    """What a check of a verdict is about, the same from cycle to cycle."""
    return " ".join(filter(None, (check["profile"], check["id"], check["asset"])))


def breached_since(verdict: Mapping[str, Any] | None) -> dict[str, str]:
    """By subject, since when the checks of a verdict that have not passed again are breached."""
    checks = () if verdict is None else verdict["checks"]
    return {subject_of(c): c["breached_since"] for c in checks if c.get("breached_since") is not None}


def breach_cases(
    verdict: Mapping[str, Any], unresolved: Iterable[Case], known: Mapping[str, Case], after: timedelta, now: datetime
) -> tuple[Case, ...]:
    """Cases that a verdict opens, changes or closes. ``unresolved``: those of this rule; ``known``: by id."""
    standing = {case.subject: case for case in unresolved if case.rule == RULE}
    changed = []
    for check in verdict["checks"]:
        subject = subject_of(check)
        case, outcome = standing.get(subject), check["verdict"]
        if outcome == Outcome.BREACH and case is not None:
            again = _again(case, check, verdict)
            changed += [again] if again != case else []
        elif outcome == Outcome.BREACH and _opens(check, verdict, subject, after, now):
            changed.append(_opened(check, verdict, subject, known, now))
        elif outcome == Outcome.PASS and case is not None:
            changed.append(_cured(case, verdict, now))
    return tuple(changed)


def ids_of(verdict: Mapping[str, Any]) -> list[str]:
    """The ids that cases of a verdict's breaches may have."""
    breached = [subject_of(c) for c in verdict["checks"] if c["verdict"] == Outcome.BREACH]
    return [case_id(RULE, subject) for subject in breached]


def _opens(check: Mapping[str, Any], verdict: Mapping[str, Any], subject: str, after: timedelta, now: datetime) -> bool:
    if not check["in_force"] or subject in _OWN_CASES:
        return False
    lasted = now - datetime.fromisoformat(check["breached_since"])
    return bool(verdict["kind"] == "close" or lasted >= after)


def _opened(
    check: Mapping[str, Any], verdict: Mapping[str, Any], subject: str, known: Mapping[str, Case], now: datetime
) -> Case:
    first = case_id(RULE, subject)
    # A breach that was cured and comes back is another one.
    number = first if first not in known else case_id(RULE, subject, str(verdict["cycle"]))
    note = f"breached since {check['breached_since']}" + (f", to be cured by {check['due']}" if check["due"] else "")
    return Case(
        id=number,
        rule=RULE,
        rules=(RULE,),
        severity=Severity.CRITICAL,
        state=CaseState.OPEN,
        opened_at=now,
        asset=check["asset"],
        subject=subject,
        evidence={**_figures(check, verdict), "detected": rfc3339(now), "cure_due": check["due"]},
        history=(Event(now, "opened", SYSTEM, note),),
    )


def _figures(check: Mapping[str, Any], verdict: Mapping[str, Any]) -> dict[str, object]:
    kept = ("profile", "id", "value", "threshold", "margin", "cure", "basis")
    return {**{name: check[name] for name in kept}, "verdict": verdict["hash"]}


def _again(case: Case, check: Mapping[str, Any], verdict: Mapping[str, Any]) -> Case:
    """The figures of now; the clock stays the one of the detection. Equal figures change nothing."""
    fresh = _figures(check, verdict)
    old = {name: case.evidence.get(name) for name in fresh if name != "verdict"}
    if old == {name: value for name, value in fresh.items() if name != "verdict"}:
        return case
    return replace(case, evidence={**case.evidence, **fresh})


def _cured(case: Case, verdict: Mapping[str, Any], now: datetime) -> Case:
    note = f"PASS in verdict {verdict['cycle']}, {verdict['hash']}"
    return replace(
        case,
        state=CaseState.CLOSED,
        evidence={**case.evidence, "cured_by": verdict["hash"]},
        history=(*case.history, Event(now, "closed", SYSTEM, note)),
    )
