"""A month's report over 100,000 addresses, whole, and its verification by a stranger.

Evidence gathered, testimony re-checked, figures, forms, signature; every address is proved against the header of the
close. The commands are what a user would type, each a process of its own. Goals: at most 60 s of one processor and
1 GB for the report, 60 s for `verify`. Run alone: python -m bench.bundle
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.testimony import NAMES, Trie, account, lines
from chains.core.testimony import seal, to_text
from chains.core.values import BlockRef
from chains.ethereum.address import spell
from chains.ethereum.verify.hashing import keccak
from monitor.assess.inputs import Line
from tests.unit.assess.sample import NOW
from tests.unit.publish.bundle import made

ACCOUNTS, OURS = 150_000, 100_000
SECONDS_GOAL, MEMORY_GOAL = 60.0, 1000.0
SETTINGS = {"c": {"kind": "evm", "chain_id": 1, "native": "ETH", "endpoints": [{"name": name} for name in NAMES]}}


def run() -> list[str]:
    """The lines of the result. Raises AssertionError where a command fails or an address is missing."""
    with tempfile.TemporaryDirectory() as folder:
        config = _exchange(Path(folder))
        out = Path(folder) / "report"
        begin = (NOW - timedelta(days=30)).isoformat()
        words = ["--at", "2026-11-20", "--from", begin, "--out", str(out), "--prepared-by", "A"]
        made_in, memory = _typed("report", str(config), *words)
        addresses = json.loads((out / "report.json").read_text(encoding="utf-8"))["blocks"]["assets"]["tables"]
        assert len(addresses["addresses"]) == OURS
        assert {row["evidence"] for row in addresses["addresses"]} == {"proved"}
        verified_in, more = _typed("verify", str(out))
    return [
        f"bundle: a month's report of {OURS:,} proved addresses, all forms in two languages",
        f"  report {made_in:.1f} s of one processor; goal at most 60 s: {_reached(made_in, SECONDS_GOAL)}",
        f"  {memory:.0f} MB at its peak; goal at most {MEMORY_GOAL:.0f} MB: {_reached(memory, MEMORY_GOAL)}",
        f"  verify {verified_in:.1f} s, {more:.0f} MB; goal at most 60 s: {_reached(verified_in, SECONDS_GOAL)}",
    ]


def _exchange(folder: Path) -> Path:
    """An exchange whose one close was kept; its configuration."""
    chance = random.Random(12)
    held = {chance.randbytes(20): chance.randrange(2**70) for _ in range(ACCOUNTS)}
    trie = Trie({keccak(address): account(units) for address, units in held.items()})
    ours = chance.sample(sorted(held), OURS)
    listed = list(lines(trie, ours, held, "c"))
    testimony = "".join(to_text(line) + "\n" for line in seal(iter(listed))).encode()
    rows = [
        {
            "locator": spell("0x" + each.hex()),
            "wallet": ("cold", "hot")[n % 2],
            "asset": "ETH",
            "units": str(held[each]),
        }
        for n, each in enumerate(ours)
    ]
    rows.sort(key=lambda row: row["locator"])
    sums = {wallet: sum(int(row["units"]) for row in rows if row["wallet"] == wallet) for wallet in ("cold", "hot")}
    head: Any = listed[1]
    found = made.closing(profiles=())
    at = BlockRef("c", 1, head["hash"], head["fields"]["parentHash"], 1)
    reading = replace(found.readings[0], at=at, lines=tuple(Line(w, "ETH", u, u) for w, u in sums.items()))
    found = replace(found, readings=(reading,))
    kept = made.exchange(folder / "exchange", found, settings=SETTINGS, testimony=testimony, rows=rows)
    return kept.config


def _typed(*words: str) -> tuple[float, float]:
    """Seconds of processor time and peak memory in MB of one command. Raises AssertionError where it fails."""
    process = subprocess.Popen([sys.executable, "-m", "monitor", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, words
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def _reached(measured: float, goal: float) -> str:
    return "reached" if measured <= goal else "NOT reached"


if __name__ == "__main__":
    print("\n".join(run()))
