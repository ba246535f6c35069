"""Movements and flow parts above a height, of a transaction, and without an explanation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, select

from monitor.ledger import schema


def movements_above(connection: Connection, chain: str, height: int) -> list[Any]:
    """Movements above a height that the balances contain, newest last, each with the wallet of its locator now.

    What a locator did before its opening, or that of the asset, stands in the opening, and what is no
    longer followed has no balance: taking such movements back would take what was never given.
    """
    columns, followed, carried_ = schema.movement.c, schema.watched.c, schema.carried.c
    mine = and_(followed.chain == columns.chain, followed.locator == columns.locator)
    counted = and_(carried_.chain == columns.chain, carried_.asset == columns.asset)
    return list(
        connection.execute(
            select(columns.txid, columns.locator, columns.asset, followed.wallet, columns.delta, columns.coin)
            .join(schema.watched, mine)
            .join(schema.carried, counted)
            .where(columns.chain == chain, columns.height > height)
            .where(columns.height > followed.opened_height, columns.height > carried_.opened_height)
            .order_by(columns.height, columns.ordinal, columns.txid, columns.idx)
        )
    )


def flows_above(connection: Connection, chain: str, height: int) -> list[Any]:
    """Rows of table flow above a height."""
    columns = schema.flow.c
    query = select(schema.flow).where(columns.chain == chain, columns.height > height)
    return list(connection.execute(query.order_by(columns.height, columns.ordinal, columns.idx)))


def flows_seen(connection: Connection, chain: str, height: int, by: datetime) -> list[Any]:
    """Rows of table flow above a height that had been seen at time ``by``."""
    columns = schema.flow.c
    query = select(schema.flow).where(columns.chain == chain, columns.height > height, columns.earliest <= by)
    return list(connection.execute(query.order_by(columns.height, columns.ordinal, columns.idx)))


def flows_of(connection: Connection, chain: str, txid: str) -> list[Any]:
    """Rows of table flow of one transaction."""
    columns = schema.flow.c
    query = select(schema.flow).where(columns.chain == chain, columns.txid == txid)
    return list(connection.execute(query.order_by(columns.height, columns.ordinal, columns.idx)))


def unexplained_to(connection: Connection, chain: str, destination: str, asset: str) -> list[Any]:
    """Rows of table flow that left to ``destination`` and have no explanation yet, oldest first."""
    columns = schema.flow.c
    return list(
        connection.execute(
            select(schema.flow)
            .where(
                columns.chain == chain,
                columns.destination == destination,
                columns.asset == asset,
                columns.reason == "unexplained",
            )
            .order_by(columns.earliest, columns.height, columns.ordinal, columns.idx)
        )
    )
