"""CPU of a monitor that follows two chains at rest: what it costs for as long as nothing happens.

anvil makes an empty block every second, as in the demo, bitcoind one every twenty; the schedule is the default one.
The kernel counts the CPU of the process; a minute is measured once the first cycle has ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import SATS_PER_BTC, Bitcoind
from chains.lab.process import free_port, wait_until

SECONDS = 60.0
GOAL_PERCENT = 2.0
EVM_BLOCK, BITCOIN_BLOCK = 1, 20.0


def run(profile: Path | None = None) -> list[str]:
    """Lines to print. ``profile``: where cProfile's statistics of the monitor go."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="porwatch-bench-")))
        ethereum = stack.enter_context(Anvil(folder / "anvil", block_time=EVM_BLOCK))
        bitcoin = stack.enter_context(Bitcoind(folder / "bitcoin"))
        port = free_port()
        config = _configure(folder, ethereum, bitcoin, port)
        how = ["-m", "monitor"] if profile is None else ["-m", "cProfile", "-o", str(profile), "-m", "monitor"]
        command = [sys.executable, *how, "--log-level", "warning", "run", str(config)]
        with subprocess.Popen(command) as monitor:
            try:
                wait_until(lambda: _cycled(port), "the first cycle has ended", seconds=120)
                seconds, blocks = _measure(monitor.pid, port, bitcoin)
            finally:
                monitor.send_signal(signal.SIGTERM)
    percent = 100 * seconds / SECONDS
    return [
        f"idle: {percent:.2f} % of a core over {SECONDS:.0f} s (goal {GOAL_PERCENT:.0f} %)",
        f"idle: two chains, {blocks} blocks in that time",
    ]


def _configure(folder: Path, ethereum: Anvil, bitcoin: Bitcoind, port: int) -> Path:
    bitcoin.create_wallet("cold")
    address = bitcoin.new_address("cold")
    bitcoin.fund(address, 5 * SATS_PER_BTC)
    (folder / "rpc-password").write_text(bitcoin.password)
    (folder / "approvals.jsonl").touch()
    login = {"username": bitcoin.username, "password_file": "rpc-password"}
    document = {
        "entity": {"name": "Bench"},
        "store": "sqlite:///porwatch.db",
        "web": {"listen": f"127.0.0.1:{port}"},
        "assets": {"ETH": {"decimals": 18}, "BTC": {"decimals": 8}},
        "chains": {
            "ethereum": {
                "kind": "evm",
                "chain_id": ethereum.chain_id,
                "native": "ETH",
                "finality": 2,
                "endpoints": [{"url": ethereum.url}, {"url": ethereum.ws_url}],
            },
            "bitcoin": {
                "kind": "bitcoin",
                "network": "regtest",
                "native": "BTC",
                "finality": 2,
                "zmq": bitcoin.zmq["hashblock"],
                "endpoints": [{"url": bitcoin.url, **login}],
            },
        },
        "wallets": [
            {"name": "eth-cold", "chain": "ethereum", "tier": "cold", "addresses": [ethereum.accounts[1]]},
            {"name": "btc-cold", "chain": "bitcoin", "tier": "cold", "addresses": [address]},
        ],
        "books": {"approvals": {"file": "approvals.jsonl"}},
    }
    path = folder / "porwatch.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def _measure(process: int, port: int, bitcoin: Bitcoind) -> tuple[float, int]:
    stop = threading.Event()

    def mine() -> None:
        while not stop.wait(BITCOIN_BLOCK):
            bitcoin.mine()

    miner = threading.Thread(target=mine)
    miner.start()
    before, begun = _heights(port), _cpu(process)
    time.sleep(SECONDS)
    used, after = _cpu(process) - begun, _heights(port)
    stop.set()
    miner.join()
    return used, after - before


def _cpu(process: int) -> float:
    """Seconds of CPU that a process has used, its threads included (proc(5): utime and stime)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def _status(port: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=10) as response:
        data: dict[str, Any] = json.load(response)["data"]
    return data


def _cycled(port: int) -> bool:
    try:
        done = {line["stage"] for line in _status(port)["stages"]}
    except OSError:
        return False
    return "cycle" in done


def _heights(port: int) -> int:
    return sum(int(chain["cursor"]["height"]) for chain in _status(port)["chains"])


if __name__ == "__main__":
    print("\n".join(run(Path(sys.argv[1]) if sys.argv[1:] else None)))
