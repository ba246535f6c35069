"""Steps about announced ceremonies: each is journalled, and none explains anything."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from chains.core.values import BlockRef
from monitor.detect import ceremonies as rules
from monitor.detect.ceremonies import Ceremony, Signed
from monitor.ledger import ceremonies
from monitor.ledger.store import Commit
from monitor.model import Case, utc
from monitor.step.observations import CeremonyAnnounced, CeremonyCancelled, CeremonyConfirmed
from monitor.step.setup import Setup


def announced(
    connection: Connection, setup: Setup, observation: CeremonyAnnounced, now: datetime
) -> tuple[Commit, Ceremony]:
    """Remember an announcement; the same one again changes nothing. Raises ValueError."""
    wanted = observation.announcement
    stored = ceremonies.ceremony(connection, wanted.id)
    new = rules.announce(wanted, Signed(observation.name, observation.user, now), setup.wallets, stored)
    if new is None:
        assert stored is not None
        return Commit(), stored
    return Commit((ceremonies.announced_record(new),)), new


def confirmed(connection: Connection, observation: CeremonyConfirmed, now: datetime) -> tuple[Commit, Ceremony]:
    """A second person's word; the same again changes nothing. Raises KeyError, ValueError."""
    stored = _stored(connection, observation.id)
    new = rules.confirm(stored, Signed(observation.name, observation.user, now))
    if new is None:
        return Commit(), stored
    return Commit((ceremonies.confirmed_record(new),)), new


def cancelled(connection: Connection, observation: CeremonyCancelled, now: datetime) -> tuple[Commit, Ceremony]:
    """A cancellation. Raises KeyError, ValueError."""
    stored = _stored(connection, observation.id)
    new = rules.cancel(stored, Signed(observation.name, observation.user, now), observation.reason)
    return Commit((ceremonies.cancelled_record(new),)), new


def _stored(connection: Connection, ceremony_id: str) -> Ceremony:
    found = ceremonies.ceremony(connection, ceremony_id)
    if found is None:
        raise KeyError(ceremony_id)
    return found


def beside(connection: Connection, cases: Iterable[Case], at: BlockRef, skew: timedelta) -> tuple[Case, ...]:
    """Cases about a block, those of cold wallets with what is known of ceremonies around its time."""
    found = tuple(cases)
    if not found:
        return ()
    earliest, latest = utc(at.time) - skew, utc(at.time) + skew
    known = ceremonies.around(connection, earliest, latest)
    return tuple(rules.beside(case, known, earliest, latest) for case in found)
