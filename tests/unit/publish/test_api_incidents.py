"""Incidents over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi import FastAPI

from monitor.health import Health
from monitor.model import CaseState
from monitor.publish.api.answers import Answer
from monitor.publish.api.incidents import IncidentBody, Incidents
from tests.unit.publish.asgi import call
from tests.unit.publish.samples import Store, numbered
from tests.unit.publish.served import served_app

PATH = "/api/v1/incidents"


@pytest.fixture
def app(store: Store, health: Health) -> FastAPI:
    early = numbered(1)
    late = replace(numbered(2), opened_at=early.opened_at + timedelta(hours=2))
    store.put(
        replace(early, incident=early.id),
        replace(numbered(3), incident=early.id, state=CaseState.CLOSED),
        replace(late, incident=late.id),
    )
    return served_app(store, health)


async def test_incidents_are_listed_newest_first_with_what_is_unresolved(app: FastAPI) -> None:
    late, early = Answer[Incidents].model_validate_json((await call(app, "GET", PATH)).body).data.incidents
    assert (late.id, late.cases, late.unresolved) == (numbered(2).id, 1, 1)
    assert (early.id, early.cases, early.unresolved) == (numbered(1).id, 2, 1)
    first = Answer[Incidents].model_validate_json((await call(app, "GET", f"{PATH}?limit=1")).body).data
    assert ([one.id for one in first.incidents], first.next) == ([late.id], late.id)
    rest = Answer[Incidents].model_validate_json((await call(app, "GET", f"{PATH}?limit=1&after={late.id}")).body).data
    assert ([one.id for one in rest.incidents], rest.next) == ([early.id], None)
    one = Answer[IncidentBody].model_validate_json((await call(app, "GET", f"{PATH}/{early.id}")).body).data
    assert one == early
    (amount,) = one.amounts
    case = numbered(1)
    assert (amount.asset, amount.units) == (case.asset, str(2 * (case.units or 0)))


async def test_an_incident_that_is_not_there_is_said(app: FastAPI) -> None:
    assert (await call(app, "GET", f"{PATH}/ffff")).status == 404
    assert (await call(app, "GET", f"{PATH}?after=ffff")).status == 400
