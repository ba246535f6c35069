"""Announced cold ceremonies: announced by one person, confirmed by another, cancelled by anybody; listed for all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import FastAPI, Path, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from monitor.detect import Announcement, Ceremony, Phase
from monitor.detect.ceremonies import Signed
from monitor.ledger import ceremonies
from monitor.ledger.encode import Json
from monitor.model import rfc3339
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.api.fields import Size, Text, body_of
from monitor.publish.door.caller import caller
from monitor.publish.text import is_plain

if TYPE_CHECKING:
    from monitor.publish.served import Served

_T = TypeVar("_T")
_LONGEST = 200
_LONGEST_REASON = 2000
_KEYS = {"purpose", "wallets", "from", "to", "name"}
CeremonyId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


class SignedBody(Shape):
    """Who did it, as whom they were logged in, and when."""

    name: str
    user: str | None
    at: str


class CeremonyBody(Shape):
    """``phase`` is as of now; lapsed: its window ended unconfirmed. ``counts_from`` and ``counts_to``: the window that
    is in force, which begins with the confirmation and ends with a cancellation; null where there is none.
    """

    id: str
    phase: Phase
    purpose: str
    wallets: list[str]
    begins_at: str
    ends_at: str
    counts_from: str | None
    counts_to: str | None
    announced: SignedBody
    confirmed: SignedBody | None
    cancelled: SignedBody | None
    cancel_reason: str | None


class Ceremonies(Shape):
    """``next``: what to pass as ``after``."""

    ceremonies: list[CeremonyBody]
    next: str | None


def add_ceremonies(app: FastAPI, served: Served, read: Callable[[Request], Awaitable[object]]) -> None:
    """Add the routes; ``read`` gives the JSON of a request's body."""

    @app.get("/api/v1/ceremonies", response_model=Answer[Ceremonies])
    def listed(limit: Size = 100, after: Text = None) -> Response:
        """Ceremonies, the window that begins last first; ``next`` is what to pass as ``after``."""
        try:
            with served.ledger.read() as connection:
                found = ceremonies.ceremonies(connection, limit=limit + 1, after=after)
        except KeyError as error:
            raise HTTPException(400, "after: there is no such ceremony") from error
        page, now = found[:limit], served.clock()
        following = page[-1].id if len(found) > limit else None
        return answer({"ceremonies": [render_ceremony(each, now) for each in page], "next": following})

    @app.post(
        "/api/v1/ceremonies",
        status_code=201,
        response_model=Answer[CeremonyBody],
        openapi_extra=body_of("The announcement: purpose, wallets, from, to (RFC 3339), and name: who announces it."),
    )
    async def announced(request: Request) -> Response:
        """Announce work on cold wallets, before its window begins. It counts once a second person has confirmed it."""
        wanted, name = _asked(announcement, await read(request))
        found = await _done(served.actions.announce(wanted, name, user_of(request)))
        return answer(render_ceremony(found, served.clock()), 201)

    @app.post(
        "/api/v1/ceremonies/{ceremony_id}/confirm",
        response_model=Answer[CeremonyBody],
        openapi_extra=body_of("Who confirms it: name. Another person than announced it."),
    )
    async def confirmed(request: Request, ceremony_id: CeremonyId) -> Response:
        """Confirm a ceremony as the second person: from now on, inside its window, it counts."""
        name = _asked(confirmation, await read(request))
        found = await _done(served.actions.confirm(ceremony_id, name, user_of(request)))
        return answer(render_ceremony(found, served.clock()))

    @app.post(
        "/api/v1/ceremonies/{ceremony_id}/cancel",
        response_model=Answer[CeremonyBody],
        openapi_extra=body_of("Who cancels it and why: name and reason."),
    )
    async def cancelled(request: Request, ceremony_id: CeremonyId) -> Response:
        """Cancel a ceremony: from now on it no longer counts."""
        name, reason = _asked(cancellation, await read(request))
        found = await _done(served.actions.cancel(ceremony_id, name, reason, user_of(request)))
        return answer(render_ceremony(found, served.clock()))


def user_of(request: Request) -> str:
    """The account that is logged in, "" where nobody logs in."""
    who = caller(request)
    return "" if who.how == "none" else who.name


def _asked(reading: Callable[[object], _T], body: object) -> _T:
    try:
        return reading(body)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error


async def _done(asked: Awaitable[Ceremony]) -> Ceremony:
    try:
        return await asked
    except KeyError as error:
        raise HTTPException(404, "there is no such ceremony") from error
    except ValueError as error:
        raise HTTPException(409, str(error)) from error


def announcement(body: object) -> tuple[Announcement, str]:
    """What is announced, and by whom. Raises ValueError that says what is wrong."""
    if not isinstance(body, dict) or set(body) != _KEYS:
        raise ValueError('write {"purpose": "…", "wallets": ["…"], "from": "TIME", "to": "TIME", "name": "…"}')
    wallets = body["wallets"]
    if not isinstance(wallets, list) or not all(isinstance(each, str) for each in wallets):
        raise ValueError("wallets must be a list of names")
    wanted = Announcement(
        purpose=_line(body, "purpose"),
        wallets=tuple(wallets),
        begins_at=_moment(body, "from"),
        ends_at=_moment(body, "to"),
    )
    return wanted, _line(body, "name")


def confirmation(body: object) -> str:
    """Who confirms. Raises ValueError that says what is wrong."""
    if not isinstance(body, dict) or set(body) != {"name"}:
        raise ValueError('write {"name": "…"}: who confirms it')
    return _line(body, "name")


def cancellation(body: object) -> tuple[str, str]:
    """Who cancels, and why. Raises ValueError that says what is wrong."""
    if not isinstance(body, dict) or set(body) != {"name", "reason"}:
        raise ValueError('write {"name": "…", "reason": "…"}: who cancels it, and why')
    return _line(body, "name"), _line(body, "reason", _LONGEST_REASON)


def _line(body: Json, key: str, longest: int = _LONGEST) -> str:
    text = body[key]
    if not isinstance(text, str) or not text.strip() or len(text) > longest or not is_plain(text):
        raise ValueError(f"{key} must be a plain text of 1 to {longest} characters")
    return text.strip()


def _moment(body: Json, key: str) -> datetime:
    text = body[key]
    try:
        found = datetime.fromisoformat(text)
        if found.utcoffset() is None:
            raise ValueError(text)
        return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{key}: write a time with its offset, e.g. 2026-11-24T10:00:00+09:00") from error


def render_ceremony(ceremony: Ceremony, now: datetime) -> Json:
    """A ceremony as the API and the command line show it."""
    window = ceremony.window
    return {
        "id": ceremony.id,
        "phase": ceremony.phase(now).value,
        "purpose": ceremony.purpose,
        "wallets": list(ceremony.wallets),
        "begins_at": rfc3339(ceremony.begins_at),
        "ends_at": rfc3339(ceremony.ends_at),
        "counts_from": None if window is None else rfc3339(window[0]),
        "counts_to": None if window is None else rfc3339(window[1]),
        "announced": _signed(ceremony.announced),
        "confirmed": None if ceremony.confirmed is None else _signed(ceremony.confirmed),
        "cancelled": None if ceremony.cancelled is None else _signed(ceremony.cancelled),
        "cancel_reason": ceremony.cancel_reason or None,
    }


def _signed(by: Signed) -> Json:
    return {"name": by.name, "user": by.user or None, "at": rfc3339(by.at)}
