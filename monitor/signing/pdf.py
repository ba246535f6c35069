"""PAdES signatures on PDF files (ETSI EN 319 142-1): level B-B, and B-T where a time-stamp authority is configured.

They are for people and their programs that know X.509, and rest on the exchange's own certificate.
A signature covers every byte of the file but those of itself, of which parts (such as certificates
that it carries along) are under nobody's signature: that a PDF as a file is unchanged, to the last
byte, is the manifest's business.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from monitor.config.secret import SecretError, read_secret
from monitor.signing.keys import refuse_shared
from monitor.signing.stamps import Authority, StampError, ask, certificates

if TYPE_CHECKING:
    from pyhanko.sign.timestamps import TimeStamper
    from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
    from pyhanko.sign.validation.status import PdfSignatureStatus

_FIELD = "Signature"
_LARGEST_PDF = 256 * 2**20


class PdfError(Exception):
    """A PDF cannot be signed, or its signature is not good; the message says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its private key, and the certificates between it and a root, all as DER."""

    leaf: bytes
    chain: tuple[bytes, ...]
    key: bytes

    def __repr__(self) -> str:
        return f"Certificate({x509.load_der_x509_certificate(self.leaf).subject.rfc4514_string()})"


@dataclass(frozen=True, slots=True)
class Signed:
    """A good signature. ``stamped_at``: by a time stamp, or None; ``trusted``: up to a given root."""

    subject: str
    trusted: bool
    stamped_at: datetime | None


def load_certificate(certificate_file: Path, key_file: Path, now: datetime) -> Certificate:
    """The certificate (its own first, then those above it, in PEM form) with its private key. Raises SecretError."""
    refuse_shared(key_file)
    try:
        found = x509.load_pem_x509_certificates(read_secret(certificate_file).encode())
    except ValueError as error:
        raise SecretError(f"{certificate_file}: holds no certificate in PEM form: write the certificate") from error
    try:
        key = load_pem_private_key(read_secret(key_file).encode(), password=None)
    except (TypeError, ValueError):
        # Without the cause: it might quote what it read.
        raise SecretError(f"{key_file}: is no private key in PEM form without a password") from None
    leaf = found[0]
    if leaf.public_key() != key.public_key():
        raise SecretError(f"{certificate_file}: its first certificate is not that of {key_file}")
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        valid = f"{leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}"
        raise SecretError(f"{certificate_file}: is valid from {valid} only: renew it")
    return Certificate(
        leaf=leaf.public_bytes(Encoding.DER),
        chain=tuple(item.public_bytes(Encoding.DER) for item in found[1:]),
        key=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    )


def sign_pdf(pdf: bytes, certificate: Certificate, authority: Authority | None) -> bytes:
    """The PDF with one more revision that signs all of it. Not for an event loop: it may ask the authority.

    Raises PdfError, StampError where the authority gives no time stamp.
    """
    # pyHanko takes most of a second to import.
    from asn1crypto import keys  # noqa: PLC0415
    from asn1crypto import x509 as asn1  # noqa: PLC0415
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415
    from pyhanko.pdf_utils.misc import PdfError as NotPdf  # noqa: PLC0415
    from pyhanko.sign import signers  # noqa: PLC0415
    from pyhanko.sign.fields import SigSeedSubFilter  # noqa: PLC0415
    from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415

    registry = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    registry.register_multiple(asn1.Certificate.load(item) for item in certificate.chain)
    signer = signers.SimpleSigner(
        signing_cert=asn1.Certificate.load(certificate.leaf),
        signing_key=keys.PrivateKeyInfo.load(certificate.key),
        cert_registry=registry,
        # Nobody trusts a root because a stranger's file brings it along.
        embed_roots=False,
    )
    metadata = signers.PdfSignatureMetadata(
        field_name=_FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        # Certificates for seals have one of two key usages: which one is their issuer's business.
        signer_key_usage=set(),
    )
    stamper = None if authority is None else _stamper(authority)
    try:
        out = signers.PdfSigner(metadata, signer, timestamper=stamper).sign_pdf(
            IncrementalPdfFileWriter(io.BytesIO(pdf))
        )
    except (NotPdf, ValueError) as error:
        raise PdfError(f"cannot be signed: {error}") from error
    signed: bytes = out.getvalue()
    return signed


def check_pdf(pdf: bytes, at: datetime, roots: bytes | None = None, stamp_roots: bytes | None = None) -> Signed:
    """The one signature of a PDF, which must cover every byte of it.

    ``roots``, ``stamp_roots``: certificates in PEM form that the signer's, and the authority's, must
    lead to at the time ``at``; None: not asked. Raises PdfError.
    """
    if len(pdf) > _LARGEST_PDF:
        raise PdfError(f"is larger than {_LARGEST_PDF} bytes")
    try:
        with _quiet():
            status = _status(pdf, at, roots, stamp_roots)
    except PdfError:
        raise
    except Exception as error:  # a parser on hostile bytes: whatever it stumbles over, nothing is signed
        raise PdfError(f"holds no signature that can be read ({type(error).__name__})") from error
    return _judged(status, asked=roots is not None, stamp_asked=stamp_roots is not None)


def _status(pdf: bytes, at: datetime, roots: bytes | None, stamp_roots: bytes | None) -> PdfSignatureStatus:
    from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415  pyHanko takes most of a second to import
    from pyhanko.sign.validation import validate_pdf_signature  # noqa: PLC0415
    from pyhanko.sign.validation.settings import KeyUsageConstraints  # noqa: PLC0415

    found = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    if len(found) != 1:
        raise PdfError(f"has {len(found)} signatures, not one")
    _refuse_slack(pdf, found[0])
    usage = KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False)
    return validate_pdf_signature(found[0], _context(roots, at), _context(stamp_roots, at), key_usage_settings=usage)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the trace that pyHanko logs for every certificate that leads nowhere: the verdict says it in one line."""
    loggers = [logging.getLogger(name) for name in ("pyhanko", "pyhanko_certvalidator")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _judged(status: PdfSignatureStatus, *, asked: bool, stamp_asked: bool) -> Signed:
    from pyhanko.sign.validation.status import SignatureCoverageLevel  # noqa: PLC0415

    # `valid` alone stays True after tampering: it is about the signature over a hash, `intact` about the bytes.
    if not (status.intact and status.valid):
        raise PdfError("was changed after it was signed")
    if status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
        raise PdfError("has bytes that its signature does not cover: something was added after signing")
    if asked and not status.trusted:
        raise PdfError("is signed by a certificate that does not lead to the given roots")
    stamp = status.timestamp_validity
    if stamp is not None and not (stamp.intact and stamp.valid and (stamp.trusted or not stamp_asked)):
        raise PdfError("has a time stamp that is not good")
    if stamp_asked and stamp is None:
        raise PdfError("has no time stamp")
    subject = status.signing_cert.subject.human_friendly
    return Signed(subject, status.trusted, None if stamp is None else stamp.timestamp)


def _refuse_slack(pdf: bytes, signature: EmbeddedPdfSignature) -> None:
    """Raise PdfError where the hole for the signature holds anything but it, written in the one way."""
    from asn1crypto.cms import ContentInfo  # noqa: PLC0415

    first, before, second, after = (int(item) for item in signature.byte_range)
    written, content = signature.pkcs7_content, signature.signed_data
    own = len(ContentInfo.load(written).dump())
    plain = b"<" + written.hex().upper().encode() + b">"
    if (first, second + after) != (0, len(pdf)) or pdf[before:second] != plain or any(written[own:]):
        raise PdfError("has bytes that its signature does not cover")
    if content["version"].native != "v1" or signature.signer_info["version"].native != "v1":
        raise PdfError("has a signature of another version than porwatch makes")


def _context(roots: bytes | None, at: datetime) -> Any:
    from asn1crypto import x509 as asn1  # noqa: PLC0415
    from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415

    trusted = [] if roots is None else [asn1.Certificate.load(item) for item in certificates(roots)]
    return ValidationContext(trust_roots=trusted, allow_fetching=False, revocation_mode="soft-fail", moment=at)


def _stamper(authority: Authority) -> TimeStamper:
    from asn1crypto import tsp  # noqa: PLC0415
    from pyhanko.sign.timestamps import TimeStamper  # noqa: PLC0415

    class Stamper(TimeStamper):
        async def async_request_tsa_response(self, req: Any) -> Any:
            reply = await ask(authority.url, req.dump())
            try:
                return tsp.TimeStampResp.load(reply, strict=True)
            except ValueError as error:
                raise StampError(f"{authority.name}: its answer is no time stamp") from error

    return Stamper()  # type: ignore[no-untyped-call]
