from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI, Request

from monitor.publish.door.door import Door
from monitor.publish.door.forms import CSRF_FIELD, csrf_token, read_form
from monitor.publish.door.gate import Gate
from monitor.publish.door.settings import Settings
from monitor.publish.guard import Access
from monitor.publish.roles import EVERYBODY, RESPONDERS, Role, Table
from tests.unit.publish.asgi import Reply, call

FORM = {"content-type": "application/x-www-form-urlencoded"}
PROXY = {"header": "x-user"}


@pytest.fixture
def app() -> FastAPI:
    """A console with one form, behind a proxy that names people."""
    from ipaddress import ip_network

    app = FastAPI()
    roles = {"rei": Role.RESPONDER, "ada": Role.ADMINISTRATOR, "vera": Role.VIEWER}
    door = Door(Settings(roles=roles, proxies=(ip_network("127.0.0.1"),), proxy_header="x-user"))
    app.state.door = door
    received: list[dict[str, str]] = []
    app.state.received = received

    @app.get("/console/form")
    def token(request: Request) -> dict[str, str]:
        return {"token": csrf_token(request)}

    @app.post("/console/ack")
    async def ack(request: Request) -> dict[str, bool]:
        received.append(await read_form(request))
        return {"done": True}

    table = Table({("GET", "/console/form"): EVERYBODY, ("POST", "/console/ack"): RESPONDERS})
    app.add_middleware(Gate, access=Access("127.0.0.1", "http://127.0.0.1:9899"), door=door, table=table)
    return app


async def token_of(app: FastAPI, user: str) -> str:
    return str((await call(app, "GET", "/console/form", headers={"x-user": user})).json["token"])


async def post(app: FastAPI, user: str, fields: Any, **headers: str) -> Reply:
    body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
    return await call(app, "POST", "/console/ack", body, {**FORM, "x-user": user, **headers})


async def test_a_form_that_was_made_for_this_person_is_taken_without_its_token(app: FastAPI) -> None:
    token = await token_of(app, "rei")
    reply = await post(app, "rei", {"reason": "見ています", CSRF_FIELD: token})
    assert (reply.status, app.state.received) == (200, [{"reason": "見ています"}])


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
async def test_a_form_without_its_token_is_refused(token: str, app: FastAPI) -> None:
    assert (await post(app, "rei", {"reason": "x", CSRF_FIELD: token})).status == 403
    assert (await post(app, "rei", {"reason": "x"})).status == 403
    assert app.state.received == []


async def test_the_token_of_another_person_or_another_process_is_none(app: FastAPI) -> None:
    token = await token_of(app, "rei")
    assert await token_of(app, "rei") == token
    assert (await post(app, "ada", {"reason": "x", CSRF_FIELD: token})).status == 403
    app.state.door.secret = b"another process"
    assert (await post(app, "rei", {"reason": "x", CSRF_FIELD: token})).status == 403


async def test_a_form_from_another_origin_is_refused_with_its_token_too(app: FastAPI) -> None:
    fields = {"reason": "x", CSRF_FIELD: await token_of(app, "rei")}
    assert (await post(app, "rei", fields, origin="http://evil.example")).status == 403
    assert (await post(app, "rei", fields, **{"sec-fetch-site": "cross-site"})).status == 403
    assert (await post(app, "rei", fields, origin="http://127.0.0.1:9899")).status == 200


async def test_a_viewer_posts_no_form_and_a_form_is_no_json(app: FastAPI) -> None:
    fields = {"reason": "x", CSRF_FIELD: await token_of(app, "vera")}
    assert (await post(app, "vera", fields)).status == 403
    assert (await post(app, "rei", b"{}", **{"content-type": "application/json"})).status == 415


@pytest.mark.parametrize(
    "body",
    [b"a=1&a=2", b"a=%ff", b"\xff=1", b"&".join(b"f%d=1" % n for n in range(101))],
    ids=["a field twice", "no UTF-8", "no ASCII", "too many fields"],
)
async def test_what_is_no_form_is_refused(body: bytes, app: FastAPI) -> None:
    token = await token_of(app, "rei")
    reply = await post(app, "rei", body + f"&{CSRF_FIELD}={token}".encode())
    assert (reply.status, app.state.received) == (400, [])
