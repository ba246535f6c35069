from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from chains.core.messages import Scheme
from monitor.publish.imports import import_files
from tests.unit.core.signing import signer
from tests.unit.publish.imports.samples import COINS, FIRST_ROW, ROWS, changed, text


def porwatch(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monitor", "import", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def write(folder: Path, name: str, coins: list[str] = COINS, rows: list[str] = ROWS) -> Path:
    path = folder / name
    path.write_text(text(coins, rows), encoding="utf-8")
    return path


def test_a_file_without_contradiction_exits_0_although_rows_are_unsigned(tmp_path: Path) -> None:
    ran = porwatch("htx-csv", write(tmp_path, "a.csv"), "--output", "json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == {
        "findings": [],
        "summary": {"rows": 13, "signed": 0, "verified": 0, "unsigned": 13, "unsupported": 0},
    }


def test_findings_exit_1_and_carry_file_line_asset_and_figures_as_strings(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", changed(COINS, "USDT(ALL),-,7000.00", "USDT(ALL),-,8000.00"))
    ran = porwatch("htx-csv", path, write(tmp_path, "b.csv"), "--output", "json")
    body = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert body["summary"]["rows"] == 26
    (finding,) = body["findings"]
    assert list(finding) == ["file", "line", "asset", "kind", "declared", "computed", "message"]
    message = finding.pop("message")
    assert finding == {
        "file": str(path),
        "line": 9,
        "asset": "USDT(ALL)",
        "kind": "total",
        "declared": "8000.00",
        "computed": "7000.00",
    }
    assert "1000.00 less" in message


def test_a_signature_that_does_not_verify_exits_1(tmp_path: Path) -> None:
    one = signer()
    good = f"BTC,{one.address(Scheme.BITCOIN_P2PKH)},800000,8.00,huobi,{one.sign(Scheme.BITCOIN_P2PKH, 'huobi')}"
    rows = changed(ROWS, "BTC,bitcoin-2,800000,8.00,-,-", good)
    fine = porwatch("htx-csv", write(tmp_path, "a.csv", rows=rows), "--output", "json")
    assert (fine.returncode, json.loads(fine.stdout)["summary"]["verified"]) == (0, 1)
    bad = porwatch(
        "htx-csv", write(tmp_path, "b.csv", rows=changed(rows, good, good.replace("huobi", "htx"))), "--output", "json"
    )
    body = json.loads(bad.stdout)
    assert bad.returncode == 1
    assert [(each["line"], each["kind"]) for each in body["findings"]] == [(FIRST_ROW + 1, "signature")]
    assert body["summary"] == {"rows": 13, "signed": 1, "verified": 0, "unsigned": 12, "unsupported": 0}


def test_every_bad_file_is_named_with_its_line_and_nothing_else_is_printed(tmp_path: Path) -> None:
    good = write(tmp_path, "good.csv", changed(COINS, "USDT(ALL),-,7000.00", "USDT(ALL),-,8000.00"))
    bad = write(tmp_path, "bad.csv", changed(COINS, "BTC,800000,20.25", "BTC,800000,many"))
    ran = porwatch("htx-csv", good, bad, tmp_path / "none.csv", "--output", "json")
    assert (ran.returncode, ran.stdout) == (2, "")
    first, second = ran.stderr.splitlines()
    assert first.startswith(f"{bad}:3: balance: 'many': expected")
    assert second.startswith(f"{tmp_path / 'none.csv'}: ")


def test_an_unknown_format_and_no_file_are_wrong_usage(tmp_path: Path) -> None:
    unknown = porwatch("htx-xls", write(tmp_path, "a.csv"))
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "write one of htx-csv" in unknown.stderr
    assert porwatch("htx-csv").returncode == 2


def test_a_path_given_twice_is_read_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "a.csv")
    assert import_files("htx-csv", [path, path], "json") == 0
    assert json.loads(capsys.readouterr().out)["summary"]["rows"] == 13


def test_the_table_says_each_finding_in_one_line_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "a.csv", [*COINS, "XRP(All),-,5.00"])
    assert import_files("htx-csv", [path], "table") == 1
    finding, counts = capsys.readouterr().out.splitlines()
    assert finding.startswith(f"{path}:14: XRP(All): no_rows: declared 5.00, computed 0: ")
    assert counts == "findings 1, rows 13, signed 0, verified 0, unsigned 13, unsupported 0"


def test_csv_lists_the_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, "a.csv", changed(COINS, "BTC(ALL),-,30.50"))
    assert import_files("htx-csv", [path], "csv") == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["asset"], row["declared"], row["computed"]) for row in rows] == [
        ("BTC", "20.25", ""),
        ("BTC-TRC20", "10.25", ""),
    ]


def test_the_published_files_together_exit_1_with_the_month_of_every_stale_height(shared_data: Path) -> None:
    files = sorted((shared_data / "por_samples" / "htx_monthly").glob("*.csv"))
    ran = porwatch("htx-csv", *files, "--output", "json")
    body = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert body["summary"] == {"rows": 1078, "signed": 856, "verified": 846, "unsigned": 222, "unsupported": 10}
    assert len(body["findings"]) == 48
    stale = [each for each in body["findings"] if "is also a height of" in each["message"]]
    assert [(Path(each["file"]).name[:7], Path(each["message"].rpartition(" ")[2]).name[:7]) for each in stale] == [
        ("2023-11", "2023-10"),
        ("2024-04", "2024-03"),
        ("2024-05", "2024-04"),
        ("2024-05", "2024-04"),
        ("2024-09", "2024-08"),
        ("2024-12", "2024-11"),
        ("2024-12", "2024-11"),
    ]
