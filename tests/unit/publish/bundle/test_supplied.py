"""What a person hands in for a report: documents, the customer file, who holds the keys; and who may see it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from monitor.assess.inputs import Declared
from monitor.publish.bundle import command, places
from monitor.publish.bundle.supplied import Control, DocumentKind
from monitor.publish.bundle.verify import verify
from monitor.publish.report import codes
from monitor.signing.keys import load_or_make
from tests.unit.assess.sample import NOW
from tests.unit.publish.bundle import made
from tests.unit.publish.bundle.made import Exchange, resigned

DOCUMENTS = """\
documents:
  - {type: segregation_audit, title: 分別管理監査報告書, issuer: Audit LLC, issued_on: 2026-10-30, file: audit.pdf}
  - {type: custodian_statement, title: Statement, issuer: Custody KK, issued_on: 2026-11-01, file: statement.csv}
"""
KEYS = """\
keys:
  - {wallet: cold, control: multisig, threshold: 3, keys: 5, holders: "CFO, CISO, three directors", place: vault A}
"""
CUSTOMERS = 'customers: {file: customers.csv, as_of: "2026-11-19T15:00:00Z"}\n'
#: more BTC is owed here than is held in customer wallets; all of the ETH is there
OWED = [("c-000001", "BTC", "6000"), ("c-000001", "ETH", "10"), ("c-000002", "BTC", "6000.00000001")]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The folder in which the files of the report lie."""
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "audit.pdf").write_bytes(b"%PDF-1.7 an audit")
    (folder / "statement.csv").write_text("asset,amount\n")
    rows = [",".join(row) for row in OWED]
    (folder / "customers.csv").write_text("\n".join(["account,asset,amount", *rows, ""]))
    return folder


def ask(kept: Exchange, desk: Path, text: str, view: str = "full") -> int:
    (desk / "documents.yaml").write_text(text, encoding="utf-8")
    options = command.Options(at="2026-11-20", out=desk / "report", languages=(), view=view)
    return command.report(kept.config, replace(options, documents=desk / "documents.yaml"))


def blocks(desk: Path) -> Any:
    return json.loads((desk / "report" / places.REPORT).read_text(encoding="utf-8"))["blocks"]


def test_the_words_are_those_of_the_report() -> None:
    assert get_args(DocumentKind) == codes.ATTACHMENTS
    assert get_args(Control) == codes.CONTROL_KINDS


def test_documents_are_copied_and_listed_with_their_hashes(kept: Exchange, desk: Path) -> None:
    assert ask(kept, desk, DOCUMENTS, "regulator") == 0
    rows = blocks(desk)["evidence"]["tables"]["attachments"]
    assert [(row["type"], row["title"], row["issued_on"]) for row in rows] == [
        ("segregation_audit", "分別管理監査報告書", "2026-10-30"),
        ("custodian_statement", "Statement", "2026-11-01"),
    ]
    for row in rows:
        assert (desk / "report" / row["path"]).stat().st_size == row["bytes"]
    assert verify(desk / "report", None).problems == ()
    assert "claims" not in blocks(desk)
    assert "key_custody" not in blocks(desk)


def test_claims_are_worked_out_pro_rata_for_whoever_takes_over(kept: Exchange, desk: Path) -> None:
    assert ask(kept, desk, DOCUMENTS + KEYS + CUSTOMERS, "trustee") == 0
    claims = blocks(desk)["claims"]
    pools = {row["asset"]: row for row in claims["tables"]["pools"]}
    held = 1_000_050_000_000
    assert (pools["BTC"]["available"], pools["BTC"]["owed"]) == (str(held), "1200000000001")
    assert pools["ETH"]["rate"] == "1.000000000000"
    paid = {(row["customer"], row["asset"]): row["claim"] for row in claims["tables"]["per_customer"]}
    assert paid["c-000002", "BTC"] == str(held * 600_000_000_001 // 1_200_000_000_001)
    (keys,) = blocks(desk)["key_custody"]["tables"]["wallets"]
    assert (keys["wallet"], keys["threshold"], keys["keys"], keys["place"]) == ("cold", 3, 5, "vault A")
    said = [(row["statement"], row["detail"]) for row in blocks(desk)["limitations"]["tables"]["statements"]]
    assert ("customer_file_differs", "BTC: 1200000000001 / 1000000000000") in said
    assert verify(desk / "report", None).problems == ()


@pytest.mark.parametrize("view", ["regulator", "auditor"])
@pytest.mark.parametrize("part", [KEYS, CUSTOMERS])
def test_who_may_not_see_customers_and_keys_does_not_get_them_as_evidence(
    kept: Exchange, desk: Path, view: str, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(kept, desk, part, view) == 2
    assert f"is not for the view {view}" in capsys.readouterr().err
    assert not (desk / "report").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DOCUMENTS.replace("audit.pdf", "gone.pdf"), "documents.yaml:2: documents[0].file: gone.pdf: cannot be read"),
        (DOCUMENTS.replace("audit.pdf", "../desk"), "is no document that is taken"),
        (DOCUMENTS.replace("segregation_audit", "rumour"), "documents.yaml:2: documents[0].type"),
        (KEYS.replace("cold", "attic"), "keys[0].wallet: attic is no configured wallet"),
        (KEYS.replace("threshold: 3", "threshold: 6"), "keys[0].threshold: is more than the 5 keys"),
        (KEYS + KEYS.removeprefix("keys:\n"), "keys: cold stands there twice"),
        (CUSTOMERS.replace("2026-11-19", "2126-11-19"), "customers.as_of"),
        (CUSTOMERS.replace("customers.csv", "statement.csv"), "the first line must be account,asset,amount"),
        ("document: []", "document"),
        ("", "documents.yaml:1"),
    ],
)
def test_a_file_with_a_mistake_is_refused_whole(
    kept: Exchange, desk: Path, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(kept, desk, text, "trustee") == 2
    assert told in capsys.readouterr().err
    assert not (desk / "report").exists()


@pytest.mark.parametrize(
    "row", ["c-000001,BTC,1", "c-3,BTC,-1", "c-3,BTC,NaN", "c-3,DOGE,1", "c-3,BTC,0.000000001", ",BTC,1"]
)
def test_a_customer_file_with_a_bad_row_is_refused_by_its_line(
    kept: Exchange, desk: Path, row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (desk / "customers.csv").open("a") as file:
        file.write(row + "\n")
    assert ask(kept, desk, CUSTOMERS, "trustee") == 2
    assert "customers.csv: line 5:" in capsys.readouterr().err


def another_document(folder: Path) -> None:
    (folder / places.ATTACHMENTS / "001-segregation_audit.pdf").write_bytes(b"%PDF-1.7 another")


def one_too_many(folder: Path) -> None:
    (folder / places.ATTACHMENTS / "003-board_minutes.pdf").write_bytes(b"%PDF-1.7 minutes")


def another_owner(folder: Path) -> None:
    path = folder / places.CUSTOMERS
    path.write_text(path.read_text().replace("c-000002", "c-000003"))


def other_keys(folder: Path) -> None:
    path = folder / places.DOCUMENTS
    path.write_text(path.read_text().replace("vault A", "vault B"), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (another_document, "evidence/attachments/001-segregation_audit.pdf"),
        (one_too_many, "evidence/attachments/003-board_minutes.pdf"),
        (another_owner, "report.json"),
        (other_keys, "report.json"),
    ],
)
def test_what_was_handed_in_cannot_be_changed_even_under_a_new_signature(
    kept: Exchange, desk: Path, tmp_path: Path, change: Callable[[Path], None], named: str
) -> None:
    assert ask(kept, desk, DOCUMENTS + KEYS + CUSTOMERS, "trustee") == 0
    folder = desk / "report"
    change(folder)
    resigned(folder, load_or_make(tmp_path / "another.key"))
    assert named in {problem.file for problem in verify(folder, None).problems}


def test_the_second_person_approves_what_was_handed_in_too(kept: Exchange, desk: Path) -> None:
    assert ask(kept, desk, DOCUMENTS, "trustee") == 0
    assert command.approve(desk / "report", "Taro Suzuki", kept.config) == 0
    assert verify(desk / "report", None).problems == ()
    shutil.rmtree(desk / "report" / places.ATTACHMENTS)
    assert verify(desk / "report", None).problems


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [
        ({"trust_principal": "5200", "customer_money": "5200"}, "PASS"),
        ({"trust_principal": "5199.99", "customer_money": "5200"}, "BREACH"),
        ({"customer_money": "5200"}, None),
        ({"trust_principal": "5200"}, None),
    ],
)
def test_money_in_trust_is_set_beside_what_customers_have(
    tmp_path: Path, desk: Path, figures: dict[str, str], verdict: str | None
) -> None:
    found = made.closing()
    declared = Declared(NOW, "JPY", figures={name: Decimal(text) for name, text in figures.items()})
    kept = made.exchange(tmp_path / "exchange", replace(found, books=replace(found.books, declared=declared)))
    assert ask(kept, desk, DOCUMENTS) in {0, 1}
    fiat = blocks(desk)["fiat"]
    assert fiat["facts"]["verdict"] == verdict
    assert [row["difference"] for row in fiat["tables"]["trusts"]] == (
        [] if verdict is None else ["0"] if verdict == "PASS" else ["-0.01"]
    )
