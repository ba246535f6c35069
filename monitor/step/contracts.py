"""Steps about the contracts of assets: the first look is remembered, every change after it is a case."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from monitor import detect
from monitor.ledger import reader
from monitor.ledger.encode import block_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit
from monitor.model import Case
from monitor.step.messages import written
from monitor.step.observations import ContractsSeen
from monitor.step.setup import Setup


def seen(
    connection: Connection, setup: Setup, observation: ContractsSeen, now: datetime
) -> tuple[Commit, tuple[Case, ...]]:
    """Journal what is new; open a case for each asset whose contract is not what it was."""
    chain = observation.at.chain
    known = reader.contract_states(connection, chain)
    records, changed = [], []
    for asset, state in observation.states.items():
        before = known.get(asset)
        if before == dict(state):
            continue
        body = {"chain": chain, "asset": asset, "at": block_to_json(observation.at), "state": dict(state)}
        records.append(Record("contract", body))
        if before is not None:
            case = detect.contract_changed(observation.at, asset, before, state, now)
            if reader.case(connection, case.id) is None:
                changed.append(case)
    done = written(connection, changed, setup.receivers)
    return Commit(records=(*records, *done.records), messages=done.messages), done.cases
