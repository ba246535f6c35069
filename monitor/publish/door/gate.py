"""The gate before every route: who calls, whether he may, how much and how slowly he sends.

An ASGI application around the other (https://asgi.readthedocs.io/en/latest/specs/www.html), so that it sees
what no route asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.publish.body import LARGEST_BODY, BodyTooLarge, BodyTooSlow
from monitor.publish.door.caller import Caller
from monitor.publish.door.door import Door
from monitor.publish.door.limits import neighbourhood
from monitor.publish.door.login import forged, identify, unlisted
from monitor.publish.guard import Access, Refusal, refusal
from monitor.publish.roles import METRICS, PUBLIC, Allowed, Table

_log = structlog.get_logger(__name__)

#: query and headers of a request together
LARGEST_HEAD = 16 * 1024
#: a whole body within so many seconds
BODY_SECONDS = 20.0
#: in the state of a request: the client's verified certificate, put there by publish.door.server
CERTIFICATE = "porwatch.certificate"

_SHUT = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
#: pages of the console: their own scripts, styles and pictures, and forms to themselves
_PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def dress(headers: MutableHeaders, own: Mapping[str, str]) -> None:
    """Add the security headers to an answer's; ``own``: those of the web configuration, which win."""
    headers.update(own)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    page = headers.get("content-type", "").startswith("text/html")
    headers.setdefault("Content-Security-Policy", _PAGE if page else _SHUT)


class Gate:
    """``app`` answers what the gate lets through; the caller stands in the request's state."""

    def __init__(self, app: ASGIApp, access: Access, door: Door, table: Table) -> None:
        self._app, self._access, self._door, self._table = app, access, door, table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        outwards = _outwards(send, self._door.settings.headers)
        found = await self._checked(scope, Headers(scope=scope))
        if isinstance(found, Refusal):
            body = {"status": "error", "errorType": found.kind, "error": found.message}
            await JSONResponse(body, found.status, found.headers)(scope, receive, outwards)
            return
        scope.setdefault("state", {})["caller"] = found
        await self._app(scope, _inwards(receive), outwards)

    async def _checked(self, scope: Scope, headers: Headers) -> Caller | Refusal:
        """Who calls, once everything allows it."""
        door, settings = self._door, self._door.settings
        method, path = scope["method"], scope["path"]
        client = (scope.get("client") or ("",))[0]
        state: Mapping[str, Any] = scope.get("state") or {}
        certificate = state.get(CERTIFICATE)
        refused = (
            refusal(self._access, method, path, headers, authentication=settings.authentication)
            or _doubled(headers)
            or forged(settings, headers, client)
            or unlisted(settings, certificate)
            or _too_large(scope, headers)
        )
        if refused is not None:
            return refused
        route = self._table.find(method, path)
        allowed = self._allowed(route)
        if None in allowed:
            return self._limited(Caller("", None, "none", client))
        who = await identify(door, headers, client, certificate)
        if isinstance(who, Refusal):
            over = self._limited(Caller("", None, "none", client))
            return over if isinstance(over, Refusal) else who
        if not settings.authentication:
            return who if self._access.loopback else _UNSAFE
        if who.role not in allowed:
            _log.warning("refused", caller=who.name, role=who.role, method=method, path=path, client=client)
            what = "has no role here" if who.role is None else f"is a {who.role.value} and may not do this"
            return Refusal(403, "forbidden", f"{who.name} {what}")
        return self._limited(who)

    def _allowed(self, route: tuple[str, str] | None) -> Allowed:
        settings = self._door.settings
        if route == METRICS and (settings.public_metrics or not settings.authentication):
            return PUBLIC
        return self._table.allowed(route)

    def _limited(self, who: Caller) -> Caller | Refusal:
        """Count the request; where nobody can log in, nothing is counted: only this machine calls."""
        settings = self._door.settings
        if not settings.authentication:
            return who
        wait = self._door.calls.take((neighbourhood(who.client), who.name), *settings.rate)
        if not wait:
            return who
        seconds = str(-(-wait // 1_000_000_000))
        return Refusal(429, "too_many_requests", f"too many requests: wait {seconds} s", {"Retry-After": seconds})


_UNSAFE = Refusal(
    403,
    "forbidden",
    "what porwatch knows is inside information, and nobody logs in on this address that others reach: "
    "write web.config_file with users, or listen on 127.0.0.1",
)
#: a request that says one of these twice means two things at once
_SINGLE = ("host", "authorization", "content-length", "content-type", "origin")


def _doubled(headers: Headers) -> Refusal | None:
    for name in _SINGLE:
        if len(headers.getlist(name)) > 1:
            return Refusal(400, "bad_data", f"the header {name} comes twice")
    return None


def _too_large(scope: Scope, headers: Headers) -> Refusal | None:
    # The server bounds only a head that comes in pieces.
    if len(scope["query_string"]) + sum(len(name) + len(value) for name, value in headers.raw) > LARGEST_HEAD:
        return Refusal(431, "too_large", f"query and headers are larger than {LARGEST_HEAD} bytes")
    length = headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and len(length) < 20 and int(length) <= LARGEST_BODY:
        return None
    return Refusal(413, "too_large", f"the body is larger than {LARGEST_BODY} bytes")


def _inwards(receive: Receive) -> Receive:
    """The same body, bounded in size and time. Raises BodyTooLarge, BodyTooSlow."""
    deadline = asyncio.get_running_loop().time() + BODY_SECONDS
    size, whole = 0, False

    async def bounded() -> Message:
        nonlocal size, whole
        if whole:
            # Only the end of the connection is left to hear of, and that may take its time.
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            raise BodyTooSlow(f"the body took longer than {BODY_SECONDS:.0f} seconds") from error
        size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if size > LARGEST_BODY:
            raise BodyTooLarge(f"the body is larger than {LARGEST_BODY} bytes")
        return message

    return bounded


def _outwards(send: Send, own: Mapping[str, str]) -> Send:
    """Answers with the security headers."""

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            dress(MutableHeaders(scope=message), own)
        await send(message)

    return dressed
