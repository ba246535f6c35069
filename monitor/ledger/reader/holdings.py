"""What is held and where counters stand, at the cursor or taken back to a height."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, select

from chains.core.values import Coin
from monitor.ledger import schema
from monitor.ledger.reader.movements import movements_above
from monitor.ledger.state import chunks

_PAGE = 5_000


def coins(connection: Connection, chain: str) -> Iterator[Coin]:
    """Every unspent coin of ours on a chain."""
    rows = connection.execute(select(schema.coin).where(schema.coin.c.chain == chain)).yield_per(_PAGE)
    for row in rows:
        yield Coin(row.coin, row.locator, row.asset, row.units)


def coins_at(connection: Connection, chain: str, height: int) -> dict[str, Coin]:
    """The unspent coins of a chain after block ``height``, by id."""
    held = {coin.id: coin for coin in coins(connection, chain)}
    for row in reversed(movements_above(connection, chain, height)):
        if row.coin and row.delta > 0:
            held.pop(row.coin, None)
        elif row.coin:
            held[row.coin] = Coin(row.coin, row.locator, row.asset, -row.delta)
    return held


def totals(connection: Connection) -> dict[tuple[str, str, str], int]:
    """Units by (chain, wallet, asset) after each chain's cursor."""
    rows = connection.execute(select(schema.total)).all()
    return {(r.chain, r.wallet, r.asset): r.units for r in rows}


def totals_at(connection: Connection, chain: str, height: int) -> dict[tuple[str, str], int]:
    """Units by (wallet, asset) after block ``height``: the totals less every movement above it."""
    columns = schema.total.c
    rows = connection.execute(select(schema.total).where(columns.chain == chain)).all()
    held = {(r.wallet, r.asset): r.units for r in rows}
    for row in movements_above(connection, chain, height):
        held[row.wallet, row.asset] = held.get((row.wallet, row.asset), 0) - row.delta
    return held


def accounts_at(connection: Connection, chain: str, height: int) -> dict[tuple[str, str], int]:
    """Units by (locator, asset) after block ``height``; accounts that never held anything are left out."""
    columns = schema.account.c
    rows = connection.execute(select(columns.locator, columns.asset, columns.units).where(columns.chain == chain))
    held = {(r.locator, r.asset): r.units for r in rows}
    for row in movements_above(connection, chain, height):
        held[row.locator, row.asset] = held.get((row.locator, row.asset), 0) - row.delta
    return held


def units_at(
    connection: Connection, chain: str, accounts: Collection[tuple[str, str]], height: int
) -> dict[tuple[str, str], int]:
    """Units of these (locator, asset) accounts after block ``height``; zero for one that never held anything."""
    wanted = set(accounts)
    held = dict.fromkeys(wanted, 0)
    columns = schema.account.c
    for batch in chunks({locator for locator, _ in wanted}):
        rows = connection.execute(select(schema.account).where(columns.chain == chain, columns.locator.in_(batch)))
        held.update({(r.locator, r.asset): r.units for r in rows if (r.locator, r.asset) in wanted})
    for row in movements_above(connection, chain, height):
        if (row.locator, row.asset) in wanted:
            held[row.locator, row.asset] -= row.delta
    return held


def sequences_at(connection: Connection, chain: str, locators: Collection[str], height: int) -> dict[str, int]:
    """The counters of those of these locators that have one, after block ``height``."""
    found: dict[str, int] = {}
    counters, steps = schema.sequence.c, schema.step.c
    for batch in chunks(locators):
        rows = connection.execute(
            select(counters.locator, counters.value).where(counters.chain == chain, counters.locator.in_(batch))
        )
        found.update({row.locator: row.value for row in rows})
    above = connection.execute(select(steps.locator, steps.steps).where(steps.chain == chain, steps.height > height))
    for row in above:
        if row.locator in found:
            found[row.locator] -= row.steps
    return found


def steps_above(connection: Connection, chain: str, height: int) -> list[tuple[str, int]]:
    """Steps of counters in the blocks above a height."""
    steps = schema.step.c
    rows = connection.execute(
        select(steps.locator, steps.steps)
        .where(steps.chain == chain, steps.height > height)
        .order_by(steps.height, steps.locator)
    )
    return [(row.locator, row.steps) for row in rows]


def units_of(connection: Connection, chain: str, locators: Collection[str]) -> dict[tuple[str, str], int]:
    """Units of these locators by (locator, asset) after the cursor's block; what never held anything is left out."""
    columns = schema.account.c
    found: dict[tuple[str, str], int] = {}
    for batch in chunks(sorted(locators)):
        rows = connection.execute(select(schema.account).where(columns.chain == chain, columns.locator.in_(batch)))
        found.update({(row.locator, row.asset): row.units for row in rows})
    return found
