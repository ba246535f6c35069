from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.health import Health
from monitor.ledger.journal import Record
from monitor.ledger.reader import Pending
from monitor.ledger.store import Commit
from monitor.model import CaseState, rfc3339
from monitor.publish.console.standing import Level, standing
from monitor.publish.snapshot import Snapshot, take_snapshot
from tests.unit.publish.samples import NOW, SCOPE, THEFT, Store, numbered


def check(outcome: str, **more: Any) -> dict[str, Any]:
    return {"profile": "baseline", "id": "coverage", "asset": "BTC", "verdict": outcome, **more}


@pytest.fixture
def take(store: Store, health: Health) -> Callable[..., Snapshot]:
    """A snapshot of a monitor that has nothing to say, with the checks that are given."""

    def snapshot(*checks: dict[str, Any], judged: bool = True) -> Snapshot:
        for chain in SCOPE.assets:
            health.identified[chain] = health.following[chain] = True
            for stage in ("follow", "cycle"):
                health.last_success.setdefault((stage, chain), NOW - timedelta(seconds=3))
        if judged:
            body = {"cycle": 1, "at": rfc3339(NOW), "kind": "close", "hash": "h", "checks": list(checks)}
            store.commit(Commit((Record("verdict", body),)))
        return take_snapshot(store.ledger, health, SCOPE, NOW)

    return snapshot


def keys(snapshot: Snapshot, later: timedelta = timedelta(0)) -> tuple[Level, list[str]]:
    level, grounds = standing(snapshot, snapshot.at + later)
    return level, [ground.key for ground in grounds]


def test_nothing_is_said_only_where_everything_is_known_and_fine(take: Callable[..., Snapshot]) -> None:
    assert keys(take(check("PASS"))) == (Level.CLEAR, [])


def test_no_verdict_is_not_a_good_one(take: Callable[..., Snapshot]) -> None:
    assert keys(take(judged=False)) == (Level.UNKNOWN, ["standing.no_verdict"])


def test_an_unverified_check_is_unknown_and_a_breach_is_an_alarm(take: Callable[..., Snapshot]) -> None:
    level, found = keys(take(check("UNVERIFIED"), check("BREACH"), check("PASS")))
    assert (level, found) == (Level.ALARM, ["standing.breach", "standing.unverified"])
    assert keys(replace(take(judged=False), verdict={"checks": [check("UNVERIFIED")]}))[0] is Level.UNKNOWN


def test_a_check_that_is_not_law_yet_moves_nothing(take: Callable[..., Snapshot]) -> None:
    assert keys(take(check("BREACH", in_force=False))) == (Level.CLEAR, [])


def test_a_critical_case_is_an_alarm_also_while_somebody_works_on_it(
    take: Callable[..., Snapshot], store: Store
) -> None:
    store.put(numbered(1, state=CaseState.ACKNOWLEDGED))
    assert keys(take(check("PASS"))) == (Level.ALARM, ["standing.cases_critical"])


def test_closed_cases_say_nothing_and_pending_ones_ask_for_a_look(take: Callable[..., Snapshot], store: Store) -> None:
    store.put(replace(THEFT, state=CaseState.CLOSED), numbered(2, state=CaseState.PENDING))
    assert keys(take(check("PASS"))) == (Level.ATTENTION, ["standing.pending"])


def test_a_chain_that_is_not_followed_hides_outflows(take: Callable[..., Snapshot], health: Health) -> None:
    health.last_success["follow", "bitcoin"] = NOW - timedelta(seconds=121)
    assert keys(take(check("PASS"))) == (Level.UNKNOWN, ["standing.blind"])
    health.identified["bitcoin"] = False
    assert keys(take_again(take)) == (Level.UNKNOWN, ["standing.unidentified"])


def take_again(take: Callable[..., Snapshot]) -> Snapshot:
    snapshot = take(judged=False)
    assert snapshot.verdict is not None
    return replace(snapshot, vitals=replace(snapshot.vitals, identified={"bitcoin": False, "ethereum": True}))


def test_figures_that_are_not_renewed_are_unknown(take: Callable[..., Snapshot]) -> None:
    snapshot = take(check("PASS"))
    assert keys(snapshot, timedelta(seconds=15)) == (Level.CLEAR, [])
    assert keys(snapshot, timedelta(seconds=16)) == (Level.UNKNOWN, ["standing.old"])


def test_a_cycle_that_does_not_come_and_alerts_that_nobody_takes_are_unknown(take: Callable[..., Snapshot]) -> None:
    snapshot = take(check("PASS"))
    old = dict.fromkeys((("cycle", "bitcoin"), ("cycle", "ethereum")), NOW - timedelta(minutes=6))
    late = replace(snapshot, vitals=replace(snapshot.vitals, last_success={**snapshot.vitals.last_success, **old}))
    assert keys(late) == (Level.UNKNOWN, ["standing.no_cycle"])
    stuck = replace(snapshot, outbox={"pager": Pending(3, NOW - timedelta(minutes=6))})
    assert keys(stuck) == (Level.UNKNOWN, ["standing.stuck"])
