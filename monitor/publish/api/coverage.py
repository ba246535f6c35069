"""Coverage over time: every change of held or owed in a period, its minimum and its time-weighted mean."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import FastAPI, Query
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from chains.core.amounts import format_coins
from monitor import series
from monitor.ledger import history
from monitor.ledger.encode import Json
from monitor.ledger.errors import LedgerError
from monitor.model import Owner, rfc3339
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.api.fields import Text, moment
from monitor.series import Coverage, Past, Span, Step

if TYPE_CHECKING:
    from monitor.publish.served import Served

#: what a chart can show; of more, each stretch of the period shows its worst
_MOST_POINTS = 2_000
_STATEMENTS = "what custodians state, which no chain shows"


class Point(Shape):
    """From ``at`` on, until the next point. ``coverage`` null: unknown, or nothing was owed."""

    at: str
    held: str | None
    owed: str | None
    coverage: str | None
    verdict: Literal["PASS", "BREACH", "UNVERIFIED"]
    cause: str


class Series(Shape):
    """One asset's coverage in a period.

    ``to``: how far it is known, the earliest of the chains that carry it. ``thinned``: there were more changes than
    points; each point is then the worst of its stretch. ``excludes``: what is held and not counted here.
    """

    asset: str
    begin: str
    end: str
    minimum: str | None
    minimum_at: str | None
    mean: str | None
    below_share: str
    unverified_share: str
    changes: int
    thinned: bool
    excludes: list[str]
    points: list[Point]


def add_coverage(app: FastAPI, served: Served) -> None:
    """Add the route."""

    @app.get("/api/v1/coverage", response_model=Answer[Series])
    def coverage(
        asset: Annotated[str, Query(max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")],
        begin: Annotated[Text, Query(alias="from", description="RFC 3339; default: a day before the end.")] = None,
        end: Annotated[Text, Query(alias="to", description="RFC 3339; default: now.")] = None,
    ) -> Response:
        """Coverage of one asset over time, as the chains and the declared liabilities give it, exactly.

        Unknown time is UNVERIFIED and never a ratio. A report of a close is the word that counts: it holds the
        evidence, and custodians' statements as well.
        """
        if asset not in served.scope.decimals:
            raise HTTPException(404, "there is no such asset")
        until = served.clock() if end is None else moment("to", end)
        since = until - timedelta(days=1) if begin is None else moment("from", begin)
        if since >= until:
            raise HTTPException(400, "from: is not before to: write an earlier time")
        try:
            with served.ledger.read() as connection:
                found = _coverage(connection, served, asset, since, until)
        except LedgerError as error:
            raise HTTPException(400, f"from, to: {error}") from error
        return answer(_render(served, found))


def _coverage(connection: Connection, served: Served, asset: str, begin: datetime, end: datetime) -> Coverage:
    customers = frozenset(w.name for w in served.scope.wallets if w.owner is Owner.CUSTOMER)
    carrying = {chain for chain, assets in served.scope.assets.items() if asset in assets}
    pasts = {past.chain: past for past in history.past(connection, begin, end)}
    held = [_held(pasts.get(chain), chain, customers, asset, begin, end) for chain in sorted(carrying)]
    lines = history.liabilities(connection, begin, end).get(asset, ())
    owed = series.declared(lines, served.particulars.liabilities_age)
    return series.coverage(asset, held or [(Step(begin, None, "on no chain"),)], owed, begin, end)


def _held(
    past: Past | None, chain: str, customers: frozenset[str], asset: str, begin: datetime, end: datetime
) -> Sequence[Step]:
    if past is None:
        return (Step(begin, None, f"{chain} not followed"),)
    return series.held(past, customers, asset, begin, end)


def _render(served: Served, found: Coverage) -> Json:
    decimals = served.scope.decimals[found.asset]
    shown = thinned(found.spans, found.begin, found.end, _MOST_POINTS)
    least = None if found.minimum is None else found.minimum.ratio
    return {
        "asset": found.asset,
        "begin": rfc3339(found.begin),
        "end": rfc3339(found.end),
        "minimum": None if least is None else series.down(least),
        "minimum_at": None if found.minimum is None else rfc3339(found.minimum.begin),
        "mean": None if found.mean is None else series.down(found.mean),
        "below_share": series.up(found.below_share),
        "unverified_share": series.up(found.unknown_share),
        "changes": len(found.spans),
        "thinned": len(shown) < len(found.spans),
        "excludes": [_STATEMENTS] if served.particulars.statements else [],
        "points": [_point(span, decimals) for span in shown],
    }


def thinned(spans: Sequence[Span], begin: datetime, end: datetime, most: int) -> Sequence[Span]:
    """At most ``most`` spans: of each equal stretch of the period the worst one, in order; unknown is the worst."""
    if len(spans) <= most:
        return spans
    stretch = (end - begin) / most
    worst: dict[int, Span] = {}
    for span in spans:
        number = min((span.begin - begin) // stretch, most - 1)
        if number not in worst or _badness(span) < _badness(worst[number]):
            worst[number] = span
    return tuple(worst[number] for number in sorted(worst))


def _badness(span: Span) -> tuple[int, object]:
    if span.held is None or span.owed is None:
        return (0, 0)
    ratio = span.ratio
    return (2, 0) if ratio is None else (1, ratio)


def _point(span: Span, decimals: int) -> Json:
    ratio = span.ratio
    if span.held is None or span.owed is None:
        verdict = "UNVERIFIED"
    else:
        verdict = "PASS" if ratio is None or ratio >= 1 else "BREACH"
    return {
        "at": rfc3339(span.begin),
        "held": None if span.held is None else format_coins(span.held, decimals),
        "owed": None if span.owed is None else format_coins(span.owed, decimals),
        "coverage": None if ratio is None else series.down(ratio),
        "verdict": verdict,
        "cause": span.cause,
    }
