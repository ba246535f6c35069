"""From "the node has the block" to "the case is committed", with 100,000 watched addresses.

A separate process stamps both ends: it polls the node for its head and the ledger file for its
cases. The monitor runs as a user runs it, default schedule included. Absolute goals are printed.
"""

from __future__ import annotations

import json
import multiprocessing
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import yaml

from chains.lab.anvil import Anvil
from chains.lab.process import free_port, wait_until
from chains.lab.rpc import LabRpc

BLOCKS = 500
ADDRESSES = 100_000
MEDIAN_GOAL, P99_GOAL = 0.25, 1.0
_PACE = 0.1


def run() -> list[str]:
    """Lines to print: median, 99th percentile and maximum over all blocks."""
    with tempfile.TemporaryDirectory(prefix="porwatch-bench-") as name:
        folder = Path(name)
        with Anvil(folder / "anvil") as node:
            seconds = _measure(folder, node)
    p99 = quantiles(seconds, n=100)[98]
    return [
        f"detection: {len(seconds)} blocks with an outflow each, {ADDRESSES:,} watched addresses",
        f"detection: median {median(seconds) * 1000:.0f} ms (goal {MEDIAN_GOAL * 1000:.0f} ms)",
        f"detection: p99 {p99 * 1000:.0f} ms (goal {P99_GOAL * 1000:.0f} ms), max {max(seconds) * 1000:.0f} ms",
    ]


def _measure(folder: Path, node: Anvil) -> list[float]:
    cold, thief = node.accounts[1], node.accounts[2]
    config = _configure(folder, node, cold)
    command = [sys.executable, "-m", "monitor", "--log-level", "warning", "run", str(config)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as monitor:
        try:
            port = yaml.safe_load(config.read_text())["web"]["listen"].split(":")[1]
            wait_until(lambda: _opened(int(port)), "the monitor follows the head", seconds=180)
            first = node.head() + 1
            stamps = _stamped(folder, node.url, lambda: _steal(node, cold, thief))
        finally:
            monitor.send_signal(signal.SIGTERM)
    blocks, cases = stamps
    wanted = range(first, first + BLOCKS)
    missing = [height for height in wanted if height not in cases]
    assert not missing, f"{len(missing)} of {BLOCKS} outflows have no case, the first in block {missing[0]}"
    return [max(0.0, cases[height] - blocks[height]) for height in wanted]


def _configure(folder: Path, node: Anvil, cold: str) -> Path:
    addresses = [cold, *("0x" + secrets.token_hex(20) for _ in range(ADDRESSES - 1))]
    (folder / "cold.csv").write_text("\n".join(addresses) + "\n")
    (folder / "approvals.jsonl").touch()
    document = {
        "entity": {"name": "Bench"},
        "store": "sqlite:///porwatch.db",
        "web": {"listen": f"127.0.0.1:{free_port()}"},
        "assets": {"ETH": {"decimals": 18}},
        "chains": {
            "ethereum": {
                "kind": "evm",
                "chain_id": node.chain_id,
                "native": "ETH",
                "finality": 2,
                "endpoints": [{"url": node.url}, {"url": node.ws_url}],
            }
        },
        "wallets": [{"name": "cold", "chain": "ethereum", "tier": "cold", "addresses_file": "cold.csv"}],
        "books": {"approvals": {"file": "approvals.jsonl"}},
    }
    path = folder / "porwatch.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def _opened(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=10) as response:
            status: dict[str, Any] = json.load(response)["data"]
    except (OSError, urllib.error.HTTPError):
        return False
    return bool(status["chains"][0]["followed"]["last_success"])


def _steal(node: Anvil, cold: str, thief: str) -> None:
    for _ in range(BLOCKS):
        node.send(cold, thief, 10**15)
        time.sleep(_PACE)


def _stamped(folder: Path, url: str, act: Callable[[], None]) -> tuple[dict[int, float], dict[int, float]]:
    """Run ``act`` while another process stamps when each block and each case was there."""
    context = multiprocessing.get_context("spawn")
    stop, ready = context.Event(), context.Event()
    parent, child = context.Pipe()
    process = context.Process(target=_stamp, args=(str(folder / "porwatch.db"), url, ready, stop, child))
    process.start()
    ready.wait(30)
    act()
    time.sleep(3)
    stop.set()
    result: tuple[dict[int, float], dict[int, float]] = parent.recv()
    process.join(30)
    return result


def _stamp(database: str, url: str, ready: Event, stop: Event, pipe: Any) -> None:
    node = LabRpc(url)
    ledger = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    blocks: dict[int, float] = {}
    cases: dict[int, float] = {}
    known = ""
    ready.set()
    while not stop.is_set():
        head = int(node.call("eth_blockNumber"), 16)
        if head not in blocks:
            now = time.time()
            blocks.update(dict.fromkeys(range(max(blocks, default=head - 1) + 1, head + 1), now))
        rows = ledger.execute("SELECT id, body FROM cases WHERE opened_at >= ? ORDER BY opened_at", (known or 0,))
        now = time.time()
        for _id, body in rows:
            height = json.loads(body)["block"]["height"]
            cases.setdefault(height, now)
        latest = ledger.execute("SELECT max(opened_at) FROM cases").fetchone()[0]
        known = latest or ""
        time.sleep(0.002)
    pipe.send((blocks, cases))


if __name__ == "__main__":
    print("\n".join(run()))
