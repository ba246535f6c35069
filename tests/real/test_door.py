"""Certificates and passwords that change, and clients that are slow, too many or send what no browser sends."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.publish.body import LARGEST_BODY
from monitor.publish.door import gate, server
from tests.real.web_site import LOOPBACK, USERS, Site, ask, certificate, tls_file, trusting, users_file

ROLE_KEYS = {"roles": {"users": USERS}}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    sites: list[Site] = []

    def build(web: dict[str, object], file: str | None = None) -> Site:
        sites.append(Site(tmp_path, web, file))
        return sites[-1]

    yield build
    for site in sites:
        site.close()


def until(holds: Callable[[], bool], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.02)


def shown(site: Site, context: ssl.SSLContext) -> int:
    """The serial number of the certificate that a new connection is shown."""
    plain = socket.create_connection((LOOPBACK, site.port), 10)
    with context.wrap_socket(plain, server_hostname=LOOPBACK) as secured:
        return int(secured.getpeercert()["serialNumber"], 16)  # type: ignore[arg-type, index]


def test_a_new_certificate_is_served_without_a_restart_and_a_bad_one_is_not(
    start: Callable[..., Site], tmp_path: Path
) -> None:
    authority = certificate(tmp_path, "authority")
    first = certificate(tmp_path, "server", authority)
    site, trust = start(ROLE_KEYS, tls_file(first) + users_file(*USERS)), trusting(authority)
    kept = site.connect(trust)
    assert ask(kept, "GET", "/api/v1/status", user="vera").status == 200
    assert shown(site, trust) == first.certificate.serial_number
    good_key = first.key_file.read_bytes()
    first.key_file.write_bytes(certificate(tmp_path, "another", authority).key_file.read_bytes())
    until(lambda: not site.health.web_read, "the refusal")
    assert "is not the key of" in site.health.problems["web/config_file"]
    assert site.ask("GET", "/-/healthy", context=trust).status == 200
    assert b"porwatch_web_config_last_reload_successful 0" in _metrics(site, trust)
    first.key_file.write_bytes(good_key)
    until(lambda: site.health.web_read, "the good key")
    second = certificate(tmp_path, "server", authority, days=100)
    until(lambda: shown(site, trust) == second.certificate.serial_number, "the second certificate")
    until(lambda: site.health.problems == {}, "the end of every problem")
    assert site.health.certificate_expires == second.certificate.not_valid_after_utc
    # A connection under the old certificate has ended; one that is made anew goes on.
    with pytest.raises(OSError, match=r"closed|reset|EOF|pipe"):
        ask(kept, "GET", "/api/v1/status", user="vera")
    kept.close()
    assert ask(kept, "GET", "/api/v1/status", user="vera").status == 200
    kept.close()


def _metrics(site: Site, trust: ssl.SSLContext) -> bytes:
    from monitor.publish.metrics import Metrics
    from monitor.publish.snapshot import Snapshots
    from tests.unit.publish.samples import SCOPE

    return Metrics(Snapshots(site.ledger, site.health, SCOPE)).answer("")[0]


def test_a_certificate_that_ends_soon_stands_in_the_status(start: Callable[..., Site], tmp_path: Path) -> None:
    authority = certificate(tmp_path, "authority", days=900)
    pair = certificate(tmp_path, "server", authority, days=20)
    site = start(ROLE_KEYS, tls_file(pair) + users_file(*USERS))
    assert "web/certificate" not in site.health.problems
    site.now = datetime.now(UTC) + timedelta(days=7)
    until(lambda: "web/certificate" in site.health.problems, "the warning")
    assert "expires at" in site.health.problems["web/certificate"]
    assert b"\nporwatch_web_certificate_expiry_timestamp_seconds 1" in _metrics(site, trusting(authority))
    site.now = datetime.now(UTC) + timedelta(days=21)
    until(lambda: "expired at" in site.health.problems["web/certificate"], "the end")


def test_a_changed_password_counts_at_once_and_a_file_saved_half_way_opens_nothing(start: Callable[..., Site]) -> None:
    import bcrypt

    site = start(ROLE_KEYS, users_file("vera", "ada"))
    assert site.ask("GET", "/api/v1/status", user="vera").status == 200
    changed = bcrypt.hashpw(b"another", bcrypt.gensalt(10)).decode()
    site.file.write_text(f"basic_auth_users:\n  vera: {changed}\n")
    until(lambda: site.ask("GET", "/api/v1/status", user="vera").status == 401, "the old password to end")
    assert site.ask("GET", "/api/v1/status", user="vera", password="another").status == 200
    assert site.ask("GET", "/api/v1/status", user="ada").status == 401
    for broken in ("", "basic_auth_users:\n", "basic_auth_users: {vera: hunter2}\n", "basic_auth_u", "\0"):
        site.file.write_text(broken)
        until(lambda: not site.health.web_read, f"the refusal of {broken!r}")
        assert site.ask("GET", "/api/v1/status").status == 401
        assert site.ask("GET", "/api/v1/status", user="vera", password="another").status == 200
        assert "hunter2" not in site.health.problems["web/config_file"]
        site.file.write_text(f"basic_auth_users:\n  vera: {changed}\n")
        until(lambda: site.health.web_read, "the good file")
    site.file.unlink()
    until(lambda: not site.health.web_read, "the missing file")
    assert site.ask("GET", "/api/v1/status", user="vera", password="another").status == 200


def closed(connection: socket.socket, seconds: float = 10) -> bool:
    """Whether the other side ends the connection, in time, without another answer than one of an error."""
    connection.settimeout(seconds)
    received = b""
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_a_client_that_sends_slowly_or_says_nothing_is_cut_off(
    start: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.5)
    site = start({})
    address = (LOOPBACK, site.port)
    host = f"Host: {LOOPBACK}:{site.port}\r\n".encode()
    with socket.create_connection(address) as silent, socket.create_connection(address) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n" + host)
        assert closed(silent)
        assert closed(slow)
    with socket.create_connection(address) as second:
        # The second request on a connection must come in time as well.
        second.sendall(b"GET /-/healthy HTTP/1.1\r\n" + host + b"\r\n")
        assert second.recv(65_536).startswith(b"HTTP/1.1 200")
        second.sendall(b"GET /-/heal")
        assert closed(second)
    with socket.create_connection(address) as trickling:
        head = b"POST /api/v1/approvals HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
        trickling.sendall(head + b"Content-Length: 100\r\n\r\n{")
        trickling.settimeout(10)
        assert trickling.recv(65_536).startswith(b"HTTP/1.1 408")
    assert site.ask("GET", "/-/healthy").status == 200


def test_a_client_that_takes_nothing_is_cut_off(start: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SEND_SECONDS", 0.5)
    site = start({})
    greedy = socket.socket()
    greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    greedy.connect((LOOPBACK, site.port))
    request = f"GET /openapi.json HTTP/1.1\r\nHost: {LOOPBACK}:{site.port}\r\n\r\n".encode()
    greedy.sendall(request * 150)
    until(lambda: len(site.server.server_state.connections) == 1, "the connection")
    until(lambda: not site.server.server_state.connections, "its end")
    greedy.close()


def test_no_more_connections_than_configured_are_kept(
    start: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 5)
    site = start({})
    held = [socket.create_connection((LOOPBACK, site.port)) for _ in range(5)]
    until(lambda: len(site.server.server_state.connections) == 5, "five connections")
    with socket.create_connection((LOOPBACK, site.port)) as sixth:
        assert closed(sixth)
    for each in held:
        each.close()
    until(lambda: not site.server.server_state.connections, "their end")
    assert site.ask("GET", "/-/healthy").status == 200


def raw(site: Site, head: bytes) -> bytes:
    """The first line of the answer to these bytes."""
    with socket.create_connection((LOOPBACK, site.port), 10) as connection:
        connection.sendall(head)
        connection.settimeout(10)
        try:
            return connection.recv(65_536).partition(b"\r\n")[0]
        except ConnectionResetError:
            return b"reset"


def test_what_no_browser_sends_is_refused(start: Callable[..., Site]) -> None:
    site = start({})
    host = f"Host: {LOOPBACK}:{site.port}\r\n".encode()
    post = b"POST /api/v1/approvals HTTP/1.1\r\n" + host + b"Content-Type: application/json\r\n"
    for head, status in (
        (b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + host + b"X-Injected: a\rb\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", b"400"),
        (b"GET /runbooks/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n" + host + b"\r\n", b"404"),
        (b"GET /runbooks/../../etc/passwd HTTP/1.1\r\n" + host + b"\r\n", b"404"),
        (b"GET /%0d%0aX-Injected:%20a HTTP/1.1\r\n" + host + b"\r\n", b"404"),
        (b"GET /?" + b"a" * 17_000 + b" HTTP/1.1\r\n" + host + b"\r\n", b"431"),
        (b"GET /%00 HTTP/1.1\r\n" + host + b"\r\n", b"404"),
        (post + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1), b"413"),
        (post + b"Content-Length: 9999999999999999999999\r\n\r\n", b"4"),
        (post + b"Content-Length: -1\r\n\r\n", b"400"),
        (post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"4"),
        (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + host + b"\r\n", b"200"),
        (b"\x16\x03\x01\x00\xa5\x01\x00", b"400"),
    ):
        first = raw(site, head)
        assert first.startswith(b"HTTP/1.1 " + status), (head[:80], first)


def test_a_chunked_body_is_counted_as_it_comes(start: Callable[..., Site]) -> None:
    site = start({})
    head = f"POST /api/v1/approvals HTTP/1.1\r\nHost: {LOOPBACK}:{site.port}\r\n".encode()
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with socket.create_connection((LOOPBACK, site.port), 10) as connection:
        connection.sendall(head + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.settimeout(10)
        for _ in range(LARGEST_BODY // 65_536 + 1):
            connection.sendall(chunk)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413")
