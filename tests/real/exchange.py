"""A small exchange on real local nodes: its configuration, its books, and a monitor running as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from chains.lab.process import free_port
from monitor.signing.keys import load_or_make
from tests.real.sides import JSON, Side

#: assets that the sides carry, in the form of the configuration
DECIMALS = {"BTC": 8, "ETH": 18, "USDT": 6}


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Exchange:
    """One configuration in a folder, and the commands a user would type on it."""

    folder: Path
    chains: JSON
    assets: JSON
    wallets: list[JSON]
    extra: JSON = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    #: whether an ERROR line in the monitor's log is part of the test; anywhere else it fails it
    errors_expected: bool = False
    has_approvals: bool = True
    #: what `run` is started with, after the interpreter
    program: tuple[str, ...] = ("-m", "monitor")

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.approvals.touch()
        self.write_config()

    @property
    def config(self) -> Path:
        return self.folder / "porwatch.yaml"

    @property
    def approvals(self) -> Path:
        return self.folder / "approvals.jsonl"

    @property
    def liabilities(self) -> Path:
        return self.folder / "liabilities.csv"

    @property
    def log(self) -> Path:
        return self.folder / "monitor.log"

    def write_config(self) -> None:
        document = {
            "entity": {"name": "Test Exchange KK", "currency": "JPY", "timezone": "Asia/Tokyo"},
            "store": "sqlite:///porwatch.db",
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "assets": self.assets,
            "chains": self.chains,
            "wallets": self.wallets,
            "schedule": {"cycle": "1s"},
            **self.extra,
        }
        approvals = {"approvals": {"file": self.approvals.name}} if self.has_approvals else {}
        document["books"] = {**approvals, **document.get("books", {})}
        if isinstance(document["store"], dict):
            load_or_make(self.folder / "report.key")
            document.setdefault("signing", {"key_file": "report.key"})
        self.config.write_text(yaml.safe_dump(document, sort_keys=False))

    def without_approvals(self) -> None:
        """Configure no approvals source at all."""
        self.has_approvals = False
        self.write_config()

    def declare(self, owed: dict[str, str], as_of: str | None = None) -> None:
        """Write the liabilities file whole, as a book-keeper's export does."""
        lines = [f"{asset},{amount},{as_of or now()}" for asset, amount in owed.items()]
        temporary = self.liabilities.with_suffix(".new")
        temporary.write_text("\n".join(["asset,amount,as_of", *lines]) + "\n")
        temporary.replace(self.liabilities)

    def approve(self, **record: str | None) -> None:
        """Append one line to the approvals file."""
        with self.approvals.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the ledger's file says, read beside the monitor."""
        with closing(sqlite3.connect(f"file:{self.folder / 'porwatch.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()

    def records(self, kind: str) -> list[JSON]:
        """The journal's records of one kind, in order."""
        return [json.loads(body) for (body,) in self.rows("SELECT body FROM journal WHERE kind = ? ORDER BY seq", kind)]

    def command(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """One `porwatch` command, run to its end."""
        return subprocess.run(
            [sys.executable, "-m", "monitor", *words], capture_output=True, text=True, timeout=timeout, check=False
        )

    def start(self, seconds: float = 60) -> None:
        """`porwatch run`, until it is ready and at the head of every chain."""
        self.launch()
        self.wait(lambda: self.status_of("/-/ready") == 200, "the monitor is not ready", seconds)
        self.wait(self.caught_up, "the monitor has not caught up", seconds)

    def caught_up(self) -> bool:
        """Whether every chain was followed to its head once since the start."""
        return all(chain["followed"]["last_success"] for chain in self.get("status")["chains"])

    def launch(self) -> None:
        """`porwatch run`, not waited for."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "--log-format", "json", "run", str(self.config)],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning:monitor"},
            )

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.process = None
        return code

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)
            self.process = None

    def close(self) -> None:
        """End the monitor, and judge its log: JSON lines, no secret, and no error that the test did not cause."""
        self.kill()
        text = self.log.read_text() if self.log.exists() else ""
        for secret in self.folder.glob("*password*"):
            assert secret.read_text().strip() not in text, "the log holds a secret"
        lines = [json.loads(line) for line in text.splitlines()]
        if not self.errors_expected:
            assert not [line for line in lines if line["level"] in {"error", "critical"}]

    def status_of(self, path: str) -> int:
        assert self.process is not None
        assert self.process.poll() is None, f"the monitor ended:\n{self.log.read_text()[-4000:]}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=20) as response:
            body = json.load(response)
        assert body["status"] == "success"
        return body["data"]

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return int(response.status), json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def cases(self, state: str = "open") -> list[JSON]:
        found: list[JSON] = self.get(f"cases?state={state}&limit=500")["cases"]
        return found

    def settle(self) -> None:
        """Until two whole cycles have ended from now on: everything that is on the chain was compared."""
        first = self.cycle()
        self.wait(lambda: self.cycle() >= first + 2, "no two cycles have ended")

    def cycle(self) -> int:
        found = self.rows("SELECT max(cycle) FROM verdict")
        return found[0][0] or 0

    def only_case(self, state: str = "open", /, **wanted: object) -> JSON:
        """The one case there is, waiting for it, whose fields are as wanted."""
        self.wait(lambda: self.cases(state), "no case")
        cases = self.cases("all")
        assert len(cases) == 1, cases
        assert {key: cases[0][key] for key in wanted} == wanted
        return cases[0]

    def metric(self, name: str, **labels: str) -> float:
        """One sample of the metrics page."""
        for family in text_string_to_metric_families(self.metrics()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        raise AssertionError(f"no sample {name}{labels}")

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as response:
            text: str = response.read().decode()
        return text

    def cursor(self, chain: str) -> int:
        for line in self.get("status")["chains"]:
            if line["chain"] == chain:
                return -1 if line["cursor"] is None else int(line["cursor"]["height"])
        raise AssertionError(f"no chain {chain} in the status")

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
        """Poll until ``condition`` is true; what it then was."""
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} after {seconds} s; log:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.1)

    def wait_for_block(self, chain: str, height: int, seconds: float = 60) -> None:
        self.wait(lambda: self.cursor(chain) >= height, f"{chain} was not followed to {height}", seconds)


@contextmanager
def exchange(
    folder: Path, sides: Sequence[Side], wallets: Sequence[JSON] | None = None, **extra: Any
) -> Iterator[Exchange]:
    """An exchange on these chains, with all their wallets where none are named; ``extra``: more of the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    for side in sides:
        # The head at the first start is the first block to follow: what tests did before is below it.
        side.mine()
    chains = {side.name: side.config(folder) for side in sides}
    carried = {chain["native"] for chain in chains.values()} | {t for c in chains.values() for t in c.get("tokens", {})}
    made = Exchange(
        folder=folder,
        chains=chains,
        assets={asset: {"decimals": DECIMALS[asset]} for asset in DECIMALS if asset in carried},
        wallets=[wallet for side in sides for wallet in side.wallets()] if wallets is None else list(wallets),
        extra=extra,
    )
    try:
        yield made
    finally:
        made.kill()
    made.close()
