"""What is still to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from monitor.ledger import schema


@dataclass(frozen=True, slots=True)
class Pending:
    """Unsent messages of one receiver."""

    count: int
    oldest: datetime | None


def pending_messages(connection: Connection) -> Mapping[str, Pending]:
    """Unsent outbox rows by receiver."""
    columns = schema.outbox.c
    rows = connection.execute(
        select(columns.receiver, func.count().label("n"), func.min(columns.created_at).label("oldest"))
        .where(columns.sent_at.is_(None))
        .group_by(columns.receiver)
    )
    return {r.receiver: Pending(r.n, r.oldest) for r in rows}


def next_messages(connection: Connection, receiver: str, limit: int, after: int = 0) -> list[tuple[int, str, str]]:
    """The oldest unsent messages of a receiver behind row ``after``: (outbox id, case id, payload)."""
    columns = schema.outbox.c
    rows = connection.execute(
        select(columns.id, columns.case_id, columns.payload)
        .where(columns.receiver == receiver, columns.sent_at.is_(None), columns.id > after)
        .order_by(columns.id)
        .limit(limit)
    )
    return [(r.id, r.case_id, r.payload) for r in rows]
