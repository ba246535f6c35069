"""A report from the commands a user types, on real nodes: made at a close, approved, verified, sampled, tied to the chain."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from chains.core.testimony import seal
from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from monitor.canonical import canonical
from monitor.signing.keys import load_or_make
from tests.real.exchange import Exchange, exchange
from tests.real.sides import JSON, BitcoinSide, EvmSide, Side
from tests.unit.publish.bundle.made import resigned

LIABILITIES = {"liabilities": {"file": "liabilities.csv"}}


def run(ex: Exchange, *words: str, code: int = 0) -> str:
    result = ex.command(*words)
    assert result.returncode == code, (result.stdout[-2000:], result.stderr[-2000:])
    return result.stdout


def test_a_report_on_real_nodes_is_made_approved_and_verified(
    anvil: Anvil, fresh_anvil: Anvil, bitcoind: Bitcoind, tmp_path: Path
) -> None:
    bitcoin, evm = BitcoinSide(bitcoind), EvmSide(anvil)
    sides: list[Side] = [bitcoin, evm]
    with exchange(tmp_path / "exchange", sides, books=LIABILITIES) as ex:
        for side in sides:
            side.mine(6)
        # Another chain of the same id, longer than ours: a shorter one could only say that it does not know.
        fresh_anvil.mine(anvil.head() + 100)
        ex.declare({"BTC": "15", "ETH": "75"})
        assert ex.command("once", str(ex.config)).returncode == 3, "one endpoint's claim is not verified"
        today, out = datetime.now(UTC).isoformat(), tmp_path / "report"
        run(ex, "report", str(ex.config), "--at", today, "--out", str(out), "--prepared-by", "山田 花子")
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        held = {row["asset"]: row["held"] for row in report["blocks"]["reconciliation"]["tables"]["per_asset"]}
        assert held["ETH"] == str(150 * 10**18)
        assert held["BTC"] == str(15 * 10**8)
        said = [row["statement"] for row in report["blocks"]["limitations"]["tables"]["statements"]]
        assert not {"no_testimony", "accounts_without_testimony"} & set(said), (
            "every account is in the testimony of the nodes"
        )
        for chain in (bitcoin.name, evm.name):
            assert (out / "evidence" / "close" / "chains" / f"{chain}.jsonl").stat().st_size > 0
        key = str(ex.folder / "report.key.pub")
        assert "signer not checked" in run(ex, "verify", str(out))
        run(ex, "verify", str(out), "--key", key)
        run(ex, "report", "approve", str(out), "--as", "山田　花子", code=2)
        run(ex, "report", "approve", str(out), "--as", "佐藤 一郎")
        assert "佐藤 一郎" in (out / "report.json").read_text(encoding="utf-8")
        run(ex, "verify", str(out), "--key", key)
        _sampled(ex)
        _tied_to_the_chain(ex, out, anvil, bitcoind, fresh_anvil)
        _forged(ex, out, evm.name, tmp_path)


def _sampled(ex: Exchange) -> None:
    day = json.loads(run(ex, "once", str(ex.config), "--output", "json", code=3))["at"]
    local = datetime.fromisoformat(day).astimezone().date().isoformat()
    days = {local, datetime.fromisoformat(day).astimezone(UTC).date().isoformat()}
    results = [ex.command("sample", str(ex.config), "--seed", "7", "--at", each, "--output", "json") for each in days]
    drawn = [json.loads(each.stdout) for each in results if each.returncode == 0]
    assert drawn or ex.command("sample", str(ex.config), "--seed", "7", "--at", "2000-01-01").returncode == 3
    for body in drawn:
        assert body["accounts"]


def _tied_to_the_chain(ex: Exchange, out: Path, anvil: Anvil, bitcoind: Bitcoind, other: Anvil) -> None:
    """Anchors and balances are asked of the auditor's own nodes; a node of another chain says nothing."""
    result = ex.command("verify", str(out), "--endpoint", anvil.url)
    assert result.returncode == 3, "no node of the auditor's own was named for Bitcoin"
    assert "is on the chain of" in result.stderr
    assert "bitcoin: no endpoint given serves it" in result.stderr
    own = bitcoind.url.replace("://", f"://{bitcoind.username}:{bitcoind.password}@")
    both = ex.command("verify", str(out), "--endpoint", anvil.url, "--endpoint", own)
    assert both.returncode == 0, (both.stdout, both.stderr)
    assert "3 balances compared" in both.stderr or "2 balances compared" in both.stderr
    assert bitcoind.password not in both.stdout + both.stderr
    result = ex.command("verify", str(out), "--endpoint", other.url, "--endpoint", own)
    assert result.returncode == 1, (result.stdout, result.stderr)
    assert "of ethereum is not on the chain of" in result.stdout
    assert ex.command("verify", str(out), "--endpoint", "nowhere").returncode == 2


def _forged(ex: Exchange, out: Path, chain: str, tmp_path: Path) -> None:
    """An account, and what a node said of it: each is named although every hash was fixed and another key signed."""
    for name, forge in ((f"accounts/{chain}.jsonl", _an_account), (f"chains/{chain}.jsonl", _an_answer)):
        copy = tmp_path / "copy"
        shutil.copytree(out, copy)
        path = copy / "evidence" / "close" / name
        lines = forge([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
        path.write_text("".join(canonical(each) + "\n" for each in lines), encoding="utf-8")
        resigned(copy, load_or_make(tmp_path / "forger.key"))
        found = run(ex, "verify", str(copy), code=1)
        assert f"evidence/close/chains/{chain}.jsonl: " in found, found
        assert f"evidence/close/{name}: " in found, found
        shutil.rmtree(copy)


def _an_account(lines: list[JSON]) -> list[JSON]:
    lines[0]["units"] = str(int(lines[0]["units"]) + 1)
    return lines


def _an_answer(lines: list[JSON]) -> list[JSON]:
    answers = next(line for line in lines if line["kind"] in ("answers", "account"))
    if answers["kind"] == "account":
        answers["units"] = str(int(answers["units"]) + 1)
    else:
        numbers = answers["said"][0]["numbers"]
        place = next(index for index, number in enumerate(numbers) if number != "0")
        numbers[place] = str(int(numbers[place]) + 1)
    return [dict(line) for line in seal(lines[:-1])]
