"""`porwatch check` and `porwatch run` with TLS and a login, as processes; no node is needed for that."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chains.lab.process import free_port
from tests.conftest import CHECKOUT
from tests.real.web_site import LOOPBACK, Reply, ask, certificate, tls_file, trusting, users_file

CONFIG = """\
entity: {{name: Example}}
store: sqlite:///porwatch.db
web:
  listen: 127.0.0.1:{port}
  config_file: web.yml
  roles: {{users: {{ada: administrator}}}}
assets: {{BTC: {{decimals: 8}}}}
chains:
  bitcoin: {{kind: bitcoin, network: regtest, native: BTC, endpoints: [{{url: "http://127.0.0.1:{dead}"}}]}}
wallets:
  - {{name: cold, chain: bitcoin, tier: cold, addresses: [bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080]}}
"""


def command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "monitor", *words, str(folder / "porwatch.yaml")]


def configured(folder: Path) -> int:
    port = free_port()
    (folder / "porwatch.yaml").write_text(CONFIG.format(port=port, dead=free_port()))
    return port


def test_run_serves_tls_asks_for_a_login_and_ends_with_a_signal(tmp_path: Path) -> None:
    import http.client

    port, authority = configured(tmp_path), certificate(tmp_path, "authority")
    (tmp_path / "web.yml").write_text(tls_file(certificate(tmp_path, "server", authority)) + users_file("ada"))
    context = trusting(authority)

    def get(path: str, user: str | None = None) -> Reply:
        connection = http.client.HTTPSConnection(LOOPBACK, port, timeout=10, context=context)
        try:
            return ask(connection, "GET", path, user=user)
        finally:
            connection.close()

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command(tmp_path, "run"), cwd=CHECKOUT, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    assert get("/-/healthy").status == 200
                    break
                except OSError:
                    assert process.poll() is None, (tmp_path / "log").read_text()
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            assert get("/api/v1/status").status == 401
            status = get("/api/v1/status", "ada")
            assert status.status == 200
            assert "the certificate expires at" in str(status.json["data"]["problems"])
            assert b"porwatch_web_certificate_expiry_timestamp_seconds 1" in get("/metrics", "ada").body
            acted = subprocess.run(
                [*command(tmp_path, "cases"), "ack", "0" * 16, "--name", "ada", "--reason", "x"],
                cwd=CHECKOUT,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (acted.returncode, "asks who acts" in acted.stderr) == (2, True), acted.stderr
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (tmp_path / "log").read_text()
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("what", ["check", "run"])
def test_an_expired_certificate_ends_it_with_the_file_and_the_line(what: str, tmp_path: Path) -> None:
    configured(tmp_path)
    authority = certificate(tmp_path, "authority")
    (tmp_path / "web.yml").write_text(tls_file(certificate(tmp_path, "server", authority, days=-1)))
    done = subprocess.run(
        command(tmp_path, what), cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stderr
    assert f"{tmp_path / 'web.yml'}:2: tls_server_config.cert_file:" in done.stderr
    assert "CN=server expired at" in done.stderr
    # Whoever only reads the ledger is not kept from it.
    listed = subprocess.run(
        command(tmp_path, "status"), cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "expired at" not in listed.stderr
