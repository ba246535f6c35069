"""The record of what the rows of the failure matrix showed, and chains behind proxies that can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.evidence import showed, title_and_deed, write
from tests.real.faulty_node import FaultyNode
from tests.real.matrix.record import RECORD, Row
from tests.real.sides import BitcoinSide, EvmSide, Side

ROW = pytest.StashKey[Row]()


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """The row that a test plays."""
    made = Row(*title_and_deed(request.function))
    request.node.stash[ROW] = made
    return made


@pytest.fixture
def sides(anvil: Anvil, bitcoind: Bitcoind) -> list[Side]:
    """Wallets on the nodes that all tests share: never reorganised, never stopped."""
    return [BitcoinSide(bitcoind), EvmSide(anvil)]


@pytest.fixture
def own_sides(fresh_anvil: Anvil, fresh_bitcoind: Bitcoind) -> list[Side]:
    """Wallets on nodes of this test's own."""
    return [BitcoinSide(fresh_bitcoind), EvmSide(fresh_anvil)]


@pytest.fixture
def proxies() -> Iterator[Callable[[list[Side]], dict[str, FaultyNode]]]:
    """proxies(sides): a proxy before each node, by the chain's name."""
    with ExitStack() as stack:
        yield lambda sides: {side.name: stack.enter_context(FaultyNode(upstream=side.url)) for side in sides}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if showed(report, RECORD) and ROW in item.stash:
        RECORD.rows.append(item.stash[ROW])
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    write("failures", RECORD)
