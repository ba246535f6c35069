"""Acknowledging and closing a case by the form on its page: who does it, and why. It works without JavaScript."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import parse_qs

from fastapi import FastAPI, Path, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from monitor.publish.actions import Actions
from monitor.publish.body import read_body
from monitor.publish.door.caller import caller
from monitor.publish.text import is_plain

LONGEST_NAME, LONGEST_REASON = 200, 2000
_FIELDS = 8
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["name", "reason"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
                        "reason": {"type": "string", "minLength": 1, "maxLength": LONGEST_REASON},
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a form was not carried out (a key of the catalogue), and what it said."""

    status: int
    key: str
    action: str
    name: str
    reason: str


Action = Literal["ack", "close"]
CaseId = Annotated[str, Path(pattern="^[0-9a-f]{1,64}$")]


async def plain_form(request: Request) -> dict[str, str]:
    """The fields of a posted form. Raises HTTPException 400 for what is no form, or a field that comes twice."""
    body = await read_body(request.stream())
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError as error:
        raise HTTPException(400, "the body is no form that can be used") from error
    if any(len(values) > 1 for values in fields.values()):
        raise HTTPException(400, "a field of the form comes twice")
    return {name: values[0] for name, values in fields.items()}


def no_token(_request: Request) -> str:
    """Where nobody logs in, the Origin that a browser names is what counts (monitor.publish.guard)."""
    return ""


@dataclass(frozen=True, slots=True)
class Forms:
    """``token``: what forms carry, "" for nothing; ``read`` reads and checks a posted form, or raises HTTPException."""

    token: Callable[[Request], str] = no_token
    read: Callable[[Request], Awaitable[dict[str, str]]] = plain_form


WITHOUT_TOKEN = Forms()


def add_settling(
    app: FastAPI, actions: Actions, forms: Forms, again: Callable[[Request, str, Refused], Response], prefix: str
) -> None:
    """Add both forms' routes; ``again`` renders the page of the case with what was wrong."""

    async def settle(request: Request, case_id: str, action: Action) -> Response:
        name, reason, status, key = "", "", 400, ""
        who = caller(request)
        try:
            form = await forms.read(request)
        except HTTPException as error:
            status, key = error.status_code, "form.token" if error.status_code == 403 else "form.empty"
        else:
            # Whoever has logged in acts in that name, whatever the field says.
            name = form.get("name", "").strip() if who.how == "none" else who.name
            reason = form.get("reason", "").strip().replace("\r\n", "\n")
            key = _wrong(name, reason)
        if not key:
            try:
                await actions.act(case_id, action, name, reason, who.how)
            except KeyError:
                status, key = 404, "error.case"
            except ValueError:
                status, key = 409, "form.state"
        if key:
            return await asyncio.to_thread(again, request, case_id, Refused(status, key, action, name, reason))
        # 303: the browser asks for the page, and reloading it sends nothing a second time.
        return RedirectResponse(f"{prefix}/cases/{case_id}", 303)

    @app.post("/console/cases/{case_id}/ack", response_class=Response, openapi_extra=_FORM, tags=["console"])
    async def console_ack(request: Request, case_id: CaseId) -> Response:
        """Acknowledge a case by a form: 303 to its page."""
        return await settle(request, case_id, "ack")

    @app.post("/console/cases/{case_id}/close", response_class=Response, openapi_extra=_FORM, tags=["console"])
    async def console_close(request: Request, case_id: CaseId) -> Response:
        """Close a case by a form: 303 to its page."""
        return await settle(request, case_id, "close")


def _wrong(name: str, reason: str) -> str:
    if not name or not reason:
        return "form.empty"
    if len(name) > LONGEST_NAME or len(reason) > LONGEST_REASON:
        return "form.long"
    return "" if is_plain(name) and is_plain(reason.replace("\n", " ")) else "form.control"
