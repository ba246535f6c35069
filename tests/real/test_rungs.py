"""Getting in rung by rung on a real node: each gives something without the ones after it, and says what is next."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from chains.lab.anvil import Anvil
from tests.real.exchange import Exchange, exchange
from tests.real.sides import JSON, EvmSide

NEXT = {"addresses": "books.liabilities", "liabilities": "books.approvals", "approvals": "profiles"}


def once(ex: Exchange, rung: str) -> JSON:
    """The verdict of this rung, whose standing and next step are told beside it."""
    result = ex.command("once", str(ex.config), "--output", "json")
    told = result.stderr.splitlines()
    names = ("addresses", "liabilities", "approvals", "reports")
    taken = names[: names.index(rung) + 1]
    for name in names:
        (line,) = [line for line in told if line[5:].startswith(name)]
        assert line.startswith("yes" if name in taken else "no "), line
    last = f"next: add {NEXT[rung]} for " if rung in NEXT else "every rung is taken"
    assert told[-1].startswith(last), told[-1]
    found: JSON = json.loads(result.stdout)
    return found


def outcome(verdict: JSON, check: str) -> set[str]:
    return {found["verdict"] for found in verdict["checks"] if found["id"] == check}


def cases(ex: Exchange) -> list[str]:
    result = ex.command("cases", str(ex.config), "list", "--state", "open", "--output", "json")
    return sorted(f"{case['rule']} {case['wallet']}" for case in json.loads(result.stdout)["cases"])


def leave(side: EvmSide, *wallets: str) -> None:
    for wallet in wallets:
        side.pay(wallet, side.outside(), side.unit)
    side.mine(6)


def test_each_rung_is_useful_without_the_next(anvil: Anvil, tmp_path: Path) -> None:
    # What one endpoint claims is no holding that counts: two ways to the one node stand for two endpoints here.
    both = [{"url": anvil.url}, {"url": anvil.url.replace("127.0.0.1", "localhost")}]
    side = EvmSide(anvil, options={"endpoints": both})
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.without_approvals()
        side.mine(6)
        assert outcome(once(ex, "addresses"), "coverage") == {"UNVERIFIED"}
        leave(side, side.hot, side.cold)

        ex.extra["books"] = {"liabilities": {"file": ex.liabilities.name}}
        ex.declare({"ETH": "140"})
        ex.write_config()
        verdict = once(ex, "liabilities")
        assert cases(ex) == ["unexplained_outflow eth-cold"], "of the first rung; what a hot wallet pays is not judged"
        assert outcome(verdict, "coverage") == {"PASS"}
        (position,) = verdict["positions"]
        assert position["owed"] == "140.000000000000000000"

        ex.has_approvals = True
        ex.write_config()
        leave(side, side.hot)
        once(ex, "approvals")
        assert cases(ex) == ["unexplained_outflow eth-cold", "unexplained_outflow eth-hot"]

        ex.extra["profiles"] = ["jp-psa-2020"]
        ex.write_config()
        assert {found["profile"] for found in once(ex, "reports")["checks"]} >= {"baseline", "jp-psa-2020"}
        out, now = tmp_path / "report", datetime.now(UTC).isoformat()
        options = ("--at", now, "--out", str(out), "--preset", "daily", "--lang", "en")
        made = ex.command("report", str(ex.config), *options)
        assert made.returncode == 0, made.stderr

        shown = ex.command("check", str(ex.config)).stdout
        assert "yes  reports" in shown
        rungs = json.loads(ex.command("status", str(ex.config), "--output", "json").stdout)["rungs"]
        assert [(rung["rung"], rung["taken"]) for rung in rungs] == [
            ("addresses", True),
            ("liabilities", True),
            ("approvals", True),
            ("reports", True),
        ]
