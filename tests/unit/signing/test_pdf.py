"""PAdES signatures: they cover the whole file, and the certificate is the one that was asked for."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pypdf import PdfReader, PdfWriter

from monitor.config.secret import SecretError
from monitor.signing.pdf import Certificate, PdfError, check_pdf, load_certificate, sign_pdf
from tests.unit.signing.certificates import Issued, issue

NOW = datetime.now(UTC)


def plain_pdf() -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.fixture(scope="module")
def root() -> Issued:
    return issue("Root", None)


@pytest.fixture(scope="module")
def certificate(root: Issued, tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    files = issue("Example Exchange KK", root).files(tmp_path_factory.mktemp("certificate"), "seal", root.pem)
    return load_certificate(*files, NOW)


@pytest.fixture(scope="module")
def signed(certificate: Certificate) -> bytes:
    return sign_pdf(plain_pdf(), certificate, None)


def test_a_signed_pdf_names_its_signer(signed: bytes, root: Issued) -> None:
    good = check_pdf(signed, NOW, root.pem)
    assert (good.subject, good.trusted, good.stamped_at) == ("Common Name: Example Exchange KK", True, None)
    assert len(PdfReader(io.BytesIO(signed)).pages) == 1


def test_the_signature_is_of_the_pades_form(signed: bytes) -> None:
    (signature,) = PdfFileReader(io.BytesIO(signed)).embedded_signatures
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert {attribute["type"].native for attribute in signature.signer_info["signed_attrs"]} >= {
        "content_type",
        "message_digest",
        "signing_certificate_v2",
    }


def test_without_roots_nothing_is_said_of_trust(signed: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert check_pdf(signed, NOW).trusted is False
    assert caplog.records == []


def hole(signed: bytes) -> tuple[int, int]:
    (signature,) = PdfFileReader(io.BytesIO(signed)).embedded_signatures
    return int(signature.byte_range[1]), int(signature.byte_range[2])


def flipped(pdf: bytes, place: int, flip: int) -> bytes:
    return pdf[:place] + bytes([pdf[place] ^ flip]) + pdf[place + 1 :]


@pytest.mark.parametrize("flip", [0x01, 0x20])
def test_a_flipped_byte_outside_the_signature_is_refused(signed: bytes, root: Issued, flip: int) -> None:
    start, end = hole(signed)
    for place in [*range(0, start + 1, 17), *range(end - 1, len(signed), 17), len(signed) - 1]:
        with pytest.raises(PdfError):
            check_pdf(flipped(signed, place, flip), NOW, root.pem)


def test_a_flipped_byte_of_the_padding_or_of_the_hex_digits_case_is_refused(signed: bytes) -> None:
    start, end = hole(signed)
    letter = next(place for place in range(start, end) if signed[place : place + 1] in b"ABCDEF")
    for place, flip in ((end - 2, 0x01), (end - 500, 0x04), (letter, 0x20)):
        with pytest.raises(PdfError, match="bytes that its signature does not cover"):
            check_pdf(flipped(signed, place, flip), NOW)


def test_every_flipped_byte_of_the_signature_value_and_what_it_signs_is_refused(signed: bytes, root: Issued) -> None:
    start, _ = hole(signed)
    (signature,) = PdfFileReader(io.BytesIO(signed)).embedded_signatures
    der = signature.pkcs7_content
    info = signature.signer_info
    for part in (info["signature"].contents, info["signed_attrs"].contents):
        begin = der.index(part)
        for place in range(begin, begin + len(part), 7):
            # the low bit of a hexadecimal digit
            digit = start + 1 + 2 * place
            with pytest.raises(PdfError):
                check_pdf(flipped(signed, digit, 1), NOW, root.pem)


@pytest.mark.parametrize("added", [b"\n", b"%", b"\n%"])
def test_bytes_added_after_signing_are_refused(signed: bytes, added: bytes) -> None:
    with pytest.raises(PdfError, match="does not cover"):
        check_pdf(signed + added, NOW)


def test_a_revision_added_after_signing_is_refused(signed: bytes) -> None:
    writer = PdfWriter(io.BytesIO(signed), incremental=True)
    writer.add_blank_page(10, 10)
    out = io.BytesIO()
    writer.write(out)
    with pytest.raises(PdfError, match="does not cover"):
        check_pdf(out.getvalue(), NOW)


@pytest.mark.parametrize("pdf", [b"", b"%PDF-1.7", b"x" * 1000, plain_pdf()[:200]])
def test_what_is_no_pdf_has_no_signature(pdf: bytes) -> None:
    with pytest.raises(PdfError, match="holds no signature that can be read"):
        check_pdf(pdf, NOW)


def test_an_unsigned_pdf_and_one_signed_twice_are_refused(certificate: Certificate, signed: bytes) -> None:
    with pytest.raises(PdfError, match="has 0 signatures, not one"):
        check_pdf(plain_pdf(), NOW)
    with pytest.raises(PdfError, match="cannot be signed"):
        sign_pdf(signed, certificate, None)


def test_what_is_no_pdf_cannot_be_signed(certificate: Certificate) -> None:
    with pytest.raises(PdfError, match="cannot be signed"):
        sign_pdf(b"no pdf", certificate, None)


def test_another_root_is_not_the_signers(signed: bytes) -> None:
    with pytest.raises(PdfError, match="does not lead to the given roots"):
        check_pdf(signed, NOW, issue("Root", None).pem)


def test_a_certificate_that_had_expired_at_that_time_does_not_lead_there(signed: bytes, root: Issued) -> None:
    with pytest.raises(PdfError, match="does not lead to the given roots"):
        check_pdf(signed, NOW + timedelta(days=90), root.pem)


def test_a_time_stamp_that_is_asked_for_must_be_there(signed: bytes, root: Issued) -> None:
    with pytest.raises(PdfError, match="has no time stamp"):
        check_pdf(signed, NOW, root.pem, root.pem)


def test_a_key_that_others_may_read_is_refused(root: Issued, tmp_path: Path) -> None:
    certificate, key = issue("x", root).files(tmp_path, "x")
    key.chmod(0o644)
    with pytest.raises(SecretError, match="others may read or change it"):
        load_certificate(certificate, key, NOW)


def test_a_key_of_another_certificate_is_refused(root: Issued, tmp_path: Path) -> None:
    certificate, _ = issue("x", root).files(tmp_path, "x")
    _, other = issue("y", root).files(tmp_path, "y")
    with pytest.raises(SecretError, match=r"x\.pem: its first certificate is not that of .*y\.key"):
        load_certificate(certificate, other, NOW)


def test_an_expired_certificate_signs_nothing(root: Issued, tmp_path: Path) -> None:
    files = issue("x", root, days=-1).files(tmp_path, "x")
    with pytest.raises(SecretError, match=r"is valid from .* only: renew it"):
        load_certificate(*files, NOW)


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_holds_neither_is_named(root: Issued, tmp_path: Path, which: int) -> None:
    files = issue("x", root).files(tmp_path, "x")
    files[which].write_text("nothing")
    with pytest.raises(SecretError, match="in PEM form") as caught:
        load_certificate(*files, NOW)
    assert str(files[which]) in str(caught.value)


def test_the_private_key_is_not_in_the_representation(certificate: Certificate) -> None:
    assert repr(certificate) == "Certificate(CN=Example Exchange KK)"
