"""Announcing, confirming and cancelling work on cold wallets over HTTP."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI

from monitor.detect import Announcement, Ceremony
from monitor.health import Health
from monitor.ledger.store import commit
from monitor.model import rfc3339
from monitor.publish.api.answers import Answer
from monitor.publish.api.ceremonies import Ceremonies, CeremonyBody
from monitor.step import ceremonies
from monitor.step.observations import CeremonyAnnounced, CeremonyCancelled, CeremonyConfirmed
from tests.unit.publish.asgi import Reply, call
from tests.unit.publish.samples import NOW, WALLETS, Store
from tests.unit.publish.served import served_app

PATH = "/api/v1/ceremonies"
WANTED: dict[str, Any] = {
    "purpose": "key check",
    "wallets": ["btc-cold"],
    "from": rfc3339(NOW + timedelta(hours=1)),
    "to": rfc3339(NOW + timedelta(hours=2)),
    "name": "Sato",
}


class Clerk:
    """Takes each word into the ledger, as the monitor's writer does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._setup: Any = SimpleNamespace(wallets={wallet.name: wallet for wallet in WALLETS})

    def _take(self, step: Any, *arguments: Any) -> Ceremony:
        with self._store.ledger.write() as connection:
            change, found = step(connection, *arguments, NOW)
            commit(connection, change, NOW)
        assert isinstance(found, Ceremony)
        return found

    async def announce(self, wanted: Announcement, name: str, user: str) -> Ceremony:
        return self._take(ceremonies.announced, self._setup, CeremonyAnnounced(wanted, name, user))

    async def confirm(self, ceremony_id: str, name: str, user: str) -> Ceremony:
        return self._take(ceremonies.confirmed, CeremonyConfirmed(ceremony_id, name, user))

    async def cancel(self, ceremony_id: str, name: str, reason: str, user: str) -> Ceremony:
        return self._take(ceremonies.cancelled, CeremonyCancelled(ceremony_id, name, reason, user))


@pytest.fixture
def app(store: Store, health: Health) -> FastAPI:
    return served_app(store, health, actions=Clerk(store))


async def post(app: FastAPI, body: object, path: str = PATH) -> Reply:
    return await call(app, "POST", path, body)


async def announced(app: FastAPI, **changes: Any) -> str:
    reply = await post(app, {**WANTED, **changes})
    assert reply.status == 201, reply.body
    Answer[CeremonyBody].model_validate_json(reply.body)
    key: str = reply.json["data"]["id"]
    return key


async def test_two_people_make_a_window(app: FastAPI) -> None:
    key = await announced(app)
    reply = await post(app, {"name": "ｓａｔｏ"}, f"{PATH}/{key}/confirm")
    assert (reply.status, reply.json["error"]) == (409, "Sato announced it: a second person confirms it")
    reply = await post(app, {"name": "Tanaka"}, f"{PATH}/{key}/confirm")
    assert reply.status == 200
    assert reply.json["data"] == {
        "id": key,
        "phase": "confirmed",
        "purpose": "key check",
        "wallets": ["btc-cold"],
        "begins_at": WANTED["from"],
        "ends_at": WANTED["to"],
        "counts_from": WANTED["from"],
        "counts_to": WANTED["to"],
        "announced": {"name": "Sato", "user": None, "at": rfc3339(NOW)},
        "confirmed": {"name": "Tanaka", "user": None, "at": rfc3339(NOW)},
        "cancelled": None,
        "cancel_reason": None,
    }
    reply = await post(app, {"name": "Suzuki", "reason": "rain"}, f"{PATH}/{key}/cancel")
    assert (reply.json["data"]["phase"], reply.json["data"]["counts_from"]) == ("cancelled", None)
    assert (await post(app, {"name": "Tanaka"}, f"{PATH}/{key}/confirm")).status == 409


async def test_ceremonies_are_listed_page_by_page(app: FastAPI) -> None:
    keys = [await announced(app, purpose=f"check {n}") for n in range(3)]
    later = await announced(app, to=rfc3339(NOW + timedelta(hours=5)), **{"from": rfc3339(NOW + timedelta(hours=3))})
    first = (await call(app, "GET", f"{PATH}?limit=2")).json["data"]
    rest = await call(app, "GET", f"{PATH}?limit=2&after={first['next']}")
    Answer[Ceremonies].model_validate_json(rest.body)
    seen = [each["id"] for each in first["ceremonies"] + rest.json["data"]["ceremonies"]]
    assert seen == [later, *sorted(keys, reverse=True)]
    assert rest.json["data"]["next"] is None
    wallet = (await call(app, "GET", "/api/v1/wallets/btc-cold")).json["data"]
    assert [each["id"] for each in wallet["ceremonies"]] == seen
    assert (await call(app, "GET", f"{PATH}?after=nothing")).status == 400


BAD: dict[str, Any] = {
    "no object": [],
    "a key too few": {key: value for key, value in WANTED.items() if key != "name"},
    "a key too many": {**WANTED, "confirmed_by": "Sato"},
    "wallets no list": {**WANTED, "wallets": "btc-cold"},
    "wallets no names": {**WANTED, "wallets": [1]},
    "no purpose": {**WANTED, "purpose": " "},
    "a long purpose": {**WANTED, "purpose": "x" * 201},
    "a purpose of two lines": {**WANTED, "purpose": "a\nb"},
    "a purpose that reorders": {**WANTED, "purpose": "a\u202eb"},
    "no time": {**WANTED, "from": "tomorrow"},
    "a time without offset": {**WANTED, "from": "2026-11-24T10:00:00"},
    "a time that is a number": {**WANTED, "from": 1},
    "a time before time": {**WANTED, "from": "0001-01-01T00:00:00+23:59"},
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_announcement_is_refused(name: str, app: FastAPI) -> None:
    reply = await post(app, BAD[name])
    assert (reply.status, reply.json["errorType"]) == (400, "bad_data"), reply.body
    assert (await call(app, "GET", PATH)).json["data"]["ceremonies"] == []


async def test_what_cannot_be_announced_is_told_why(app: FastAPI) -> None:
    hot = await post(app, {**WANTED, "wallets": ["eth-hot"]})
    assert (hot.status, hot.json["error"]) == (409, "wallets: eth-hot is hot: ceremonies are for cold wallets")
    past = await post(app, {**WANTED, "from": rfc3339(NOW)})
    assert "a ceremony is announced before it begins" in past.json["error"]


async def test_only_a_ceremony_that_is_there_is_confirmed_or_cancelled(app: FastAPI) -> None:
    assert (await post(app, {"name": "Tanaka"}, f"{PATH}/{'0' * 16}/confirm")).status == 404
    assert (await post(app, {"name": "T", "reason": "r"}, f"{PATH}/{'0' * 16}/cancel")).status == 404
    assert (await post(app, {"name": "Tanaka"}, f"{PATH}/..%2fx/confirm")).status in (400, 404)
    key = await announced(app)
    for body in ({}, {"name": ""}, {"name": "T", "reason": "r"}, ["T"]):
        assert (await post(app, body, f"{PATH}/{key}/confirm")).status == 400
    for body in ({"name": "T"}, {"name": "T", "reason": ""}, {"name": "T", "reason": "x" * 2001}):
        assert (await post(app, body, f"{PATH}/{key}/cancel")).status == 400
