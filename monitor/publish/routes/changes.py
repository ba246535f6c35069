"""What people and programs change: approvals, cases, addresses. Each answers after its commit."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import FastAPI, Path, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from monitor.model import Case, Notice
from monitor.publish.actions import Submission
from monitor.publish.api.cases import CaseBody, CaseId
from monitor.publish.door.caller import acting_name, caller
from monitor.publish.render import render_case
from monitor.publish.routes.answers import AddedBody, SubmissionBody, gives
from monitor.publish.routes.bodies import Acting, Adding, Approving, Notifying, takes
from monitor.publish.served import Served, failure, read_json, success
from monitor.publish.text import is_plain

_SUBMITTED = {"created": 201, "repeated": 200, "conflict": 409, "malformed": 400, "no_source": 404}
_LONGEST_NAME, _LONGEST_REASON = 200, 2000
_DIGEST = re.compile("([0-9a-f]{64})?")

WalletName = Annotated[str, Path(max_length=128)]


def add_changes(app: FastAPI, served: Served) -> None:
    """Add the routes."""
    _add_settling(app, served)

    @app.post(
        "/api/v1/approvals",
        status_code=201,
        responses=gives(SubmissionBody, 201, 200),
        openapi_extra=takes(Approving, "One approval, as in the approvals file."),
    )
    async def approve(request: Request) -> Response:
        """Submit one approval: 201 once it is committed, 200 for the same again, 409 for the same id altered."""
        return _submitted(await served.actions.approve(await read_json(request)))

    @app.post(
        "/api/v1/wallets/{name}/addresses",
        status_code=201,
        responses=gives(AddedBody, 201),
        openapi_extra=takes(Adding, "Addresses to watch, and who adds them."),
    )
    async def add_addresses(request: Request, name: WalletName) -> Response:
        """Watch more addresses of a wallet: all of them or, with 400, none. They are opened, never a deposit."""
        by, addresses = who_and_what(request, await read_json(request))
        try:
            added = await served.actions.add_addresses(name, addresses, by)
        except KeyError as error:
            raise HTTPException(404, "there is no such wallet") from error
        except ValueError as error:
            raise HTTPException(409 if getattr(error, "conflict", False) else 400, str(error)) from error
        return success({"wallet": name, "addresses": added}, 201)


def _add_settling(app: FastAPI, served: Served) -> None:
    async def act(request: Request, case_id: str, action: Literal["ack", "close"]) -> Response:
        name, reason = who_and_why(request, await read_json(request))
        return await changed(lambda: served.actions.act(case_id, action, name, reason, caller(request).how))

    async def changed(change: Callable[[], Awaitable[Case]]) -> Response:
        try:
            case = await change()
        except KeyError as error:
            raise HTTPException(404, "there is no such case") from error
        except ValueError as error:
            raise HTTPException(409, str(error)) from error
        return success(render_case(case, served.scope.decimals))

    signed = takes(Acting, "Who does it and why.")

    @app.post("/api/v1/cases/{case_id}/ack", responses=gives(CaseBody), openapi_extra=signed)
    async def ack(request: Request, case_id: CaseId) -> Response:
        """Acknowledge an open case: it is no longer paged, and counts as open until it is closed."""
        return await act(request, case_id, "ack")

    @app.post("/api/v1/cases/{case_id}/close", responses=gives(CaseBody), openapi_extra=signed)
    async def close(request: Request, case_id: CaseId) -> Response:
        """Close a case."""
        return await act(request, case_id, "close")

    @app.post(
        "/api/v1/cases/{case_id}/notified",
        responses=gives(CaseBody),
        openapi_extra=takes(Notifying, "Who was told, as what, how, by whom and why."),
    )
    async def notified(request: Request, case_id: CaseId) -> Response:
        """Note that somebody outside was told of a case; its state stays."""
        notice, rest = _notice(await read_json(request))
        name, reason = who_and_why(request, rest)
        return await changed(lambda: served.actions.notified(case_id, notice, name, reason, caller(request).how))


def _notice(body: object) -> tuple[Notice, dict[str, object]]:
    """Who was told, and what else the body says. Raises HTTPException that says what is wrong."""
    keys = ("event", "authority", "channel")
    if not isinstance(body, dict) or not {*keys} <= set(body) <= {*keys, "name", "reason", "content"}:
        raise HTTPException(400, 'write {"event", "authority", "channel", "content", "name", "reason"}: who was told')
    content = body.get("content", "")
    if not isinstance(content, str) or not _DIGEST.fullmatch(content):
        raise HTTPException(400, "content must be the SHA-256 of what was sent, 64 lower-case hex digits, or left out")
    event, authority, channel = (_plain(key, body[key], _LONGEST_NAME) for key in keys)
    rest = {key: value for key, value in body.items() if key in {"name", "reason"}}
    return Notice(event, authority, channel, content), rest


def _submitted(submission: Submission) -> Response:
    status = _SUBMITTED[submission.outcome]
    if status >= 400:
        return failure(status, submission.message)
    return success({"id": submission.id, "outcome": submission.outcome, "message": submission.message}, status)


def who_and_why(request: Request, body: object) -> tuple[str, str]:
    """Name and reason of a person's action. Raises HTTPException that says what is wrong."""
    if not isinstance(body, dict) or not {"reason"} <= set(body) <= {"name", "reason"}:
        raise HTTPException(400, 'write {"name": "…", "reason": "…"}: who does it, and why')
    return _name(request, body), _plain("reason", body["reason"], _LONGEST_REASON)


def who_and_what(request: Request, body: object) -> tuple[str, list[str]]:
    """Name and addresses of a request. Raises HTTPException that says what is wrong."""
    if not isinstance(body, dict) or not {"addresses"} <= set(body) <= {"name", "addresses"}:
        raise HTTPException(400, 'write {"name": "…", "addresses": ["…"]}: who adds which addresses')
    addresses = body["addresses"]
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        raise HTTPException(400, "addresses must be a list of texts")
    return _name(request, body), addresses


def _name(request: Request, body: dict[str, object]) -> str:
    given = None if body.get("name") is None else _plain("name", body["name"], _LONGEST_NAME)
    return acting_name(request, given)


def _plain(key: str, text: object, longest: int) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > longest:
        raise HTTPException(400, f"{key} must be a text of 1 to {longest} characters")
    if not is_plain(text if key == "name" else text.replace("\n", " ")):
        raise HTTPException(400, f"{key} holds control characters: write plain text")
    return text.strip()
