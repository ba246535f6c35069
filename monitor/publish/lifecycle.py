"""POST /-/reload, as Prometheus has it; off unless the configuration says otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from monitor.publish.front import RELOAD_PATH


def add_lifecycle(app: FastAPI, reload: Callable[[], Awaitable[tuple[str, ...]]] | None) -> None:
    """Add the route. ``reload`` returns why the configuration was refused, a line each; None: it is not allowed."""

    @app.post(RELOAD_PATH)
    async def reload_configuration() -> Response:
        """Take over a changed configuration: 200 once it judges, 400 with every mistake where the old one stays."""
        if reload is None:
            raise HTTPException(403, "reload over HTTP is off: set web.enable_lifecycle, or send SIGHUP")
        refused = await reload()
        if refused:
            raise HTTPException(400, "; ".join(refused))
        return JSONResponse({"status": "success", "data": {"reloaded": True}})
