"""Cases: page by page, one by one, and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, Path, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from monitor.ledger import reader
from monitor.model import CaseState, Severity
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.api.fields import Search, Size, Text
from monitor.publish.door.caller import caller
from monitor.publish.render import render_case

if TYPE_CHECKING:
    from monitor.publish.served import Served

StateFilter = Literal["open", "pending", "acknowledged", "closed", "all"]
CaseId = Annotated[str, Path(max_length=64, pattern=r"^[0-9a-zA-Z_-]+$")]


class CaseBlock(Shape):
    """Where it is on the chain."""

    height: int
    hash: str
    time: str


class CaseDestination(Shape):
    """Where something went. ``known``: policy.allow lists it, which explains nothing."""

    address: str
    amount: str | None
    known: bool


class CaseValue(Shape):
    """What it is worth, and since when that price is."""

    amount: str
    currency: str
    price_as_of: str


class CaseNotice(Shape):
    """Who was told of a case. ``content``: SHA-256 of what was sent, or ""."""

    event: str
    authority: str
    channel: str
    content: str


class CaseEvent(Shape):
    """Who did what, when and why."""

    at: str
    action: str
    by: str
    note: str
    how: str | None
    notice: CaseNotice | None


class CaseBody(Shape):
    """One thing that happened and that a person must resolve."""

    id: str
    rule: str
    rules: list[str]
    severity: Severity
    state: CaseState
    due_at: str | None
    chain: str | None
    wallet: str | None
    tier: str | None
    asset: str | None
    amount: str | None
    units: str | None
    fee: str | None
    value: CaseValue | None
    destinations: list[CaseDestination]
    txid: str | None
    block: CaseBlock | None
    seen_at: str | None
    reorged_out: bool
    opened_at: str
    detected_after_seconds: float | None
    incident: str | None
    growth: list[str]
    evidence: dict[str, Any]
    history: list[CaseEvent]


class Cases(Shape):
    """``next``: what to pass as ``after``."""

    cases: list[CaseBody]
    next: str | None


class Count(Shape):
    """How many cases are of one state, rule and severity."""

    state: CaseState
    rule: str
    severity: Severity
    count: int


class Counts(Shape):
    """All cases of the ledger, counted; ``states`` has every state."""

    states: dict[CaseState, int]
    counts: list[Count]


def add_cases(app: FastAPI, served: Served) -> None:
    """Add the routes that read; what changes a case stands in publish.routes.changes."""

    @app.get("/api/v1/cases", response_model=Answer[Cases])
    def cases(  # noqa: PLR0913, PLR0917  filters by name
        request: Request,
        state: StateFilter = "open",
        rule: Text = None,
        chain: Text = None,
        wallet: Text = None,
        severity: Severity | None = None,
        incident: Text = None,
        q: Search = None,
        order: Literal["oldest", "newest"] = "oldest",
        limit: Size = 100,
        after: Text = None,
    ) -> Response:
        """Cases in the order of their opening; ``next`` is what to pass as ``after``.

        ``q``: an address, a transaction, an id or a part of one that stands anywhere in the case.
        """
        states = None if state == "all" else (CaseState(state),)
        try:
            with served.ledger.read() as connection:
                found = reader.cases(
                    connection,
                    states=states,
                    rule=rule,
                    chain=chain,
                    wallet=wallet,
                    severity=None if severity is None else severity.value,
                    incident=incident,
                    mentions=q,
                    newest_first=order == "newest",
                    limit=limit + 1,
                    after=after,
                )
        except KeyError as error:
            raise HTTPException(400, "after: there is no such case") from error
        page = found[:limit]
        served.reads.note(caller(request), [case.id for case in page], served.clock())
        rendered = [render_case(case, served.scope.decimals) for case in page]
        return answer({"cases": rendered, "next": page[-1].id if len(found) > limit else None})

    @app.get("/api/v1/cases/counts", response_model=Answer[Counts])
    def counts() -> Response:
        """How many cases there are by state, rule and severity, closed ones included."""
        with served.ledger.read() as connection:
            found = reader.case_counts(connection)
        states = dict.fromkeys((state.value for state in CaseState), 0)
        for (state, _, _), count in found.items():
            states[state.value] += count
        lines = [
            {"state": state.value, "rule": rule, "severity": severity, "count": count}
            for (state, rule, severity), count in sorted(found.items())
        ]
        return answer({"states": states, "counts": lines})

    @app.get("/api/v1/cases/{case_id}", response_model=Answer[CaseBody])
    def case(request: Request, case_id: CaseId) -> Response:
        """One case."""
        with served.ledger.read() as connection:
            found = reader.case(connection, case_id)
        if found is None:
            raise HTTPException(404, "there is no such case")
        served.reads.note(caller(request), [found.id], served.clock())
        return answer(render_case(found, served.scope.decimals))
