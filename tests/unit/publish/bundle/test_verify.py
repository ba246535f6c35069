"""Whatever is changed in a bundle is found and named, also where a forger fixed every hash and signed anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.publish.bundle import command, places
from monitor.publish.bundle.verify import Judgement, verify
from monitor.signing.keys import load_or_make
from tests.unit.publish.bundle import made
from tests.unit.publish.bundle.made import Exchange, resigned, rewritten


def named(found: Judgement) -> dict[str, list[str]]:
    """What was found, by file."""
    files: dict[str, list[str]] = {}
    for problem in found.problems:
        files.setdefault(problem.file, []).append(problem.what)
    return files


def test_an_unchanged_bundle_is_worked_out_again_and_is_the_same(bundle: Path) -> None:
    found = verify(bundle, None)
    assert named(found) == {}
    assert found.undetermined == ()


def test_the_command_says_that_the_signer_was_not_checked(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.verify(bundle, None, ()) == 0
    told = capsys.readouterr()
    assert "signer not checked" in told.out
    assert "--endpoint" in told.err


def test_with_the_key_of_the_exchange_the_signer_is_checked(bundle: Path, kept: Exchange, capsys: Any) -> None:
    assert command.verify(bundle, kept.base / "report.key.pub", ()) == 0
    assert "not checked" not in capsys.readouterr().out


def test_another_signer_than_the_key_is_a_finding(bundle: Path, tmp_path: Path, capsys: Any) -> None:
    load_or_make(tmp_path / "other.key")
    assert command.verify(bundle, tmp_path / "other.key.pub", ()) == 1
    assert "manifest.sig: is by another signer" in capsys.readouterr().out


def test_what_is_no_key_is_a_mistake_of_usage(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hello")
    assert command.verify(bundle, tmp_path / "key", ()) == 2
    assert command.verify(tmp_path / "nothing", None, ()) == 2
    assert command.verify(bundle, tmp_path / "nothing", ()) == 2


def test_one_flipped_byte_of_any_file_is_named(bundle: Path) -> None:
    paths = sorted(path for path in bundle.rglob("*") if path.is_file() and path.stat().st_size)
    assert len(paths) > 40
    for number, path in enumerate(paths):
        whole = path.read_bytes()
        place = number * 7919 % len(whole)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        name = path.relative_to(bundle).as_posix()
        assert name in named(verify(bundle, None)), f"byte {place} of {name}"
        path.write_bytes(whole)
    assert named(verify(bundle, None)) == {}


@pytest.mark.parametrize(
    "name", [places.REPORT, places.INPUTS, places.PERIOD, "manifest.json", "manifest.sig", "en/report.pdf"]
)
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    assert any("missing" in what for what in named(verify(bundle, None))[name])


@pytest.mark.parametrize("name", ["more.txt", "evidence/close/books/more.csv", "en/csv/more.csv"])
def test_a_file_too_many_is_named(bundle: Path, name: str) -> None:
    (bundle / name).write_text("x")
    assert any("one too many" in what for what in named(verify(bundle, None))[name])


def test_a_link_is_named_and_not_followed(bundle: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    (bundle / places.INPUTS).unlink()
    (bundle / places.INPUTS).symlink_to(secret)
    assert any("link" in what for what in named(verify(bundle, None))[places.INPUTS])


def _report(body: Any) -> None:
    body["blocks"]["reconciliation"]["tables"]["per_asset"][0]["held"] = "1"


def _line(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def _change_report(bundle: Path) -> None:
    rewritten(bundle / places.REPORT, _report)


def _change_inputs(bundle: Path) -> None:
    def change(body: Any) -> None:
        body["readings"][0]["lines"][0]["units"] = "965050000001"

    rewritten(bundle / places.INPUTS, change)


def _change_owed(bundle: Path) -> None:
    def change(body: Any) -> None:
        body["books"]["liabilities"][0]["units"] = "1"

    rewritten(bundle / places.INPUTS, change)


def _change_accounts(bundle: Path) -> None:
    path = bundle / places.ACCOUNTS / "c.jsonl"
    path.write_text(_line(path.read_text(), '"units":"11666666666"', '"units":"11666666667"'))


def _change_book(bundle: Path) -> None:
    path = bundle / places.BOOKS / "liabilities.csv"
    path.write_text(_line(path.read_text(), "BTC,10000.00000000", "BTC,9999.00000000"))


def _change_price(bundle: Path) -> None:
    path = bundle / places.BOOKS / "prices.csv"
    path.write_text(_line(path.read_text(), "500000.5", "500000.6"))


def _change_verdict(bundle: Path) -> None:
    def change(body: Any) -> None:
        body["positions"][0]["held"] = "1.00000000"

    rewritten(bundle / places.VERDICT, change)


def _change_record(bundle: Path) -> None:
    path = bundle / places.PERIOD
    path.write_text(_line(path.read_text(), '"units":"125000000"', '"units":"125000001"'))


def _change_csv(bundle: Path) -> None:
    path = bundle / "en/csv/reconciliation.per_asset.csv"
    path.write_bytes(path.read_bytes().replace(b"10000", b"10001", 1))


def _change_pdf(bundle: Path) -> None:
    path = bundle / "en/report.pdf"
    path.write_bytes(path.read_bytes() + b"%\n")


FORGERIES: list[tuple[Callable[[Path], None], str, str]] = [
    (_change_report, places.REPORT, "blocks.reconciliation.tables.per_asset[0].held: '1' instead of"),
    (_change_inputs, places.VERDICT, "does not follow from evidence/close/inputs.json: checks[0]"),
    (_change_inputs, "evidence/close/accounts/c.jsonl", "cold: its BTC adds up to"),
    (_change_owed, places.INPUTS, "books.liabilities[0].units: '1' instead of '1000000000000'"),
    (_change_accounts, "evidence/close/accounts/c.jsonl", "adds up to"),
    (_change_book, places.INPUTS, "books.liabilities[0].units"),
    (_change_book, "evidence/close/books/liabilities.csv", "hash was journalled"),
    (_change_price, places.INPUTS, "books.prices[1].price"),
    (_change_verdict, places.VERDICT, "positions[0].held: '1.00000000' instead of"),
    (_change_record, places.PERIOD, "was changed"),
    (_change_csv, "en/csv/reconciliation.per_asset.csv", "line 2, byte"),
    (_change_pdf, "en/report.pdf", "signature"),
]


@pytest.mark.parametrize(("change", "file", "what"), FORGERIES, ids=lambda each: getattr(each, "__name__", None))
def test_a_figure_changed_by_a_forger_who_fixes_every_hash_is_named(
    bundle: Path, tmp_path: Path, change: Callable[[Path], None], file: str, what: str
) -> None:
    change(bundle)
    resigned(bundle, load_or_make(tmp_path / "forger.key"))
    found = named(verify(bundle, None))
    assert any(what in each for each in found.get(file, [])), found


def test_another_signer_alone_is_named_by_the_tree_head(bundle: Path, tmp_path: Path) -> None:
    resigned(bundle, load_or_make(tmp_path / "forger.key"))
    assert list(named(verify(bundle, None))) == [places.JOURNAL]


def test_a_record_left_out_of_the_period_is_named(bundle: Path, kept: Exchange) -> None:
    path = bundle / places.PERIOD
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:1], *lines[2:]]))
    resigned(bundle, load_or_make(kept.base / "report.key"))
    assert any("seq: is 3 instead of 2" in what for what in named(verify(bundle, None))[places.PERIOD])


def test_hostile_evidence_is_named_and_ends_in_no_error(bundle: Path, kept: Exchange) -> None:
    for name in (places.INPUTS, places.VERDICT, places.ANSWERS, places.JOURNAL, places.SETTINGS, places.PERIOD):
        for content in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"a":1}\n'):
            copy = bundle.with_name("copy")
            shutil.copytree(bundle, copy)
            (copy / name).write_bytes(content)
            resigned(copy, load_or_make(kept.base / "report.key"))
            assert name in named(verify(copy, None)), (name, content[:9])
            shutil.rmtree(copy)


def test_no_name_in_the_evidence_leads_out_of_the_folder(bundle: Path, kept: Exchange) -> None:
    secret = bundle.parent / "secret.jsonl"
    secret.write_text("secret\n")

    def change(body: Any) -> None:
        body["readings"][0]["chain"] = body["readings"][0]["at"]["chain"] = "../../../../secret"

    rewritten(bundle / places.INPUTS, change)
    resigned(bundle, load_or_make(kept.base / "report.key"))
    said = " ".join(map(str, verify(bundle, None).problems))
    assert "leads out of the folder" in said
    assert "line 1" not in said


def test_a_breach_inside_is_no_finding_about_the_bundle(tmp_path: Path) -> None:
    short = made.closing()
    found = made.exchange(tmp_path / "x", short)
    out = tmp_path / "report"
    assert command.report(found.config, command.Options(at="2026-11-20", out=out, languages=())) == 0
    assert '"verdict":"BREACH"' in (out / places.REPORT).read_text(encoding="utf-8")
    assert command.verify(out, None, ()) == 0
