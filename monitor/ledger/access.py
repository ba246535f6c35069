"""Who read which case, in the ledger. Beside the journal: a read changes nothing that it bears witness of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from monitor.ledger import schema


@dataclass(frozen=True, slots=True)
class CaseRead:
    """Somebody was shown a case: ``at`` for the first time in ``hour``, from the address ``client``.

    ``how``: by what he showed who he is ("none" where nobody can log in, and then ``name`` is "").
    """

    name: str
    how: str
    role: str
    client: str
    case_id: str
    hour: datetime
    at: datetime


def note(connection: Connection, reads: Sequence[CaseRead]) -> None:
    """Add what is not there yet: one row a caller, case and hour."""
    if not reads:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [
        {
            "name": each.name,
            "how": each.how,
            "role": each.role,
            "client": each.client,
            "case_id": each.case_id,
            "hour": each.hour,
            "at": each.at,
        }
        for each in reads
    ]
    connection.execute(dialect.insert(schema.case_read).on_conflict_do_nothing(), rows)


def reads(
    connection: Connection,
    *,
    case_id: str | None = None,
    name: str | None = None,
    limit: int = 100,
    before: int | None = None,
) -> list[tuple[int, CaseRead]]:
    """Reads with their numbers, newest first, below the number ``before``."""
    columns = schema.case_read.c
    query = select(schema.case_read).order_by(columns.id.desc()).limit(limit)
    if case_id is not None:
        query = query.where(columns.case_id == case_id)
    if name is not None:
        query = query.where(columns.name == name)
    if before is not None:
        query = query.where(columns.id < before)
    return [
        (row.id, CaseRead(row.name, row.how, row.role, row.client, row.case_id, row.hour, row.at))
        for row in connection.execute(query)
    ]
