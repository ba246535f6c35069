"""Requests to one endpoint, counted by porwatch_rpc_requests_total on real nodes: at rest, per block and per cycle.

docs/explanation/rpc-cost.md has what was counted; tools.rpc_cost computes a day from it. Counts do not depend on
the speed of the machine: looks for a new block are counted by a quiet run of known length.
"""

from __future__ import annotations

import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from chains.lab.process import free_port, wait_until
from tools.rpc_cost import BITCOIN, EVM

SIZES = (100, 2_000)
SECONDS = 30.0
BLOCKS = 15
Counts = dict[str, float]


@dataclass
class Watched:
    """A monitor on both nodes with so many addresses on each."""

    folder: Path
    ethereum: Anvil
    bitcoin: Bitcoind
    size: int
    port: int = field(default_factory=free_port)

    @contextmanager
    def running(self, cycle: str) -> Iterator[None]:
        """The monitor, caught up and past its first cycle."""
        config = self._configure(cycle)
        first = self.cycles()
        command = [sys.executable, "-m", "monitor", "--log-level", "warning", "run", str(config)]
        with subprocess.Popen(command) as monitor:
            try:
                wait_until(lambda: self.cycles() > first, "the first cycle has ended", seconds=120)
                yield
            finally:
                monitor.send_signal(signal.SIGTERM)

    def mine(self, blocks: int) -> None:
        """Empty blocks on both chains, so far apart that each is noticed by itself."""
        for _ in range(blocks):
            self.ethereum.mine()
            self.bitcoin.mine()
            time.sleep(2.1)

    def cycles(self) -> int:
        path = self.folder / "porwatch.db"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            try:
                return int(connection.execute("SELECT count(*) FROM verdict").fetchone()[0])
            except sqlite3.OperationalError:
                return 0  # its tables are not there yet

    def requests(self) -> Counts:
        """So far, by chain."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as response:
            text = response.read().decode()
        found: Counts = {"ethereum": 0, "bitcoin": 0}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "porwatch_rpc_requests_total":
                    found[sample.labels["chain"]] += sample.value
        return found

    def during(self, act: Callable[[], object]) -> tuple[Counts, float]:
        """Requests while ``act`` ran, and its seconds; the metrics are a second old at most."""
        time.sleep(1.5)
        before, begun = self.requests(), time.monotonic()
        act()
        time.sleep(1.5)
        seconds, after = time.monotonic() - begun, self.requests()
        return {name: after[name] - before[name] for name in after}, seconds

    def _configure(self, cycle: str) -> Path:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "rpc-password").write_text(self.bitcoin.password)
        for name, start, length in (("eth", "0x", 20), ("btc", "script:0014", 20)):
            file = self.folder / f"{name}.csv"
            if not file.exists():
                file.write_text("".join(f"{start}{secrets.token_hex(length)}\n" for _ in range(self.size)))
        login = {"username": self.bitcoin.username, "password_file": "rpc-password"}
        evm = {"kind": "evm", "chain_id": self.ethereum.chain_id, "native": "ETH", "finality": 2}
        regtest = {"kind": "bitcoin", "network": "regtest", "native": "BTC", "finality": 2}
        document: dict[str, Any] = {
            "entity": {"name": "Bench"},
            "store": "sqlite:///porwatch.db",
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "assets": {"ETH": {"decimals": 18}, "BTC": {"decimals": 8}},
            "chains": {
                "ethereum": {**evm, "endpoints": [{"url": self.ethereum.url}]},
                "bitcoin": {**regtest, "endpoints": [{"url": self.bitcoin.url, **login}]},
            },
            "wallets": [
                {"name": "eth", "chain": "ethereum", "tier": "hot", "addresses_file": "eth.csv"},
                {"name": "btc", "chain": "bitcoin", "tier": "hot", "addresses_file": "btc.csv"},
            ],
            "schedule": {"cycle": cycle, "prove": "12h"},
        }
        path = self.folder / "porwatch.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path


@dataclass(frozen=True)
class Counted:
    """Requests a second at rest, more of them a block, and a cycle; by chain."""

    rest: Counts
    block: Counts
    cycle: Counts


def count(watched: Watched, seconds: float = SECONDS, blocks: int = BLOCKS) -> Counted:
    """Count one monitor: at rest, under empty blocks, and in a row of cycles."""
    for _ in range(5):
        watched.ethereum.mine()
        watched.bitcoin.mine()
    with watched.running("12h"):
        quiet, lasted = watched.during(lambda: time.sleep(seconds))
        rest = {name: found / lasted for name, found in quiet.items()}

        mined, lasted = watched.during(lambda: watched.mine(blocks))
        block = {name: (found - rest[name] * lasted) / blocks for name, found in mined.items()}
    # Every cycle has a new anchor then, as on a chain that lives.
    with watched.running("3s"):
        first = watched.cycles()
        cycled, lasted = watched.during(lambda: watched.mine(blocks))
        many = watched.cycles() - first
    spent = {name: rest[name] * lasted + block[name] * blocks for name in cycled}
    return Counted(rest, block, {name: (found - spent[name]) / many for name, found in cycled.items()})


def run() -> list[str]:
    """Lines to print: counted beside the formula's."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="porwatch-bench-") as name:
        folder = Path(name)
        with Anvil(folder / "anvil") as ethereum, Bitcoind(folder / "bitcoin") as bitcoin:
            for size in SIZES:
                found = count(Watched(folder / str(size), ethereum, bitcoin, size))
                for chain in (EVM, BITCOIN):
                    key = chain.name.lower()
                    lines.append(
                        f"rpc cost: {chain.name}, {size:,} addresses: {found.rest[key]:.2f} a second at rest "
                        f"({float(chain.rest)}), {found.block[key]:.2f} more a block ({chain.block}), "
                        f"{found.cycle[key]:.2f} a cycle ({chain.cycle_requests(size)})"
                    )
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
