"""Who may call what, over real connections."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.publish.roles import PUBLIC, ROLES, Role
from tests.real.web_site import LOOPBACK, USERS, Pair, Site, ask, certificate, tls_file, trusting, users_file
from tests.unit.publish.samples import THEFT

ROLE_KEYS = {"roles": {"users": USERS}}
_FILLED = {"case_id": THEFT.id, "name": "PorwatchResidual"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Pair:
    return certificate(folder, "authority")


@pytest.fixture(scope="module")
def server(folder: Path, authority: Pair) -> Pair:
    return certificate(folder, "server", authority)


@pytest.fixture(scope="module")
def secure(folder: Path, server: Pair) -> Iterator[Site]:
    """TLS and a user for each role."""
    site = Site(folder, ROLE_KEYS, tls_file(server) + users_file(*USERS) + "rate_limit: {interval: 0, burst: 1}\n")
    yield site
    site.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    sites: list[Site] = []

    def build(web: dict[str, object], file: str | None = None, host: str = LOOPBACK) -> Site:
        sites.append(Site(tmp_path, web, file, host))
        return sites[-1]

    yield build
    for site in sites:
        site.close()


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: _FILLED.get(match[1], "x"), path)


@pytest.mark.parametrize("user", [None, *USERS])
def test_every_route_lets_in_exactly_whom_the_table_names(user: str | None, secure: Site, authority: Pair) -> None:
    role = None if user is None else Role(USERS[user])
    connection = secure.connect(trusting(authority))
    wrong = []
    for (method, path), allowed in ROLES.items():
        body = {} if method == "POST" else None
        if path.startswith("/console/") and method == "POST":
            reply = ask(connection, method, filled(path), b"", user=user, content_type=FORM)
        else:
            reply = ask(connection, method, filled(path), body, user=user)
        # A form without its token is refused by the page itself, and the answer is that page.
        refused = reply.status == (401 if user is None else 403) and "json" in reply.headers["content-type"]
        # Whoever may reload is told that nobody can, as the configuration here has it.
        refused = refused and "reload over HTTP is off" not in reply.json["error"]
        if refused == (role in allowed):
            wrong.append((method, path, reply.status))
    connection.close()
    assert wrong == []


FORM = "application/x-www-form-urlencoded"


def test_who_is_refused_learns_why_and_how_to_log_in(secure: Site, authority: Pair) -> None:
    trust = trusting(authority)
    nobody = secure.ask("GET", "/api/v1/cases", context=trust)
    assert (nobody.status, nobody.json["errorType"]) == (401, "unauthenticated")
    assert nobody.headers["www-authenticate"].startswith('Basic realm="porwatch"')
    regulator = secure.ask("GET", "/api/v1/cases", user="fsa", context=trust)
    assert (regulator.status, regulator.json["error"]) == (403, "fsa is a regulator and may not do this")
    assert secure.ask("GET", "/nowhere", context=trust).status == 401
    assert secure.ask("GET", "/nowhere", user="fsa", context=trust).status == 404
    for headers in (nobody.headers, regulator.headers):
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers


@pytest.mark.parametrize(
    ("user", "password"),
    [("vera", "wrong"), ("nobody", "correct horse"), ("vera", ""), ("vera", "correct horse" + "x" * 60), ("", "")],
)
def test_a_wrong_name_or_password_is_refused(user: str, password: str, secure: Site, authority: Pair) -> None:
    # Each test its own client would be better; the tries of one address are few.
    secure.web.door.passwords._tries._due.clear()
    reply = secure.ask("GET", "/api/v1/status", user=user, password=password, context=trusting(authority))
    assert reply.status == 401


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Bearer dmVyYTp4", "Basic dmVyYQ==", "Basic " + "A" * 3000, "Basic /////w=="]
)
def test_what_is_no_basic_authentication_is_refused(header: str, secure: Site, authority: Pair) -> None:
    reply = secure.ask("GET", "/api/v1/status", context=trusting(authority), authorization=header)
    assert reply.status == 401


def test_guessing_is_slow_and_does_not_shut_out_who_is_logged_in(secure: Site, authority: Pair) -> None:
    trust = trusting(authority)
    assert secure.ask("GET", "/api/v1/status", user="vera", context=trust).status == 200
    secure.web.door.passwords._tries._due.clear()
    statuses = [secure.ask("GET", "/metrics", user="vera", password=f"{n}", context=trust) for n in range(12)]
    assert [reply.status for reply in statuses] == [401] * 10 + [429] * 2
    assert int(statuses[-1].headers["retry-after"]) >= 1
    assert secure.ask("GET", "/metrics", user="vera", context=trust).status == 200
    secure.web.door.passwords._tries._due.clear()


def test_whoever_acts_is_whoever_logged_in(secure: Site, authority: Pair) -> None:
    trust, path = trusting(authority), f"/api/v1/cases/{THEFT.id}/ack"
    secure.desk.acted.clear()
    assert secure.ask("POST", path, {"reason": "mine"}, user="rei", context=trust).status == 200
    assert secure.ask("POST", path, {"name": "rei", "reason": "mine"}, user="rei", context=trust).status == 200
    other = secure.ask("POST", path, {"name": "ada", "reason": "hers"}, user="rei", context=trust)
    assert (other.status, other.json["error"]) == (403, "you are logged in as rei: write that name, or leave it out")
    assert secure.desk.acted == [(THEFT.id, "ack", "rei", "password")] * 2


def test_who_read_which_case_is_recorded_once_an_hour(secure: Site, authority: Pair) -> None:
    trust = trusting(authority)
    for _ in range(3):
        assert secure.ask("GET", f"/api/v1/cases/{THEFT.id}", user="vera", context=trust).status == 200
    assert secure.ask("GET", "/api/v1/cases", user="rei", context=trust).status == 200
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        page = secure.ask("GET", f"/api/v1/access?case={THEFT.id}", user="ada", context=trust).json["data"]
        seen = {(line["name"], line["role"], line["how"], line["client"]) for line in page["reads"]}
        if {"vera", "rei"} <= {name for name, *_ in seen}:
            break
    assert ("vera", "viewer", "password", LOOPBACK) in seen
    assert ("rei", "responder", "password", LOOPBACK) in seen
    assert [line["name"] for line in page["reads"]].count("vera") == 1
    assert all(line["name"] != "fsa" for line in page["reads"])


def test_a_client_certificate_is_a_login(start: object, tmp_path: Path, authority: Pair, server: Pair) -> None:
    roles = {"certificates": {"DNS:soc.example": "responder", "CN:audit": "regulator", "DNS:two.example": "viewer"}}
    both = "client_auth_type: VerifyClientCertIfGiven", f"client_ca_file: {authority.cert_file}"
    site = start({"roles": roles}, tls_file(server, *both))  # type: ignore[operator]
    responder = trusting(authority, certificate(tmp_path, "soc", authority, host="soc.example"))
    regulator = trusting(authority, certificate(tmp_path, "audit", authority, host="x.example"))
    unknown = trusting(authority, certificate(tmp_path, "guest", authority, host="guest.example"))
    assert site.ask("POST", f"/api/v1/cases/{THEFT.id}/ack", {"reason": "b"}, context=responder).status == 200
    assert site.desk.acted == [(THEFT.id, "ack", "DNS:soc.example", "certificate")]
    assert site.ask("GET", "/api/v1/verdict", context=regulator).status == 404
    assert site.ask("GET", "/api/v1/cases", context=regulator).status == 403
    refused = site.ask("GET", "/api/v1/status", context=unknown)
    assert (refused.status, refused.json["error"]) == (403, "CN:guest has no role here")
    assert site.ask("GET", "/api/v1/status", context=trusting(authority)).status == 401
    twofold = trusting(authority, certificate(tmp_path, "audit", authority, host="two.example"))
    assert site.ask("GET", "/api/v1/verdict", context=twofold).json["error"].endswith("have different roles")


def test_without_a_certificate_that_verifies_no_connection_is_made(
    start: object, tmp_path: Path, authority: Pair, server: Pair
) -> None:
    required = (
        "client_auth_type: RequireAndVerifyClientCert",
        f"client_ca_file: {authority.cert_file}",
        "client_allowed_sans: [soc.example]",
        "min_version: TLS13",
    )
    site = start({"roles": {"certificates": {"CN:soc": "viewer"}}}, tls_file(server, *required))  # type: ignore[operator]
    strangers = certificate(tmp_path, "strangers")
    stranger = certificate(tmp_path, "soc", strangers, host="soc.example")
    with pytest.raises(OSError, match=r"alert|reset|closed|EOF|Remote"):
        site.ask("GET", "/-/healthy", context=trusting(authority))
    with pytest.raises(OSError, match=r"alert|reset|closed|EOF|Remote"):
        site.ask("GET", "/-/healthy", context=trusting(authority, stranger))
    good = certificate(tmp_path, "soc", authority, host="soc.example")
    assert site.ask("GET", "/api/v1/status", context=trusting(authority, good)).status == 200
    unlisted = certificate(tmp_path, "other", authority, host="other.example")
    reply = site.ask("GET", "/-/healthy", context=trusting(authority, unlisted))
    assert (reply.status, "client_allowed_sans" in reply.json["error"]) == (403, True)


def test_the_proxy_alone_says_who_calls(start: object) -> None:
    proxy = {"addresses": [LOOPBACK], "header": "X-Forwarded-User"}
    site = start({**ROLE_KEYS, "trusted_proxy": proxy})  # type: ignore[operator]
    assert site.ask("GET", "/api/v1/status").status == 401
    assert site.ask("GET", "/api/v1/status", x_forwarded_user="vera").status == 200
    assert site.ask("GET", "/api/v1/status", x_forwarded_user="mallory").status == 403
    assert site.ask("GET", "/api/v1/status", x_forwarded_user="").status == 401
    doubled = site.ask("GET", "/api/v1/status", x_forwarded_user="vera,ada")
    assert (doubled.status, "exactly once" in doubled.json["error"]) == (400, True)
    connection = site.connect()
    connection.putrequest("GET", "/api/v1/status")
    connection.putheader("X-Forwarded-User", "vera")
    connection.putheader("x-forwarded-user", "ada")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_a_header_from_elsewhere_that_names_a_user_is_refused(start: object) -> None:
    proxy = {"addresses": ["10.0.0.0/24"], "header": "X-Forwarded-User"}
    site = start({**ROLE_KEYS, "trusted_proxy": proxy})  # type: ignore[operator]
    for path in ("/api/v1/status", "/-/healthy", "/nowhere"):
        reply = site.ask("GET", path, x_forwarded_user="ada", x_forwarded_for="10.0.0.1", x_real_ip="10.0.0.1")
        assert (reply.status, "configured proxy only" in reply.json["error"]) == (403, True)
    # What is said about the client's address is never believed.
    assert site.ask("GET", "/api/v1/status", x_forwarded_for="10.0.0.1", forwarded="for=10.0.0.1").status == 401


def test_where_others_reach_and_nobody_logs_in_only_what_is_public_is_answered(start: object) -> None:
    site = start({}, host="0.0.0.0")  # type: ignore[operator]
    for (method, path), allowed in ROLES.items():
        reply = site.ask(method, filled(path), {} if method == "POST" else None)
        public = allowed == PUBLIC or path == "/metrics"
        assert (reply.status == 403) != public, (method, path, reply.status)
        if not public:
            assert "authentication" in reply.json["error"] or "inside information" in reply.json["error"]


def test_metrics_are_for_viewers_unless_they_are_public(start: object, tmp_path: Path) -> None:
    site = start({**ROLE_KEYS, "public_metrics": True}, users_file(*USERS))  # type: ignore[operator]
    assert site.ask("GET", "/metrics").status == 200
    assert site.ask("GET", "/api/v1/status").status == 401


def test_a_caller_who_asks_too_often_is_told_to_wait_and_others_are_not(start: object) -> None:
    site = start(ROLE_KEYS, users_file(*USERS) + "rate_limit: {interval: 10s, burst: 3}\n")  # type: ignore[operator]
    replies = [site.ask("GET", "/api/v1/verdict", user="vera") for _ in range(5)]
    assert [reply.status for reply in replies] == [404] * 3 + [429] * 2
    assert 1 <= int(replies[-1].headers["retry-after"]) <= 10
    assert site.ask("GET", "/api/v1/verdict", user="rei").status == 404
    strangers = [site.ask("GET", "/api/v1/verdict").status for _ in range(5)]
    assert strangers == [401] * 3 + [429] * 2
