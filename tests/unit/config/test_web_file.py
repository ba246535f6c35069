from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitor.config.mistakes import ConfigError
from monitor.config.models import Web
from monitor.config.web_file import WebFile, read_web_file
from tests.real.web_site import HASH, Pair, certificate

WEB = Web.model_validate({"roles": {"users": {"vera": "viewer"}}})


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return certificate(tmp_path, "server", certificate(tmp_path, "authority"))


def read(folder: Path, text: str, web: Web = WEB, now: datetime | None = None) -> WebFile:
    file = folder / "web.yml"
    file.write_text(text)
    return read_web_file(file, web, now or datetime.now(UTC))


def mistakes(folder: Path, text: str, web: Web = WEB, now: datetime | None = None) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, web, now)
    return [(each.line, each.key, each.message) for each in caught.value.mistakes]


def test_a_whole_file_is_read(tmp_path: Path, pair: Pair) -> None:
    found = read(
        tmp_path,
        f"""\
tls_server_config:
  cert_file: server.pem
  key_file: {pair.key_file}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: authority.pem
  client_allowed_sans: [soc.example]
  min_version: TLS13
http_server_config:
  http2: false
  headers:
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  vera: {HASH}
rate_limit: {{interval: 100ms, burst: 20}}
""",
    )
    assert found.users == {"vera": HASH}
    assert found.client_certificates
    assert found.tls is not None
    assert found.tls.expires == pair.certificate.not_valid_after_utc
    assert found.tls.context.verify_mode == ssl.CERT_REQUIRED
    assert found.tls.context.minimum_version == ssl.TLSVersion.TLSv1_3
    assert found.document.rate_limit is not None
    assert (found.document.rate_limit.interval, found.document.rate_limit.burst) == (100_000_000, 20)
    assert found.document.http_server_config.headers == {"Strict-Transport-Security": "max-age=31536000"}
    assert {file.name for file in found.files} == {"web.yml", "server.pem", "server.key", "authority.pem"}


def test_what_is_left_out_has_the_toolkits_defaults(tmp_path: Path, pair: Pair) -> None:
    found = read(tmp_path, "tls_server_config: {cert_file: server.pem, key_file: server.key}\n")
    assert found.tls is not None
    assert found.tls.context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert found.tls.context.verify_mode == ssl.CERT_NONE
    assert not found.client_certificates
    assert (dict(found.users), found.document.rate_limit) == ({}, None)


@pytest.mark.parametrize(
    ("text", "line", "key", "fragment"),
    [
        ("basic_auth_user: {}\n", 1, "basic_auth_user", "did you mean basic_auth_users?"),
        (
            "tls_server_config:\n  cert: x\n  cert_file: c\n  key_file: k\n",
            2,
            "tls_server_config.cert",
            "write cert_file",
        ),
        ("tls_server_config:\n  key_file: k\n", 1, "tls_server_config.cert_file", "is missing"),
        (
            "tls_server_config:\n  cert_file: c\n  key_file: k\n  cipher_suites: [a]\n",
            4,
            "tls_server_config.cipher_suites",
            "OpenSSL's own choice",
        ),
        (
            "tls_server_config:\n  cert_file: c\n  key_file: k\n  client_auth_type: RequestClientCert\n",
            4,
            "tls_server_config.client_auth_type",
            "is not accepted",
        ),
        (
            "tls_server_config:\n  cert_file: c\n  key_file: k\n  client_ca_file: ca\n",
            1,
            "tls_server_config",
            "belong together",
        ),
        (
            "tls_server_config: {cert_file: c, key_file: k, min_version: TLS10}\n",
            1,
            "tls_server_config.min_version",
            "",
        ),
        ("http_server_config:\n  http2: true\n", 2, "http_server_config.http2", "is not accepted: write False"),
        ("http_server_config:\n  headers:\n    X-Powered-By: a\n", 3, "http_server_config.headers.X-Powered-By", ""),
        (
            'http_server_config:\n  headers:\n    X-Frame-Options: "a\\r\\nSet-Cookie: b"\n',
            3,
            "http_server_config.headers.X-Frame-Options",
            "is no value of a header",
        ),
        ("basic_auth_users:\n  vera: hunter2\n", 2, "basic_auth_users.vera", "htpasswd -nBC 10"),
        (f"basic_auth_users:\n  vera: {HASH.replace('$10$', '$04$')}\n", 2, "basic_auth_users.vera", "cost 10 to 15"),
        (f"basic_auth_users:\n  mallory: {HASH}\n", 2, "basic_auth_users.mallory", "web.roles.users.mallory"),
        (f'basic_auth_users:\n  "a:b": {HASH}\n', 2, "basic_auth_users.a:b", "has the wrong form"),
        ("rate_limit: {interval: 5, burst: 1}\n", 1, "rate_limit.interval", "is no duration"),
        ("rate_limit: {interval: [], burst: 1}\n", 1, "rate_limit.interval", "is no duration"),
        ("rate_limit: {interval: 1s, burst: 0}\n", 1, "rate_limit.burst", ""),
        (" \n", 1, "configuration", "is empty: write basic_auth_users"),
        ("- a\n", 1, "configuration", "is not a mapping"),
        ("a: [\n", 2, "configuration", "not YAML"),
    ],
    # Some hold hashes that are made anew in each process.
    ids=count(),
)
def test_every_mistake_has_its_line_and_says_what_to_write(
    text: str, line: int, key: str, fragment: str, tmp_path: Path
) -> None:
    found = mistakes(tmp_path, text)
    assert [each[:2] for each in found] == [(line, key)], found
    assert fragment in found[0][2]
    assert "hunter2" not in found[0][2]


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = "basic_auth_users: {vera: a, rei: b}\nrate_limit: {burst: x}\nnothing: 1\n"
    assert [each[0] for each in mistakes(tmp_path, text)] == [1, 1, 2, 2, 3]


def test_a_missing_a_huge_and_an_unreadable_file_are_named(tmp_path: Path) -> None:
    for place in (tmp_path / "none.yml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_web_file(place, WEB)
    assert "larger than" in mistakes(tmp_path, "#" * 300_000)[0][2]


def tls(**changes: str) -> str:
    keys = {"cert_file": "server.pem", "key_file": "server.key", **changes}
    return "tls_server_config:\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items())


def test_certificates_that_cannot_serve_are_named(tmp_path: Path, pair: Pair) -> None:
    certificate(tmp_path, "other")
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "text.pem").write_text("no certificate")
    asks = {"client_auth_type": "VerifyClientCertIfGiven"}
    for changes, line, key, fragment in (
        ({"cert_file": "none.pem"}, 2, "cert_file", "cannot be read"),
        ({"cert_file": "empty.pem"}, 2, "cert_file", "is empty"),
        ({"cert_file": "text.pem"}, 2, "cert_file", "holds no certificate"),
        ({"cert_file": "server.key"}, 2, "cert_file", "holds no certificate"),
        ({"key_file": "server.pem"}, 3, "key_file", "no private key"),
        ({"key_file": "other.key"}, 3, "key_file", "is not the key of"),
        ({"key_file": "none.key"}, 3, "key_file", "cannot be read"),
        ({**asks, "client_ca_file": "text.pem"}, 5, "client_ca_file", "holds no certificates"),
        ({**asks, "client_ca_file": "none.pem"}, 5, "client_ca_file", "cannot be read"),
    ):
        [(found_line, found_key, message)] = mistakes(tmp_path, tls(**changes))
        assert (found_line, found_key) == (line, f"tls_server_config.{key}")
        assert fragment in message


def test_an_expired_certificate_is_a_mistake_and_one_of_the_future_too(tmp_path: Path, pair: Pair) -> None:
    ended = mistakes(tmp_path, tls(), now=datetime.now(UTC) + timedelta(days=3))
    assert "CN=server expired at" in ended[0][2]
    begins = mistakes(tmp_path, tls(), now=datetime.now(UTC) - timedelta(days=31))
    assert "check this clock" in begins[0][2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(raw=st.binary(max_size=300))
@example(raw=b"tls_server_config: {cert_file: ., key_file: .}")
@example(raw=b"basic_auth_users: {[a]: b}")
@example(raw=b"? {a: b}\n: c")
def test_whatever_stands_in_the_file_it_is_read_or_refused(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_bytes(raw)
    found = None
    try:
        found = read_web_file(file, WEB)
    except ConfigError as error:
        refused = error.mistakes
    assert isinstance(found, WebFile) or all(each.file == str(file) and each.line >= 1 for each in refused)
