"""What the routes about proof of control answer, whoever does the work."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI, Request

from monitor.publish.actions import Unknown
from monitor.publish.control import add_control
from tests.unit.publish.test_web import call


class Desk:
    """Answers, or fails as it is told."""

    fails: Exception | None = None

    async def ask_control(self, body: object) -> list[dict[str, Any]]:
        return self._answer(body)

    async def show_control(self, body: object) -> list[dict[str, Any]]:
        return self._answer(body)

    def _answer(self, body: object) -> list[dict[str, Any]]:
        if self.fails is not None:
            raise self.fails
        return [{"got": body}]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def app(desk: Desk) -> FastAPI:
    async def read(request: Request) -> object:
        return json.loads(await request.body())

    made = FastAPI()
    add_control(made, desk, read)  # type: ignore[arg-type]  # only what these routes ask for
    return made


@pytest.mark.parametrize(("path", "name", "status"), [("challenges", "challenges", 201), ("proofs", "proofs", 200)])
async def test_what_was_done_is_answered(app: FastAPI, path: str, name: str, status: int) -> None:
    found = await call(app, "POST", f"/api/v1/control/{path}", {"wallet": "cold"})
    assert (found.status, found.json) == (status, {"status": "success", "data": {name: [{"got": {"wallet": "cold"}}]}})


@pytest.mark.parametrize("path", ["challenges", "proofs"])
@pytest.mark.parametrize(("fails", "status"), [(ValueError("no wallet"), 400), (Unknown("no node"), 503)], ids=str)
async def test_what_cannot_be_done_is_said(app: FastAPI, desk: Desk, path: str, fails: Exception, status: int) -> None:
    desk.fails = fails
    found = await call(app, "POST", f"/api/v1/control/{path}", {})
    assert found.status == status
    assert str(fails) in json.dumps(found.json)
