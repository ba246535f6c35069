"""What is followed: locators, assets, and from which block on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from monitor.ledger import schema
from monitor.ledger.encode import parse
from monitor.ledger.state import chunks


@dataclass(frozen=True, slots=True)
class Watched:
    """A followed locator: its wallet, and the height at which it was opened."""

    wallet: str
    opened_height: int


def watched(connection: Connection, chain: str) -> dict[str, Watched]:
    """The followed locators of a chain with their wallet and the height of their opening."""
    columns = schema.watched.c
    rows = connection.execute(
        select(columns.locator, columns.wallet, columns.opened_height)
        .where(columns.chain == chain)
        .order_by(columns.locator)
    )
    return {r.locator: Watched(r.wallet, r.opened_height) for r in rows}


def watched_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many locators are followed, by (chain, wallet)."""
    columns = schema.watched.c
    rows = connection.execute(
        select(columns.chain, columns.wallet, func.count().label("n")).group_by(columns.chain, columns.wallet)
    )
    return {(row.chain, row.wallet): row.n for row in rows}


def added(connection: Connection, chain: str) -> dict[str, str]:
    """Wallet by locator of those that were added through the API."""
    columns = schema.added.c
    rows = connection.execute(select(columns.locator, columns.wallet).where(columns.chain == chain))
    return {row.locator: row.wallet for row in rows}


def carried(connection: Connection, chain: str) -> dict[str, int]:
    """The assets for which a chain's locators have been opened, with the height from which on."""
    columns = schema.carried.c
    rows = connection.execute(select(columns.asset, columns.opened_height).where(columns.chain == chain))
    return {row.asset: row.opened_height for row in rows}


def opened_by(connection: Connection, chain: str, locators: Collection[str], height: int) -> set[str]:
    """Those of these locators that were followed already at block ``height``: before, there is nothing to compare."""
    columns = schema.watched.c
    found: set[str] = set()
    for batch in chunks(locators):
        rows = connection.execute(
            select(columns.locator).where(
                columns.chain == chain, columns.locator.in_(batch), columns.opened_height <= height
            )
        )
        found.update(rows.scalars())
    return found


def contract_states(connection: Connection, chain: str) -> dict[str, dict[str, str]]:
    """What stood behind the contract of each asset of a chain when it was last new, by asset."""
    columns = schema.journal.c
    bodies = connection.execute(select(columns.body).where(columns.kind == "contract").order_by(columns.seq)).scalars()
    found = [parse(body) for body in bodies]
    return {body["asset"]: body["state"] for body in found if body["chain"] == chain}


def locators_of(connection: Connection, wallet: str, *, limit: int, after: str | None) -> list[tuple[str, int]]:
    """A wallet's followed locators in order, each with the height of its opening; ``after``: the last one seen."""
    columns = schema.watched.c
    query = select(columns.locator, columns.opened_height).where(columns.wallet == wallet)
    if after is not None:
        query = query.where(columns.locator > after)
    rows = connection.execute(query.order_by(columns.locator).limit(limit))
    return [(row.locator, row.opened_height) for row in rows]
