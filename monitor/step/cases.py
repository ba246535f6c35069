"""Steps about cases: time that passed, a person's action, a reorganisation that went too deep."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from monitor import detect
from monitor.ledger import incidents, reader
from monitor.ledger.store import Commit
from monitor.model import Case, CaseState, Tier
from monitor.step.blocks import feed_blind
from monitor.step.messages import written
from monitor.step.observations import Acted, EndpointFault, Notified, RangeNearlyUsed, ReorgTooDeep
from monitor.step.setup import Setup


def due(connection: Connection, setup: Setup, now: datetime) -> tuple[Commit, tuple[Case, ...]]:
    """Open what waited long enough; while the approval feed is blind, hot outflows wait in one case for it."""
    ended = reader.due_cases(connection, now)
    changed: list[Case] = []
    if feed_blind(connection, now):
        waiting = [c for c in reader.cases(connection, states=(CaseState.PENDING,)) if c.tier is not Tier.COLD]
        ended = [case for case in ended if case.tier is Tier.COLD]
        changed.extend(_blind(connection, setup, waiting, now))
    changed.extend(detect.due(ended, now))
    return _commit(connection, setup, tuple(changed))


def _blind(connection: Connection, setup: Setup, waiting: list[Case], now: datetime) -> list[Case]:
    since = reader.feeds(connection)["approvals"].heartbeat
    if since is None:
        return []
    case = detect.blind(since, waiting, setup.decimals, now)
    stored = reader.case(connection, case.id)
    if stored is None:
        return [case]
    return [] if stored.evidence == case.evidence else [replace(stored, evidence=case.evidence)]


def acted(connection: Connection, setup: Setup, observation: Acted, now: datetime) -> tuple[Commit, tuple[Case, ...]]:
    """A person's action. Raises KeyError for an unknown case, ValueError where its state does not allow it.

    Where the last case that paged for an incident is closed, the oldest one still open pages in its place.
    """
    case = _known(connection, observation.case_id)
    changed = detect.acted(case, observation.action, observation.name, observation.reason, now, how=observation.how)
    return _commit(connection, setup, left_open(connection, changed))


def notified(
    connection: Connection, setup: Setup, observation: Notified, now: datetime
) -> tuple[Commit, tuple[Case, ...]]:
    """Somebody outside was told. Raises as ``acted``."""
    seen = observation
    case = _known(connection, seen.case_id)
    return _commit(connection, setup, (detect.notified(case, seen.notice, seen.name, seen.reason, now, how=seen.how),))


def _known(connection: Connection, case_id: str) -> Case:
    case = reader.case(connection, case_id)
    if case is None:
        raise KeyError(case_id)
    return case


def left_open(connection: Connection, changed: Case) -> tuple[Case, ...]:
    """``changed``, and beside it the case that pages from now on because ``changed`` does not any more."""
    waiting = incidents.left_unpaged(connection, changed) if changed.state is CaseState.CLOSED else None
    return (changed,) if waiting is None else (changed, detect.remains(waiting))


def too_deep(
    connection: Connection, setup: Setup, observation: ReorgTooDeep, now: datetime
) -> tuple[Commit, tuple[Case, ...]]:
    """Open one case for a reorganisation below the final block; the cursor stays where it is."""
    case = detect.deep_reorg(observation.cursor.chain, observation.cursor, observation.final_height, now)
    if reader.case(connection, case.id) is not None:
        return Commit(), ()
    return _commit(connection, setup, (case,))


def range_nearly_used(
    connection: Connection, setup: Setup, observation: RangeNearlyUsed, now: datetime
) -> tuple[Commit, tuple[Case, ...]]:
    """A descriptor's range must be made longer: one case a range."""
    case = detect.range_nearly_used(observation.chain, setup.wallets[observation.wallet], observation.range, now)
    if reader.case(connection, case.id) is not None:
        return Commit(), ()
    return _commit(connection, setup, (case,))


def fault(
    connection: Connection, setup: Setup, observation: EndpointFault, now: datetime
) -> tuple[Commit, tuple[Case, ...]]:
    """An endpoint's lie: one case an endpoint, every further kind of lie noted in it."""
    fresh = detect.endpoint_lies(observation.fault, observation.file, quorum_holds=observation.quorum_holds, now=now)
    stored = reader.case(connection, fresh.id)
    if stored is None:
        return _commit(connection, setup, (fresh,))
    changed = detect.another_fault(stored, observation.fault, quorum_holds=observation.quorum_holds, now=now)
    return _commit(connection, setup, (changed,)) if changed != stored else (Commit(), ())


def _commit(connection: Connection, setup: Setup, changed: tuple[Case, ...]) -> tuple[Commit, tuple[Case, ...]]:
    done = written(connection, changed, setup.receivers)
    return Commit(records=done.records, messages=done.messages), done.cases
