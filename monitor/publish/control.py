"""Routes about proof of control; see monitor.proving for what becomes of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from monitor.publish.actions import Actions, Unknown
from monitor.publish.routes.answers import ChallengeList, ProofList, gives
from monitor.publish.routes.bodies import Asking, Proving, takes


def add_control(app: FastAPI, actions: Actions, read: Callable[[Request], Awaitable[object]]) -> None:
    """Add the routes; ``read`` gives the JSON of a request's body."""

    @app.post(
        "/api/v1/control/challenges",
        status_code=201,
        responses=gives(ChallengeList, 201),
        openapi_extra=takes(Asking, "Whose control: wallet, and optionally what else."),
    )
    async def challenges(request: Request) -> Response:
        """Issue challenges: 201 once they are remembered, 400 for what cannot be asked, 503 without nodes."""
        rows = await _answered(actions.ask_control(await read(request)))
        return JSONResponse({"status": "success", "data": {"challenges": rows}}, 201)

    @app.post(
        "/api/v1/control/proofs",
        responses=gives(ProofList),
        openapi_extra=takes(Proving, "One answer: challenge, kind and proof, three texts."),
    )
    async def proofs(request: Request) -> Response:
        """Verify an answer: result is shown (and then remembered), bad or undetermined, with the reason."""
        rows = await _answered(actions.show_control(await read(request)))
        return JSONResponse({"status": "success", "data": {"proofs": rows}})


async def _answered(asked: Awaitable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        return await asked
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    except Unknown as error:
        raise HTTPException(503, str(error)) from error
