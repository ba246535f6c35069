"""Incidents in the ledger: sums over their cases, made from the cases' own records and from nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from monitor.detect import Incident, Span, Standing, recorded, told
from monitor.detect.incidents import LONGEST, WINDOW, keys_of, time_of
from monitor.ledger import schema
from monitor.ledger.encode import Json, canonical, case_from_json, moment, parse
from monitor.model import Case, CaseState, Severity, rfc3339

#: incidents that one step compares its cases with; nearly all cases share a rule, so there is one at a time
MOST_STANDING = 100
_CHUNK = 500
_UNRESOLVED = (CaseState.OPEN.value, CaseState.ACKNOWLEDGED.value)


def apply_case(connection: Connection, case: Case) -> None:
    """Count a case in its incident when it joins; remember what was told where it pages later on.

    To be called before the case's own row is written: the row says whether it had joined before.
    """
    if case.incident is None:
        return
    columns = schema.cases.c
    before = connection.execute(select(columns.incident, columns.body).where(columns.id == case.id)).first()
    if before is None or before.incident is None:
        stored = incident(connection, case.incident)
        _write(connection, recorded(stored, case), new=stored is None)
        _write_keys(connection, case)
    elif case.growth != case_from_json(parse(before.body)).growth:
        stored = incident(connection, case.incident)
        assert stored is not None, "a case that has joined is counted"
        _write(connection, told(stored), new=False)


def incident(connection: Connection, incident_id: str) -> Incident | None:
    """The incident with this id, or None where there is none."""
    return incidents(connection, [incident_id]).get(incident_id)


def incidents(connection: Connection, ids: Collection[str]) -> dict[str, Incident]:
    """The incidents with these ids that exist."""
    found: dict[str, Incident] = {}
    for batch in _chunks(sorted(set(ids))):
        rows = connection.execute(select(schema.incident.c.body).where(schema.incident.c.id.in_(batch)))
        found.update({one.id: one for one in (_from_json(parse(row.body)) for row in rows)})
    return found


def listed(connection: Connection, *, limit: int, after: str | None = None) -> list[Incident]:
    """Incidents, the newest first; ``after`` is the id of the last one already seen. Raises KeyError for another."""
    columns = schema.incident.c
    query = select(columns.body).order_by(columns.first_at.desc(), columns.id.desc()).limit(limit)
    if after is not None:
        last = connection.execute(select(columns.first_at).where(columns.id == after)).first()
        if last is None:
            raise KeyError(after)
        earlier = (columns.first_at < last.first_at) | ((columns.first_at == last.first_at) & (columns.id < after))
        query = query.where(earlier)
    return [_from_json(parse(row.body)) for row in connection.execute(query)]


def unresolved(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """How many cases of each of these incidents are open or acknowledged, where there are any."""
    columns = schema.cases.c
    found: dict[str, int] = {}
    for batch in _chunks(sorted(set(ids))):
        query = (
            select(columns.incident, func.count().label("n"))
            .where(columns.incident.in_(batch), columns.state.in_(_UNRESOLVED))
            .group_by(columns.incident)
        )
        found.update({row.incident: row.n for row in connection.execute(query)})
    return found


def count_unresolved(connection: Connection) -> int:
    """How many incidents have a case that is open or acknowledged."""
    columns = schema.cases.c
    query = select(func.count(func.distinct(columns.incident))).where(columns.state.in_(_UNRESOLVED))
    return int(connection.execute(query).scalar_one())


def cases_of(connection: Connection, incident_id: str, *, limit: int) -> list[Case]:
    """The cases of an incident in the order they were opened."""
    columns = schema.cases.c
    query = select(columns.body).where(columns.incident == incident_id).order_by(columns.opened_at, columns.id)
    return [case_from_json(parse(row.body)) for row in connection.execute(query.limit(limit))]


def standing(connection: Connection, cases: Iterable[Case]) -> list[Standing]:
    """The incidents that could take one of these cases: near in time, something in common, and not over.

    One is over when every case of it is closed: what comes then is new, and pages.
    """
    wanted = [(time_of(case), keys_of(case)) for case in cases]
    if not wanted:
        return []
    first, last = min(at for at, _ in wanted), max(at for at, _ in wanted)
    columns = schema.incident_key.c
    spans: dict[str, dict[str, Span]] = {}
    for batch in _chunks(sorted({key for _, keys in wanted for key in keys})):
        rows = connection.execute(
            select(schema.incident_key).where(
                columns.name.in_(batch), columns.last_at >= first - WINDOW, columns.first_at <= last + WINDOW
            )
        )
        for row in rows:
            spans.setdefault(row.incident, {})[row.name] = Span(row.first_at, row.last_at)
    near = [one for one in incidents(connection, spans).values() if one.first_at >= first - LONGEST]
    near.sort(key=lambda one: (one.first_at, one.id))
    return [Standing(one, spans[one.id]) for one in near if _unresolved(connection, one.id)][:MOST_STANDING]


def left_unpaged(connection: Connection, closed: Case) -> Case | None:
    """The oldest open case of an incident of which ``closed`` was the last case that paged; None where nobody waits."""
    columns = schema.cases.c
    others = [columns.incident == closed.incident, columns.id != closed.id]
    paging = select(columns.id).where(*others, columns.pages == 1, columns.state.in_(_UNRESOLVED)).limit(1)
    if not closed.pages or connection.execute(paging).first() is not None:
        return None
    query = select(columns.body).where(*others, columns.state == CaseState.OPEN.value)
    row = connection.execute(query.order_by(columns.opened_at, columns.id).limit(1)).first()
    return None if row is None else case_from_json(parse(row.body))


def _unresolved(connection: Connection, incident_id: str) -> bool:
    columns = schema.cases.c
    query = select(columns.id).where(columns.incident == incident_id, columns.state.in_(_UNRESOLVED)).limit(1)
    return connection.execute(query).first() is not None


def _write(connection: Connection, one: Incident, *, new: bool) -> None:
    values = {"first_at": one.first_at, "last_at": one.last_at, "body": canonical(_to_json(one))}
    if new:
        connection.execute(insert(schema.incident).values(id=one.id, **values))
    else:
        connection.execute(update(schema.incident).where(schema.incident.c.id == one.id).values(**values))


def _write_keys(connection: Connection, case: Case) -> None:
    columns, at, keys = schema.incident_key.c, time_of(case), keys_of(case)
    where = (columns.incident == case.incident, columns.name.in_(keys))
    rows = connection.execute(select(schema.incident_key).where(*where)).all()
    spans = {row.name: Span(row.first_at, row.last_at) for row in rows}
    connection.execute(delete(schema.incident_key).where(*where))
    new = [(key, spans.get(key, Span(at, at)).with_(at)) for key in keys]
    connection.execute(
        insert(schema.incident_key),
        [{"name": key, "incident": case.incident, "first_at": s.first, "last_at": s.last} for key, s in new],
    )


def _chunks(items: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(items), _CHUNK):
        yield items[begin : begin + _CHUNK]


def _to_json(one: Incident) -> Json:
    return {
        "id": one.id,
        "first_at": rfc3339(one.first_at),
        "last_at": rfc3339(one.last_at),
        "last_opened_at": rfc3339(one.last_opened_at),
        "cases": one.cases,
        "severity": one.severity.value,
        "outflow": one.outflow,
        "chains": list(one.chains),
        "tiers": list(one.tiers),
        "wallets": list(one.wallets),
        "destinations": one.destinations,
        "new_destinations": one.new_destinations,
        "units": {asset: str(units) for asset, units in one.units.items()},
        "value": {currency: format(amount, "f") for currency, amount in one.value.items()},
        "priced_at": one.priced_at,
        "unpriced": {asset: [str(first), str(total)] for asset, (first, total) in one.unpriced.items()},
        "told_value": {currency: format(amount, "f") for currency, amount in one.told_value.items()},
        "told_doublings": one.told_doublings,
    }


def _from_json(body: Any) -> Incident:
    return Incident(
        id=body["id"],
        first_at=moment(body["first_at"]),
        last_at=moment(body["last_at"]),
        last_opened_at=moment(body["last_opened_at"]),
        cases=body["cases"],
        severity=Severity(body["severity"]),
        outflow=body["outflow"],
        chains=tuple(body["chains"]),
        tiers=tuple(body["tiers"]),
        wallets=tuple(body["wallets"]),
        destinations=body["destinations"],
        new_destinations=body["new_destinations"],
        units={asset: int(units) for asset, units in body["units"].items()},
        value={currency: Decimal(amount) for currency, amount in body["value"].items()},
        priced_at=body["priced_at"],
        unpriced={asset: (int(first), int(total)) for asset, (first, total) in body["unpriced"].items()},
        told_value={currency: Decimal(amount) for currency, amount in body["told_value"].items()},
        told_doublings=body["told_doublings"],
    )
