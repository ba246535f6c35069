"""One observation, one step, one database transaction: the only place that knows the order of the stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from chains.core.values import Holdings
from monitor.assess import Inputs
from monitor.detect.ceremonies import Ceremony
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, commit
from monitor.model import Attribution, Case
from monitor.step import (
    approvals,
    blocks,
    cases,
    ceremonies,
    checks,
    contracts,
    control,
    halting,
    measure,
    shadow,
    tables,
)
from monitor.step.observations import (
    Acted,
    Added,
    ApprovalsRead,
    AssetsOpened,
    BlockSeen,
    CeremonyAnnounced,
    CeremonyCancelled,
    CeremonyConfirmed,
    Checked,
    Configured,
    ContractsSeen,
    ControlAsked,
    ControlShown,
    Due,
    EndpointFault,
    EvidenceKept,
    FinalSeen,
    HaltAnswered,
    HaltWithdrawn,
    Measured,
    Notified,
    Observation,
    Opened,
    RangeNearlyUsed,
    Reloaded,
    ReorgTooDeep,
    Rewound,
    ShadowAsked,
    ShadowOver,
    TableRead,
    Witnessed,
)
from monitor.step.setup import Setup


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step did, for those who publish it. ``answers``: one word for each approval record, in order.

    ``inputs``: what the verdict was computed from; ``holdings``: by chain, the readings behind them.
    ``recoined``: chains whose set of coins was put right. ``shadow``: when the configured shadow ends, None for none.
    """

    cases: tuple[Case, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    verdict: dict[str, object] | None = None
    inputs: Inputs | None = None
    holdings: Mapping[str, Holdings] = field(default_factory=dict)
    answers: tuple[str, ...] = ()
    depth: int = 0
    recoined: tuple[str, ...] = ()
    shadow: datetime | None = None
    wrote: bool = True
    ceremony: Ceremony | None = None


def take(connection: Connection, setup: Setup, observation: Observation, now: datetime) -> Outcome:
    """Judge ``observation`` against the ledger and write all its effects in the caller's transaction."""
    change, outcome = _plan(connection, setup, observation, now)
    if change == Commit():
        return outcome
    if setup.is_silent(now):
        change = replace(change, messages=())
    else:
        change, found = halting.with_requests(connection, setup, change, outcome.cases, now)
        outcome = replace(outcome, cases=found)
    commit(connection, change, now)
    return outcome


def _plan(  # noqa: C901, PLR0911, PLR0912, PLR0915  one line a kind of observation
    connection: Connection, setup: Setup, observation: Observation, now: datetime
) -> tuple[Commit, Outcome]:
    match observation:
        case BlockSeen():
            change, found, attributions = blocks.seen(connection, setup, observation, now)
            return change, Outcome(cases=found, attributions=attributions)
        case Checked():
            change, found = checks.checked(connection, setup, observation, now)
            return change, Outcome(cases=found)
        case Witnessed():
            change, found = blocks.witnessed(connection, setup, observation, now)
            return change, Outcome(cases=found)
        case RangeNearlyUsed():
            change, found = cases.range_nearly_used(connection, setup, observation, now)
            return change, Outcome(cases=found)
        case EndpointFault():
            change, found = cases.fault(connection, setup, observation, now)
            return change, Outcome(cases=found)
        case ContractsSeen():
            change, found = contracts.seen(connection, setup, observation, now)
            return change, Outcome(cases=found)
        case FinalSeen():
            return Commit(final=(observation.chain, observation.height)), Outcome()
        case Opened():
            return blocks.opened(observation), Outcome()
        case AssetsOpened():
            return blocks.assets_opened(observation), Outcome()
        case Added():
            return blocks.added(connection, observation), Outcome()
        case Configured():
            return blocks.configured(observation), Outcome()
        case Rewound():
            change, found, depth = blocks.rewound(connection, setup, observation, now)
            return change, Outcome(cases=found, depth=depth)
        case ReorgTooDeep():
            change, found = cases.too_deep(connection, setup, observation, now)
            return change, Outcome(cases=found)
        case ApprovalsRead():
            change, found, answers = approvals.read(connection, setup, observation, now)
            return change, Outcome(cases=found, answers=answers)
        case TableRead():
            return tables.read(connection, observation), Outcome()
        case Due():
            change, found = cases.due(connection, setup, now)
            return change, Outcome(cases=found)
        case Acted():
            change, found = cases.acted(connection, setup, observation, now)
            return change, Outcome(cases=found)
        case Notified():
            change, found = cases.notified(connection, setup, observation, now)
            return change, Outcome(cases=found)
        case ControlAsked():
            return control.asked(observation), Outcome()
        case ControlShown():
            return control.shown(connection, observation, now), Outcome()
        case Measured():
            change, found, verdict, inputs = measure.measured(connection, setup, observation, now)
            recoined = tuple(r.body["at"]["chain"] for r in change.records if r.kind == "coins")
            return change, Outcome(
                cases=found, verdict=verdict, inputs=inputs, holdings=observation.holdings, recoined=recoined
            )
        case CeremonyAnnounced():
            change, ceremony = ceremonies.announced(connection, setup, observation, now)
            return change, Outcome(ceremony=ceremony)
        case CeremonyConfirmed():
            change, ceremony = ceremonies.confirmed(connection, observation, now)
            return change, Outcome(ceremony=ceremony)
        case CeremonyCancelled():
            change, ceremony = ceremonies.cancelled(connection, observation, now)
            return change, Outcome(ceremony=ceremony)
        case EvidenceKept():
            body = {"cycle": observation.cycle, "folder": observation.folder, "files": dict(observation.files)}
            return Commit((Record("evidence", body),)), Outcome()
        case HaltAnswered():
            change, found = halting.answered(connection, observation, now)
            return change, Outcome(cases=found)
        case HaltWithdrawn():
            change, found = halting.withdrawn(connection, observation, now)
            return change, Outcome(cases=found)
        case ShadowAsked():
            change, until = shadow.asked(connection, observation.until, now)
            return change, Outcome(shadow=until)
        case ShadowOver():
            change, found = shadow.over(connection, setup, now)
            return change, Outcome(cases=found)
        case Reloaded():
            body = {
                "config": observation.config,
                "previous": observation.previous,
                "changed": list(observation.changed),
            }
            return Commit((Record("reloaded", body),)), Outcome()
