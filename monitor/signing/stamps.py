"""Time stamps (RFC 3161): an authority's word that a signature was there at a certain time.

``manifest.sig.tsr`` is the authority's whole reply over the bytes of manifest.sig, which
``openssl ts -verify -data manifest.sig -in manifest.sig.tsr -CAfile CA`` reads too. Parts of such a
reply are under nobody's signature, so ``manifest.sig.tsr.sha256`` beside it, as ``sha256sum`` writes
it, keeps them from being changed by accident.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from monitor.config.secret import SecretError, read_secret
from monitor.signing.folder import Problem, read_small
from monitor.signing.manifest import SIGNATURE, STAMP, STAMP_SUM

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from rfc3161_client import TimeStampResponse

#: the whole exchange with an authority
_TIMEOUT_SECONDS = 20.0
#: a reply with a long chain of certificates has about 10 kB
_LARGEST_REPLY = 256 * 1024
_LARGEST_SIGNATURE = 4096
_REPLY_TYPE = "application/timestamp-reply"
_SHA256 = "2.16.840.1.101.3.4.2.1"


class StampError(Exception):
    """There is no good time stamp; the message says why, and names the authority by its host."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamp authority: where it is asked, and the certificates (PEM) that its own must lead to."""

    url: str
    roots: bytes

    @property
    def name(self) -> str:
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class Stamp:
    """A good time stamp. ``trusted``: its authority was checked against given certificates."""

    at: datetime
    trusted: bool


def load_authority(url: str, ca_file: Path) -> Authority:
    """An authority as configured. Raises SecretError where ``ca_file`` holds no certificate."""
    roots = read_secret(ca_file).encode()
    try:
        certificates(roots)
    except ValueError as error:
        raise SecretError(f"{ca_file}: {error}: write the certificates of the authority") from error
    return Authority(url, roots)


def certificates(pem: bytes) -> list[bytes]:
    """Certificates in PEM form as DER. Raises ValueError where there is none."""
    try:
        return [item.public_bytes(Encoding.DER) for item in x509.load_pem_x509_certificates(pem)]
    except ValueError as error:
        raise ValueError("holds no certificate in PEM form") from error


def stamp_signature(folder: Path, authority: Authority) -> Stamp:
    """Have manifest.sig of a signed bundle stamped. Blocks for up to twenty seconds; not for an event loop.

    Raises StampError, OSError.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder  # noqa: PLC0415  only where an authority is used

    message = read_small(folder, SIGNATURE, _LARGEST_SIGNATURE)
    request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
    reply = asyncio.run(ask(authority.url, request.as_bytes()))
    try:
        stamp = _verified(reply, message, authority.roots, request.nonce)
    except StampError as error:
        raise StampError(f"{authority.name}: {error}") from error
    (folder / STAMP).write_bytes(reply)
    (folder / STAMP_SUM).write_bytes(_sum(reply))
    return stamp


def check_stamp(folder: Path, roots: bytes | None) -> tuple[Stamp | None, list[Problem]]:
    """The time stamp of a bundle, where it has one, and what is wrong with it. Needs no network.

    ``roots``: certificates in PEM form that the authority's must lead to; None: any authority is
    taken, and only what it says of manifest.sig is compared.
    """
    present = [name for name in (STAMP, STAMP_SUM) if (folder / name).is_symlink() or (folder / name).exists()]
    if not present:
        return None, []
    for name in (STAMP, STAMP_SUM):
        if name not in present:
            return None, [Problem(name, "is missing")]
    try:
        reply = read_small(folder, STAMP, _LARGEST_REPLY)
        written = read_small(folder, STAMP_SUM, _LARGEST_SIGNATURE)
        message = read_small(folder, SIGNATURE, _LARGEST_SIGNATURE)
    except OSError as error:
        return None, [Problem(STAMP, f"cannot be checked: {error.strerror}")]
    if written != _sum(reply):
        return None, [Problem(STAMP, f"is not what {STAMP_SUM} says: one of the two was changed")]
    try:
        return _verified(reply, message, roots, None), []
    except StampError as error:
        return None, [Problem(STAMP, str(error))]


def _sum(reply: bytes) -> bytes:
    return f"{sha256(reply).hexdigest()}  {STAMP}\n".encode()


def _verified(reply: bytes, message: bytes, roots: bytes | None, nonce: int | None) -> Stamp:
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response  # noqa: PLC0415  as above

    try:
        response = decode_timestamp_response(reply)
        _compare(response, message)
        if roots is None:
            return Stamp(response.tst_info.gen_time, trusted=False)
        trusted = [x509.load_der_x509_certificate(item) for item in certificates(roots)]
        VerifierBuilder(roots=trusted, nonce=nonce).build().verify_message(response, message)
        return Stamp(response.tst_info.gen_time, trusted=True)
    except (VerificationError, ValueError) as error:
        raise StampError(f"is no good time stamp: {error}") from error


def _compare(response: TimeStampResponse, message: bytes) -> None:
    if response.status != 0:
        said = "; ".join(response.status_string) or f"status {response.status}"
        raise StampError(f"was refused by the authority: {said[:200]!r}")
    imprint = response.tst_info.message_imprint
    if imprint.hash_algorithm.dotted_string != _SHA256 or imprint.message != sha256(message).digest():
        raise StampError(f"is not about this {SIGNATURE}")


async def ask(url: str, request: bytes) -> bytes:
    """The reply of an authority (RFC 3161, section 3.4): one request, no redirects, bounded. Raises StampError."""
    import aiohttp  # noqa: PLC0415  verifying needs no network

    name, deadline = urlsplit(url).netloc, aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    headers = {"Content-Type": "application/timestamp-query", "Accept": _REPLY_TYPE, "User-Agent": "porwatch"}
    try:
        async with (
            aiohttp.ClientSession(timeout=deadline) as session,
            session.post(url, data=request, headers=headers, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise StampError(f"{name}: answers HTTP {response.status}")
            if response.content_type != _REPLY_TYPE:
                raise StampError(f"{name}: its answer is no time-stamp reply")
            return await _bounded(response.content, name)
    except TimeoutError as error:
        raise StampError(f"{name}: no answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise StampError(f"{name}: cannot be asked ({type(error).__name__})") from error


async def _bounded(content: StreamReader, name: str) -> bytes:
    reply = b""
    async for chunk in content.iter_any():
        reply += chunk
        if len(reply) > _LARGEST_REPLY:
            raise StampError(f"{name}: its answer is larger than {_LARGEST_REPLY} bytes")
    return reply
