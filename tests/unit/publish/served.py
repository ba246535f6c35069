"""The application over a ledger of a test, with whatever the test wants to be different."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from monitor.health import Health
from monitor.publish.guard import Access
from monitor.publish.snapshot import Snapshots
from monitor.publish.web import Served, make_app
from tests.unit.publish.samples import NOW, SCOPE, Store

LOCAL = Access("127.0.0.1", "http://127.0.0.1:9899")


class Nobody:
    """Carries out nothing."""


def served_app(store: Store, health: Health, **given: Any) -> FastAPI:
    """``given``: fields of Served."""
    fields: dict[str, Any] = {
        "ledger": store.ledger,
        "health": health,
        "snapshots": Snapshots(store.ledger, health, SCOPE, lambda: NOW),
        "scope": SCOPE,
        "actions": Nobody(),
        "access": LOCAL,
        "runbook": lambda name, lang: None,
        "clock": lambda: NOW,
    }
    return make_app(Served(**{**fields, **given}))
