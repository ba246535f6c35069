"""What every wallet held at the anchors and at the liabilities' own time, and what moved in between."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from chains.core.values import Account, BlockRef, Evidence, Holdings
from monitor.assess import Line, Reading, Transit
from monitor.ledger import reader
from monitor.model import Direction, Part
from monitor.step.observations import AsOf, Measured
from monitor.step.setup import Setup


def readings(connection: Connection, setup: Setup, observation: Measured) -> tuple[Reading, ...]:
    """One reading of every chain at its anchor, and one for each other time that liabilities are as of."""
    now = [_now(setup, observation, chain) for chain in setup.owners]
    then = [_then(connection, setup, observation, item) for item in observation.as_of]
    return (*now, *then)


def _now(setup: Setup, observation: Measured, chain: str) -> Reading:
    holdings, anchor = observation.holdings.get(chain), observation.anchors.get(chain)
    if holdings is None or anchor is None:
        reason = observation.failures.get(chain, "no final block was read")
        return Reading(chain, setup.carried[chain], anchor, None, reason)
    lines = _lines(setup, holdings, observation.proved.get(chain, frozenset()))
    return Reading(chain, setup.carried[chain], anchor, lines)


def _then(connection: Connection, setup: Setup, observation: Measured, item: AsOf) -> Reading:
    """At an earlier block: read there, or from the ledger, which is as good as its comparison at the anchor."""
    assets = setup.carried[item.chain]
    if item.at is None:
        return Reading(item.chain, assets, None, None, item.reason, item.as_of)
    if item.holdings is not None:
        return Reading(item.chain, assets, item.at, _lines(setup, item.holdings, frozenset()), as_of=item.as_of)
    whole = _whole(observation, item.chain)
    totals = reader.totals_at(connection, item.chain, item.at.height)
    lines = tuple(
        Line(wallet, asset, units, units if whole else 0)
        for (wallet, asset), units in sorted(totals.items())
        if units and asset in assets
    )
    return Reading(item.chain, assets, item.at, lines, as_of=item.as_of)


def _whole(observation: Measured, chain: str) -> bool:
    """Whether every account of a chain is known by better evidence than a claim."""
    holdings = observation.holdings.get(chain)
    if holdings is None:
        return False
    proved = observation.proved.get(chain, frozenset())
    return holdings.evidence is Evidence.AGREED or all(account in proved for account in holdings.units)


def _lines(setup: Setup, holdings: Holdings, proved: frozenset[Account]) -> tuple[Line, ...]:
    agreed = holdings.evidence is Evidence.AGREED
    owners = setup.owners[holdings.at.chain]
    sums: dict[tuple[str, str], list[int]] = {}
    for account, units in holdings.units.items():
        if units:
            both = sums.setdefault((owners[account.locator].name, account.asset), [0, 0])
            both[0] += units
            both[1] += units if agreed or account in proved else 0
    return tuple(Line(wallet, asset, units, verified) for (wallet, asset), (units, verified) in sorted(sums.items()))


def transit(connection: Connection, setup: Setup, observation: Measured) -> tuple[Transit, ...]:
    """Flows of customer wallets that were seen by the liabilities' time, in blocks above the one held is read at.

    What went out to others has left what is owed and not yet what is held. What came in is owed already
    only where the exchange credits deposits as soon as they are seen.
    """
    found = []
    for time in sorted({line.as_of for line in observation.books.liabilities or ()}):
        dated = {line.asset for line in observation.books.liabilities or () if line.as_of == time}
        blocks = {item.chain: item.at for item in observation.as_of if item.as_of == time}
        for chain in setup.owners:
            at = blocks.get(chain, observation.anchors.get(chain))
            if at is not None:
                rows = reader.flows_seen(connection, chain, at.height, time)
                found += _moving(setup, at, (row for row in rows if row.asset in dated))
    return tuple(found)


def _moving(setup: Setup, at: BlockRef, rows: Iterable[Any]) -> list[Transit]:
    customers = setup.customers(at.chain)
    found = []
    for row in rows:
        out = row.direction == Direction.OUT and row.part == Part.DESTINATION
        credited = setup.facts.credits_seen and row.direction == Direction.IN and row.reason == "deposit"
        if row.wallet in customers and (out or credited):
            found.append(
                Transit(
                    chain=at.chain,
                    txid=row.txid,
                    wallet=row.wallet,
                    asset=row.asset,
                    units=row.units,
                    direction=Direction(row.direction),
                    reason=row.reason,
                    since=row.earliest,
                )
            )
    return found
