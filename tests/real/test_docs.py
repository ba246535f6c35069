"""What the README and the first configuration tell people to type, typed."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from chains.lab.process import free_port, wait_until
from tests.conftest import CHECKOUT
from tests.real.servers import get
from tests.unit.test_docs import DOCS, fences, written

PAGE = DOCS / "how-to/first-configuration.md"


def typed(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """One `porwatch …` line of a page, run in ``folder``."""
    program, *words = shlex.split(line, comments=True)
    assert program == "porwatch"
    command = [sys.executable, "-m", "monitor", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False, env=_env())


def _env() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}


def lines_of(page: Path, *commands: str) -> list[str]:
    """The lines of a page's blocks that begin with one of these commands, in order."""
    lines = [line.strip() for fence in fences(page) if fence.language == "sh" for line in fence.text.splitlines()]
    return [line for line in lines if line.startswith(commands)]


def configured(kind: str, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The page's configuration of one kind with its books, on local nodes and a free port."""
    place = written(PAGE, folder) / kind
    (place / "approvals.jsonl").touch()
    document = yaml.safe_load((place / "porwatch.yaml").read_text(encoding="utf-8"))
    document["web"] = {"listen": f"127.0.0.1:{free_port()}"}
    change(document)
    (place / "porwatch.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return place


def test_the_complete_example_has_no_mistake() -> None:
    done = typed("porwatch check config/example.yaml", CHECKOUT)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "entity: Example Exchange KK (JPY, Asia/Tokyo)"), (
        done.stderr
    )


def test_the_schema_is_printed_for_editors() -> None:
    done = typed("porwatch config schema", CHECKOUT)
    assert json.loads(done.stdout)["title"] == "porwatch configuration"


@pytest.mark.component("anvil")
def test_the_first_evm_configuration_checks_and_gives_a_verdict_of_unverified(
    start_anvil: Callable[..., Anvil], tmp_path: Path
) -> None:
    node = start_anvil(chain_id=1)

    def local(document: dict[str, Any]) -> None:
        # The token is not on a local node: without it the page's configuration is as it stands.
        chain = document["chains"]["ethereum"]
        chain["endpoints"] = [{"name": "own-1", "own": True, "url": node.url}]
        del chain["tokens"], document["assets"]["USDT"]

    folder = configured("evm", tmp_path, local)
    (folder / "liabilities.csv").write_text("asset,amount,as_of\nETH,0.5,2026-01-01T00:00:00+09:00\n", encoding="utf-8")
    cold = yaml.safe_load((folder / "porwatch.yaml").read_text())["wallets"][0]["addresses"][0]
    node.rpc("anvil_setBalance", cold, hex(10**18))
    node.rpc("anvil_mine", "0x3")
    codes = {}
    for line in lines_of(PAGE, "porwatch check", "porwatch once"):
        done = typed(line, folder)
        codes[line] = done.returncode
    assert list(codes.values()) == [0, 0, 3], codes
    assert "UNVERIFIED" in done.stdout, "the last one prints the verdict's checks"
    assert typed("porwatch journal verify porwatch.yaml", folder).returncode == 0


@pytest.mark.component("bitcoind")
def test_the_first_bitcoin_configuration_checks_and_gives_a_verdict_of_unverified(
    fresh_bitcoind: Bitcoind, tmp_path: Path
) -> None:
    node = fresh_bitcoind
    node.create_wallet("hot")
    node.fund(node.new_address("hot"), 10**8)

    def local(document: dict[str, Any]) -> None:
        chain = document["chains"]["bitcoin"]
        chain |= {"network": "regtest", "zmq": node.zmq["hashblock"]}
        chain["endpoints"][0] |= {"url": node.url, "username": node.username}
        document["wallets"] = [
            {
                "name": "btc-hot",
                "chain": "bitcoin",
                "tier": "hot",
                "descriptors": node.descriptors("hot"),
                "gap_limit": 20,
            }
        ]

    folder = configured("bitcoin", tmp_path, local)
    (folder / "secrets/bitcoin-rpc").write_text(node.password, encoding="utf-8")
    (folder / "liabilities.csv").write_text("asset,amount,as_of\nBTC,0.5,2026-01-01T00:00:00+09:00\n", encoding="utf-8")
    codes = [typed(line, folder).returncode for line in lines_of(PAGE, "porwatch check", "porwatch once")]
    assert codes == [0, 0, 3]


def test_run_waits_for_nodes_that_are_down_and_ends_well_and_once_says_that_nobody_answers(tmp_path: Path) -> None:
    def dead(document: dict[str, Any]) -> None:
        document["chains"]["ethereum"]["endpoints"] = [{"url": f"http://127.0.0.1:{free_port()}"}]

    folder = configured("evm", tmp_path, dead)
    (once,) = lines_of(CHECKOUT / "README.md", "porwatch once")
    assert typed(once, folder).returncode == 3
    (run,) = lines_of(CHECKOUT / "README.md", "porwatch run")
    port = int(yaml.safe_load((folder / "porwatch.yaml").read_text())["web"]["listen"].rpartition(":")[2])
    words = shlex.split(run, comments=True)[1:]
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", *words], cwd=folder, env=_env(), stderr=subprocess.DEVNULL
    ) as monitor:
        try:
            wait_until(lambda: get(port, "/-/healthy")[0] == 200, "porwatch listens", 30)
            assert get(port, "/-/ready")[0] == 503
        finally:
            monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(timeout=30) == 0
