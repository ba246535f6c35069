"""Who may call what: one closed table. A route that does not stand here cannot be served (see publish.web)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from starlette.routing import compile_path


class Role(StrEnum):
    """What somebody who logs in may do.

    A viewer sees what porwatch sees, a responder also settles cases, an administrator also changes what
    is watched and what explains an outflow. A regulator sees verdicts and no addresses, no cases and
    nothing of customers: reports are made for regulators, with their own view.
    """

    VIEWER = "viewer"
    RESPONDER = "responder"
    ADMINISTRATOR = "administrator"
    REGULATOR = "regulator"


#: None stands for somebody who has not logged in
Allowed = frozenset[Role | None]

PUBLIC: Allowed = frozenset((*Role, None))
EVERYBODY: Allowed = frozenset(Role)
STAFF: Allowed = frozenset({Role.VIEWER, Role.RESPONDER, Role.ADMINISTRATOR})
RESPONDERS: Allowed = frozenset({Role.RESPONDER, Role.ADMINISTRATOR})
ADMINISTRATORS: Allowed = frozenset({Role.ADMINISTRATOR})

#: by method and path template; HEAD is as GET
ROLES: Mapping[tuple[str, str], Allowed] = {
    ("GET", "/-/healthy"): PUBLIC,
    ("GET", "/-/ready"): PUBLIC,
    # What it says is shipped with porwatch, and must open at 3 a.m.
    ("GET", "/runbooks/{name}"): PUBLIC,
    # As whoever may restart porwatch: the file that is taken over is the operator's own.
    ("POST", "/-/reload"): ADMINISTRATORS,
    # Public where web.public_metrics says so, or where nobody can log in.
    ("GET", "/metrics"): STAFF,
    ("GET", "/"): STAFF,
    ("GET", "/wall"): STAFF,
    ("GET", "/cases"): STAFF,
    ("GET", "/cases/{case_id}"): STAFF,
    ("GET", "/incidents"): STAFF,
    ("GET", "/incidents/{incident_id}"): STAFF,
    ("GET", "/wallets"): STAFF,
    ("GET", "/wallets/{name}"): STAFF,
    ("GET", "/movements"): STAFF,
    ("GET", "/verdicts"): EVERYBODY,
    ("GET", "/verdicts/{cycle}"): EVERYBODY,
    ("GET", "/ceremonies"): STAFF,
    ("GET", "/journal"): ADMINISTRATORS,
    ("GET", "/journal/{seq}"): ADMINISTRATORS,
    # A style sheet, a script and a picture.
    ("GET", "/console/{name}"): PUBLIC,
    ("POST", "/console/cases/{case_id}/ack"): RESPONDERS,
    ("POST", "/console/cases/{case_id}/close"): RESPONDERS,
    ("GET", "/openapi.json"): EVERYBODY,
    ("GET", "/api/v1/status"): STAFF,
    ("GET", "/api/v1/cases"): STAFF,
    ("GET", "/api/v1/cases/{case_id}"): STAFF,
    ("POST", "/api/v1/cases/{case_id}/ack"): RESPONDERS,
    ("POST", "/api/v1/cases/{case_id}/close"): RESPONDERS,
    ("POST", "/api/v1/cases/{case_id}/notified"): RESPONDERS,
    ("GET", "/api/v1/wallets"): STAFF,
    ("POST", "/api/v1/wallets/{name}/addresses"): ADMINISTRATORS,
    ("GET", "/api/v1/verdict"): EVERYBODY,
    ("GET", "/api/v1/approvals"): STAFF,
    # A responder who could approve could explain the very outflow that he judges.
    ("POST", "/api/v1/approvals"): ADMINISTRATORS,
    ("POST", "/api/v1/control/challenges"): ADMINISTRATORS,
    ("POST", "/api/v1/control/proofs"): ADMINISTRATORS,
    ("GET", "/api/v1/access"): ADMINISTRATORS,
    ("GET", "/api/v1/cases/counts"): STAFF,
    ("GET", "/api/v1/incidents"): STAFF,
    ("GET", "/api/v1/incidents/{incident_id}"): STAFF,
    ("GET", "/api/v1/movements"): STAFF,
    ("GET", "/api/v1/movements.csv"): STAFF,
    ("GET", "/api/v1/wallets/{name}"): STAFF,
    ("GET", "/api/v1/coverage"): EVERYBODY,
    ("GET", "/api/v1/verdicts"): EVERYBODY,
    ("GET", "/api/v1/verdicts/{cycle}"): EVERYBODY,
    # The bundles of the schedule are whole: a regulator is handed one of his own view.
    ("GET", "/api/v1/reports"): ADMINISTRATORS,
    ("GET", "/api/v1/reports/{name}/{path:path}"): ADMINISTRATORS,
    # Bodies of records hold addresses and approvals.
    ("GET", "/api/v1/journal"): ADMINISTRATORS,
    ("GET", "/api/v1/journal/{seq}"): ADMINISTRATORS,
    ("GET", "/api/v1/ceremonies"): STAFF,
    ("POST", "/api/v1/ceremonies"): RESPONDERS,
    ("POST", "/api/v1/ceremonies/{ceremony_id}/confirm"): RESPONDERS,
    ("POST", "/api/v1/ceremonies/{ceremony_id}/cancel"): RESPONDERS,
}

METRICS = ("GET", "/metrics")


class Table:
    """The roles by a request's method and path."""

    def __init__(self, roles: Mapping[tuple[str, str], Allowed] = ROLES) -> None:
        # Paths without parameters first, as a parameter would match them too.
        ordered = sorted(roles, key=lambda route: ("{" in route[1], route))
        self._routes = tuple((method, compile_path(path)[0], (method, path)) for method, path in ordered)
        self._roles = dict(roles)

    def find(self, method: str, path: str) -> tuple[str, str] | None:
        """The route that a request asks for, as it stands in the table; None where there is none."""
        wanted = "GET" if method == "HEAD" else method
        for each, pattern, route in self._routes:
            if each == wanted and pattern.match(path):
                return route
        return None

    def allowed(self, route: tuple[str, str] | None) -> Allowed:
        """Who may ask for it; for what is not there everybody who has logged in may learn so."""
        return EVERYBODY if route is None else self._roles[route]

    def without_role(self, routes: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Of ``routes`` (method, path template) those that the table does not know."""
        return sorted({route for route in routes if route not in self._roles and route[0] != "HEAD"})
