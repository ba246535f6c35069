"""What every route is given, and the form of every answer.

``{"status": "success", "data": …}`` or ``{"status": "error", "errorType": …, "error": …}``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chains.core.strictjson import loads
from monitor.health import Health
from monitor.ledger.store import Ledger
from monitor.publish.actions import Actions
from monitor.publish.api.particulars import Particulars
from monitor.publish.body import read_body
from monitor.publish.console.site import NOBODY, Entity
from monitor.publish.deliver import utc_now
from monitor.publish.door.door import Door
from monitor.publish.door.reads import Reads
from monitor.publish.guard import Access
from monitor.publish.scope import Scope
from monitor.publish.snapshot import Snapshots

_KINDS = {
    400: "bad_data",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "undetermined",
}


@dataclass(frozen=True, slots=True)
class Served:
    """What the routes render and whom they ask. ``runbook(name, lang)``: its text, or None.

    ``reload`` takes over a changed configuration, and returns why it was refused; None: not over HTTP.
    ``door``: who may come in; one without settings asks nobody who he is. ``reads``: who read which case.
    """

    ledger: Ledger
    health: Health
    snapshots: Snapshots
    scope: Scope
    actions: Actions
    access: Access
    runbook: Callable[[str, str], str | None]
    clock: Callable[[], datetime] = utc_now
    door: Door = field(default_factory=Door)
    reads: Reads = field(default_factory=Reads)
    particulars: Particulars = field(default_factory=Particulars)
    entity: Entity = NOBODY
    reload: Callable[[], Awaitable[tuple[str, ...]]] | None = None


def success(data: Any, status: int = 200) -> JSONResponse:
    """``data`` in the envelope of an answer."""
    return JSONResponse({"status": "success", "data": data}, status)


def failure(status: int, message: str, kind: str | None = None) -> JSONResponse:
    """An error in the envelope; ``kind`` is its errorType where the status does not say enough."""
    return JSONResponse({"status": "error", "errorType": kind or _KINDS.get(status, "error"), "error": message}, status)


async def read_json(request: Request) -> object:
    """The body of a request. Raises HTTPException 400 for what is no JSON, BodyTooLarge."""
    body = await read_body(request.stream())
    try:
        return loads(body)
    except ValueError as error:
        raise HTTPException(400, f"the body is no JSON that can be used: {error}") from error
