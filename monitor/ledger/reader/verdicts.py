"""Verdicts as they were journalled."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from monitor.ledger import schema
from monitor.ledger.encode import Json, parse


def latest_verdict(connection: Connection) -> Json | None:
    """The newest verdict as it was journalled, in CONTRACT.md's form."""
    row = connection.execute(select(schema.verdict.c.body).order_by(schema.verdict.c.cycle.desc()).limit(1)).first()
    return None if row is None else parse(row.body)


def closes(connection: Connection) -> list[datetime]:
    """When the closing verdicts were given, oldest first."""
    columns = schema.verdict.c
    return list(connection.execute(select(columns.at).where(columns.kind == "close").order_by(columns.cycle)).scalars())


def verdict_at(connection: Connection, at: datetime) -> Json:
    """The verdict that was given at this very moment. Raises NoResultFound."""
    columns = schema.verdict.c
    body: Json = parse(connection.execute(select(columns.body).where(columns.at == at)).scalars().one())
    return body


def verdicts(connection: Connection, *, kind: str | None, limit: int, after: int | None) -> list[Json]:
    """Verdicts as they were journalled, newest first; ``after``: the cycle of the last one already seen."""
    columns = schema.verdict.c
    query = select(columns.body).order_by(columns.cycle.desc()).limit(limit)
    if kind is not None:
        query = query.where(columns.kind == kind)
    if after is not None:
        query = query.where(columns.cycle < after)
    return [parse(body) for body in connection.execute(query).scalars()]


def verdict_of(connection: Connection, cycle: int) -> Json | None:
    """The verdict of one cycle as it was journalled, or None where there is none."""
    body = connection.execute(select(schema.verdict.c.body).where(schema.verdict.c.cycle == cycle)).scalar_one_or_none()
    return None if body is None else parse(body)
