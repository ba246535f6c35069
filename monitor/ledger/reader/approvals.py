"""Approvals, and how far their sources have been read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from monitor.ledger import schema
from monitor.ledger.state import chunks
from monitor.ledger.store import FeedState
from monitor.model import Approval


def approvals_matching(
    connection: Connection, chain: str, destinations: Collection[str], txids: Collection[str]
) -> list[Approval]:
    """Unused approvals on a chain that name one of these destinations or transactions."""
    columns = schema.approval.c
    found: dict[str, Approval] = {}
    for column, wanted in ((columns.destination, destinations), (columns.txid, txids)):
        for batch in chunks(sorted(wanted)):
            rows = connection.execute(
                select(schema.approval)
                .where(columns.chain == chain, columns.state == "open", column.in_(batch))
                .order_by(columns.id)
            )
            found.update({row.id: _approval(row) for row in rows})
    return list(found.values())


def batch_sizes(connection: Connection, batches: Collection[str]) -> dict[str, int]:
    """How many approvals of each of these batches were read and not cancelled."""
    columns = schema.approval.c
    found: dict[str, int] = {}
    for some in chunks(sorted(batches)):
        rows = connection.execute(
            select(columns.batch, func.count().label("n"))
            .where(columns.batch.in_(some), columns.state != "cancelled")
            .group_by(columns.batch)
        )
        found.update({row.batch: row.n for row in rows})
    return found


def batch_members(connection: Connection, batches: Collection[str]) -> list[Approval]:
    """Unused approvals of these batches."""
    columns = schema.approval.c
    found: list[Approval] = []
    for some in chunks(sorted(batches)):
        query = select(schema.approval).where(columns.batch.in_(some), columns.state == "open").order_by(columns.id)
        found.extend(_approval(row) for row in connection.execute(query))
    return found


def approvals_used_by(connection: Connection, places: Collection[str]) -> list[str]:
    """Ids of the approvals that these places (``chain/txid/sink``) have used up."""
    columns = schema.approval.c
    found: list[str] = []
    for some in chunks(sorted(places)):
        query = select(columns.id).where(columns.used_by.in_(some), columns.state == "used").order_by(columns.id)
        found.extend(connection.execute(query).scalars())
    return found


def approval(connection: Connection, approval_id: str) -> tuple[Approval, str, datetime] | None:
    """An approval with its state (open, used, cancelled) and when it was first read."""
    row = connection.execute(select(schema.approval).where(schema.approval.c.id == approval_id)).first()
    return None if row is None else (_approval(row), row.state, row.first_read)


def approvals(connection: Connection, *, limit: int, after: str | None = None) -> list[tuple[Approval, str, datetime]]:
    """Approvals by id with their state and first reading."""
    query = select(schema.approval).order_by(schema.approval.c.id).limit(limit)
    if after is not None:
        query = query.where(schema.approval.c.id > after)
    return [(_approval(row), row.state, row.first_read) for row in connection.execute(query)]


def _approval(row: Any) -> Approval:
    return Approval(**{name: getattr(row, name) for name in Approval.__slots__})


def feeds(connection: Connection) -> dict[str, FeedState]:
    """How far each declared source has been read; one never read is absent."""
    rows = connection.execute(select(schema.feed)).all()
    return {r.source: FeedState(r.source, r.position, r.heartbeat, r.records, r.malformed, r.read_at) for r in rows}
