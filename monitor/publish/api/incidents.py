"""Incidents: cases that belong together, with what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import FastAPI, Path
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from monitor.detect import Incident
from monitor.ledger import incidents
from monitor.ledger.encode import Json
from monitor.model import rfc3339
from monitor.publish.api.answers import Answer, Shape, answer
from monitor.publish.api.fields import Size, Text
from monitor.publish.render import coins

if TYPE_CHECKING:
    from monitor.publish.served import Served

IncidentId = Annotated[str, Path(max_length=64)]


class Amount(Shape):
    """What left of an asset. ``amount``: coins, null where the asset is no longer configured."""

    asset: str
    amount: str | None
    units: str


class IncidentBody(Shape):
    """``value``: of what had a price, by currency; ``unpriced``: assets without one."""

    id: str
    severity: str
    first_at: str
    last_at: str
    cases: int
    unresolved: int
    chains: list[str]
    tiers: list[str]
    wallets: list[str]
    new_destinations: bool
    amounts: list[Amount]
    value: dict[str, str]
    unpriced: list[str]


class Incidents(Shape):
    """``next``: what to pass as ``after``."""

    incidents: list[IncidentBody]
    next: str | None


def add_incidents(app: FastAPI, served: Served) -> None:
    """Add the routes."""

    @app.get("/api/v1/incidents", response_model=Answer[Incidents])
    def listed(limit: Size = 100, after: Text = None) -> Response:
        """Incidents, the newest first; their cases are those of ``/api/v1/cases?state=all&incident=…``."""
        try:
            with served.ledger.read() as connection:
                found = incidents.listed(connection, limit=limit + 1, after=after)
                shown = found[:limit]
                left = incidents.unresolved(connection, [one.id for one in shown])
        except KeyError as error:
            raise HTTPException(400, "after: there is no such incident") from error
        rows = [render_incident(served, one, left.get(one.id, 0)) for one in shown]
        return answer({"incidents": rows, "next": shown[-1].id if len(found) > limit else None})

    @app.get("/api/v1/incidents/{incident_id}", response_model=Answer[IncidentBody])
    def one(incident_id: IncidentId) -> Response:
        """One incident."""
        with served.ledger.read() as connection:
            found = incidents.incident(connection, incident_id)
            left = incidents.unresolved(connection, [incident_id])
        if found is None:
            raise HTTPException(404, "there is no such incident")
        return answer(render_incident(served, found, left.get(incident_id, 0)))


def render_incident(served: Served, one: Incident, unresolved: int) -> Json:
    """One incident in the form of the public interface. ``unresolved``: how many of its cases are."""
    decimals = served.scope.decimals
    return {
        "id": one.id,
        "severity": one.severity.value,
        "first_at": rfc3339(one.first_at),
        "last_at": rfc3339(one.last_at),
        "cases": one.cases,
        "unresolved": unresolved,
        "chains": list(one.chains),
        "tiers": list(one.tiers),
        "wallets": list(one.wallets),
        "new_destinations": one.new_destinations,
        "amounts": [
            {"asset": asset, "amount": coins(asset, units, decimals), "units": str(units)}
            for asset, units in sorted(one.units.items())
        ],
        "value": {currency: str(amount) for currency, amount in sorted(one.value.items())},
        "unpriced": sorted(one.unpriced),
    }
