"""Printed forms in a bundle: signed ones, and those of other versions of what prints."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.assess import Books
from monitor.publish.bundle import command, forms, places
from monitor.publish.bundle.verify import verify
from monitor.signing.keys import load_or_make
from monitor.signing.pdf import check_pdf
from tests.unit.publish.bundle import made
from tests.unit.publish.bundle.made import Exchange, resigned
from tests.unit.signing.certificates import issue


def test_forms_of_another_version_that_differ_are_neither_fine_nor_a_finding(
    bundle: Path, kept: Exchange, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    path = bundle / "en/report.pdf"
    path.write_bytes(path.read_bytes().replace(b"%PDF-1.7", b"%PDF-1.6"))
    resigned(bundle, load_or_make(kept.base / "report.key"))
    assert command.verify(bundle, None, ()) == 1
    here = forms.printers()
    monkeypatch.setattr(forms, "printers", lambda: {**here, "typst": "99"})
    assert command.verify(bundle, None, ()) == 3
    told = capsys.readouterr().err
    assert "1 printed forms were not compared" in told
    assert "(here '99'): install those versions" in told


def test_forms_of_another_version_with_the_same_bytes_are_fine(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = forms.printers()
    monkeypatch.setattr(forms, "printers", lambda: {**here, "typst": "99"})
    found = verify(bundle, None)
    assert (found.problems, found.undetermined) == ((), ())


def test_a_form_that_the_report_does_not_have_is_named(bundle: Path, kept: Exchange) -> None:
    (bundle / "ja").mkdir()
    shutil.copyfile(bundle / "en/report.pdf", bundle / "ja/report.pdf")
    resigned(bundle, load_or_make(kept.base / "report.key"))
    assert [str(problem) for problem in verify(bundle, None).problems] == ["ja/report.pdf: is no form of this report"]


def test_without_books_a_report_is_made_and_says_so(tmp_path: Path) -> None:
    found = made.exchange(tmp_path / "x", made.closing(books=Books(None, "no liabilities are configured")), books={})
    out = tmp_path / "out"
    (found.close / "books").mkdir(exist_ok=True)
    assert command.report(found.config, command.Options(at="2026-11-20", out=out, languages=())) == 0
    assert verify(out, None).problems == ()
    assert not (out / places.BOOKS).exists()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """An exchange with a certificate for its PDF files."""
    found = made.exchange(tmp_path_factory.mktemp("sealed"), made.closing())
    issue("Example Exchange KK", None).files(found.base, "seal")
    written = "signing: {certificate_file: seal.pem, certificate_key_file: seal.key}\n"
    found.config.write_text(found.config.read_text(encoding="utf-8") + written, encoding="utf-8")
    return found


def test_with_a_certificate_the_pdf_is_signed_and_verifies(sealed: Exchange, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command.report(sealed.config, command.Options(at="2026-11-20", out=out, languages=("en",))) == 0
    pdf = (out / "en/report.pdf").read_bytes()
    assert check_pdf(pdf, datetime.now(UTC)).subject == "Common Name: Example Exchange KK"
    assert verify(out, None).problems == ()
    (out / "en/report.pdf").write_bytes(pdf.replace(b"/ByteRange", b"/ByteRangf"))
    resigned(out, load_or_make(sealed.base / "report.key"))
    (problem,) = verify(out, None).problems
    assert problem.file == "en/report.pdf"


def test_an_approved_pdf_is_signed_anew(sealed: Exchange, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert command.report(sealed.config, command.Options(at="2026-11-20", out=out, languages=("en",))) == 0
    assert command.approve(out, "Ichiro Sato", None) == 0, "beside the bundle it is written which configuration made it"
    assert verify(out, None).problems == ()
