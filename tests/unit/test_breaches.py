"""Legal cases: who opens them, what changes them, and who alone may close them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor import detect
from monitor.model import Case, CaseState

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def check(outcome: str, since: datetime = NOW, **more: Any) -> dict[str, Any]:
    return {
        "profile": "jp-psa-2020",
        "id": "coverage",
        "asset": "BTC",
        "verdict": outcome,
        "value": "9",
        "threshold": "10",
        "margin": "-1",
        "basis": "short",
        "cure": "add 1 BTC to customer wallets",
        "due": "2026-12-01",
        "in_force": True,
        "breached_since": None if outcome == "PASS" else since.isoformat().replace("+00:00", "Z"),
    } | more


def verdict(*checks: dict[str, Any], kind: str = "close", cycle: int = 7) -> dict[str, Any]:
    return {"cycle": cycle, "kind": kind, "hash": f"hash-{cycle}", "checks": list(checks)}


def cases(
    body: dict[str, Any], *unresolved: Case, known: tuple[Case, ...] = (), now: datetime = NOW
) -> tuple[Case, ...]:
    return detect.breach_cases(body, unresolved, {case.id: case for case in known}, HOUR, now)


def opened() -> Case:
    (case,) = cases(verdict(check("BREACH")))
    return case


def test_a_breach_at_the_close_opens_a_case_with_its_cure_and_the_day_it_is_due() -> None:
    case = opened()
    assert (case.rule, case.state, case.subject, case.asset) == (
        "check_breach",
        CaseState.OPEN,
        "jp-psa-2020 coverage BTC",
        "BTC",
    )
    assert case.evidence["cure_due"] == "2026-12-01"
    assert case.evidence["cure"] == "add 1 BTC to customer wallets"
    assert case.evidence["verdict"] == "hash-7"


@pytest.mark.parametrize(("lasted", "opens"), [(HOUR - timedelta(seconds=1), 0), (HOUR, 1)])
def test_a_breach_between_closes_opens_one_once_it_has_lasted(lasted: timedelta, opens: int) -> None:
    found = cases(verdict(check("BREACH", NOW - lasted), kind="provisional"))
    assert len(found) == opens


def test_what_is_not_law_yet_and_residuals_open_none() -> None:
    assert cases(verdict(check("BREACH", in_force=False))) == ()
    assert cases(verdict(check("BREACH", profile="baseline", id="residual", asset=None))) == ()


def test_unverified_neither_opens_nor_closes() -> None:
    assert cases(verdict(check("UNVERIFIED"))) == ()
    assert cases(verdict(check("UNVERIFIED")), opened()) == ()


def test_the_same_breach_again_updates_the_case_and_keeps_its_clock() -> None:
    case = opened()
    assert cases(verdict(check("BREACH"), cycle=8), case) == ()
    worse = check("BREACH", margin="-2", due="2026-12-02")
    (changed,) = cases(verdict(worse, cycle=8), case, now=NOW + HOUR)
    assert (changed.id, changed.evidence["margin"], changed.evidence["cure_due"]) == (case.id, "-2", "2026-12-01")
    assert changed.evidence["detected"] == case.evidence["detected"]


def test_only_a_later_pass_closes_it_and_names_its_verdict() -> None:
    case = opened()
    with pytest.raises(ValueError, match="only a later PASS closes it"):
        detect.acted(case, "close", "Hanako", "cured", NOW)
    seen = detect.acted(case, "ack", "Hanako", "on it", NOW)
    (closed,) = cases(verdict(check("PASS"), cycle=9, kind="provisional"), seen)
    assert (closed.state, closed.evidence["cured_by"]) == (CaseState.CLOSED, "hash-9")
    assert [event.action for event in closed.history] == ["opened", "acknowledged", "closed"]


def test_a_breach_that_comes_back_after_it_was_cured_is_another_case() -> None:
    first = replace(opened(), state=CaseState.CLOSED)
    assert detect.ids_of(verdict(check("BREACH"))) == [first.id]
    (second,) = cases(verdict(check("BREACH"), cycle=12), known=(first,))
    assert second.id != first.id
    assert second.subject == first.subject


def test_since_when_a_check_is_breached_is_read_from_the_verdict_before() -> None:
    assert detect.breached_since(None) == {}
    body = verdict(check("BREACH"), check("PASS", id="hot_ratio"), check("UNVERIFIED", id="guarantee"))
    assert set(detect.breached_since(body)) == {"jp-psa-2020 coverage BTC", "jp-psa-2020 guarantee BTC"}
