"""What the journal says of requests to halt withdrawals and of the shadow: the newest records of their kinds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from monitor.ledger import schema
from monitor.ledger.encode import Json, case_from_json, parse
from monitor.model import Case, Direction, Part

_PAGE = 5_000
#: decisions that use up the limit of requests an hour; bodies are canonical, so that they can be found by their text
_COUNTED = ('"state":"requested"', '"state":"dry_run"')


def halts_since(connection: Connection, since: datetime) -> int:
    """How many requests to halt were made after ``since``, those of a dry run included."""
    columns = schema.journal.c
    counted = or_(*(columns.body.contains(text, autoescape=True) for text in _COUNTED))
    query = select(func.count()).where(columns.kind == "halt", columns.at > since, counted)
    return int(connection.execute(query).scalar_one())


def newest_shadow(connection: Connection) -> Json | None:
    """The newest record of the shadow: ``state`` is begun or ended; None where there never was one."""
    columns = schema.journal.c
    query = select(columns.body).where(columns.kind == "shadow").order_by(columns.seq.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else parse(row.body)


def payments_since(connection: Connection, since: datetime) -> Iterator[Any]:
    """Parts of flows that paid an outside destination, if they may have been seen at ``since`` or after.

    Rows with asset, units and reason.
    """
    columns = schema.flow.c
    query = select(columns.asset, columns.units, columns.reason).where(
        columns.part == Part.DESTINATION.value, columns.direction == Direction.OUT.value, columns.latest >= since
    )
    yield from connection.execute(query).yield_per(_PAGE)


def cases_since(connection: Connection, since: datetime) -> Iterator[Case]:
    """Cases that began at ``since`` or after, in any state, oldest first."""
    columns = schema.cases.c
    query = select(columns.body).where(columns.opened_at >= since).order_by(columns.opened_at, columns.id)
    for row in connection.execute(query).yield_per(_PAGE):
        yield case_from_json(parse(row.body))
