"""Cases, one by one and counted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from monitor.ledger import schema
from monitor.ledger.encode import case_from_json, parse
from monitor.ledger.state import chunks
from monitor.model import Case, CaseState

UNRESOLVED = (CaseState.OPEN, CaseState.ACKNOWLEDGED)


def case(connection: Connection, case_id: str) -> Case | None:
    """The case with this id, or None where there is none."""
    row = connection.execute(select(schema.cases.c.body).where(schema.cases.c.id == case_id)).first()
    return None if row is None else case_from_json(parse(row.body))


def cases_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Case]:
    """The cases with these ids that exist."""
    found: dict[str, Case] = {}
    for batch in chunks(ids):
        rows = connection.execute(select(schema.cases.c.id, schema.cases.c.body).where(schema.cases.c.id.in_(batch)))
        found.update({row.id: case_from_json(parse(row.body)) for row in rows})
    return found


def cases(  # noqa: PLR0913  filters by name
    connection: Connection,
    *,
    states: Collection[CaseState] | None = None,
    rule: str | None = None,
    chain: str | None = None,
    wallet: str | None = None,
    severity: str | None = None,
    incident: str | None = None,
    mentions: str | None = None,
    newest_first: bool = False,
    limit: int | None = None,
    after: str | None = None,
) -> list[Case]:
    """Cases in the order they were opened, or the reverse; ``after`` is the id of the last one already seen.

    ``mentions``: a text that the case holds somewhere, such as an address or a txid; letter case does not count.
    Raises KeyError where ``after`` names no case.
    """
    columns = schema.cases.c
    order = (columns.opened_at, columns.id)
    query = select(columns.body).order_by(*(column.desc() if newest_first else column for column in order))
    if states is not None:
        query = query.where(columns.state.in_([state.value for state in states]))
    exact = (
        (columns.rule, rule),
        (columns.chain, chain),
        (columns.wallet, wallet),
        (columns.severity, severity),
        (columns.incident, incident),
    )
    for column, wanted in exact:
        if wanted is not None:
            query = query.where(column == wanted)
    if mentions is not None:
        query = query.where(columns.body.icontains(mentions, autoescape=True))
    if after is not None:
        last = connection.execute(select(columns.opened_at).where(columns.id == after)).first()
        if last is None:
            raise KeyError(after)
        query = query.where(_behind(last.opened_at, after, newest_first=newest_first))
    if limit is not None:
        query = query.limit(limit)
    return [case_from_json(parse(row.body)) for row in connection.execute(query)]


def _behind(opened_at: datetime, case_id: str, *, newest_first: bool) -> ColumnElement[bool]:
    """Behind a case in the order; the bound on time alone stands first, for the index."""
    columns = schema.cases.c
    if newest_first:
        within, past, later = columns.opened_at <= opened_at, columns.opened_at < opened_at, columns.id < case_id
    else:
        within, past, later = columns.opened_at >= opened_at, columns.opened_at > opened_at, columns.id > case_id
    return and_(within, or_(past, later))


def cases_of_transactions(connection: Connection, chain: str, txids: Collection[str]) -> list[Case]:
    """Every case about one of these transactions, whatever its state."""
    columns = schema.cases.c
    found: list[Case] = []
    for batch in chunks(sorted(txids)):
        query = select(columns.body).where(columns.chain == chain, columns.txid.in_(batch))
        rows = connection.execute(query.order_by(columns.opened_at, columns.id))
        found.extend(case_from_json(parse(row.body)) for row in rows)
    return found


def due_cases(connection: Connection, now: datetime) -> list[Case]:
    """Pending cases whose grace period has ended."""
    columns = schema.cases.c
    rows = connection.execute(
        select(columns.body)
        .where(columns.state == CaseState.PENDING.value, columns.due_at <= now)
        .order_by(columns.opened_at, columns.id)
    )
    return [case_from_json(parse(row.body)) for row in rows]


def open_counts(connection: Connection) -> dict[tuple[str, str, str, str], int]:
    """Open and acknowledged cases by (rule, severity, chain, tier); "" where a case has none."""
    columns = schema.cases.c
    rows = connection.execute(
        select(columns.rule, columns.severity, columns.chain, columns.tier, func.count().label("n"))
        .where(columns.state.in_([state.value for state in UNRESOLVED]))
        .group_by(columns.rule, columns.severity, columns.chain, columns.tier)
    )
    return {(r.rule, r.severity, r.chain or "", r.tier or ""): r.n for r in rows}


def case_counts(connection: Connection) -> dict[tuple[CaseState, str, str], int]:
    """All cases by (state, rule, severity), from an index alone."""
    columns = schema.cases.c
    group = (columns.state, columns.rule, columns.severity)
    rows = connection.execute(select(*group, func.count().label("n")).group_by(*group))
    return {(CaseState(r.state), r.rule, r.severity): r.n for r in rows}


def state_counts(connection: Connection) -> dict[CaseState, int]:
    """Cases by state; every state is there."""
    columns = schema.cases.c
    rows = connection.execute(select(columns.state, func.count().label("n")).group_by(columns.state))
    return {**dict.fromkeys(CaseState, 0), **{CaseState(r.state): r.n for r in rows}}
