"""Announced ceremonies in the ledger: rows from records, and questions about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from monitor.detect.ceremonies import Ceremony, Signed
from monitor.ledger import schema
from monitor.ledger.encode import Json, canonical, moment, parse
from monitor.ledger.journal import Record
from monitor.model import rfc3339


def announced_record(ceremony: Ceremony) -> Record:
    """The journal's record of an announcement; when it was made is the journal's own time."""
    body: Json = {
        "id": ceremony.id,
        "purpose": ceremony.purpose,
        "wallets": list(ceremony.wallets),
        "from": rfc3339(ceremony.begins_at),
        "to": rfc3339(ceremony.ends_at),
        "by": ceremony.announced.name,
        "user": ceremony.announced.user,
    }
    return Record("ceremony_announced", body)


def confirmed_record(ceremony: Ceremony) -> Record:
    """The journal's record of the second person's word."""
    assert ceremony.confirmed is not None
    by = ceremony.confirmed
    return Record("ceremony_confirmed", {"id": ceremony.id, "by": by.name, "user": by.user})


def cancelled_record(ceremony: Ceremony) -> Record:
    """The journal's record of a cancellation."""
    assert ceremony.cancelled is not None
    by = ceremony.cancelled
    body: Json = {"id": ceremony.id, "by": by.name, "user": by.user, "reason": ceremony.cancel_reason}
    return Record("ceremony_cancelled", body)


def apply_announced(connection: Connection, body: Json, at: datetime) -> None:
    """A ceremony is announced."""
    connection.execute(
        insert(schema.ceremony).values(
            id=body["id"],
            purpose=body["purpose"],
            wallets=canonical(body["wallets"]),
            begins_at=moment(body["from"]),
            ends_at=moment(body["to"]),
            announced_by=body["by"],
            announced_user=body["user"],
            announced_at=at,
            confirmed_by="",
            confirmed_user="",
            cancelled_by="",
            cancelled_user="",
            cancel_reason="",
        )
    )


def apply_confirmed(connection: Connection, body: Json, at: datetime) -> None:
    """A second person confirmed it."""
    values = {"confirmed_by": body["by"], "confirmed_user": body["user"], "confirmed_at": at}
    connection.execute(update(schema.ceremony).where(schema.ceremony.c.id == body["id"]).values(**values))


def apply_cancelled(connection: Connection, body: Json, at: datetime) -> None:
    """Somebody cancelled it."""
    values = {"cancelled_by": body["by"], "cancelled_user": body["user"], "cancelled_at": at}
    connection.execute(
        update(schema.ceremony).where(schema.ceremony.c.id == body["id"]).values(**values, cancel_reason=body["reason"])
    )


def ceremony(connection: Connection, ceremony_id: str) -> Ceremony | None:
    """The ceremony with this id, or None where there is none."""
    row = connection.execute(select(schema.ceremony).where(schema.ceremony.c.id == ceremony_id)).first()
    return None if row is None else _ceremony(row)


def around(connection: Connection, earliest: datetime, latest: datetime) -> tuple[Ceremony, ...]:
    """Every ceremony whose announced window touches these times, whatever became of it."""
    columns = schema.ceremony.c
    query = select(schema.ceremony).where(columns.ends_at >= earliest, columns.begins_at <= latest)
    return tuple(_ceremony(row) for row in connection.execute(query.order_by(columns.begins_at, columns.id)))


def ceremonies(connection: Connection, *, limit: int, after: str | None = None) -> list[Ceremony]:
    """Ceremonies, the window that begins last first; ``after``: the id of the last one seen. Raises KeyError."""
    columns = schema.ceremony.c
    query = select(schema.ceremony).order_by(columns.begins_at.desc(), columns.id.desc()).limit(limit)
    if after is not None:
        last = connection.execute(select(columns.begins_at).where(columns.id == after)).first()
        if last is None:
            raise KeyError(after)
        same = (columns.begins_at == last.begins_at) & (columns.id < after)
        query = query.where((columns.begins_at < last.begins_at) | same)
    return [_ceremony(row) for row in connection.execute(query)]


def of_wallet(connection: Connection, wallet: str, limit: int) -> list[Ceremony]:
    """The newest ceremonies of one wallet."""
    columns = schema.ceremony.c
    # A name in its quotes as it stands in the list: no other text of the list holds that.
    query = select(schema.ceremony).where(columns.wallets.contains(canonical(wallet), autoescape=True))
    rows = connection.execute(query.order_by(columns.begins_at.desc(), columns.id.desc()).limit(limit))
    # Letter case does not count where SQLite compares like this; in a name it does.
    return [found for row in rows if wallet in (found := _ceremony(row)).wallets]


def _ceremony(row: Any) -> Ceremony:
    return Ceremony(
        id=row.id,
        purpose=row.purpose,
        wallets=tuple(parse(row.wallets)),
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        announced=Signed(row.announced_by, row.announced_user, row.announced_at),
        confirmed=_signed(row.confirmed_by, row.confirmed_user, row.confirmed_at),
        cancelled=_signed(row.cancelled_by, row.cancelled_user, row.cancelled_at),
        cancel_reason=row.cancel_reason,
    )


def _signed(name: str, user: str, at: datetime | None) -> Signed | None:
    return None if at is None else Signed(name, user, at)
