"""porwatch's HTTP interface on a port of its own, with the configuration of a test."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from monitor.config.models import Web
from monitor.health import Health
from monitor.ledger import access
from monitor.ledger.store import Ledger
from monitor.model import Case, CaseState
from monitor.publish.door.door import WebConfiguration
from monitor.publish.door.reads import Reads
from monitor.publish.door.server import Server
from monitor.publish.guard import Access
from monitor.publish.snapshot import Snapshots
from monitor.publish.web import Served, make_app
from tests.unit.publish.samples import SCOPE, THEFT, Store

LOOPBACK = "127.0.0.1"
PASSWORD = "correct horse"
#: one for all users: each takes a twentieth of a second to make
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
USERS = {"vera": "viewer", "rei": "responder", "ada": "administrator", "fsa": "regulator"}


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as objects and as files."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    cert_file: Path
    key_file: Path


def certificate(folder: Path, name: str, issuer: Pair | None = None, *, days: float = 2, host: str = LOOPBACK) -> Pair:
    """A throw-away certificate: an authority without ``issuer``, else one for ``host`` or, where it is a name, for that."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key if issuer is None else issuer.key, hashes.SHA256())
    )
    pair = Pair(built, key, folder / f"{name}.pem", folder / f"{name}.key")
    pair.cert_file.write_bytes(built.public_bytes(Encoding.PEM))
    pair.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pair


def users_file(*names: str) -> str:
    """The part of a web configuration with these users, all with the one password."""
    return "basic_auth_users:\n" + "".join(f"  {name}: {HASH}\n" for name in names)


def tls_file(pair: Pair, *lines: str) -> str:
    """The part of a web configuration with a certificate."""
    rest = "".join(f"  {line}\n" for line in lines)
    return f"tls_server_config:\n  cert_file: {pair.cert_file}\n  key_file: {pair.key_file}\n{rest}"


@dataclass
class Desk:
    """Takes what is asked, and does nothing."""

    acted: list[tuple[str, str, str, str]] = field(default_factory=list)

    async def approve(self, body: object) -> Any:
        return type("Done", (), {"outcome": "created", "id": "w-1", "message": "created"})()

    async def act(
        self, case_id: str, action: Literal["ack", "close"], name: str, reason: str, how: str = "none"
    ) -> Case:
        self.acted.append((case_id, action, name, how))
        return THEFT if action == "ack" else Case(**{**_fields(THEFT), "state": CaseState.CLOSED})

    async def add_addresses(self, wallet: str, addresses: Sequence[str], by: str) -> list[str]:
        return list(addresses)

    async def ask_control(self, body: object) -> list[dict[str, Any]]:
        return []

    async def show_control(self, body: object) -> list[dict[str, Any]]:
        return []


def _fields(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in Case.__slots__}


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """A listening interface over a ledger with one case; ``file`` is its web configuration file."""

    def __init__(self, folder: Path, web: dict[str, Any], file: str | None = None, host: str = LOOPBACK) -> None:
        self.file = folder / "web.yml"
        if file is not None:
            self.file.write_text(file)
        self.ledger = Ledger(f"sqlite:///{folder / 'porwatch.db'}")
        Store(self.ledger).put(THEFT)
        self.health = Health(started_at=datetime.now(UTC), chains=("bitcoin", "ethereum"))
        self.desk, self.reads = Desk(), Reads()
        self.now = datetime.now(UTC)
        path = None if file is None else self.file
        self.web = WebConfiguration(Web.model_validate(web), path, self.health, lambda: self.now)
        snapshots = Snapshots(self.ledger, self.health, SCOPE)
        listener = socket.create_server((LOOPBACK, 0))
        self.port = listener.getsockname()[1]
        self.app = make_app(
            Served(
                self.ledger,
                self.health,
                snapshots,
                SCOPE,
                self.desk,
                Access(host, f"https://{LOOPBACK}:{self.port}"),
                runbook=lambda name, lang: "# Residual" if name == "PorwatchResidual" else None,
                door=self.web.door,
                reads=self.reads,
            )
        )
        self.server = Server(self.app, listener, self.web.door)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._started = threading.Event()
        self._thread.start()
        assert self._started.wait(20)

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self.server.serve())
            while not self.server.started:
                await asyncio.sleep(0.01)
            self._started.set()
            looking = group.create_task(self.web.run(self.server.renew, every=0.05))
            writing = group.create_task(self.reads.run(self._keep, every=0.05))
            await serving
            looking.cancel()
            writing.cancel()

    async def _keep(self, rows: tuple[access.CaseRead, ...]) -> None:
        with self.ledger.write() as connection:
            access.note(connection, rows)

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join(20)
        self.ledger.close()

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPConnection:
        if context is None:
            return http.client.HTTPConnection(LOOPBACK, self.port, timeout=30)
        return http.client.HTTPSConnection(LOOPBACK, self.port, timeout=30, context=context)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str | None = None,
        password: str = PASSWORD,
        context: ssl.SSLContext | None = None,
        **headers: str,
    ) -> Reply:
        connection = self.connect(context)
        try:
            return ask(connection, method, path, body, user=user, password=password, **headers)
        finally:
            connection.close()


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object = None,
    *,
    user: str | None = None,
    password: str = PASSWORD,
    **headers: str,
) -> Reply:
    """One request on an open connection; a body that is no bytes goes as JSON; ``_`` in names of headers is ``-``."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if user is not None:
        sent["authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        sent.setdefault("content-type", "application/json")
    connection.request(method, path, body, sent)
    response = connection.getresponse()
    return Reply(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())


def trusting(authority: Pair, client: Pair | None = None) -> ssl.SSLContext:
    """A client's context that believes this authority and, where given, shows its own certificate."""
    context = ssl.create_default_context(cafile=str(authority.cert_file))
    if client is not None:
        context.load_cert_chain(client.cert_file, client.key_file)
    return context
