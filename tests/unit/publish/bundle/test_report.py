"""Reports: the same bytes wherever they are made, a clear word where they cannot be, and the second person."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.ledger.journal import Record
from monitor.publish.bundle import command, places
from monitor.publish.bundle.verify import verify
from monitor.publish.report.schema import BLOCKS
from monitor.signing.keys import load_or_make
from monitor.signing.manifest import read_manifest
from tests.unit.assess.sample import NOW
from tests.unit.publish.bundle import made
from tests.unit.publish.bundle.made import Exchange, resigned, rewritten

OPTIONS = command.Options(at="2026-11-20", out=Path(), languages=())


def report_of(folder: Path) -> Any:
    return json.loads((folder / places.REPORT).read_text(encoding="utf-8"))


def ask(kept: Exchange, out: Path, **more: Any) -> int:
    return command.report(kept.config, replace(OPTIONS, out=out, **more))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_bytes_are_the_same_in_other_time_zones_languages_and_hash_seeds(kept: Exchange, tmp_path: Path) -> None:
    found = []
    for number, (zone, language, seed) in enumerate((("UTC", "C", "0"), ("Asia/Kathmandu", "tr_TR.UTF-8", "4711"))):
        out = tmp_path / str(number) / "report"
        words = ["-m", "monitor", "report", str(kept.config), "--at", "2026-11-20", "--out", str(out)]
        environment = {**os.environ, "TZ": zone, "LANG": language, "LC_ALL": language, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found.append(contents(out))
    assert found[0] == found[1]
    assert {"ja/report.pdf", "en/report.xlsx", "manifest.sig"} <= found[0].keys()


def test_figures_are_those_of_the_books_and_of_the_chain(bundle: Path) -> None:
    blocks = report_of(bundle)["blocks"]
    (bitcoin, *_) = blocks["reconciliation"]["tables"]["per_asset"]
    assert (bitcoin["owed"], bitcoin["held"], bitcoin["difference"]) == ("1000000000000", "1000050000000", "50000000")
    assert (bitcoin["verdict"], bitcoin["unexplained"]) == ("PASS", "125000000")
    guarantee = {row["asset"]: row for row in blocks["reserve"]["tables"]["guarantee"]}
    assert guarantee["XRP"]["surplus"] == "-500000000000"
    assert guarantee["XRP"]["verdict"] == "BREACH"
    assert blocks["exceptions"]["facts"]["open"] == 1
    assert blocks["requirements"]["facts"]["breached"] == len(blocks["exceptions"]["tables"]["legal"])
    assert sum(int(row["quantity"]) for row in blocks["assets"]["tables"]["addresses"] if row["wallet"] == "cold") > 0


def test_every_block_is_there_and_what_was_not_worked_out_is_said(bundle: Path) -> None:
    blocks = report_of(bundle)["blocks"]
    assert blocks.keys() == {block.id for block in BLOCKS if not block.optional}
    said = {(row["statement"], row["detail"]) for row in blocks["limitations"]["tables"]["statements"]}
    assert ("consistency", None) in said
    assert ("no_testimony", "c") in said
    assert {row["asset"] for row in blocks["coverage_series"]["tables"]["summary"]} == set(), "none was journalled"
    assert ("no_coverage_series", "BTC") in said


def test_without_a_name_the_report_says_that_no_person_prepared_it(kept: Exchange, tmp_path: Path) -> None:
    assert ask(kept, tmp_path / "out") == 0
    assert report_of(tmp_path / "out")["header"]["prepared_by"] == "porwatch"
    assert "nobody_prepared" in (tmp_path / "out" / places.REPORT).read_text(encoding="utf-8")


@pytest.mark.parametrize("view", ["regulator", "auditor", "trustee"])
def test_a_view_names_the_full_report_and_verifies(kept: Exchange, tmp_path: Path, view: str) -> None:
    out = tmp_path / "out"
    assert ask(kept, out, view=view) == 0
    assert report_of(out)["header"]["parent"] == read_manifest(out).parent
    assert verify(out, None).problems == ()
    assert command.approve(out, "Ichiro Sato", kept.config) == 0
    assert verify(out, None).problems == ()


def test_a_period_and_one_profile_are_what_was_asked_for(kept: Exchange, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ask(kept, out, begin="2026-11-20T14:30:00+09:00", profiles=("jp-psa-2020",), preset="jp-quarterly") == 0
    header = report_of(out)["header"]
    assert header["period"] == {"from": "2026-11-20T05:30:00Z", "to": "2026-11-20T06:00:00Z"}
    assert [each["id"] for each in header["profiles"]] == ["jp-psa-2020"]
    earlier = (out / places.EARLIER).read_text(encoding="utf-8")
    assert '"kind":"case"' in earlier, "a case from before the period that is still open is shown with its proof"
    assert verify(out, None).problems == ()


@pytest.mark.parametrize(
    ("asked", "said", "code"),
    [
        ({"at": "2026-11-19"}, "no verdict with kept evidence at 2026-11-19", 3),
        ({"at": "2026-11-20T06:00:00Z", "begin": "2026-11-20T06:00:00Z"}, "write an earlier time", 2),
        ({"at": "yesterday"}, "--at yesterday: write a day, or RFC 3339 with an offset", 2),
        ({"at": "2026-11-20T06:00:00"}, "with an offset", 2),
        ({"profiles": ("us-genius",)}, "--profile us-genius: was not judged at this close, only: jp-psa-2020", 2),
        ({"prepared_at": "soon"}, "--prepared-at soon", 2),
    ],
)
def test_what_cannot_be_reported_is_said_with_the_remedy(
    kept: Exchange, tmp_path: Path, asked: Any, said: str, code: int, capsys: Any
) -> None:
    assert ask(kept, tmp_path / "out", **asked) == code
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_written_over(kept: Exchange, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "out").mkdir()
    assert ask(kept, tmp_path / "out") == 2
    assert "is there already" in capsys.readouterr().err


def test_evidence_that_is_gone_or_changed_is_an_error_that_names_the_remedy(tmp_path: Path, capsys: Any) -> None:
    found = made.exchange(tmp_path / "x", made.closing())
    book = found.close / "books" / "prices.csv"
    book.write_text(book.read_text().replace("400", "401"))
    assert ask(found, tmp_path / "out") == 3
    assert "prices.csv: is not the file that was kept at the close: put the folder back" in capsys.readouterr().err
    shutil.rmtree(found.close)
    assert ask(found, tmp_path / "out") == 3
    assert "the evidence of cycle 3 is gone: put the folder back" in capsys.readouterr().err


def test_evidence_that_contradicts_itself_is_said_when_the_report_is_made(tmp_path: Path, capsys: Any) -> None:
    found = made.closing()
    files = {**made.books(found), "prices.csv": "asset,currency,price,as_of\nBTC,JPY,1,2026-11-20T06:00:00Z\n"}
    other = made.exchange(tmp_path / "x", found, books=files)
    assert ask(other, tmp_path / "out") == 1
    assert "porwatch verify will say: evidence/close/inputs.json: books.prices[0].price" in capsys.readouterr().err


def test_a_second_person_approves_and_the_draft_stays_known(bundle: Path, kept: Exchange, capsys: Any) -> None:
    draft = read_manifest(bundle).hash
    before = (bundle / "en/report.pdf").read_bytes()
    assert command.approve(bundle, "Ichiro Sato", kept.config) == 0
    header = report_of(bundle)["header"]
    assert header["approved_by"] == "Ichiro Sato"
    assert (bundle / "en/report.pdf").read_bytes() != before, "the printed form is no draft any more"
    assert draft in (bundle / places.ANSWERS).read_text(encoding="utf-8")
    assert verify(bundle, None).problems == ()
    assert command.approve(bundle, "Jiro Ito", kept.config) == 2
    assert "Ichiro Sato approved it at" in capsys.readouterr().err
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


@pytest.mark.parametrize("name", ["Hanako Yamada", "hanako  YAMADA", "ＨＡＮＡＫＯ Yamada", " "])
def test_who_prepared_it_cannot_approve_it(bundle: Path, kept: Exchange, name: str) -> None:
    before = contents(bundle)
    assert command.approve(bundle, name, kept.config) == 2
    assert contents(bundle) == before


def test_without_its_configuration_approval_says_what_to_write(bundle: Path, capsys: Any) -> None:
    assert command.approve(bundle, "Ichiro Sato", None) == 2
    assert "write --config CONFIG" in capsys.readouterr().err


def test_a_changed_bundle_is_not_approved(bundle: Path, kept: Exchange, capsys: Any) -> None:
    (bundle / "en/report.pdf").write_bytes(b"%PDF")
    assert command.approve(bundle, "Ichiro Sato", kept.config) == 2
    assert "a changed bundle is not approved" in capsys.readouterr().err


def test_evidence_changed_between_draft_and_approval_is_named(bundle: Path, kept: Exchange) -> None:
    assert command.approve(bundle, "Ichiro Sato", kept.config) == 0

    def change(body: Any) -> None:
        body["registration"] = "another"

    rewritten(bundle / places.SETTINGS, lambda body: body["c"].update(native="XBT"))
    rewritten(bundle / places.ANSWERS, change)
    resigned(bundle, load_or_make(kept.base / "report.key"))
    found = [str(problem) for problem in verify(bundle, None).problems]
    for name in (places.SETTINGS, places.ANSWERS):
        assert f"{name}: is not the file of the draft that was approved" in found


def test_the_next_report_continues_the_one_before(tmp_path: Path) -> None:
    first = made.closing()
    found = made.exchange(tmp_path / "x", first)
    assert ask(found, tmp_path / "first") == 0
    later = replace(first, number=4, at=NOW + timedelta(days=1))
    made.another(found, later, "2026-11-21-4", Record("case", made.case_to_json(made.THEFT)))
    assert ask(found, tmp_path / "second", at="2026-11-21", previous=tmp_path / "first") == 0
    assert report_of(tmp_path / "second")["header"]["previous_report"] == read_manifest(tmp_path / "first").hash
    assert report_of(tmp_path / "second")["header"]["period"]["from"] == "2026-11-20T06:00:00Z"
    assert verify(tmp_path / "second", None).problems == ()
    rewritten(tmp_path / "second" / places.JOURNAL, lambda body: body["previous"]["proof"].reverse())
    resigned(tmp_path / "second", load_or_make(found.base / "report.key"))
    found_there = [problem for problem in verify(tmp_path / "second", None).problems if problem.file == places.JOURNAL]
    assert "does not continue" in str(found_there[0])


def test_no_half_made_bundle_is_left_behind(kept: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("monitor.publish.bundle.write.write_manifest", full)
    assert ask(kept, tmp_path / "out") == 3
    assert list(tmp_path.iterdir()) == []
