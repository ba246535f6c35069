"""The pages of incidents: cases that belong together, and were one page at night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Request

from monitor.ledger import incidents as ledger
from monitor.publish.api.incidents import render_incident
from monitor.publish.console import query
from monitor.publish.console.asked import NotAsked, text_of
from monitor.publish.door.caller import caller
from monitor.publish.render import render_case

if TYPE_CHECKING:
    from monitor.publish.served import Served


def incidents(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """Incidents, the newest first: when, what of, how many cases, and how many of them are still open."""
    try:
        with served.ledger.read() as connection:
            found = ledger.listed(connection, limit=query.PAGE + 1, after=text_of(request, "before") or None)
            shown = found[: query.PAGE]
            left = ledger.unresolved(connection, [one.id for one in shown])
    except KeyError as error:
        raise NotAsked(400, "error.place") from error
    values = {
        "incidents": [render_incident(served, one, left.get(one.id, 0)) for one in shown],
        "before": shown[-1].id if len(found) > query.PAGE else "",
    }
    return "incidents.html", "incidents", values


def incident(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """One incident: what its cases add up to, and each of them."""
    name = request.path_params["incident_id"]
    with served.ledger.read() as connection:
        found = ledger.incident(connection, name)
        cases = ledger.cases_of(connection, name, limit=query.MOST_ROWS)
        left = ledger.unresolved(connection, [name])
    if found is None:
        raise NotAsked(404, "error.incident")
    served.reads.note(caller(request), [case.id for case in cases], served.clock())
    values = {
        "incident": render_incident(served, found, left.get(name, 0)),
        "cases": [render_case(case, served.scope.decimals) for case in cases],
        "more": found.cases - len(cases),
    }
    return "incident.html", "incidents", values
