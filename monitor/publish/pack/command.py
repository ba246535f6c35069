"""`porwatch cases CONFIG export`: the exit code is returned."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from monitor.config import Config, ConfigError, SecretError, load
from monitor.ledger import incidents, reader
from monitor.ledger.errors import LedgerError
from monitor.ledger.store import Ledger
from monitor.model import Case
from monitor.profiles import read_profiles
from monitor.publish.pack.clocks import checklist
from monitor.publish.pack.facts import Entity, Facts
from monitor.publish.pack.write import files_of, write
from monitor.rules.profile import Profile, in_force

FINE, WRONG = 0, 2
#: cases of one pack
MOST_CASES = 10_000


def export(path: Path, case_id: str | None, incident_id: str | None, out: Path) -> int:
    """Write the pack of one case, or of all cases of an incident, into a new folder."""
    if (case_id is None) == (incident_id is None):
        return _say("write the ID of a case, or --incident ID")
    try:
        config = load(path)
    except ConfigError as error:
        return _say(*map(str, error.mistakes))
    try:
        ledger = Ledger(config.store_url(), writable=False)
    except (LedgerError, SecretError) as error:
        return _say(str(error))
    try:
        with ledger.read() as connection:
            cases = _cases(connection, case_id, incident_id)
        facts = _facts(config, cases, incident_id)
        duties = checklist(_profiles(config, facts), facts.detected)
        write(out, files_of(facts, duties))
    except (LookupError, ValueError, ConfigError) as error:
        return _say(str(error.args[0]) if isinstance(error, LookupError) else str(error))
    except OSError as error:
        return _say(f"--out {out}: {error.strerror or error}")
    finally:
        ledger.close()
    sys.stdout.write(f"{len(cases)} case{'' if len(cases) == 1 else 's'} in {out}\n")
    return FINE


def _cases(connection: Connection, case_id: str | None, incident_id: str | None) -> tuple[Case, ...]:
    """Raises LookupError for an id that is none, ValueError for too many cases."""
    if case_id is not None:
        case = reader.case(connection, case_id)
        if case is None:
            raise LookupError(f"there is no case {case_id}: see `porwatch cases CONFIG list`")
        return (case,)
    found = incidents.cases_of(connection, incident_id or "", limit=MOST_CASES + 1)
    if not found:
        raise LookupError(f"there is no incident {incident_id}: `porwatch cases CONFIG show ID` names that of a case")
    if len(found) > MOST_CASES:
        raise ValueError(
            f"incident {incident_id} has more than {MOST_CASES} cases: export the cases you need one by one"
        )
    return tuple(found)


def _facts(config: Config, cases: tuple[Case, ...], incident_id: str | None) -> Facts:
    entity = Entity(config.entity.name, config.entity.registration or "", config.entity.lei or "")
    natives = frozenset(chain.native for chain in config.chains.values())
    return Facts(entity, incident_id or "", cases, config.decimals, natives)


def _profiles(config: Config, facts: Facts) -> list[Profile]:
    """The configured profiles, each as it stood when the first case opened. Raises ConfigError."""
    known = read_profiles(config)
    standing = {}
    for name in list(known)[: len(config.profiles)]:
        day = facts.detected.astimezone(ZoneInfo(known[name].valuation.timezone)).date()
        profile = in_force(known, name, day)
        standing[profile.id] = profile
    return list(standing.values())


def _say(*lines: str) -> int:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return WRONG
