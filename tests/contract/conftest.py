"""What a chain must bring to be held to the laws in test_chain_laws.py.

A new chain adds one file beside this one with a class that fits ``ChainCase``, and its name to ``CASES``.
The case starts a real local node, owns some accounts on it and can move money; everything else is law.
Each test gets a case and a node of its own, so it may rewind and stop freely.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from chains.core.chain import Chain
from chains.core.testimony import Rechecked

#: name -> module with a class ``Case``
CASES = {"bitcoin": "tests.contract.bitcoin_case", "ethereum": "tests.contract.ethereum_case"}


class ChainCase(Protocol):
    """One local node and the accounts of ours on it. All methods block; the laws call them in a thread.

    ``COMPONENTS``: programs without which the test is skipped. The constructor takes an empty folder.
    ``native``: symbol of the native asset, in whose base units ``units`` below are; the chain under test
    knows it and may know tokens too. What a payment costs in fees is the payer's.
    """

    COMPONENTS: tuple[str, ...]
    native: str

    def start(self) -> None:
        """Bring the node up with a chain of at least ten blocks."""

    def stop(self) -> None:
        """End the node; may be called twice."""

    def connect(self) -> Chain:
        """The chain under test, called "case", on this node. Connections are closed by the caller."""

    def connect_wrong(self) -> Chain:
        """The same endpoint, configured as another network of the same kind."""

    def recheck(self, lines: Iterable[Mapping[str, Any]]) -> Rechecked:
        """What the lines of a testimony of "case" show, by the package's own ``recheck``, without the node."""

    def account(self) -> str:
        """Locator of an own account that was never used and that ``pay_out`` can pay from."""

    def pay_in(self, locator: str, units: int) -> None:
        """A stranger pays one of our accounts. Mined by the next ``mine`` at the latest."""

    def pay_out(self, locator: str, units: int) -> None:
        """One of our accounts pays a stranger and the fee. Mined by the next ``mine`` at the latest."""

    def mine(self, blocks: int = 1) -> None:
        """Blocks with what waits to be mined."""

    def reorg(self, depth: int) -> None:
        """Replace the newest ``depth`` blocks by others without their payments; the head is not lower afterwards."""


@pytest.fixture(params=sorted(CASES))
async def case(
    request: pytest.FixtureRequest, require_component: Callable[[str], Path], tmp_path: Path
) -> AsyncIterator[ChainCase]:
    kind: type[ChainCase] = importlib.import_module(CASES[request.param]).Case
    for name in kind.COMPONENTS:
        require_component(name)
    made = kind(tmp_path)
    # Started from this thread: the kernel ends a node with the thread that started it.
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
async def chain(case: ChainCase) -> AsyncIterator[Chain]:
    opened = case.connect()
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def wrong_chain(case: ChainCase) -> AsyncIterator[Chain]:
    opened = case.connect_wrong()
    try:
        yield opened
    finally:
        await opened.close()


class Hand:
    """Moves money from async tests: each call runs in a thread, so that the chain's connections stay alive."""

    def __init__(self, case: ChainCase) -> None:
        self._case = case

    async def account(self) -> str:
        return await asyncio.to_thread(self._case.account)

    async def pay_in(self, locator: str, units: int, *, mine: int = 1) -> None:
        await asyncio.to_thread(self._case.pay_in, locator, units)
        await self.mine(mine)

    async def pay_out(self, locator: str, units: int, *, mine: int = 1) -> None:
        await asyncio.to_thread(self._case.pay_out, locator, units)
        await self.mine(mine)

    async def mine(self, blocks: int = 1) -> None:
        await asyncio.to_thread(self._case.mine, blocks)

    async def reorg(self, depth: int) -> None:
        await asyncio.to_thread(self._case.reorg, depth)


@pytest.fixture
def hand(case: ChainCase) -> Hand:
    return Hand(case)
