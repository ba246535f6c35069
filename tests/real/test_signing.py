"""Time stamps from a real authority on loopback: over a bundle's signature, and in a PDF's."""

from __future__ import annotations

import asyncio
import io
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pypdf import PdfWriter

from monitor.config.secret import SecretError
from monitor.signing import stamps
from monitor.signing.folder import Problem
from monitor.signing.keys import load_or_make
from monitor.signing.manifest import SIGNATURE, STAMP, STAMP_SUM, check_manifest, write_manifest
from monitor.signing.pdf import PdfError, check_pdf, load_certificate, sign_pdf
from monitor.signing.stamps import Authority, StampError, ask, check_stamp, load_authority, stamp_signature
from tests.real.stamp_authority import Served, need_openssl, serving
from tests.unit.signing.certificates import issue

REPLY = "application/timestamp-reply"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("authority")) as running:
        yield running


@pytest.fixture
def authority(served: Served) -> Authority:
    served.override = None
    return Authority(served.url, served.roots)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "report.json").write_text("{}")
    write_manifest(folder, {}, load_or_make(tmp_path / "report.key"))
    return folder


@pytest.fixture
def stamped(bundle: Path, authority: Authority) -> Path:
    stamp_signature(bundle, authority)
    return bundle


def test_a_stamped_bundle_says_when_it_was_there(bundle: Path, authority: Authority) -> None:
    made = stamp_signature(bundle, authority)
    assert abs(made.at - datetime.now(UTC)) < timedelta(minutes=1)
    assert check_stamp(bundle, authority.roots) == (made, [])
    assert made.trusted
    assert check_manifest(bundle, None) == []


def test_openssl_reads_the_stamp_and_sha256sum_its_sum(stamped: Path, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.roots)
    words = [need_openssl(), "ts", "-verify", "-data", SIGNATURE, "-in", STAMP, "-CAfile", tmp_path / "ca.pem"]
    done = subprocess.run(words, cwd=stamped, capture_output=True, text=True, check=False)
    assert "Verification: OK" in done.stdout + done.stderr
    subprocess.run(["sha256sum", "-c", STAMP_SUM], cwd=stamped, check=True, capture_output=True)


def test_without_certificates_only_what_it_is_about_is_compared(stamped: Path) -> None:
    stamp, problems = check_stamp(stamped, None)
    assert problems == []
    assert stamp is not None
    assert not stamp.trusted


def test_a_bundle_without_a_stamp_has_none(bundle: Path, authority: Authority) -> None:
    assert check_stamp(bundle, authority.roots) == (None, [])


def test_any_flipped_byte_of_a_stamp_is_refused(stamped: Path, authority: Authority) -> None:
    for name in (STAMP, STAMP_SUM):
        whole = (stamped / name).read_bytes()
        for place in range(len(whole)):
            for flip in (0x01,):
                (stamped / name).write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
                for roots in (authority.roots, None):
                    stamp, problems = check_stamp(stamped, roots)
                    assert stamp is None
                    assert [problem.file for problem in problems] == [STAMP]
        (stamped / name).write_bytes(whole)


def test_a_stamp_that_was_changed_together_with_its_sum_is_refused(stamped: Path, authority: Authority) -> None:
    whole = (stamped / STAMP).read_bytes()
    # from the time it states on: before it are a version and the outer algorithms, which nobody signs
    begin = whole.index(b"\x18\x0f20")
    for place in range(begin, begin + 40):
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        (stamped / STAMP).write_bytes(changed)
        (stamped / STAMP_SUM).write_bytes(stamps._sum(changed))
        assert check_stamp(stamped, authority.roots)[0] is None


def test_a_stamp_over_another_signature_is_refused(stamped: Path, authority: Authority, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_manifest(other, {"another": "report"}, load_or_make(tmp_path / "report.key"))
    for name in (STAMP, STAMP_SUM):
        (other / name).write_bytes((stamped / name).read_bytes())
    for roots in (authority.roots, None):
        assert check_stamp(other, roots) == (None, [Problem(STAMP, f"is not about this {SIGNATURE}")])


@pytest.mark.parametrize(("gone", "named"), [(STAMP, STAMP), (STAMP_SUM, STAMP_SUM)])
def test_half_a_stamp_is_none(stamped: Path, gone: str, named: str) -> None:
    (stamped / gone).unlink()
    assert check_stamp(stamped, None) == (None, [Problem(named, "is missing")])


def test_a_stamp_that_is_a_link_is_refused(stamped: Path, tmp_path: Path) -> None:
    (stamped / STAMP).rename(tmp_path / "moved")
    (stamped / STAMP).symlink_to(tmp_path / "moved")
    stamp, problems = check_stamp(stamped, None)
    assert stamp is None
    assert [problem.file for problem in problems] == [STAMP]


def test_an_authority_of_another_root_is_not_taken(bundle: Path, authority: Authority) -> None:
    stranger = Authority(authority.url, issue("Stamp Root", None).pem)
    with pytest.raises(StampError, match=r"127\.0\.0\.1:\d+: is no good time stamp"):
        stamp_signature(bundle, stranger)
    assert not (bundle / STAMP).exists()


def test_a_reply_to_an_earlier_request_is_not_taken(bundle: Path, served: Served, authority: Authority) -> None:
    stamp_signature(bundle, authority)
    served.override = (200, REPLY, (bundle / STAMP).read_bytes())
    with pytest.raises(StampError, match="Nonce mismatch"):
        stamp_signature(bundle, authority)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((503, REPLY, b"x"), "answers HTTP 503"),
        ((302, REPLY, b""), "answers HTTP 302"),
        ((200, "text/html", b"<html>"), "is no time-stamp reply"),
        ((200, REPLY, b""), "is no good time stamp"),
        ((200, REPLY, b"\x30\x03\x02\x01\x00"), "is no good time stamp"),
        ((200, REPLY, b"\x30\x05\x30\x03\x02\x01\x02"), "was refused by the authority"),
        ((200, REPLY, b"x" * 300_000), "is larger than"),
    ],
)
def test_an_answer_that_is_no_stamp_is_said(
    bundle: Path, served: Served, authority: Authority, answer: tuple[int, str, bytes], message: str
) -> None:
    served.override = answer
    with pytest.raises(StampError, match=message):
        stamp_signature(bundle, authority)
    assert not (bundle / STAMP).exists()


def test_an_authority_that_is_down_is_said(bundle: Path, authority: Authority) -> None:
    with pytest.raises(StampError, match=r"127\.0\.0\.1:1: cannot be asked \(ClientConnectorError\)"):
        stamp_signature(bundle, Authority("http://127.0.0.1:1/", authority.roots))


def test_an_authority_that_never_answers_is_not_waited_for(
    bundle: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "_TIMEOUT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silence = Authority(f"http://127.0.0.1:{silent.getsockname()[1]}/", authority.roots)
        with pytest.raises(StampError, match="no answer in time"):
            stamp_signature(bundle, silence)


def test_the_query_of_an_authoritys_address_is_sent(served: Served, authority: Authority) -> None:
    served.override = (200, REPLY, b"ok")
    assert asyncio.run(ask(authority.url, b"question")) == b"ok"
    assert served.requests[-1] == b"question"


def test_certificates_of_an_authority_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(SecretError, match=r"ca\.pem: holds no certificate in PEM form"):
        load_authority("http://127.0.0.1/", tmp_path / "ca.pem")


def test_a_pdf_signature_carries_a_time_stamp(authority: Authority, tmp_path: Path) -> None:
    writer, out = PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    writer.write(out)
    now = datetime.now(UTC)
    root = issue("Root", None)
    certificate = load_certificate(*issue("Example Exchange KK", root).files(tmp_path, "seal"), now)
    signed = sign_pdf(out.getvalue(), certificate, authority)
    good = check_pdf(signed, now, root.pem, authority.roots)
    assert good.trusted
    assert good.stamped_at is not None
    assert abs(good.stamped_at - now) < timedelta(minutes=1)
    with pytest.raises(PdfError, match="has a time stamp that is not good"):
        check_pdf(signed, now, root.pem, root.pem)


def test_a_pdf_is_not_signed_when_the_authority_gives_no_stamp(
    served: Served, authority: Authority, tmp_path: Path
) -> None:
    served.override = (200, REPLY, b"x")
    writer, out = PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    writer.write(out)
    certificate = load_certificate(*issue("x", issue("Root", None)).files(tmp_path, "seal"), datetime.now(UTC))
    with pytest.raises(StampError, match="its answer is no time stamp"):
        sign_pdf(out.getvalue(), certificate, authority)
