"""The shadow: cases are recorded and not told, until a day that was named when it began; then all of it is told.

Its beginning, a change of its end and its end are records of the journal, so a restart changes nothing, and there is
one shadow for a ledger: nobody can make a watching porwatch silent again by its configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from monitor import detect
from monitor.config.shadow import LONGEST
from monitor.ledger import occasions, reader
from monitor.ledger.encode import Json, moment
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit
from monitor.model import Case, CaseState, Price, rfc3339
from monitor.series import Payments, shadow_summary
from monitor.step.messages import written
from monitor.step.setup import Setup


class ShadowRefused(ValueError):
    """The configured shadow may not begin, or not last so long. The message says what to write instead."""


def asked(connection: Connection, until: datetime | None, now: datetime) -> tuple[Commit, datetime | None]:
    """What the configuration asks for against what the journal says: the record to write, and when the shadow ends.

    None where there is none; a moment that is over where its end is still to be told. Raises ShadowRefused.
    """
    newest = occasions.newest_shadow(connection)
    if newest is None:
        return _begun(connection, until, now)
    if newest["state"] == "ended":
        if until is not None and until > now:
            raise ShadowRefused(
                f"shadow_until: the shadow of this ledger ended at {newest['ended']}, and there is one for each "
                "ledger: remove shadow_until"
            )
        return Commit(), None
    since, last = moment(newest["since"]), moment(newest["until"])
    # A key that was taken out ends the shadow now; an end that has passed is not moved any more.
    wanted = last if last <= now else until or now
    if wanted == last:
        return Commit(), last
    _bounded(wanted, since)
    return Commit((_record("begun", since, wanted),)), wanted


def _begun(connection: Connection, until: datetime | None, now: datetime) -> tuple[Commit, datetime | None]:
    if until is None or until <= now:
        return Commit(), None
    _bounded(until, now)
    open_ = reader.state_counts(connection)[CaseState.OPEN]
    if open_:
        raise ShadowRefused(
            f"shadow_until: {open_} cases are open and told: acknowledge or close them before a shadow begins, "
            "or remove shadow_until"
        )
    if reader.pending_messages(connection):
        raise ShadowRefused("shadow_until: alerts still wait to be delivered: let them be, or remove shadow_until")
    return Commit((_record("begun", now, until),)), until


def _bounded(until: datetime, since: datetime) -> None:
    if until - since > LONGEST:
        latest = (since + LONGEST).date()
        raise ShadowRefused(
            f"shadow_until: ends more than {LONGEST.days} days after it began: write a day before {latest}"
        )


def _record(state: str, since: datetime, until: datetime, **more: object) -> Record:
    return Record("shadow", {"state": state, "since": rfc3339(since), "until": rfc3339(until), **more})


def over(connection: Connection, setup: Setup, now: datetime) -> tuple[Commit, tuple[Case, ...]]:
    """End the shadow once its time has come: its figures are journalled, and one case tells of them."""
    newest = occasions.newest_shadow(connection)
    if newest is None or newest["state"] == "ended":
        return Commit(), ()
    since, until = moment(newest["since"]), moment(newest["until"])
    figures = figures_of(connection, setup.fresh_prices(now), setup.decimals, setup.facts.currency, since)
    done = written(connection, (detect.shadow_ended(since, figures, now),), setup.receivers)
    ended = _record("ended", since, until, ended=rfc3339(now), figures=figures)
    return Commit(records=(ended, *done.records), messages=done.messages), done.cases


def figures_of(
    connection: Connection, prices: Mapping[str, Price], decimals: Mapping[str, int], currency: str, since: datetime
) -> Json:
    """What the shadow has shown since ``since``, as JSON without floats (monitor.series.shadow)."""
    payments = Payments()
    for row in occasions.payments_since(connection, since):
        payments.add(row.asset, row.units, row.reason)
    return dict(shadow_summary(payments, occasions.cases_since(connection, since), prices, decimals, currency))
