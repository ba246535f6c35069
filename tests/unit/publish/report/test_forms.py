"""The printed forms: what may stand in them, what never does, and that the bytes are always the same."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pypdf
import pytest

from monitor.ledger.encode import canonical
from monitor.publish.report import codes, csv_form, forms, xlsx_form
from monitor.publish.report.cells import visible
from monitor.publish.report.fields import View
from monitor.publish.report.forms import approve, render
from monitor.publish.report.glyphs import printable
from monitor.publish.report.presets import sections
from monitor.publish.report.schema import ReportInvalid
from monitor.publish.report.typst_form import document
from monitor.publish.report.views import view_of
from monitor.publish.report.words import LANGUAGES, words

from .reading import csv_lines, everything, pdf_text, workbook
from .samples import full_report

CHECKOUT = Path(__file__).resolve().parents[4]
PRINT = """
import json, os, sys
from pathlib import Path
from monitor.publish.report.forms import render
os.umask(int(sys.argv[3], 8))
Path(sys.argv[2]).mkdir()
render(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), ["ja", "en"], Path(sys.argv[2]))
"""
HOSTILE = (
    '=HYPERLINK("http://x","y")', "+1", "-1+2", "@SUM(A1)", "\t=1", "＝1+1", "#let x = 1", "*bold* _em_ $x$ `raw`",
    "#sys.inputs", "<script>alert(1)</script>", "a]b[c", "\u202egnp.exe", "nul\x00byte\x1b[31m", "line\r\nbreak", "_x0041_",
    " leading and trailing ", "😀 ไทย", "\\u{41}", "'quoted'", 'say "hello", then; go', "&amp; & <b>", "㈱﨑髙",
)  # fmt: skip


def sums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_report_gives_the_same_bytes_in_any_process_locale_time_zone_and_hash_seed(
    sample: dict[str, Any], printed: Path, tmp_path: Path
) -> None:
    source = tmp_path / "report.json"
    # another order of keys, too
    source.write_text(json.dumps(sample, sort_keys=True), encoding="utf-8")
    places = (
        ("UTC", "C", "0", "022"),
        ("Asia/Tokyo", "ja_JP.UTF-8", "1", "077"),
        ("America/St_Johns", "tr_TR.UTF-8", "4711", "002"),
    )
    for number, (zone, locale, seed, umask) in enumerate(places):
        folder = tmp_path / str(number)
        environment = {
            **os.environ,
            "TZ": zone,
            "LANG": locale,
            "LC_ALL": locale,
            "PYTHONHASHSEED": seed,
            "SOURCE_DATE_EPOCH": "1",
        }
        subprocess.run(
            [sys.executable, "-c", PRINT, str(source), str(folder), umask], check=True, cwd=CHECKOUT, env=environment
        )
        assert sums(folder) == sums(printed)


def test_the_files_are_those_that_the_contract_of_the_bundle_names(sample: dict[str, Any], tmp_path: Path) -> None:
    written = [str(path.relative_to(tmp_path)) for path in render(sample, ["ja"], tmp_path)]
    assert {
        "report.json",
        "ja/report.pdf",
        "ja/report.xlsx",
        "ja/csv/summary.csv",
        "ja/csv/assets.addresses.csv",
    } <= set(written)
    assert sorted(written) == sorted(sums(tmp_path))
    assert (tmp_path / "report.json").read_bytes() == canonical(sample).encode()


def test_csv_is_what_japanese_excel_opens(printed: Path) -> None:
    for path in (printed / "ja/csv").iterdir():
        content = path.read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        assert content.endswith(b"\r\n")
        assert b"\n" not in content.replace(b"\r\n", b"")


def hostile_report() -> dict[str, Any]:
    report = full_report(addresses=1)
    report["header"]["entity"]["name"] = "".join(HOSTILE)
    (row,) = report["blocks"]["limitations"]["tables"]["statements"][:1]
    report["blocks"]["limitations"]["tables"]["statements"] = [{**row, "detail": text} for text in HOSTILE]
    return report


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    render(hostile_report(), ["en"], folder)
    return folder


def test_no_text_is_a_formula_in_csv_and_figures_stay_as_they_are(hostile: Path) -> None:
    lines = csv_lines(hostile / "en/csv/limitations.statements.csv")[1:]
    for (_, _, cell), text in zip(lines, HOSTILE, strict=True):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
        assert cell.removeprefix("'") == visible(text).removeprefix("'")
    negative = csv_lines(hostile / "en/csv/liabilities.negative.csv")
    assert negative[1][2] == "-0.50000000"


def test_no_cell_of_the_workbook_is_a_formula_or_a_link_and_text_is_kept(hostile: Path) -> None:
    (rows,) = (rows for name, rows in workbook(hostile / "en/report.xlsx").items() if "Basis of this" in name)
    assert [row[2] for row in rows[2:]] == [visible(text) for text in HOSTILE]
    with zipfile.ZipFile(hostile / "en/report.xlsx") as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert b"<f>" not in content
            assert b"<hyperlink" not in content
            assert archive.getinfo(name).date_time[0] == 1980


def test_a_hostile_name_is_data_in_the_pdf_and_never_markup(hostile: Path) -> None:
    text = pdf_text(hostile / "en/report.pdf")
    for each in HOSTILE:
        assert "".join(printable(visible(each)).split()) in text
    assert "\u202e" not in text
    assert "\\u{1f600}" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_is_a_draft_until_a_second_person_has_approved_it(
    sample: dict[str, Any], printed: Path, tmp_path: Path, language: str
) -> None:
    mark = words(language).phrases["draft"]
    pages = pypdf.PdfReader(printed / language / "report.pdf").pages
    assert all(mark in page.extract_text() for page in (pages[0], pages[len(pages) // 2], pages[-1]))
    render(approve(sample, "鈴木 一郎", "2026-10-02T12:00:00+09:00"), [language], tmp_path)
    assert mark not in everything(tmp_path)
    assert mark in (printed / language / "csv/summary.csv").read_text(encoding="utf-8-sig")
    assert all(mark in str(rows[0][0]) for rows in workbook(printed / language / "report.xlsx").values())


def test_nobody_approves_twice_or_what_they_prepared(sample: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="another person"):
        approve(sample, "山田　花子", "2026-10-02T12:00:00+09:00")
    once = approve(sample, "鈴木 一郎", "2026-10-02T12:00:00+09:00")
    with pytest.raises(ValueError, match="was approved by"):
        approve(once, "佐藤 次郎", "2026-10-02T13:00:00+09:00")
    with pytest.raises(ReportInvalid, match="approved_at"):
        approve(sample, "鈴木 一郎", "noon")


def test_a_report_that_is_not_as_declared_or_an_unknown_language_writes_nothing(
    sample: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ReportInvalid):
        render({**sample, "schema": "x"}, ["ja"], tmp_path)
    with pytest.raises(ValueError, match="'fr' is not a language"):
        render(sample, ["ja", "fr"], tmp_path)
    assert sums(tmp_path) == {}


def test_the_quarterly_form_of_japan_has_what_it_must_show(tmp_path: Path) -> None:
    report = full_report()
    report["header"]["preset"] = "jp-quarterly"
    render(report, ["ja"], tmp_path)
    text = pdf_text(tmp_path / "ja/report.pdf")
    for word in (
        "利用者財産の管理に関する報告書",
        "資産別の履行保証暗号資産",
        "添付書類",
        "保管者の残高報告",
        "分別管理監査の報告書（写し）",
    ):
        assert word in text
    assert "期間中の警報" not in text
    assert (tmp_path / "ja/csv/evidence.attachments.csv").exists()
    assert not (tmp_path / "ja/csv/alerts.alerts.csv").exists()


@pytest.mark.parametrize("preset", ["daily", "jp-quarterly"])
def test_a_preset_prints_known_tables_and_always_the_limitations(preset: str) -> None:
    report = full_report(addresses=1)
    report["header"]["preset"] = preset
    chosen = {block.id: [table.id for table in tables] for block, tables in sections(report)}
    assert "statements" in chosen["limitations"]
    assert all(chosen.values())


def test_a_table_longer_than_a_sheet_goes_on_in_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_form, "_SHEET_ROWS", 10)
    report = full_report(addresses=24)
    xlsx_form.write(report, words("en"), tmp_path / "report.xlsx")
    parts = [rows[2:] for name, rows in workbook(tmp_path / "report.xlsx").items() if name.endswith("Addresses")]
    assert [len(rows) for rows in parts] == [10, 10, 4]
    expected = [row["address"] for row in report["blocks"]["assets"]["tables"]["addresses"]]
    assert [row[1] for rows in parts for row in rows] == expected


def test_without_the_libraries_of_the_forms_only_the_json_is_written(
    sample: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_NEEDED", ("a_library_that_is_not_there",))
    with pytest.raises(forms.FormsMissing, match=r"install porwatch\[report\]"):
        render(sample, ["ja"], tmp_path)
    assert sums(tmp_path) == {}
    assert [path.name for path in render(sample, [], tmp_path)] == ["report.json"]


@pytest.mark.parametrize("preset", codes.PRESETS)
@pytest.mark.parametrize("view", list(View))
def test_every_preset_can_be_printed_in_every_view(
    sample: dict[str, Any], tmp_path: Path, preset: str, view: View
) -> None:
    report = {**sample, "header": {**sample["header"], "preset": preset}}
    shown = view_of(report, view, pseudonym_key=bytes(range(32)))
    files = {path.stem for path in csv_form.write(shown, words("ja"), tmp_path)}
    assert "limitations.statements" in files
    assert document(shown, words("ja"))["sections"]
    assert ("liabilities.negative" in files) == (preset == "full" and view is not View.REGULATOR)


def test_dates_are_iso_with_the_japanese_calendar_beside_them(printed: Path) -> None:
    text = pdf_text(printed / "ja/report.pdf")
    assert "2026-10-02T10:30:00+09:00（令和8年10月2日）" in text
    # 2026-09-29T14:52:11Z is shown in the entity's time zone
    assert "2026-09-29T23:52:11+09:00（令和8年9月29日）" in text
    assert "令和" not in pdf_text(printed / "en/report.pdf")


def test_the_pdf_carries_the_date_of_the_report_and_is_an_archive_file(printed: Path) -> None:
    reader = pypdf.PdfReader(printed / "ja/report.pdf")
    assert reader.metadata is not None
    assert str(reader.metadata.creation_date).startswith("2026-10-02")
    assert reader.xmp_metadata is not None
    assert b"pdfaid" in (printed / "ja/report.pdf").read_bytes()
