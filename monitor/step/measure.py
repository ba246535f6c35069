"""The step of a cycle: residuals booked, positions set beside liabilities, one verdict journalled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from chains.core.values import Account, BlockRef, Evidence, Holdings
from monitor import assess, detect, reconcile
from monitor.ledger import reader
from monitor.ledger.encode import Json, block_to_json, canonical
from monitor.ledger.journal import GENESIS, Record
from monitor.ledger.store import Commit
from monitor.model import Case, CoinChange, Position, Residual, rfc3339
from monitor.reconcile import Held
from monitor.step.messages import case_messages, case_records
from monitor.step.observations import AsOf, Measured
from monitor.step.setup import Setup


def measured(
    connection: Connection, setup: Setup, observation: Measured, now: datetime
) -> tuple[Commit, tuple[Case, ...], dict[str, object]]:
    """Judge a cycle's readings. The verdict is journalled whatever it says."""
    previous = reader.latest_verdict(connection)
    number = 1 if previous is None else previous["cycle"] + 1
    residuals, uncompared, begun = _residuals(connection, setup, observation)
    coins = _coins(connection, observation)
    found = (
        *detect.residual_cases(residuals, setup.wallets, now, observation.unseen),
        *(case for change in coins for case in detect.coin_cases(change, setup.owners, residuals, now)),
    )
    known = reader.cases_by_id(connection, [case.id for case in found])
    changed = tuple(case for case in found if case.id not in known)
    unresolved = reader.cases(connection, states=reader.UNRESOLVED)
    cycle = assess.Cycle(
        number=number,
        kind=observation.kind,
        at=now,
        anchors=observation.anchors,
        positions=_positions(connection, setup, observation),
        stale=_stale(setup, observation, now),
        residuals=residuals,
        open_residual_cases=sum(case.rule == "residual" for case in (*unresolved, *changed)),
        uncompared=tuple(uncompared),
        begun=tuple(begun),
        open_cases=len(unresolved) + len(changed),
        unjudged_profiles=setup.profiles,
        previous_hash=GENESIS if previous is None else previous["hash"],
    )
    body = assess.verdict(cycle, setup.decimals)
    sealed = assess.seal(body, canonical(body))
    change = Commit(
        records=(
            *_booked(residuals, number),
            *map(_coin_record, coins),
            *case_records(changed),
            Record("verdict", sealed),
        ),
        messages=case_messages(changed, setup.receivers),
    )
    return change, changed, sealed


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


def _positions(connection: Connection, setup: Setup, observation: Measured) -> tuple[Position, ...]:
    owed = {line.asset: line for line in observation.liabilities or ()}
    by_time = {(item.chain, item.as_of): item for item in observation.as_of}
    now_held = {chain: _held_now(setup, observation, chain) for chain in setup.owners}
    positions = []
    for asset in setup.decimals:
        line = owed.get(asset)
        held = []
        for chain, current in now_held.items():
            if asset not in setup.carried[chain]:
                continue
            item = None if line is None else by_time.get((chain, line.as_of))
            held.append(current if item is None else _held_then(connection, setup, observation, item))
        positions.append(reconcile.position(asset, held, line))
    return tuple(positions)


def _held_now(setup: Setup, observation: Measured, chain: str) -> Held:
    holdings, anchor = observation.holdings.get(chain), observation.anchors.get(chain)
    if holdings is None or anchor is None:
        return Held(chain, anchor, None, {}, observation.failures.get(chain, "no final block was read"))
    proved = observation.proved.get(chain, frozenset())
    return _held(setup, holdings, proved)


def _held_then(connection: Connection, setup: Setup, observation: Measured, item: AsOf) -> Held:
    """Held at an earlier block: read there, or from the ledger, which is as good as its comparison at the anchor."""
    if item.at is None:
        return Held(item.chain, None, None, {}, item.reason)
    if item.holdings is not None:
        return _held(setup, item.holdings, frozenset())
    totals = reader.totals_at(connection, item.chain, item.at.height)
    lines = ((wallet, asset, units) for (wallet, asset), units in totals.items())
    units = reconcile.customer_units(lines, setup.wallets)
    return Held(item.chain, item.at, units, units if _whole(observation, item.chain) else {})


def _whole(observation: Measured, chain: str) -> bool:
    """Whether every account of a chain is known by better evidence than a claim."""
    holdings = observation.holdings.get(chain)
    if holdings is None:
        return False
    proved = observation.proved.get(chain, frozenset())
    return holdings.evidence is Evidence.AGREED or all(account in proved for account in holdings.units)


def _held(setup: Setup, holdings: Holdings, proved: frozenset[Account]) -> Held:
    chain = holdings.at.chain
    units = _customer(setup, chain, holdings.units.items())
    if holdings.evidence is Evidence.AGREED:
        return Held(chain, holdings.at, units, units)
    verified = ((account, held) for account, held in holdings.units.items() if account in proved)
    return Held(chain, holdings.at, units, _customer(setup, chain, verified))


def _customer(setup: Setup, chain: str, holdings: Iterable[tuple[Account, int]]) -> dict[str, int]:
    owners = setup.owners[chain]
    lines = ((owners[account.locator].name, account.asset, units) for account, units in holdings)
    return reconcile.customer_units(lines, setup.wallets)


def _stale(setup: Setup, observation: Measured, now: datetime) -> dict[str, str]:
    """Why what is owed is not known, by asset: no liabilities could be used, or a line is older than max_age."""
    if observation.liabilities is None:
        return dict.fromkeys(setup.decimals, f"what is owed is unknown: {observation.liabilities_reason}")
    return {
        line.asset: f"the liabilities of {rfc3339(line.as_of)} are older than max_age"
        for line in observation.liabilities
        if reconcile.too_old(line.as_of, setup.max_age_seconds, now)
    }
