"""The web configuration file, in the format of Prometheus's exporter-toolkit (its docs/web-configuration.md).

Read whole or not at all: every mistake at once, with file, line and key. Paths in it start from its own folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from chains.core.settings import Strict
from monitor.config.fields import Account, FileName, Text
from monitor.config.mistakes import ConfigError, Mistake, Path, dotted, in_order
from monitor.config.models import Web
from monitor.config.translate import Report, instead_of, validated
from monitor.config.web_tls import Tls, TlsError, open_tls
from monitor.config.yaml_tree import Tree, read_yaml

#: a thousand users with their hashes
LARGEST_WEB_FILE = 256 * 1024
#: modular crypt format of bcrypt; below cost 10 a stolen file is soon guessed, above 15 a log-in takes seconds
_BCRYPT = re.compile(r"\$2[aby]\$(1[0-5])\$[./A-Za-z0-9]{53}")
_GO_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?:(\d{1,9})ms)?")
_HEADERS = Literal[
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
]
ClientAuth = Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]
TlsVersion = Literal["TLS12", "TLS13"]


class TlsServer(Strict):
    """How porwatch proves who it is, and whether clients must."""

    cert_file: FileName
    key_file: FileName
    client_auth_type: ClientAuth = "NoClientCert"
    client_ca_file: FileName | None = None
    client_allowed_sans: Annotated[tuple[Text, ...], Field(strict=False, max_length=1000)] = ()
    min_version: TlsVersion = "TLS12"
    max_version: TlsVersion = "TLS13"

    @model_validator(mode="after")
    def _fits(self) -> TlsServer:
        asks = self.client_auth_type != "NoClientCert"
        if asks != (self.client_ca_file is not None):
            raise ValueError(
                "client_ca_file and a client_auth_type that verifies belong together: write both, or neither"
            )
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            raise ValueError("client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert")
        if self.min_version > self.max_version:
            raise ValueError("min_version is above max_version: exchange them")
        return self


def _header_value(value: str) -> str:
    if not value.isascii() or not value.isprintable() or not value.strip():
        raise ValueError("is no value of a header: write printable ASCII, or remove the line")
    return value


class HttpServer(Strict):
    """Headers of every answer, instead of porwatch's own."""

    http2: Literal[False] = False
    headers: dict[_HEADERS, Annotated[Text, AfterValidator(_header_value)]] = Field(default={})


def _interval(value: object) -> int:
    """Nanoseconds of a duration as Go writes it (``100ms``, ``1s``, ``1m30s``). Raises ValueError."""
    match = _GO_DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if not isinstance(value, bool) and value in (0, "0"):
        return 0
    if match is None:
        raise ValueError(f"{value!r} is no duration: write a number with a unit, e.g. 100ms, 1s or 1m")
    hours, minutes, seconds, thousandths = (int(number or 0) for number in match.groups())
    return (((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths) * 1_000_000


class RateLimit(Strict):
    """A token bucket for each caller: one request each ``interval`` (nanoseconds; 0: no limit), ``burst`` at once."""

    interval: Annotated[int, BeforeValidator(_interval)]
    burst: Annotated[int, Field(ge=1, le=100_000)] = 1


def _hash(value: str) -> str:
    if _BCRYPT.fullmatch(value) is None:
        # The value is not quoted: it may be the password itself.
        raise ValueError("is no bcrypt hash of cost 10 to 15: write the output of htpasswd -nBC 10 USER after the ':'")
    return value


BcryptHash = Annotated[str, StringConstraints(max_length=200), AfterValidator(_hash)]


class WebDocument(Strict):
    """The whole file, as written."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: Annotated[dict[Account, BcryptHash], Field(max_length=1000)] = Field(default={})
    rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class WebFile:
    """A web configuration without mistakes. ``users``: bcrypt hash by name; ``tls`` None: plain HTTP.

    ``files``: every file that it was made from, itself first: it is read again when one of them changes.
    """

    document: WebDocument
    tls: Tls | None
    files: tuple[FilePath, ...]

    @property
    def users(self) -> Mapping[str, str]:
        """Bcrypt hash by user."""
        return self.document.basic_auth_users

    @property
    def client_certificates(self) -> bool:
        """Whether clients may show who they are by a certificate."""
        tls = self.document.tls_server_config
        return tls is not None and tls.client_auth_type != "NoClientCert"


def read_web_file(path: FilePath, web: Web, now: datetime | None = None) -> WebFile:
    """The file at ``path`` with the certificates it names. Raises ConfigError with every mistake.

    ``web``: porwatch's own keys, which say who of its users may do what. ``now``: the certificates must be valid
    then; None: at any time.
    """
    tree, mistakes = read_yaml(str(path), _bytes(path))
    if tree is None:
        raise ConfigError(in_order(mistakes, str(path)))

    def report(place: Path, message: str) -> None:
        mistakes.append(Mistake(str(path), tree.line(place), dotted(place), message))

    document = _document(tree, report)
    tls, files = None, [path]
    if document is not None and not mistakes:
        for user in document.basic_auth_users:
            if user not in web.roles.users:
                report(("basic_auth_users", user), _WITHOUT_ROLE.format(user=user))
        server = document.tls_server_config
        if server is not None:
            files += [path.parent / name for name in (server.cert_file, server.key_file, server.client_ca_file) if name]
            try:
                tls = open_tls(server, path.parent, now)
            except TlsError as error:
                report(("tls_server_config", error.key), str(error))
    if document is None or mistakes:
        raise ConfigError(in_order(mistakes, str(path)))
    return WebFile(document, tls, tuple(files))


def check_web(web: Web, base: FilePath, report: Report) -> list[Mistake]:
    """What is wrong in the web configuration file and in porwatch's own keys beside it. ``report`` takes the latter.

    Dates of certificates are left to `check` and `run`: an expired one must not keep anybody from the ledger.
    """
    if web.config_file is None and web.trusted_proxy is None and (web.roles.users or web.roles.certificates):
        report(("web", "roles"), "nobody can log in: write web.config_file or web.trusted_proxy as well")
    if web.trusted_proxy is not None and not web.roles.users:
        report(("web", "trusted_proxy"), "nobody has a role: write web.roles.users: {NAME: viewer}")
    # A missing file is reported with all missing files.
    if web.config_file is None or not (base / web.config_file).is_file():
        return []
    try:
        file = read_web_file(base / web.config_file, web)
    except ConfigError as error:
        return list(error.mistakes)
    if web.roles.certificates and not file.client_certificates:
        report(("web", "roles", "certificates"), "no client is asked for a certificate: write client_auth_type")
    if file.client_certificates and not web.roles.certificates and not file.users and web.trusted_proxy is None:
        report(("web", "roles"), "no certificate has a role: write web.roles.certificates: {DNS:soc.example: viewer}")
    return []


_WITHOUT_ROLE = (
    "{user} may do nothing: write web.roles.users.{user}: viewer, responder, administrator or regulator "
    "into porwatch's own configuration"
)


def _bytes(path: FilePath) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_WEB_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        message = f"cannot be read ({reason}): create it, readable for porwatch"
        raise ConfigError([Mistake(str(path), 1, dotted(()), message)]) from error
    message = ""
    if not raw.strip():
        message = "is empty: write basic_auth_users or tls_server_config"
    elif len(raw) > LARGEST_WEB_FILE:
        message = f"larger than {LARGEST_WEB_FILE} bytes: this is no web configuration"
    if message:
        raise ConfigError([Mistake(str(path), 1, dotted(()), message)])
    return raw


def _document(tree: Tree, report: Report) -> WebDocument | None:
    """The file against its model, section by section, so that every mistake is found at once."""
    if not isinstance(tree.data, dict):
        report((), "the file is not a mapping: write tls_server_config, basic_auth_users, …")
        return None
    fields, sections = WebDocument.model_fields, {}
    for name in tree.data:
        if name not in fields:
            report((name,), f"unknown key{instead_of(name, list(fields))}")
    for name, info in fields.items():
        if tree.data.get(name) is not None:
            sections[name], _ = validated(Annotated[info.annotation, info], tree.data[name], (name,), report)
    if any(value is None for value in sections.values()):
        return None
    return WebDocument.model_construct(**sections)
