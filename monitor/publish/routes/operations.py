"""Health, readiness, metrics and runbooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from monitor.publish.metrics import Metrics
from monitor.publish.ready import not_ready
from monitor.publish.routes.answers import ErrorBody, NotReady, error_of
from monitor.publish.runbooks import page, policy
from monitor.publish.served import Served


def add_operations(app: FastAPI, served: Served) -> None:
    """Add the routes."""
    scraped = Metrics(served.snapshots)

    def readable(path: str, kind: type[Response]) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
        """GET with its place in the OpenAPI document, and HEAD beside it."""

        def add(handler: Callable[..., Response]) -> Callable[..., Response]:
            answers: dict[int | str, dict[str, Any]] = {"default": error_of(ErrorBody, "An error.")}
            if path == "/-/ready":
                answers[503] = error_of(NotReady, "Not ready yet, and why.")
            app.get(path, response_class=kind, responses=answers)(handler)
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

    @readable("/runbooks/{name}", PlainTextResponse)
    def runbook(
        request: Request,
        name: Annotated[str, Path(pattern="^[A-Za-z]{1,80}$")],
        lang: Annotated[Literal["en", "ja"], Query()] = "en",
    ) -> Response:
        """What to do about an alert: a page for a browser, Markdown for others."""
        text = served.runbook(name, lang)
        if text is None:
            raise HTTPException(404, f"there is no runbook {name} in {lang}")
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(page(name, lang, text), headers={"Content-Security-Policy": policy()})
        return PlainTextResponse(text)
