"""Certificates of the HTTP interface: files into a TLS context, with everything that makes one unusable named."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

#: a chain of certificates has some kB
LARGEST_PEM = 256 * 1024
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


class Wanted(Protocol):
    """The keys of tls_server_config, matched by shape."""

    @property
    def cert_file(self) -> str: ...

    @property
    def key_file(self) -> str: ...

    @property
    def client_auth_type(self) -> str: ...

    @property
    def client_ca_file(self) -> str | None: ...

    @property
    def min_version(self) -> str: ...

    @property
    def max_version(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Tls:
    """``context`` serves; ``expires``: when the first certificate of the chain that is sent is no longer valid."""

    context: ssl.SSLContext
    expires: datetime


class TlsError(Exception):
    """A certificate cannot be used; ``key`` is the configuration key that names it."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def open_tls(wanted: Wanted, base: Path, now: datetime | None) -> Tls:
    """A context from the files of a configuration, whose certificates are valid ``now``. Raises TlsError."""
    expires = _expiry(_read("cert_file", base / wanted.cert_file), wanted.cert_file, now)
    _read("key_file", base / wanted.key_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[wanted.min_version]
    context.maximum_version = _VERSIONS[wanted.max_version]
    # A stranger's renegotiations and compression are work and risk for nothing.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    try:
        # Without a password nobody is asked for one at a terminal that is not there.
        context.load_cert_chain(base / wanted.cert_file, base / wanted.key_file, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise TlsError("key_file", _pair_wrong(wanted, error)) from error
    if wanted.client_ca_file is not None:
        try:
            context.load_verify_locations(cadata=_read("client_ca_file", base / wanted.client_ca_file).decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            message = f"{wanted.client_ca_file} holds no certificates in PEM form: write those that issue to clients"
            raise TlsError("client_ca_file", message) from error
        required = wanted.client_auth_type == "RequireAndVerifyClientCert"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return Tls(context, expires)


def _read(key: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_PEM + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TlsError(key, f"{path} cannot be read ({reason}): create it, readable for porwatch") from error
    if not raw.strip() or len(raw) > LARGEST_PEM:
        raise TlsError(key, f"{path} is empty or larger than {LARGEST_PEM} bytes: write one in PEM form")
    return raw


def _expiry(pem: bytes, name: str, now: datetime | None) -> datetime:
    # Half as much again for the start of `check`, and only needed with TLS.
    from cryptography import x509  # noqa: PLC0415

    try:
        chain = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TlsError("cert_file", f"{name} holds no certificate in PEM form ({error})") from error
    for certificate in chain:
        if now is None:
            break
        subject = certificate.subject.rfc4514_string()
        if certificate.not_valid_after_utc <= now:
            ended = certificate.not_valid_after_utc.isoformat()
            raise TlsError("cert_file", f"{name}: the certificate of {subject} expired at {ended}: renew it")
        if certificate.not_valid_before_utc > now:
            begins = certificate.not_valid_before_utc.isoformat()
            raise TlsError(
                "cert_file", f"{name}: the certificate of {subject} is valid from {begins} on: check this clock"
            )
    return min(certificate.not_valid_after_utc for certificate in chain)


def _pair_wrong(wanted: Wanted, error: Exception) -> str:
    if "KEY_VALUES_MISMATCH" in str(error):
        return f"{wanted.key_file} is not the key of {wanted.cert_file}: write the pair"
    return f"{wanted.key_file} is no private key in PEM form without a password: write one (openssl genpkey)"
