"""The pack of a case or an incident: figures, letters, clocks; the same bytes every time, and no effect of hostile text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import Result
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.config import load
from monitor.detect import join
from monitor.ledger.store import Ledger
from monitor.model import Case, Destination
from monitor.profiles import read_profile
from monitor.publish.pack.clocks import checklist
from monitor.publish.pack.facts import Entity, Facts, amounts
from monitor.publish.pack.letters import LETTERS, letter
from monitor.publish.pack.words import LANGUAGES, WORDS
from monitor.publish.pack.write import files_of
from tests.conftest import CHECKOUT
from tests.unit.publish.samples import DECIMALS, NOW, THEFT, THIEF, TXID, Store, numbered

ENTITY = Entity("Example Exchange KK", "", "")
HOSTILE = '=HYPERLINK("http://evil")\n<script>alert(1)</script>`](javascript:x)|'


def facts(*cases: Case, **changes: object) -> Facts:
    whole = Facts(ENTITY, "", cases or (THEFT,), DECIMALS, frozenset({"BTC", "ETH"}))
    return replace(whole, **changes)  # type: ignore[arg-type]


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_files_of_a_theft_are_these_bytes() -> None:
    files = files_of(facts(), checklist([read_profile("jp-psa-2020")], NOW))
    assert sorted(files) == sorted(
        [
            *("addresses.csv", "amounts.csv", "notifications.csv", "transactions.csv", "pack.json"),
            *(f"checklist.{language}.md" for language in LANGUAGES),
            *(f"letters/{kind}.{language}.md" for kind in LETTERS for language in LANGUAGES),
        ]
    )
    assert rows(files["addresses.csv"]) == [
        {
            "chain": "ethereum",
            "address": THIEF,
            "asset": "USDT",
            "amount": "250.000001",
            "units": "250000001",
            "known_beforehand": "no",
            "txid": TXID,
            "case": "c0ffee0000000001",
        }
    ]
    assert files["letters/police.en.md"].decode() == (
        "# To the police: report of transfers without approval\n\n"
        "- From: Example Exchange KK\n"
        "- Registration number: (not known to porwatch)\n"
        "- LEI: (not known to porwatch)\n"
        "- Name, office and telephone of the person who sends this: (not known to porwatch)\n"
        "- Reference number of the addressee: (not known to porwatch)\n"
        "- Case: `c0ffee0000000001`\n"
        "- First detected: 2026-09-21T14:13:20Z\n\n"
        "## What is recorded\n\n"
        "The transfers below left wallets of ours, and no approval in our books explains them.\n\n"
        "Whether this is a crime, and who did it, is not recorded in porwatch.\n\n"
        "## What we ask for\n\n"
        "- Take this report on record and tell us its number.\n"
        "- Tell us whom to send logs and further evidence to; the files beside this letter hold every figure.\n\n"
        "## Amounts\n\n"
        "| Asset | Amount | Value |\n| --- | --- | --- |\n"
        "| `USDT` | 250.000001 | JPY 37500.00 (price of 2026-09-21T00:00:00Z) |\n\n"
        "## Receiving addresses\n\n"
        "| Chain | Address | Asset | Amount |\n| --- | --- | --- | --- |\n"
        f"| `ethereum` | `{THIEF}` | `USDT` | 250.000001 |\n\n"
        "## Transactions\n\n"
        "| Chain | Transaction | Asset | Time of its block |\n| --- | --- | --- | --- |\n"
        f"| `ethereum` | `{TXID}` | `USDT` | 2026-09-21T14:13:10Z |\n"
    )
    assert (
        files["checklist.ja.md"]
        .decode()
        .endswith(
            "- [ ] **FSA or local finance bureau; JVCEA; own website**: 速やかに（時間数の記録なし）\n"
            "  - `jp-psa-2020` 2026\\-11\\-22, `outflow`, `incident-report`; 検証: 未検証\n"
            "  - 実施日時・担当者・手段: \n"
        )
    )
    assert json.loads(files["pack.json"])["cases"][0]["id"] == THEFT.id
    assert files == files_of(facts(), checklist([read_profile("jp-psa-2020")], NOW))


def test_the_two_languages_say_the_same_things() -> None:
    assert WORDS["en"].keys() == WORDS["ja"].keys()
    for name, english in WORDS["en"].items():
        assert english.count("|") == WORDS["ja"][name].count("|"), name
        assert set(_holes(english)) == set(_holes(WORDS["ja"][name])), name


def _holes(text: str) -> Iterator[str]:
    from string import Formatter

    return (name for _, name, _, _ in Formatter().parse(text) if name)


def test_hostile_names_have_no_effect_in_spreadsheets_or_pages() -> None:
    paid = (Destination(HOSTILE, 5, known=False),)
    bad = replace(THEFT, asset=HOSTILE, destinations=paid, txid=HOSTILE, wallet="@SUM(A1)", chain="+x")
    files = files_of(facts(bad, entity=Entity("<img src=x onerror=y> [a](javascript:b)", "*x*", "")), [])
    for name in ("addresses.csv", "transactions.csv", "amounts.csv"):
        for row in rows(files[name]):
            assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    (row,) = rows(files["addresses.csv"])
    assert row["address"] == f"'{HOSTILE}", "the text itself is whole"
    for name, content in files.items():
        if name.endswith(".md"):
            html = MarkdownIt("commonmark", {"html": True}).enable("table").render(content.decode())
            assert "<script" not in html
            assert "<img" not in html
            assert "href" not in html
            assert all(line.count("\n") == 0 for line in content.decode().split("\n"))


def test_without_a_token_the_letter_to_issuers_says_that_it_is_not_needed() -> None:
    for language in LANGUAGES:
        assert WORDS[language]["issuer_none"] in letter("issuer", facts(replace(THEFT, asset="ETH")), language)


def test_the_letter_to_issuers_is_about_their_tokens_only() -> None:
    text = letter("issuer", facts(THEFT, replace(numbered(2), asset="BTC", destinations=())), "en")
    assert "`USDT`" in text
    assert "BTC" not in text


def test_an_asset_of_which_one_case_had_no_price_has_no_value() -> None:
    priced, unpriced = numbered(1), numbered(2, value=None)
    assert [row["value"] for row in amounts(facts(priced, priced))] == ["75000.00"]
    assert [row["value"] for row in amounts(facts(priced, unpriced))] == [""]
    assert "(not known to porwatch)" in letter("police", facts(priced, unpriced), "en")


def test_a_long_list_is_cut_in_letters_and_whole_in_the_files() -> None:
    many = tuple(Destination(f"0x{number:040x}", 1, known=False) for number in range(60))
    files = files_of(facts(replace(THEFT, destinations=many)), [])
    assert "10 more are in addresses.csv." in files["letters/police.en.md"].decode()
    assert len(rows(files["addresses.csv"])) == 60


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("sg-psr", [("1h", "running", "2026-09-21T15:13:20Z"), ("14d", "running", "2026-10-05T14:13:20Z")]),
        (
            "eu-mica-casp",
            [
                ("4h", "classified", ""),
                ("24h", "running", "2026-09-22T14:13:20Z"),
                ("72h", "classified", ""),
                ("30d", "classified", ""),
            ],
        ),
        ("jp-psa-2020", [("promptly", "promptly", "")]),
        ("kr-vaupa", [("unrecorded", "unrecorded", "")]),
        ("eu-emt", []),
    ],
)
def test_clocks_run_from_the_detection_and_an_unknown_one_says_so(
    profile: str, expected: list[tuple[str, str, str]]
) -> None:
    found = checklist([read_profile(profile)], NOW)
    assert [(row["deadline"], row["clock"], row["due"]) for row in found] == expected


def test_a_due_time_is_told_in_the_profiles_zone_with_its_calendar() -> None:
    (first, second) = checklist([read_profile("sg-psr")], datetime.fromisoformat("2026-11-20T17:30:00Z"))
    assert first["due_local"] == "2026-11-21T02:30+08:00 Asia/Singapore"
    assert {first["due_business_day"], second["due_business_day"]} <= {"yes", "no", "unknown"}


def test_without_a_profile_the_checklist_says_that_it_knows_no_duty() -> None:
    text = files_of(facts(), [])["checklist.en.md"].decode()
    assert "This does not say that there is none" in text


# The command


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "minimal.yaml"
    text = (CHECKOUT / "tests" / "config" / "good" / "minimal.yaml").read_text()
    path.write_text(f"{text}\nprofiles: [sg-psr]\n")
    ledger = Ledger(load(path).store_url())
    first, second = join([THEFT, numbered(2)], [])
    Store(ledger).put(first, second)
    ledger.close()
    return path


def export(config: Path, *rest: str) -> Result:
    return CliRunner().invoke(app, ["cases", str(config), "export", *rest])


def test_an_incident_is_exported_with_all_its_cases_and_twice_the_same(config: Path, tmp_path: Path) -> None:
    incident = join([THEFT, numbered(2)], [])[0].incident or ""
    done = export(config, "--incident", incident, "--out", str(tmp_path / "a"))
    assert (done.exit_code, done.stdout) == (0, f"2 cases in {tmp_path / 'a'}\n")
    assert export(config, "--incident", incident, "--out", str(tmp_path / "b")).exit_code == 0
    names = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(names) == 13
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    assert all((tmp_path / "a" / name).stat().st_mode & 0o077 == 0 for name in names), "inside information"
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0
    assert len(json.loads((tmp_path / "a" / "pack.json").read_text())["cases"]) == 2


def test_one_case_is_exported_alone(config: Path, tmp_path: Path) -> None:
    assert export(config, THEFT.id, "--out", str(tmp_path / "a")).stdout.startswith("1 case in ")


def test_what_cannot_be_exported_is_said_with_what_to_write_instead(config: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "a")
    for arguments, message in (
        (["--out", out], "write the ID of a case, or --incident ID"),
        (["x", "--incident", "y", "--out", out], "write the ID of a case, or --incident ID"),
        (["x", "--out", out], "there is no case x"),
        (["--incident", "y", "--out", out], "there is no incident y"),
        ([THEFT.id, "--out", str(tmp_path)], "is there already: name a folder that is not"),
        ([THEFT.id, "--out", str(tmp_path / "no" / "such")], "No such file or directory"),
    ):
        done = export(config, *arguments)
        assert done.exit_code == 2, arguments
        assert message in done.stderr
    assert not (tmp_path / "a").exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
