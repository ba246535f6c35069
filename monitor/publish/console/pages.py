"""The routes of the console. Each reads the ledger in a thread and renders one template."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from monitor.ledger import ceremonies as ceremonies_in
from monitor.ledger import control, heads, reader
from monitor.ledger import incidents as incidents_in
from monitor.ledger.encode import Json, parse
from monitor.model import CaseState, Direction, Reason, Severity
from monitor.publish.api.ceremonies import render_ceremony
from monitor.publish.api.movements import page_of as movements_of
from monitor.publish.api.reports import newest_reports
from monitor.publish.api.wallets import address_rows
from monitor.publish.console import query, views
from monitor.publish.console.asked import LONGEST_TEXT, NotAsked, count_of, number_of, one_of, text_of
from monitor.publish.console.incidents import incident, incidents
from monitor.publish.console.settle import WITHOUT_TOKEN, Forms, Refused, add_settling
from monitor.publish.console.site import HEADERS, STATIC, Site, fingerprint, static_file
from monitor.publish.console.standing import standing
from monitor.publish.door.caller import caller
from monitor.publish.render import render_approval, render_case
from monitor.publish.rules import RULES, alert_name

if TYPE_CHECKING:
    from monitor.publish.served import Served

_FOR_GOOD = "public, max-age=31536000, immutable"
_URGENT = 8
_ON_THE_WALL = 6
_REPORTS = 12
#: characters of a record that a page shows
_LONGEST_RECORD = 200_000


Handler = Callable[..., tuple[str, str, dict[str, Any]]]


def add_console(app: FastAPI, served: Served, site: Site, forms: Forms = WITHOUT_TOKEN) -> None:
    """Add every page. A page's function returns its template, its place in the menu and its values."""

    def page(path: str, handler: Handler) -> None:
        def answer(request: Request) -> Response:
            try:
                template, active, values = handler(served, request)
            except NotAsked as error:
                return site.page(request, "error.html", "", {**_top(served, site), "key": error.key}, error.status)
            return site.page(request, template, active, {**_top(served, site), **values})

        answer.__doc__ = handler.__doc__
        answer.__name__ = f"console_{handler.__name__}"
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": LONGEST_TEXT}}
            for name in re.findall(r"{(\w+)}", path)
        ]
        extra = {"parameters": parameters} if parameters else None
        app.get(path, response_class=HTMLResponse, tags=["console"], openapi_extra=extra)(answer)
        app.head(path, include_in_schema=False)(answer)

    site.token = forms.token
    app.state.followed = query.Followed()
    for path, handler in PAGES.items():
        page(path, handler)
    _add_files(app)
    add_settling(app, served.actions, forms, partial(_refused, served, site), site.prefix)


def _add_files(app: FastAPI) -> None:
    @app.get("/console/{name}", response_class=Response, tags=["console"])
    def console_file(request: Request, name: Annotated[str, Path(max_length=64)]) -> Response:
        """A style sheet, script or picture of the console."""
        if name not in STATIC:
            return Response("there is no such file\n", 404, media_type="text/plain")
        kept = request.query_params.get("v") == fingerprint(name)
        headers = {**HEADERS, "Cache-Control": _FOR_GOOD if kept else "no-cache"}
        return Response(static_file(name), headers=headers, media_type=STATIC[name])


def _refused(served: Served, site: Site, request: Request, case_id: str, refused: Refused) -> Response:
    """The page of a case again, with what was wrong and what was written."""
    try:
        template, active, values = _case_page(served, case_id)
    except NotAsked as error:
        return site.page(request, "error.html", "", {**_top(served, site), "key": error.key}, error.status)
    values |= {"refused": refused}
    return site.page(request, template, active, {**_top(served, site), **values}, refused.status)


def _top(served: Served, site: Site) -> dict[str, Any]:
    """What stands on every page: how things are, and as of when."""
    snapshot = served.snapshots.latest
    level, grounds = standing(snapshot, site.clock())
    return {"snapshot": snapshot, "level": level.value, "grounds": grounds}


def overview(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """How things stand: coverage, checks, open cases, chains, books."""
    wall = request.query_params.get("wall") == "1"
    return ("wall.html" if wall else "overview.html"), "overview", _overview(served, _ON_THE_WALL if wall else _URGENT)


def wall(served: Served, _request: Request) -> tuple[str, str, dict[str, Any]]:
    """The overview for a screen that is read from four metres away."""
    return "wall.html", "wall", _overview(served, _ON_THE_WALL)


def _overview(served: Served, shown: int) -> dict[str, Any]:
    snapshot = served.snapshots.latest
    with served.ledger.read() as connection:
        urgent = query.urgent(connection, shown)
        unresolved_incidents = incidents_in.count_unresolved(connection)
    unresolved = snapshot.states[CaseState.OPEN] + snapshot.states[CaseState.ACKNOWLEDGED]
    checks = [] if snapshot.verdict is None else snapshot.verdict["checks"]
    return {
        "coverage": views.coverage(snapshot),
        "profiles": views.profiles(checks),
        "cases": [render_case(case, served.scope.decimals) for case in urgent],
        "more": unresolved - len(urgent),
        "states": {state.value: snapshot.states[state] for state in CaseState},
        "incidents": unresolved_incidents,
        "chains": views.chains(snapshot, snapshot.at),
        "stages": views.stages(snapshot, snapshot.at),
        "feeds": views.feeds(snapshot, snapshot.at),
        "problems": [(*key.partition("/")[::2], text) for key, text in sorted(snapshot.vitals.problems.items())],
        "outbox": sorted(snapshot.outbox.items()),
    }


def cases(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """Cases, the newest first, by state, rule, severity, chain and wallet."""
    text = text_of(request, "q").strip()
    if '"' in text or "\\" in text:
        raise NotAsked(400, "error.search")
    wanted = query.CaseFilter(
        state=one_of(request, "state", query.STATE_FILTERS, "unresolved"),
        rule=text_of(request, "rule"),
        severity=one_of(request, "severity", ("", *(one.value for one in Severity)), ""),
        chain=text_of(request, "chain"),
        wallet=text_of(request, "wallet"),
        text=text,
    )
    try:
        with served.ledger.read() as connection:
            found, before = query.cases(connection, wanted, text_of(request, "before"))
            total = query.count_cases(connection, wanted)
    except KeyError as error:
        raise NotAsked(400, "error.place") from error
    served.reads.note(caller(request), [case.id for case in found], served.clock())
    values = {
        "wanted": wanted,
        "cases": [render_case(case, served.scope.decimals) for case in found],
        "before": before,
        "total": total,
        "rules": sorted(RULES),
        "states": query.STATE_FILTERS,
        "severities": [one.value for one in Severity],
        "chains": list(served.scope.assets),
        "wallets": [wallet.name for wallet in served.scope.wallets],
    }
    return "cases.html", "cases", values


def case(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """One case: what left, where to, what explains it, who did what."""
    shown = _case_page(served, request.path_params["case_id"])
    served.reads.note(caller(request), [shown[2]["case"]["id"]], served.clock())
    return shown


def _case_page(served: Served, case_id: str) -> tuple[str, str, dict[str, Any]]:
    with served.ledger.read() as connection:
        found = reader.case(connection, case_id[:LONGEST_TEXT])
    if found is None:
        raise NotAsked(404, "error.case")
    moved: list[Json] = []
    more = None
    if found.chain is not None and found.txid is not None:
        wanted = reader.Wanted(chain=found.chain, txid=found.txid)
        moved, more = movements_of(served, wanted, query.MOST_ROWS, None)
    with served.ledger.read() as connection:
        approvals = query.explained_by(connection, found, {row["approval"] for row in moved if row["approval"]})
    values = {
        "case": render_case(found, served.scope.decimals),
        "moved": list(reversed(moved)),
        "more_moved": more is not None,
        "approvals": [
            {**render_approval(item, state, first_read, served.scope), "used_here": used}
            for item, state, first_read, used in approvals
        ],
        "detected": "" if found.detected_after_ms is None else str(Decimal(found.detected_after_ms) / 1000),
        "native": served.scope.assets.get(found.chain or "", ("",))[0],
        "runbook": alert_name(found.rule),
        "actions": _possible(found.state),
        "refused": None,
    }
    return "case.html", "cases", values


def _possible(state: CaseState) -> tuple[str, ...]:
    """What a person can do with a case in this state."""
    if state is CaseState.CLOSED:
        return ()
    return ("ack", "close") if state is CaseState.OPEN else ("close",)


def followed(request: Request) -> query.Followed:
    """The counts of followed locators, kept between requests."""
    kept: query.Followed = request.app.state.followed
    return kept


def wallets(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """Wallets by owner and tier: who keeps them, what they hold and how well that is known."""
    snapshot = served.snapshots.latest
    with served.ledger.read() as connection:
        counts = followed(request).counts(connection)
        proofs = query.proofs_of_control(connection)
        unresolved = query.unresolved_by_wallet(connection)
    rows = views.held(snapshot, counts, proofs, unresolved, served.health.evidence)
    owners = list(dict.fromkeys(row.wallet.owner.value for row in rows))
    values = {
        "owners": [(owner, [row for row in rows if row.wallet.owner.value == owner]) for owner in owners],
        "quantities": [] if snapshot.verdict is None else snapshot.verdict.get("quantities", []),
        "at": None if snapshot.verdict is None else snapshot.verdict["at"],
    }
    return "wallets.html", "wallets", values


def wallet(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """One wallet: holdings, addresses with their proofs of control, its last movements and open cases."""
    name = request.path_params["name"]
    found = next((each for each in served.scope.wallets if each.name == name), None)
    if found is None:
        raise NotAsked(404, "error.wallet")
    moved, _ = movements_of(served, reader.Wanted(wallet=name), 20, None)
    after = text_of(request, "before") or None
    with served.ledger.read() as connection:
        counts = followed(request).counts(connection)
        locators = reader.locators_of(connection, name, limit=query.PAGE + 1, after=after)
        addresses = address_rows(connection, served, found, locators[: query.PAGE])
        shown = control.shown_of(connection, found.chain, name)
        planned = ceremonies_in.of_wallet(connection, name, 5)
        unresolved, _ = query.cases(connection, query.CaseFilter(wallet=name), "")
    rows = views.held(served.snapshots.latest, counts, {name: shown}, {}, served.health.evidence)
    values = {
        "row": next(row for row in rows if row.wallet.name == name),
        "addresses": addresses,
        "before": addresses[-1]["address"] if len(locators) > query.PAGE else "",
        "moved": moved,
        "cases": [render_case(case, served.scope.decimals) for case in unresolved[:20]],
        "ceremonies": [render_ceremony(each, served.clock()) for each in planned],
        "ceremonies_required": name in served.particulars.ceremonies_required,
        "proved": served.health.proved.get(found.chain),
    }
    return "wallet.html", "wallets", values


def movements(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """Movements, the newest first, each with what explains it."""
    names = ("chain", "wallet", "asset")
    chosen = {name: text_of(request, name) for name in names}
    chosen["direction"] = one_of(request, "direction", ("", *(one.value for one in Direction)), "")
    chosen["reason"] = one_of(request, "reason", ("", *(one.value for one in Reason)), "")
    chosen["q"] = text_of(request, "q").strip()
    wanted = reader.Wanted()
    if chosen["q"]:
        with served.ledger.read() as connection:
            wanted = query.found_by(connection, chosen["q"])
    wanted = replace(
        wanted,
        chain=chosen["chain"] or None,
        wallet=chosen["wallet"] or None,
        asset=chosen["asset"] or None,
        direction=chosen["direction"] or None,
        reason=chosen["reason"] or None,
    )
    try:
        found, before = movements_of(served, wanted, query.PAGE, text_of(request, "before") or None)
    except HTTPException as error:
        raise NotAsked(400, "error.place") from error
    values = {
        "wanted": chosen,
        "moved": found,
        "before": before or "",
        "chains": list(served.scope.assets),
        "wallets": [wallet.name for wallet in served.scope.wallets],
        "assets": sorted(served.scope.decimals),
        "directions": [one.value for one in Direction],
        "reasons": [one.value for one in Reason],
    }
    return "movements.html", "movements", values


def verdicts(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """Verdicts, the newest first, and the reports that were made of them."""
    kind = one_of(request, "kind", ("", "close", "provisional"), "")
    with served.ledger.read() as connection:
        found = reader.verdicts(connection, kind=kind or None, limit=query.PAGE + 1, after=number_of(request, "before"))
    rows = [(body, views.profiles(body["checks"])) for body in found[: query.PAGE]]
    values = {
        "rows": rows,
        "kind": kind,
        "before": rows[-1][0]["cycle"] if len(found) > query.PAGE else "",
        "reports": newest_reports(served, _REPORTS),
        "report_problem": served.health.problems.get("report/", ""),
    }
    return "verdicts.html", "verdicts", values


def verdict(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """One verdict: every check with its value, threshold, margin, operands and basis."""
    with served.ledger.read() as connection:
        body = reader.verdict_of(connection, count_of(request.path_params["cycle"]))
    if body is None:
        raise NotAsked(404, "error.verdict")
    return "verdict.html", "verdicts", {"verdict": body, "profiles": views.profiles(body["checks"])}


def ceremonies(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """Announced work on cold wallets: its window, and the two people who stand for it."""
    before = text_of(request, "before")
    try:
        with served.ledger.read() as connection:
            found = ceremonies_in.ceremonies(connection, limit=query.PAGE + 1, after=before or None)
    except KeyError as error:
        raise NotAsked(400, "error.place") from error
    values = {
        "ceremonies": [render_ceremony(each, served.clock()) for each in found[: query.PAGE]],
        "before": found[query.PAGE - 1].id if len(found) > query.PAGE else "",
        "required": sorted(served.particulars.ceremonies_required),
    }
    return "ceremonies.html", "ceremonies", values


def journal(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """The journal's records, the newest first, and what was last signed about them."""
    kind = text_of(request, "kind")
    with served.ledger.read() as connection:
        found = reader.records(connection, kind=kind or None, limit=query.PAGE + 1, after=number_of(request, "before"))
        head = heads.newest(connection)
    before = found[query.PAGE - 1].seq if len(found) > query.PAGE else ""
    return "journal.html", "journal", {"records": found[: query.PAGE], "before": before, "kind": kind, "head": head}


def record(served: Served, request: Request) -> tuple[str, str, dict[str, Any]]:
    """One record of the journal, as it was written."""
    with served.ledger.read() as connection:
        found = reader.record(connection, count_of(request.path_params["seq"]))
    if found is None:
        raise NotAsked(404, "error.record")
    body = parse(found.body) if len(found.body) <= _LONGEST_RECORD else found.body[:_LONGEST_RECORD]
    return "record.html", "journal", {"record": found, "body": body, "cut": len(found.body) > _LONGEST_RECORD}


PAGES: dict[str, Handler] = {
    "/": overview,
    "/wall": wall,
    "/cases": cases,
    "/cases/{case_id}": case,
    "/incidents": incidents,
    "/incidents/{incident_id}": incident,
    "/wallets": wallets,
    "/wallets/{name}": wallet,
    "/movements": movements,
    "/verdicts": verdicts,
    "/verdicts/{cycle}": verdict,
    "/ceremonies": ceremonies,
    "/journal": journal,
    "/journal/{seq}": record,
}
