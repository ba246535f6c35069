"""How far each chain has been followed, and its stored headers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from chains.core.values import BlockRef
from monitor.ledger import schema


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a chain has been followed to, and the newest final height known then."""

    at: BlockRef
    final_height: int


def cursors(connection: Connection) -> dict[str, Cursor]:
    """How far each chain has been followed; a chain that was never opened is absent."""
    rows = connection.execute(select(schema.cursor)).all()
    return {r.chain: Cursor(BlockRef(r.chain, r.height, r.hash, r.parent, r.time), r.final_height) for r in rows}


def headers(connection: Connection, chain: str) -> tuple[BlockRef, ...]:
    """The stored headers of a chain, newest first."""
    columns = schema.header.c
    rows = connection.execute(select(schema.header).where(columns.chain == chain).order_by(columns.height.desc())).all()
    return tuple(BlockRef(r.chain, r.height, r.hash, r.parent, r.time) for r in rows)


def newest_seen(connection: Connection, chain: str, by: datetime, up_to: int) -> BlockRef | None:
    """The highest stored header, not above height ``up_to``, that porwatch had taken over at time ``by``."""
    columns = schema.header.c
    row = connection.execute(
        select(schema.header)
        .where(columns.chain == chain, columns.seen_at <= by, columns.height <= up_to)
        .order_by(columns.height.desc())
        .limit(1)
    ).first()
    return None if row is None else BlockRef(row.chain, row.height, row.hash, row.parent, row.time)


def last_look(connection: Connection, block: BlockRef, by: datetime | None = None) -> datetime | None:
    """When the newest block below ``block`` (by ``by``) was taken over; None where the stored headers do not say."""
    columns = schema.header.c
    query = select(columns.seen_at).where(columns.chain == block.chain, columns.height < block.height)
    query = query if by is None else query.where(columns.seen_at <= by)
    seen_at: datetime | None = connection.execute(query.order_by(columns.height.desc()).limit(1)).scalar_one_or_none()
    return seen_at


def is_followed(connection: Connection, at: BlockRef) -> bool:
    """Whether this very block is among the stored headers, or is final and lies below them."""
    columns = schema.header.c
    row = connection.execute(select(columns.hash).where(columns.chain == at.chain, columns.height == at.height)).first()
    if row is not None:
        return bool(row.hash == at.hash)
    cursor = cursors(connection).get(at.chain)
    return cursor is not None and at.height <= min(cursor.final_height, cursor.at.height)


def residuals_booked(connection: Connection, chain: str, height: int) -> int:
    """How many times residuals have been booked at one block."""
    columns = schema.movement.c
    rows = connection.execute(
        select(columns.txid)
        .where(columns.chain == chain, columns.height == height, columns.kind == "residual")
        .distinct()
    )
    return len(rows.all())
