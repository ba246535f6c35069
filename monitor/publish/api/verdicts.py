"""The history of verdicts: what each said by profile, and each as it was journalled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import FastAPI, Query
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from monitor.ledger import reader
from monitor.ledger.encode import Json
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.api.fields import Number, NumberInPath

if TYPE_CHECKING:
    from monitor.publish.served import Served

#: a verdict of many profiles is half a megabyte, and each is read whole
_LARGEST_PAGE = 100
_WORST = ("BREACH", "UNVERIFIED", "PASS")
Said = Literal["PASS", "BREACH", "UNVERIFIED"]


class Summary(Shape):
    """One verdict. ``profiles``: the worst that a check of each said; UNVERIFIED is worse than PASS."""

    cycle: int
    at: str
    kind: Literal["provisional", "close"]
    profiles: dict[str, Said]
    open_cases: int
    previous_hash: str
    hash: str


class Verdicts(Shape):
    """``next``: what to pass as ``after``."""

    verdicts: list[Summary]
    next: int | None


def add_verdicts(app: FastAPI, served: Served) -> None:
    """Add the routes."""

    @app.get("/api/v1/verdicts", response_model=Answer[Verdicts])
    def verdicts(
        kind: Literal["provisional", "close"] | None = None,
        limit: Annotated[int, Query(ge=1, le=_LARGEST_PAGE)] = 50,
        after: Number = None,
    ) -> Response:
        """Verdicts, newest first, with the worst that each profile's checks said."""
        with served.ledger.read() as connection:
            found = reader.verdicts(connection, kind=kind, limit=limit + 1, after=after)
        page = found[:limit]
        following = page[-1]["cycle"] if len(found) > limit else None
        return answer({"verdicts": [summary(each) for each in page], "next": following})

    @app.get("/api/v1/verdicts/{cycle}", response_model=Answer[dict[str, Any]])
    def verdict(cycle: NumberInPath) -> Response:
        """One verdict as it was journalled: its hash is over exactly this."""
        with served.ledger.read() as connection:
            found = reader.verdict_of(connection, cycle)
        if found is None:
            raise HTTPException(404, "there is no such verdict")
        return answer(found)


def summary(verdict: Json) -> Json:
    """A verdict in one line."""
    said: dict[str, set[str]] = {}
    for check in verdict["checks"]:
        said.setdefault(check["profile"], set()).add(check["verdict"])
    return {
        "cycle": verdict["cycle"],
        "at": verdict["at"],
        "kind": verdict["kind"],
        "profiles": {
            name: next(each for each in _WORST if each in outcomes) for name, outcomes in sorted(said.items())
        },
        "open_cases": verdict["open_cases"],
        "previous_hash": verdict["previous_hash"],
        "hash": verdict["hash"],
    }
