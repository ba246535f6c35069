"""The HTTP interface: health, metrics and the API. Imports FastAPI, so it is imported only where it is served."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from monitor.publish.api.cases import add_cases
from monitor.publish.api.ceremonies import add_ceremonies
from monitor.publish.api.coverage import add_coverage
from monitor.publish.api.incidents import add_incidents
from monitor.publish.api.journal import add_journal
from monitor.publish.api.movements import add_movements
from monitor.publish.api.reports import add_reports
from monitor.publish.api.verdicts import add_verdicts
from monitor.publish.api.wallets import add_wallets
from monitor.publish.body import BodyTooLarge, BodyTooSlow
from monitor.publish.console.pages import add_console
from monitor.publish.console.settle import Forms
from monitor.publish.console.site import Site
from monitor.publish.control import add_control
from monitor.publish.door.door import Door
from monitor.publish.door.forms import csrf_token, read_form
from monitor.publish.door.gate import Gate, dress
from monitor.publish.lifecycle import add_lifecycle
from monitor.publish.ready import not_ready
from monitor.publish.roles import Table
from monitor.publish.routes.access import add_access
from monitor.publish.routes.answers import ErrorBody
from monitor.publish.routes.changes import add_changes
from monitor.publish.routes.operations import add_operations
from monitor.publish.routes.reads import add_reads
from monitor.publish.served import Served, failure, read_json, success

__all__ = ["Served", "failure", "make_app", "not_ready", "success"]

_log = structlog.get_logger(__name__)


def make_app(served: Served) -> FastAPI:
    """The application. It holds no state of its own but the door."""
    app = FastAPI(
        title="porwatch",
        version=served.scope.version,
        description="What is held, what left, and what a person must resolve. Amounts are strings of coins.",
        # The usual pages about it load scripts from the internet.
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": ErrorBody, "description": "An error."}},
    )
    app.state.door = served.door
    _handle_errors(app, served.door)
    add_operations(app, served)
    add_lifecycle(app, served.reload)
    add_reads(app, served)
    add_changes(app, served)
    add_access(app, served)
    add_control(app, served.actions, read_json)
    add_cases(app, served)
    add_ceremonies(app, served, read_json)
    add_coverage(app, served)
    add_incidents(app, served)
    add_journal(app, served)
    add_movements(app, served)
    add_reports(app, served)
    add_verdicts(app, served)
    add_wallets(app, served)
    site = Site(served.entity, served.access.external_url, served.scope.version, served.clock)
    add_console(app, served, site, Forms(csrf_token, read_form))
    table = Table()
    unknown = table.without_role(routes_of(app))
    assert not unknown, f"routes without a role in monitor/publish/roles.py: {unknown}"
    app.add_middleware(Gate, access=served.access, door=served.door, table=table)
    return app


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path template of everything that the application serves."""
    found = []
    for route in app.routes:
        path = getattr(route, "path", None)
        assert isinstance(path, str), f"{route} has no path of its own"
        methods = getattr(route, "methods", None)
        if methods is None:
            # Mounted files.
            found.append(("GET", f"{path}/{{path:path}}"))
        else:
            found += [(method, path) for method in methods]
    return sorted(found)


def _handle_errors(app: FastAPI, door: Door) -> None:
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

    @app.exception_handler(BodyTooSlow)
    async def too_slow(_request: Request, error: BodyTooSlow) -> Response:
        return failure(408, str(error))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        _log.error("request failed", path=request.url.path, error=type(error).__name__, exc_info=error)
        response = failure(500, "an unexpected error, see the log", "internal")
        # What fails unexpectedly is answered outside the gate.
        dress(response.headers, door.settings.headers)
        return response
