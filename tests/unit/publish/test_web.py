from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest
from fastapi import FastAPI

from monitor.health import Health
from monitor.ledger.encode import approval_to_json
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit
from monitor.model import Approval, Case, CaseState, Notice, rfc3339
from monitor.publish.body import LARGEST_BODY
from monitor.publish.door.door import Door
from monitor.publish.guard import Access
from monitor.publish.render import render_case
from monitor.publish.snapshot import Snapshots
from monitor.publish.web import Served, make_app
from tests.unit.publish.asgi import Reply, call
from tests.unit.publish.samples import DECIMALS, NOW, SCOPE, THEFT, THIEF, Store, numbered

RUNBOOKS = {("PorwatchResidual", "en"): "# Residual", ("PorwatchResidual", "ja"): "# 照合差異"}
LOCAL = Access("127.0.0.1", "http://127.0.0.1:9899")


@dataclass
class Answer:
    outcome: Literal["created", "repeated", "conflict", "malformed", "no_source"]
    id: str = "w-1"
    message: str = "because"


@dataclass
class Spy:
    """Takes what the application asks for, and answers as told."""

    answer: Answer = field(default_factory=lambda: Answer("created"))
    fails: Exception | None = None
    approved: list[object] = field(default_factory=list)
    acted: list[tuple[str, str, str, str]] = field(default_factory=list)
    told: list[tuple[str, Notice, str, str]] = field(default_factory=list)
    added: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)

    async def approve(self, body: object) -> Answer:
        self.approved.append(body)
        if self.fails:
            raise self.fails
        return self.answer

    async def act(
        self, case_id: str, action: Literal["ack", "close"], name: str, reason: str, how: str = "none"
    ) -> Case:
        self.acted.append((case_id, action, name, reason))
        if self.fails:
            raise self.fails
        return replace(THEFT, state=CaseState.ACKNOWLEDGED)

    async def notified(self, case_id: str, notice: Notice, name: str, reason: str, how: str = "none") -> Case:
        self.told.append((case_id, notice, name, reason))
        if self.fails:
            raise self.fails
        return THEFT

    async def add_addresses(self, wallet: str, addresses: Sequence[str], by: str) -> list[str]:
        self.added.append((wallet, tuple(addresses), by))
        if self.fails:
            raise self.fails
        return [address.upper() for address in addresses]


Apps = Callable[..., FastAPI]


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
def make(store: Store, health: Health, spy: Spy) -> Apps:
    def build(access: Access = LOCAL, door: Door | None = None) -> FastAPI:
        snapshots = Snapshots(store.ledger, health, SCOPE, lambda: NOW)
        return make_app(
            Served(
                store.ledger,
                health,
                snapshots,
                SCOPE,
                spy,
                access,
                runbook=lambda name, lang: RUNBOOKS.get((name, lang)),
                clock=lambda: NOW,
                door=door or Door(),
            )
        )

    return build


@pytest.fixture
def app(make: Apps) -> FastAPI:
    return make()


def data(reply: Reply) -> Any:
    assert (reply.status, set(reply.json)) == (200, {"status", "data"}), reply.body
    assert reply.json["status"] == "success"
    return reply.json["data"]


def error(reply: Reply, status: int, kind: str) -> str:
    assert reply.status == status, reply.body
    assert set(reply.json) == {"status", "errorType", "error"}
    assert (reply.json["status"], reply.json["errorType"]) == ("error", kind)
    message: str = reply.json["error"]
    return message


def be_ready(health: Health) -> None:
    health.identified.update(dict.fromkeys(health.chains, True))
    health.following.update(dict.fromkeys(health.chains, True))


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready", "/metrics", "/", "/runbooks/PorwatchResidual"])
async def test_head_is_answered_beside_get(path: str, app: FastAPI, health: Health) -> None:
    be_ready(health)
    assert (await call(app, "GET", path)).status == 200
    assert (await call(app, "HEAD", path)).status == 200


async def test_ready_only_with_every_chain_identified_and_followed(app: FastAPI, health: Health) -> None:
    reply = await call(app, "GET", "/-/ready")
    assert reply.status == 503
    assert reply.json["reasons"] == [
        "bitcoin: too few endpoints have shown that they serve this chain",
        "ethereum: too few endpoints have shown that they serve this chain",
    ]
    health.identified.update(bitcoin=True, ethereum=True)
    health.following.update(bitcoin=True)
    assert (await call(app, "GET", "/-/ready")).json["reasons"] == ["ethereum: following has not begun"]
    be_ready(health)
    assert (await call(app, "GET", "/-/ready")).status == 200


async def test_not_ready_without_a_readable_ledger(
    app: FastAPI, health: Health, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_ready(health)
    monkeypatch.setattr(store.ledger, "read", lambda: 1 / 0)
    reply = await call(app, "GET", "/-/ready")
    assert (reply.status, reply.json["reasons"]) == (503, ["the ledger cannot be read: ZeroDivisionError"])
    assert (await call(app, "GET", "/-/healthy")).status == 200


async def test_metrics_come_in_the_format_that_is_asked_for(app: FastAPI) -> None:
    plain = await call(app, "GET", "/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert b"porwatch_build_info{" in plain.body
    wanted = {"accept": "application/openmetrics-text; version=1.0.0"}
    modern = await call(app, "GET", "/metrics", headers=wanted)
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.body.endswith(b"# EOF\n")


async def test_runbooks_are_served_in_both_languages(app: FastAPI) -> None:
    assert (await call(app, "GET", "/runbooks/PorwatchResidual")).body == b"# Residual"
    japanese = await call(app, "GET", "/runbooks/PorwatchResidual?lang=ja")
    assert japanese.body.decode() == "# 照合差異"
    error(await call(app, "GET", "/runbooks/PorwatchNothing"), 404, "not_found")
    error(await call(app, "GET", "/runbooks/..%2f..%2fetc"), 404, "not_found")
    error(await call(app, "GET", "/runbooks/a.b"), 400, "bad_data")


async def test_open_cases_are_the_default_and_every_filter_filters(app: FastAPI, store: Store) -> None:
    states = list(CaseState)
    cases = [numbered(n, state=states[n % 4], wallet=f"w{n % 2}", rule=("residual", "sweep")[n % 2]) for n in range(8)]
    store.put(*cases, numbered(9, chain="bitcoin"))

    async def ids(query: str) -> list[int]:
        return [int(case["id"], 16) for case in data(await call(app, "GET", f"/api/v1/cases{query}"))["cases"]]

    assert await ids("") == [1, 5, 9]
    assert await ids("?state=pending") == [0, 4]
    assert await ids("?state=acknowledged") == [2, 6]
    assert await ids("?state=closed") == [3, 7]
    assert await ids("?state=all") == [0, 1, 2, 3, 4, 5, 6, 7, 9]
    assert await ids("?state=all&rule=residual") == [0, 2, 4, 6]
    assert await ids("?chain=bitcoin") == [9]
    assert await ids("?state=all&wallet=w1&rule=residual") == []
    assert await ids("?state=all&wallet=w1") == [1, 3, 5, 7]


async def test_a_case_is_shown_in_its_public_form(app: FastAPI, store: Store) -> None:
    store.put(THEFT)
    assert data(await call(app, "GET", f"/api/v1/cases/{THEFT.id}")) == render_case(THEFT, DECIMALS)
    assert data(await call(app, "GET", "/api/v1/cases")) == {"cases": [render_case(THEFT, DECIMALS)], "next": None}
    error(await call(app, "GET", "/api/v1/cases/0"), 404, "not_found")


async def test_pages_cover_everything_once(app: FastAPI, store: Store) -> None:
    store.put(*[numbered(n) for n in range(7)])
    seen: list[str] = []
    after = ""
    for _ in range(4):
        page = data(await call(app, "GET", f"/api/v1/cases?limit=2{after}"))
        seen += [case["id"] for case in page["cases"]]
        after = f"&after={page['next']}"
    assert page["next"] is None
    assert seen == [numbered(n).id for n in range(7)]
    exact = data(await call(app, "GET", "/api/v1/cases?limit=7"))
    assert exact["next"] is None


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("state=opened", "state"),
        ("after=nowhere", "after"),
        ("rule=" + "x" * 200, "rule"),
    ],
)
async def test_a_bad_query_is_named(query: str, named: str, app: FastAPI) -> None:
    assert named in error(await call(app, "GET", f"/api/v1/cases?{query}"), 400, "bad_data")


async def test_the_newest_verdict_is_shown_as_it_was_journalled(app: FastAPI, store: Store) -> None:
    error(await call(app, "GET", "/api/v1/verdict"), 404, "not_found")
    for cycle in (1, 2):
        body = {
            "cycle": cycle,
            "at": rfc3339(NOW),
            "kind": "provisional",
            "hash": f"h{cycle}",
            "positions": [],
            "checks": [],
        }
        store.commit(Commit((Record("verdict", body),)))
    assert data(await call(app, "GET", "/api/v1/verdict")) == body


async def test_the_status_is_of_this_moment(app: FastAPI, store: Store) -> None:
    store.put(THEFT)
    status = data(await call(app, "GET", "/api/v1/status"))
    assert status["cases"]["open"] == 1
    assert status["version"] == "0.1.0"


async def test_approvals_are_listed_in_pages(app: FastAPI, store: Store) -> None:
    for number in range(3):
        approval = Approval(f"w-{number}", "ethereum", "USDT", 5, THIEF, None, None, None, NOW, None, None, None, "d")
        record = Record("approval", {"approval": approval_to_json(approval), "first_read": rfc3339(NOW)})
        store.commit(Commit((record,)))
    page = data(await call(app, "GET", "/api/v1/approvals?limit=2"))
    assert ([a["id"] for a in page["approvals"]], page["next"]) == (["w-0", "w-1"], "w-1")
    assert page["approvals"][0]["amount"] == "0.000005"
    rest = data(await call(app, "GET", "/api/v1/approvals?limit=2&after=w-1"))
    assert ([a["id"] for a in rest["approvals"]], rest["next"]) == (["w-2"], None)


async def test_an_approval_is_handed_on_as_it_came(app: FastAPI, spy: Spy) -> None:
    body = {"id": "w-1", "amount": "1.50"}
    reply = await call(app, "POST", "/api/v1/approvals", body)
    assert (reply.status, reply.json["data"]["id"], reply.json["data"]["outcome"]) == (201, "w-1", "created")
    assert spy.approved == [body]


@pytest.mark.parametrize(
    ("outcome", "status", "kind"),
    [("conflict", 409, "conflict"), ("malformed", 400, "bad_data"), ("no_source", 404, "not_found")],
)
async def test_a_refused_approval_says_why(outcome: Any, status: int, kind: str, app: FastAPI, spy: Spy) -> None:
    spy.answer = Answer(outcome, message="the amount differs")
    assert error(await call(app, "POST", "/api/v1/approvals", {}), status, kind) == "the amount differs"


async def test_the_same_approval_again_is_no_error(app: FastAPI, spy: Spy) -> None:
    spy.answer = Answer("repeated")
    assert data(await call(app, "POST", "/api/v1/approvals", {}))["outcome"] == "repeated"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"amount": NaN}',
        b'{"amount": "1", "amount": "2"}',
        b'{"a": {"x": 1, "x": 1}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
async def test_json_that_two_readers_could_understand_differently_is_refused(
    body: bytes, app: FastAPI, spy: Spy
) -> None:
    error(await call(app, "POST", "/api/v1/approvals", body), 400, "bad_data")
    assert spy.approved == []


async def test_a_body_has_a_largest_size(app: FastAPI, spy: Spy) -> None:
    error(await call(app, "POST", "/api/v1/approvals", b'"' + b"x" * LARGEST_BODY + b'"'), 413, "too_large")
    assert spy.approved == []
    largest = b'"' + b"x" * (LARGEST_BODY - 2) + b'"'
    assert (await call(app, "POST", "/api/v1/approvals", largest)).status == 201


NOTICE = {"event": "it_incident", "authority": "MAS", "channel": "portal", "content": "ab" * 32}


async def test_a_person_notes_who_was_told_of_a_case(app: FastAPI, spy: Spy) -> None:
    reply = await call(app, "POST", f"/api/v1/cases/{THEFT.id}/notified", {**NOTICE, "name": "Ito", "reason": "no. 17"})
    assert data(reply)["id"] == THEFT.id
    assert spy.told == [(THEFT.id, Notice("it_incident", "MAS", "portal", "ab" * 32), "Ito", "no. 17")]


@pytest.mark.parametrize(
    "change",
    [
        {"event": ""},
        {"authority": "a\x1b[2J"},
        {"channel": 5},
        {"content": "AB" * 32},
        {"content": "ab" * 31},
        {"content": None},
        {"reason": ""},
        {"more": 1},
    ],
)
async def test_a_notice_that_is_not_whole_is_refused(change: dict[str, object], app: FastAPI, spy: Spy) -> None:
    body = {**NOTICE, "name": "Ito", "reason": "no. 17", **change}
    error(await call(app, "POST", f"/api/v1/cases/{THEFT.id}/notified", body), 400, "bad_data")
    assert spy.told == []


@pytest.mark.parametrize("action", ["ack", "close"])
async def test_a_person_acts_on_a_case_with_name_and_reason(action: str, app: FastAPI, spy: Spy) -> None:
    body = {"name": "山田\u3000花子", "reason": "known test\nsee ticket 5"}
    reply = await call(app, "POST", f"/api/v1/cases/{THEFT.id}/{action}", body)
    assert data(reply)["state"] == "acknowledged"
    assert spy.acted == [(THEFT.id, action, "山田\u3000花子", "known test\nsee ticket 5")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"name": "a"},
        {"name": "a", "reason": ""},
        {"name": " ", "reason": "b"},
        {"name": 5, "reason": "b"},
        {"name": "a" * 201, "reason": "b"},
        {"name": "a", "reason": "b" * 2001},
        {"name": "a", "reason": "b", "more": 1},
        {"name": "a\x1b[2J", "reason": "b"},
        {"name": "a\u202e", "reason": "b"},
    ],
)
async def test_an_action_without_a_plain_name_and_reason_is_refused(body: object, app: FastAPI, spy: Spy) -> None:
    error(await call(app, "POST", "/api/v1/cases/x/ack", body), 400, "bad_data")
    assert spy.acted == []


async def test_an_action_that_cannot_be_done_says_why(app: FastAPI, spy: Spy) -> None:
    body = {"name": "a", "reason": "b"}
    spy.fails = KeyError("x")
    error(await call(app, "POST", "/api/v1/cases/x/close", body), 404, "not_found")
    spy.fails = ValueError("case x is closed: it cannot be closed again")
    message = error(await call(app, "POST", "/api/v1/cases/x/close", body), 409, "conflict")
    assert message == "case x is closed: it cannot be closed again"


async def test_errors_of_every_kind_have_the_envelope(app: FastAPI, spy: Spy) -> None:
    error(await call(app, "GET", "/nowhere"), 404, "not_found")
    reply = await call(app, "DELETE", "/api/v1/cases", headers={"content-type": "application/json"})
    error(reply, 405, "method_not_allowed")
    assert "GET" in reply.headers["allow"]
    spy.fails = RuntimeError("secret detail")
    message = error(await call(app, "POST", "/api/v1/approvals", {}), 500, "internal")
    assert "secret" not in message


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:9899.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:9899"},
    ],
)
@pytest.mark.parametrize("path", ["/api/v1/approvals", "/api/v1/cases/x/ack", "/nowhere"])
async def test_a_cross_origin_post_is_always_refused(
    headers: dict[str, str], path: str, app: FastAPI, spy: Spy
) -> None:
    error(await call(app, "POST", path, {}, headers), 403, "forbidden")
    assert (spy.approved, spy.acted) == ([], [])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:9899"},
        {"origin": "http://127.0.0.1:9899", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"content-type": "application/json; charset=utf-8"},
    ],
)
async def test_a_post_of_the_same_origin_or_of_no_browser_passes(headers: dict[str, str], app: FastAPI) -> None:
    assert (await call(app, "POST", "/api/v1/approvals", {}, headers)).status == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_post_must_be_json(kind: str, app: FastAPI, spy: Spy) -> None:
    error(await call(app, "POST", "/api/v1/approvals", {}, {"content-type": kind}), 415, "unsupported_media_type")
    assert spy.approved == []


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9899", "127.0.0.1.evil.example", "", "[::1", "localhost@evil"]
)
async def test_a_name_that_points_here_is_not_served_on_loopback(host: str, app: FastAPI) -> None:
    for path in ("/api/v1/cases", "/metrics", "/"):
        error(await call(app, "GET", path, headers={"host": host}), 403, "forbidden")


@pytest.mark.parametrize("host", ["localhost:9899", "127.0.0.1", "[::1]:9899", "LOCALHOST", "por.example"])
async def test_known_hosts_are_served_on_loopback(host: str, make: Apps) -> None:
    app = make(Access("127.0.0.1", "https://por.example"))
    assert (await call(app, "GET", "/api/v1/cases", headers={"host": host})).status == 200


async def test_behind_a_proxy_the_external_origin_is_the_same_origin(make: Apps) -> None:
    app = make(Access("127.0.0.1", "https://por.example"))
    headers = {"origin": "https://por.example", "sec-fetch-site": "same-origin"}
    assert (await call(app, "POST", "/api/v1/approvals", {}, headers)).status == 201


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "10.1.2.3", "por.example"])
async def test_changes_are_refused_where_others_reach_and_nobody_proves_who_he_is(
    listen: str, make: Apps, spy: Spy
) -> None:
    access = Access(listen, "http://por.example")
    headers = {"host": "por.example"}
    for path in ("/api/v1/approvals", "/api/v1/cases/x/ack", "/api/v1/cases/x/close"):
        message = error(await call(make(access), "POST", path, {}, headers), 403, "forbidden")
        assert "authentication" in message
    assert (spy.approved, spy.acted) == ([], [])


@pytest.mark.parametrize("path", ["/api/v1/cases", "/nowhere", "/metrics"])
async def test_every_answer_carries_the_security_headers(path: str, app: FastAPI) -> None:
    reply = await call(app, "GET", path)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in reply.headers


async def test_a_page_may_load_its_own_scripts_and_styles_and_nothing_from_elsewhere(app: FastAPI) -> None:
    policy = (await call(app, "GET", "/")).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    data = (await call(app, "GET", "/api/v1/cases")).headers["content-security-policy"]
    assert "script-src" not in data


async def test_the_openapi_document_describes_every_route_and_loads_nothing(app: FastAPI) -> None:
    document = (await call(app, "GET", "/openapi.json")).json
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert described == {
        ("get", "/api/v1/cases/counts"),
        ("get", "/api/v1/ceremonies"),
        ("post", "/api/v1/ceremonies"),
        ("post", "/api/v1/ceremonies/{ceremony_id}/cancel"),
        ("post", "/api/v1/ceremonies/{ceremony_id}/confirm"),
        ("get", "/api/v1/coverage"),
        ("get", "/api/v1/incidents"),
        ("get", "/api/v1/incidents/{incident_id}"),
        ("get", "/api/v1/journal"),
        ("get", "/api/v1/journal/{seq}"),
        ("get", "/api/v1/movements"),
        ("get", "/api/v1/movements.csv"),
        ("get", "/api/v1/reports"),
        ("get", "/api/v1/reports/{name}/{path}"),
        ("get", "/api/v1/verdicts"),
        ("get", "/api/v1/verdicts/{cycle}"),
        ("get", "/api/v1/wallets/{name}"),
        ("get", "/"),
        ("get", "/wall"),
        ("get", "/cases"),
        ("get", "/cases/{case_id}"),
        ("get", "/incidents"),
        ("get", "/incidents/{incident_id}"),
        ("get", "/wallets"),
        ("get", "/wallets/{name}"),
        ("get", "/movements"),
        ("get", "/verdicts"),
        ("get", "/verdicts/{cycle}"),
        ("get", "/ceremonies"),
        ("get", "/journal"),
        ("get", "/journal/{seq}"),
        ("get", "/console/{name}"),
        ("post", "/console/cases/{case_id}/ack"),
        ("post", "/console/cases/{case_id}/close"),
        ("get", "/-/healthy"),
        ("get", "/-/ready"),
        ("get", "/metrics"),
        ("get", "/runbooks/{name}"),
        ("get", "/api/v1/status"),
        ("get", "/api/v1/cases"),
        ("get", "/api/v1/cases/{case_id}"),
        ("get", "/api/v1/access"),
        ("get", "/api/v1/verdict"),
        ("get", "/api/v1/wallets"),
        ("post", "/api/v1/wallets/{name}/addresses"),
        ("get", "/api/v1/approvals"),
        ("post", "/api/v1/approvals"),
        ("post", "/api/v1/cases/{case_id}/ack"),
        ("post", "/api/v1/cases/{case_id}/close"),
        ("post", "/api/v1/cases/{case_id}/notified"),
        ("post", "/api/v1/control/challenges"),
        ("post", "/api/v1/control/proofs"),
        ("post", "/-/reload"),
    }
    assert "http" not in json.dumps(document["paths"])
    assert all(
        set(op["responses"]) <= {"200", "201", "503", "default"}
        for ops in document["paths"].values()
        for op in ops.values()
    )
    for path in ("/docs", "/redoc"):
        error(await call(app, "GET", path), 404, "not_found")


async def test_addresses_are_added_by_a_named_person(app: FastAPI, spy: Spy) -> None:
    body = {"name": "Aiko", "addresses": ["a", "b"]}
    found = await call(app, "POST", "/api/v1/wallets/btc-cold/addresses", body)
    assert (found.status, found.json["data"]) == (201, {"wallet": "btc-cold", "addresses": ["A", "B"]})
    assert spy.added == [("btc-cold", ("a", "b"), "Aiko")]


@pytest.mark.parametrize(
    ("fails", "status"),
    [(KeyError("x"), 404), (ValueError("a: wrong checksum"), 400)],
    ids=["no wallet", "bad address"],
)
async def test_addresses_that_cannot_be_added_say_why(app: FastAPI, spy: Spy, fails: Exception, status: int) -> None:
    spy.fails = fails
    body = {"name": "Aiko", "addresses": ["a"]}
    found = await call(app, "POST", "/api/v1/wallets/btc-cold/addresses", body)
    assert found.status == status


@pytest.mark.parametrize(
    "body", [{}, {"name": "", "addresses": ["a"]}, {"name": "A", "addresses": "a"}, {"addresses": []}]
)
async def test_a_request_for_addresses_has_a_name_and_a_list(app: FastAPI, spy: Spy, body: object) -> None:
    found = await call(app, "POST", "/api/v1/wallets/btc-cold/addresses", body)
    assert found.status == 400
    assert spy.added == []
