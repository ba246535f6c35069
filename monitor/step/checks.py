"""The step of a completeness check: holdings and counters after one block, beside the ledger at that block."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from monitor import detect, reconcile
from monitor.ledger import reader
from monitor.ledger.encode import block_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit
from monitor.model import Case
from monitor.step import ceremonies
from monitor.step.messages import written
from monitor.step.observations import Checked
from monitor.step.setup import Setup


def checked(
    connection: Connection, setup: Setup, observation: Checked, now: datetime
) -> tuple[Commit, tuple[Case, ...]]:
    """Book every residual and every gap at this block, one case each; nothing where all is equal.

    A block that has left the ledger since it was asked about is not judged: its check is void.
    """
    at = observation.at
    if not reader.is_followed(connection, at):
        return Commit(), ()
    owners = setup.owners[at.chain]
    ledger = reader.units_at(connection, at.chain, [(a.locator, a.asset) for a in observation.holdings], at.height)
    asked = {a.locator for a in observation.holdings} | set(observation.sequences)
    compared = reader.opened_by(connection, at.chain, asked, at.height)
    residuals = reconcile.residuals(observation.holdings, ledger, owners, compared, at)
    known = reader.sequences_at(connection, at.chain, compared & set(observation.sequences), at.height)
    gaps = reconcile.gaps(observation.sequences, known)
    if not residuals and not gaps:
        return Commit(), ()
    found = (
        *detect.residual_cases(residuals, setup.wallets, now, {at.chain: observation.unseen}, observation.tier),
        *detect.gap_cases(gaps, owners, at, setup.natives[at.chain], now),
    )
    located = {(a.locator, a.asset): txids for a, txids in observation.located.items()}
    found = tuple(detect.with_transactions(case, located) for case in found)
    found = ceremonies.beside(connection, found, at, setup.skews[at.chain])
    existing = reader.cases_by_id(connection, [case.id for case in found])
    changed = tuple(case for case in found if case.id not in existing)
    records = []
    if residuals:
        lines = [[r.locator, r.asset, r.wallet, str(r.units)] for r in residuals]
        number = reader.residuals_booked(connection, at.chain, at.height)
        records.append(
            Record("residual", {"at": block_to_json(at), "txid": f"residual-{number + 1}", "accounts": lines})
        )
    if gaps:
        records.append(Record("gap", {"at": block_to_json(at), "locators": dict(gaps)}))
    done = written(connection, changed, setup.receivers)
    return Commit(records=(*records, *done.records), messages=done.messages), done.cases
