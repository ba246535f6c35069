"""A time-stamp authority on loopback: openssl behind one URL."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import MISSING_COMPONENT
from tests.unit.signing.certificates import issue


def need_openssl() -> str:
    """The program; skips the test without it, or fails it where components are required."""
    found = shutil.which("openssl")
    if found is not None:
        return found
    message = f"{MISSING_COMPONENT}: openssl is not on this machine: install it"
    if os.environ.get("PORWATCH_REQUIRE_COMPONENTS") == "1":
        pytest.fail(message)
    pytest.skip(message)


#: `certs` is left out: it would make a set of certificates in an order that DER does not allow
_CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
ess_cert_id_chain = no
tsa_name = no
"""


@dataclass
class Served:
    """A running authority. ``override``: what it answers instead of a time stamp (status, type, body)."""

    url: str
    roots: bytes
    override: tuple[int, str, bytes] | None = None
    requests: list[bytes] = field(default_factory=list)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """An authority on loopback with certificates of its own."""
    need_openssl()
    root = issue("Stamp Root", None)
    issue("Stamp Authority", root, stamping=True).files(folder, "tsa")
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(_CONFIGURATION.format(folder=folder))
    served = Served("", root.pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, served, folder))
    served.url = f"http://127.0.0.1:{server.server_port}/tsr?policy=1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, served: Served, folder: Path, *args: object) -> None:
        self._served, self._folder = served, folder
        super().__init__(*args)  # type: ignore[arg-type]

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["Content-Length"]))
        self._served.requests.append(query)
        status, kind, body = self._served.override or (200, "application/timestamp-reply", self._reply(query))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reply(self, query: bytes) -> bytes:
        name = self._folder / f"{len(self._served.requests)}.tsq"
        name.write_bytes(query)
        words = ["openssl", "ts", "-reply", "-config", self._folder / "tsa.cnf", "-queryfile", name]
        done = subprocess.run(words, capture_output=True, check=True, timeout=20)
        return done.stdout

    def log_message(self, format: str, *args: object) -> None:
        pass
