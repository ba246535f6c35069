"""The step of a cycle: residuals booked, positions set beside liabilities, one verdict journalled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from chains.core.values import BlockRef
from monitor import assess, detect, reconcile
from monitor.assess import Inputs, ResidualLine
from monitor.ledger import reader
from monitor.ledger.encode import Json, block_to_json
from monitor.ledger.journal import GENESIS, Record
from monitor.ledger.store import Commit
from monitor.model import Case, CoinChange, Residual
from monitor.step import dressing, held
from monitor.step.messages import written
from monitor.step.observations import Measured
from monitor.step.setup import Setup


def measured(
    connection: Connection, setup: Setup, observation: Measured, now: datetime
) -> tuple[Commit, tuple[Case, ...], dict[str, object], Inputs]:
    """Judge a cycle's readings. The verdict is journalled whatever it says; it names the hash of its inputs."""
    previous = reader.latest_verdict(connection)
    number = 1 if previous is None else previous["cycle"] + 1
    residuals, uncompared, begun = _residuals(connection, setup, observation)
    coins = _coins(connection, observation)
    found = (
        *detect.residual_cases(residuals, setup.wallets, now, observation.unseen),
        *(case for change in coins for case in detect.coin_cases(change, setup.owners, residuals, now)),
    )
    if observation.kind == "close":
        found = (*found, *dressing.cases(connection, setup, now))
    known = reader.cases_by_id(connection, [case.id for case in found])
    changed = tuple(case for case in found if case.id not in known)
    unresolved = reader.cases(connection, states=reader.UNRESOLVED)
    inputs = Inputs(
        number=number,
        kind=observation.kind,
        since=detect.breached_since(previous),
        at=now,
        previous_hash=GENESIS if previous is None else previous["hash"],
        facts=setup.facts,
        books=observation.books,
        readings=held.readings(connection, setup, observation),
        transit=held.transit(connection, setup, observation),
        residuals=tuple(ResidualLine(r.chain, r.wallet, r.locator, r.asset, r.units, r.at.height) for r in residuals),
        uncompared=tuple(uncompared),
        begun=tuple(begun),
        open_residual_cases=sum(case.rule == "residual" for case in (*unresolved, *changed)),
        open_cases=len(unresolved) + len(changed),
        closes=_closes(connection, setup),
    )
    sealed = assess.verdict(inputs)
    breaches = detect.breach_cases(
        sealed, unresolved, reader.cases_by_id(connection, detect.ids_of(sealed)), setup.breach_after, now
    )
    done = written(connection, (*changed, *breaches), setup.receivers)
    change = Commit(
        records=(
            *_booked(residuals, number),
            *map(_coin_record, coins),
            *done.records,
            Record("verdict", sealed),
        ),
        messages=done.messages,
    )
    return change, done.cases, sealed, inputs


def _residuals(
    connection: Connection, setup: Setup, observation: Measured
) -> tuple[tuple[Residual, ...], list[str], list[str]]:
    """Residuals of every chain that was read; what could not be compared; what has only begun to be followed."""
    found: list[Residual] = []
    uncompared = [f"{chain}: {reason}" for chain, reason in observation.failures.items()]
    begun: list[str] = []
    for chain, anchor in observation.anchors.items():
        holdings = observation.holdings.get(chain)
        if holdings is None:
            continue
        watched = reader.watched(connection, chain)
        compared = {locator for locator, w in watched.items() if w.opened_height <= anchor.height}
        later = len(watched) - len(compared)
        if later:
            begun.append(f"{chain}: {later} addresses are compared from a later anchor on")
        late = {asset for asset, height in reader.carried(connection, chain).items() if height > anchor.height}
        begun.extend(f"{chain}: {asset} is compared from a later anchor on" for asset in sorted(late))
        units = {account: held for account, held in holdings.units.items() if account.asset not in late}
        ledger = {
            key: held
            for key, held in reader.accounts_at(connection, chain, anchor.height).items()
            if key[1] not in late
        }
        found.extend(reconcile.residuals(units, ledger, setup.owners[chain], compared, anchor))
    return tuple(found), uncompared, begun


def _closes(connection: Connection, setup: Setup) -> tuple[date, ...]:
    """The business days of the entity that have a closing verdict. One at midnight closes the day before."""
    zone = ZoneInfo(setup.facts.timezone)
    days = {(at.astimezone(zone) - timedelta(microseconds=1)).date() for at in reader.closes(connection)}
    return tuple(sorted(days))


def _coins(connection: Connection, observation: Measured) -> list[CoinChange]:
    """Where the node's set of unspent coins is not the ledger's: the sequence proof of a UTXO chain."""
    found = []
    for chain, holdings in observation.holdings.items():
        if holdings.coins is None:
            continue
        watched = reader.watched(connection, chain)
        opened = {name for name, item in watched.items() if item.opened_height <= holdings.at.height}
        ledger = reader.coins_at(connection, chain, holdings.at.height)
        change = reconcile.coin_change(holdings.coins, ledger.values(), opened, holdings.at)
        if change is not None:
            found.append(change)
    return found


def _coin_record(change: CoinChange) -> Record:
    body: Json = {
        "at": block_to_json(change.at),
        "appeared": [[coin.id, coin.locator, coin.asset, str(coin.units)] for coin in change.appeared],
        "vanished": [coin.id for coin in change.vanished],
    }
    return Record("coins", body)


def _booked(residuals: Iterable[Residual], number: int) -> list[Record]:
    """Residuals as movements at their anchor, a record a chain: the next residual is then a new one."""
    by_block: dict[BlockRef, list[list[str]]] = {}
    for residual in residuals:
        line = [residual.locator, residual.asset, residual.wallet, str(residual.units)]
        by_block.setdefault(residual.at, []).append(line)
    return [
        Record("residual", {"at": block_to_json(at), "txid": f"residual-{number}", "accounts": lines})
        for at, lines in by_block.items()
    ]
