"""Secrets that change while porwatch runs, on a real node and a real database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.lab.bitcoind import Bitcoind
from chains.lab.rpc import LabRpc
from tests.conftest import CHECKOUT
from tests.real.exchange import Exchange, exchange
from tests.real.sides import BitcoinSide

STRICT = CHECKOUT / "tests" / "real" / "strict_memory.py"


class _Cookie:
    """Calls with whatever the node's cookie file holds at that moment."""

    def __init__(self, url: str, file: Path) -> None:
        self._url, self.file = url, file

    def _now(self) -> LabRpc:
        user, _, password = self.file.read_text().partition(":")
        return LabRpc(self._url, user, password)

    def answers(self, method: str) -> bool:
        return self.file.exists() and self._now().answers(method)

    def call(self, method: str, *params: object, path: str = "/") -> Any:
        return self._now().call(method, *params, path=path)


class CookieNode(Bitcoind):
    """A node without a password of its own: it writes another cookie at each start."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cookie = folder.resolve() / "regtest" / ".cookie"
        self._rpc = _Cookie(self.url, self.cookie)  # type: ignore[assignment]

    def _configuration(self) -> str:
        lines = super()._configuration().splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith(("rpcuser", "rpcpassword")))


@pytest.fixture
def node(require_component: Callable[[str], Path], tmp_path: Path) -> Iterator[CookieNode]:
    require_component("bitcoind")
    with CookieNode(tmp_path / "node") as started:
        yield started


@pytest.fixture
def ex(node: CookieNode, tmp_path: Path) -> Iterator[Exchange]:
    side = BitcoinSide(node, options={"endpoints": [{"url": node.url, "cookie_file": str(node.cookie)}]})
    with exchange(tmp_path / "exchange", [side]) as made:
        yield made


@pytest.mark.component("bitcoind")
def test_a_node_that_comes_back_with_another_cookie_is_followed_on_and_no_memory_is_written_and_run(
    ex: Exchange, node: CookieNode
) -> None:
    tried = subprocess.run([sys.executable, STRICT, "--try"], timeout=60, check=False)
    if tried.returncode == 0:
        # What MemoryDenyWriteExecute=yes of the systemd unit asks of every library, under a kernel that can.
        ex.program = (str(STRICT),)
    ex.start()
    before = node.cookie.read_text()
    node.stop()
    node.start()
    assert node.cookie.read_text() != before
    (hash_,) = node.rpc("generatetodescriptor", 1, "raw(51)#8lvh9jxk")
    assert hash_ == node.head_hash()
    ex.wait_for_block("bitcoin", node.head(), 60)
    assert ex.cycle() >= 0
    assert ex.stop() == 0
