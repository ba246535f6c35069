"""The HTTP interface: health, metrics and the API. Imports FastAPI, so it is imported only where it is served.

Every answer of the API is ``{"status": "success", "data": …}`` or ``{"status": "error", "errorType": …,
"error": …}``. Reads run in threads, because the ledger's reader waits for the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from chains.core.strictjson import loads
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.publish.actions import Actions, Submission
from monitor.publish.api.cases import CaseId, add_cases
from monitor.publish.api.ceremonies import add_ceremonies
from monitor.publish.api.coverage import add_coverage
from monitor.publish.api.fields import NameInPath, Size, Text
from monitor.publish.api.journal import add_journal
from monitor.publish.api.movements import add_movements
from monitor.publish.api.particulars import Particulars
from monitor.publish.api.reports import add_reports
from monitor.publish.api.verdicts import add_verdicts
from monitor.publish.api.wallets import add_wallets
from monitor.publish.body import BodyTooLarge, read_body
from monitor.publish.control import add_control
from monitor.publish.deliver import utc_now
from monitor.publish.guard import Access, refusal
from monitor.publish.metrics import Metrics
from monitor.publish.page import landing_page
from monitor.publish.render import render_approval, render_case
from monitor.publish.scope import Scope
from monitor.publish.snapshot import Snapshots, take_snapshot
from monitor.publish.status import render_status, render_wallets
from monitor.publish.text import is_plain

_log = structlog.get_logger(__name__)

_SUBMITTED = {"created": 201, "repeated": 200, "conflict": 409, "malformed": 400, "no_source": 404}
_KINDS = {
    400: "bad_data",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    503: "undetermined",
}
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
}


@dataclass(frozen=True, slots=True)
class Served:
    """What the routes render and whom they ask. ``runbook(name, lang)``: its text, or None."""

    ledger: Ledger
    health: Health
    snapshots: Snapshots
    scope: Scope
    actions: Actions
    access: Access
    runbook: Callable[[str, str], str | None]
    particulars: Particulars = field(default_factory=Particulars)
    clock: Callable[[], datetime] = utc_now


class ErrorBody(BaseModel):
    """The form of every error."""

    status: Literal["error"]
    errorType: str  # noqa: N815 - the name that readers of Prometheus's API know
    error: str


def make_app(served: Served) -> FastAPI:
    """The application. It holds no state of its own."""
    app = FastAPI(
        title="porwatch",
        version=served.scope.version,
        description="What is held, what left, and what a person must resolve. Amounts are strings of coins.",
        # The usual pages about it load scripts from the internet.
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": ErrorBody, "description": "An error."}},
    )
    _handle_errors(app, served.access)
    _add_operations(app, served)
    _add_reads(app, served)
    _add_changes(app, served)
    add_control(app, served.actions, _json)
    add_cases(app, served)
    add_ceremonies(app, served, _json)
    add_coverage(app, served)
    add_journal(app, served)
    add_movements(app, served)
    add_reports(app, served)
    add_verdicts(app, served)
    add_wallets(app, served)
    return app


def success(data: Any, status: int = 200) -> JSONResponse:
    """``data`` in the envelope of an answer."""
    return JSONResponse({"status": "success", "data": data}, status)


def failure(status: int, message: str, kind: str | None = None) -> JSONResponse:
    """An error in the envelope; ``kind`` is its errorType where the status does not say enough."""
    return JSONResponse(
        {"status": "error", "errorType": kind or _KINDS.get(status, "error"), "error": message}, status, _HEADERS
    )


def _handle_errors(app: FastAPI, access: Access) -> None:
    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Any]) -> Response:
        refused = refusal(access, request.method, request.headers)
        if refused is not None:
            return failure(refused.status, refused.message, refused.kind)
        response: Response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> Response:
        response = failure(error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def bad_request(_request: Request, error: RequestValidationError) -> Response:
        mistakes = [f"{'.'.join(str(part) for part in e['loc'][1:])}: {e['msg']}" for e in error.errors()]
        return failure(400, "; ".join(mistakes))

    @app.exception_handler(BodyTooLarge)
    async def too_large(_request: Request, error: BodyTooLarge) -> Response:
        return failure(413, str(error), "too_large")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        _log.error("request failed", path=request.url.path, error=type(error).__name__, exc_info=error)
        return failure(500, "an unexpected error, see the log", "internal")


def _add_operations(app: FastAPI, served: Served) -> None:
    scraped = Metrics(served.snapshots)

    def readable(path: str, kind: type[Response]) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
        """GET with its place in the OpenAPI document, and HEAD beside it."""

        def add(handler: Callable[..., Response]) -> Callable[..., Response]:
            app.get(path, response_class=kind)(handler)
            app.head(path, include_in_schema=False)(handler)
            return handler

        return add

    @readable("/-/healthy", PlainTextResponse)
    def healthy() -> Response:
        """The process is alive."""
        return PlainTextResponse("porwatch is healthy.\n")

    @readable("/-/ready", PlainTextResponse)
    def ready() -> Response:
        """Ledger open, every chain identified by its quorum, catch-up begun; 503 with the reasons otherwise."""
        reasons = not_ready(served.ledger, served.health)
        if not reasons:
            return PlainTextResponse("porwatch is ready.\n")
        body = {"status": "error", "errorType": "not_ready", "error": "; ".join(reasons), "reasons": reasons}
        return JSONResponse(body, 503)

    @readable("/metrics", PlainTextResponse)
    def metrics(request: Request) -> Response:
        """Metrics for Prometheus, in its text format or as OpenMetrics."""
        body, content_type = scraped.answer(request.headers.get("accept", ""))
        return Response(body, media_type=content_type)

    @readable("/", HTMLResponse)
    def landing() -> Response:
        """Links to everything here."""
        return HTMLResponse(landing_page(served.scope.version))

    @readable("/runbooks/{name}", PlainTextResponse)
    def runbook(
        name: Annotated[str, Path(pattern="^[A-Za-z]{1,80}$")], lang: Annotated[Literal["en", "ja"], Query()] = "en"
    ) -> Response:
        """What to do about an alert."""
        text = served.runbook(name, lang)
        if text is None:
            raise HTTPException(404, f"there is no runbook {name} in {lang}")
        return PlainTextResponse(text)


def not_ready(ledger: Ledger, health: Health) -> list[str]:
    """Why porwatch cannot be relied on yet, a sentence each; empty once it can."""
    reasons = []
    try:
        with ledger.read() as connection:
            reader.cursors(connection)
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
        reasons.append(f"the ledger cannot be read: {type(error).__name__}")
    for chain in health.chains:
        if not health.identified.get(chain):
            reasons.append(f"{chain}: too few endpoints have shown that they serve this chain")
        elif not health.following.get(chain):
            reasons.append(f"{chain}: following has not begun")
    return reasons


def _add_reads(app: FastAPI, served: Served) -> None:
    @app.get("/api/v1/status")
    def status() -> Response:
        """Chains, stages, problems, books, cases by state, holdings and outbox."""
        return success(render_status(take_snapshot(served.ledger, served.health, served.scope, served.clock())))

    @app.get("/api/v1/wallets")
    def wallets() -> Response:
        """The configured wallets, with what each holds and how many addresses are followed."""
        snapshot = take_snapshot(served.ledger, served.health, served.scope, served.clock())
        with served.ledger.read() as connection:
            counts = reader.watched_counts(connection)
        return success({"wallets": render_wallets(snapshot, counts)})

    @app.get("/api/v1/verdict")
    def verdict() -> Response:
        """The newest verdict."""
        with served.ledger.read() as connection:
            newest = reader.latest_verdict(connection)
        if newest is None:
            raise HTTPException(404, "no cycle has ended yet")
        return success(newest)

    @app.get("/api/v1/approvals")
    def approvals(limit: Size = 100, after: Text = None) -> Response:
        """Approvals by id, with their state; ``next`` is what to pass as ``after``."""
        with served.ledger.read() as connection:
            found = reader.approvals(connection, limit=limit + 1, after=after)
        page = found[:limit]
        rendered = [render_approval(item, state, first_read, served.scope) for item, state, first_read in page]
        return success({"approvals": rendered, "next": page[-1][0].id if len(found) > limit else None})


def _add_changes(app: FastAPI, served: Served) -> None:
    @app.post("/api/v1/approvals", status_code=201, openapi_extra=_json_body("One approval, as in the approvals file."))
    async def approve(request: Request) -> Response:
        """Submit one approval: 201 once it is committed, 200 for the same again, 409 for the same id altered."""
        return _submitted(await served.actions.approve(await _json(request)))

    async def act(request: Request, case_id: str, action: Literal["ack", "close"]) -> Response:
        name, reason = who_and_why(await _json(request))
        try:
            case = await served.actions.act(case_id, action, name, reason)
        except KeyError as error:
            raise HTTPException(404, "there is no such case") from error
        except ValueError as error:
            raise HTTPException(409, str(error)) from error
        return success(render_case(case, served.scope.decimals))

    @app.post(
        "/api/v1/wallets/{name}/addresses",
        status_code=201,
        openapi_extra=_json_body("Addresses to watch, and who adds them: addresses and name."),
    )
    async def add_addresses(request: Request, name: NameInPath) -> Response:
        """Watch more addresses of a wallet: all of them or, with 400, none. They are opened, never a deposit."""
        by, addresses = who_and_what(await _json(request))
        try:
            added = await served.actions.add_addresses(name, addresses, by)
        except KeyError as error:
            raise HTTPException(404, "there is no such wallet") from error
        except ValueError as error:
            raise HTTPException(409 if getattr(error, "conflict", False) else 400, str(error)) from error
        return success({"wallet": name, "addresses": added}, 201)

    signed = _json_body("Who does it and why: name and reason, two strings.")

    @app.post("/api/v1/cases/{case_id}/ack", openapi_extra=signed)
    async def ack(request: Request, case_id: CaseId) -> Response:
        """Acknowledge an open case: it is no longer paged, and counts as open until it is closed."""
        return await act(request, case_id, "ack")

    @app.post("/api/v1/cases/{case_id}/close", openapi_extra=signed)
    async def close(request: Request, case_id: CaseId) -> Response:
        """Close a case."""
        return await act(request, case_id, "close")


async def _json(request: Request) -> object:
    body = await read_body(request.stream())
    try:
        return loads(body)
    except ValueError as error:
        raise HTTPException(400, f"the body is no JSON that can be used: {error}") from error


def _submitted(submission: Submission) -> Response:
    status = _SUBMITTED[submission.outcome]
    if status >= 400:
        return failure(status, submission.message)
    return success({"id": submission.id, "outcome": submission.outcome, "message": submission.message}, status)


def who_and_why(body: object) -> tuple[str, str]:
    """Name and reason of a person's action. Raises HTTPException 400 that says what is wrong."""
    if not isinstance(body, dict) or set(body) != {"name", "reason"}:
        raise HTTPException(400, 'write {"name": "…", "reason": "…"}: who does it, and why')
    for key, longest in (("name", 200), ("reason", 2000)):
        text = body[key]
        if not isinstance(text, str) or not text.strip() or len(text) > longest:
            raise HTTPException(400, f"{key} must be a text of 1 to {longest} characters")
        if not is_plain(text.replace("\n", " ")):
            raise HTTPException(400, f"{key} holds control characters: write plain text")
    return body["name"].strip(), body["reason"].strip()


def who_and_what(body: object) -> tuple[str, list[str]]:
    """Name and addresses of a request. Raises HTTPException 400 that says what is wrong."""
    if not isinstance(body, dict) or set(body) != {"name", "addresses"}:
        raise HTTPException(400, 'write {"name": "…", "addresses": ["…"]}: who adds which addresses')
    name, addresses = body["name"], body["addresses"]
    if not isinstance(name, str) or not name.strip() or len(name) > 200 or not is_plain(name):
        raise HTTPException(400, "name must be a plain text of 1 to 200 characters")
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        raise HTTPException(400, "addresses must be a list of texts")
    return name.strip(), addresses


def _json_body(description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"requestBody": {"required": True, "description": description, "content": content}}
