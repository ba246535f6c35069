from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from monitor.health import Health
from monitor.publish import web
from monitor.publish.guard import Access
from monitor.publish.roles import EVERYBODY, ROLES, Role, Table
from monitor.publish.snapshot import Snapshots
from monitor.publish.web import Served, make_app, routes_of
from tests.unit.publish.asgi import call
from tests.unit.publish.samples import NOW, SCOPE, Store


@pytest.fixture
def served(store: Store, health: Health) -> Served:
    snapshots = Snapshots(store.ledger, health, SCOPE, lambda: NOW)
    access = Access("127.0.0.1", "http://127.0.0.1:9899")
    return Served(store.ledger, health, snapshots, SCOPE, None, access, runbook=lambda name, lang: None)  # type: ignore[arg-type]


async def test_every_route_of_the_program_and_of_its_document_has_a_role_and_no_role_lacks_its_route(
    served: Served,
) -> None:
    app = make_app(served)
    routes = {route for route in routes_of(app) if route[0] != "HEAD"}
    document = (await call(app, "GET", "/openapi.json")).json
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described <= {(method, re.sub(r":\w+}", "}", path)) for method, path in routes}
    assert routes == set(ROLES)


def test_a_new_route_without_a_role_is_not_served(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def add_forgotten(app: FastAPI, served: Served) -> None:
        app.get("/api/v1/forgotten")(lambda: None)

    add: Callable[[FastAPI, Served], None] = web.add_access

    def both(app: FastAPI, served: Served) -> None:
        add(app, served)
        add_forgotten(app, served)

    monkeypatch.setattr(web, "add_access", both)
    with pytest.raises(AssertionError, match=r"routes without a role .*'/api/v1/forgotten'"):
        make_app(served)


def test_nothing_that_changes_anything_is_open_to_viewers_regulators_or_strangers() -> None:
    changing = [allowed for (method, _), allowed in ROLES.items() if method != "GET"]
    assert changing
    for allowed in changing:
        assert not allowed & {None, Role.VIEWER, Role.REGULATOR}
        assert Role.ADMINISTRATOR in allowed


def test_a_regulator_reads_neither_cases_nor_wallets_nor_approvals() -> None:
    kept = ("/api/v1/cases", "/api/v1/wallets", "/api/v1/approvals", "/api/v1/access", "/metrics")
    assert all(Role.REGULATOR not in allowed for (_, path), allowed in ROLES.items() if path.startswith(kept))


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/api/v1/cases/c0ffee", ("GET", "/api/v1/cases/{case_id}")),
        ("HEAD", "/metrics", ("GET", "/metrics")),
        ("POST", "/api/v1/cases/c0ffee/ack", ("POST", "/api/v1/cases/{case_id}/ack")),
        ("GET", "/api/v1/cases/c0ffee/ack", None),
        ("POST", "/metrics", None),
        ("GET", "/metrics/", None),
        ("GET", "//metrics", None),
        ("GET", "/api/v1/cases/a/b", None),
    ],
)
def test_a_request_is_judged_by_the_route_that_answers_it(
    method: str, path: str, route: tuple[str, str] | None
) -> None:
    assert Table().find(method, path) == route


def test_for_what_is_not_there_one_must_log_in_too() -> None:
    assert Table().allowed(None) == EVERYBODY
