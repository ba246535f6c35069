"""What the console asks of the ledger: pages of lists, newest first. The one place that knows the tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from monitor.ledger import reader, schema
from monitor.ledger.encode import case_from_json, parse
from monitor.ledger.reader import Wanted
from monitor.model import Approval, Case

PAGE = 30
#: addresses and flow parts of one page; behind them the page says how many more there are
MOST_ROWS = 200
_STATES = {
    "unresolved": ("open", "acknowledged", "pending"),
    "open": ("open",),
    "pending": ("pending",),
    "acknowledged": ("acknowledged",),
    "closed": ("closed",),
    "all": None,
}
STATE_FILTERS = tuple(_STATES)
#: kinds of journal records that change which locators are followed
_FOLLOWING = ("opened", "added", "assigned", "retired")


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; "" is any. ``text``: an id, a transaction or an address, whole."""

    state: str = "unresolved"
    rule: str = ""
    severity: str = ""
    chain: str = ""
    wallet: str = ""
    text: str = ""


def cases(connection: Connection, wanted: CaseFilter, before: str) -> tuple[list[Case], str]:
    """A page of cases, the newest first, and the id to go on behind ("" at the end).

    Raises KeyError where ``before`` names no case.
    """
    columns = schema.cases.c
    query = select(columns.id, columns.body).where(*_case_conditions(wanted))
    if before:
        last = connection.execute(select(columns.opened_at).where(columns.id == before)).first()
        if last is None:
            raise KeyError(before)
        earlier = and_(columns.opened_at == last.opened_at, columns.id < before)
        query = query.where(or_(columns.opened_at < last.opened_at, earlier))
    rows = connection.execute(query.order_by(columns.opened_at.desc(), columns.id.desc()).limit(PAGE + 1)).all()
    page = [case_from_json(parse(row.body)) for row in rows[:PAGE]]
    return page, page[-1].id if len(rows) > PAGE else ""


def count_cases(connection: Connection, wanted: CaseFilter) -> int:
    """How many cases there are in all pages."""
    query = select(func.count()).select_from(schema.cases).where(*_case_conditions(wanted))
    return int(connection.execute(query).scalar_one())


def _case_conditions(wanted: CaseFilter) -> list[Any]:
    columns = schema.cases.c
    found: list[Any] = []
    states = _STATES[wanted.state]
    if states is not None:
        found.append(columns.state.in_(states))
    for column, value in (
        (columns.rule, wanted.rule),
        (columns.severity, wanted.severity),
        (columns.chain, wanted.chain),
        (columns.wallet, wanted.wallet),
    ):
        if value:
            found.append(column == value)
    if wanted.text:
        # An address stands in the body, between quotes of canonical JSON.
        inside = columns.body.contains(f'"{wanted.text}"', autoescape=True)
        found.append(or_(columns.id == wanted.text, columns.txid == wanted.text, inside))
    return found


def urgent(connection: Connection, limit: int) -> list[Case]:
    """Open and acknowledged cases for the first page: critical ones first, each the newest first."""
    columns = schema.cases.c
    found: list[Case] = []
    for severities in (("critical",), ("warning", "info")):
        if len(found) < limit:
            query = (
                select(columns.body)
                .where(columns.state.in_(("open", "acknowledged")), columns.severity.in_(severities))
                .order_by(columns.opened_at.desc(), columns.id.desc())
                .limit(limit - len(found))
            )
            found += [case_from_json(parse(row.body)) for row in connection.execute(query)]
    return found


def explained_by(connection: Connection, case: Case, used: set[str]) -> list[tuple[Approval, str, datetime, bool]]:
    """Approvals that the case's transaction used (True), and unused ones that name its destinations or itself."""
    near: set[str] = set()
    if case.chain is not None and case.txid is not None:
        places = [place.address for place in case.destinations]
        near = {one.id for one in reader.approvals_matching(connection, case.chain, places, [case.txid])}
    found = []
    for name in [*sorted(used), *sorted(near - used)][:MOST_ROWS]:
        known = reader.approval(connection, name)
        if known is not None:
            found.append((*known, name in used))
    return found


def found_by(connection: Connection, text: str) -> Wanted:
    """What a search for one text looks for: a transaction, an approval's transaction, or else an address."""
    columns = schema.flow.c
    if connection.execute(select(columns.txid).where(columns.txid == text).limit(1)).first() is not None:
        return Wanted(txid=text)
    used = connection.execute(select(columns.txid).where(columns.approval == text).limit(1)).scalar_one_or_none()
    return Wanted(destinations=(text,)) if used is None else Wanted(txid=used)


def proofs_of_control(connection: Connection) -> dict[str, int]:
    """How many locators of each wallet have shown control."""
    issued, proofs = schema.control_challenge.c, schema.control_proof.c
    query = (
        select(issued.wallet, func.count(func.distinct(issued.locator)).label("n"))
        .join(schema.control_proof, proofs.challenge == issued.id)
        .group_by(issued.wallet)
    )
    return {row.wallet: row.n for row in connection.execute(query)}


class Followed:
    """How many locators are followed, by (chain, wallet): counted anew only when the journal says that it changed."""

    def __init__(self) -> None:
        self._known: tuple[int, dict[tuple[str, str], int]] = (-1, {})

    def counts(self, connection: Connection) -> dict[tuple[str, str], int]:
        """The counts; a hundred thousand rows are read only where one was opened, added, moved or dropped since."""
        columns = schema.journal.c
        newest = max(
            connection.execute(select(func.max(columns.seq)).where(columns.kind == kind)).scalar_one() or 0
            for kind in _FOLLOWING
        )
        if self._known[0] != newest:
            self._known = (newest, reader.watched_counts(connection))
        return self._known[1]


def unresolved_by_wallet(connection: Connection) -> dict[str, int]:
    """How many cases of each wallet are open or acknowledged."""
    columns = schema.cases.c
    query = (
        select(columns.wallet, func.count().label("n"))
        .where(columns.state.in_(("open", "acknowledged")), columns.wallet.is_not(None))
        .group_by(columns.wallet)
    )
    return {row.wallet: row.n for row in connection.execute(query)}
