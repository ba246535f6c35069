"""One anvil, one bitcoind and one monitor for the whole corpus; and the record of what its rows showed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.corpus.bitcoin import BitcoinGround
from tests.real.corpus.contracts import Compiled, compile_all
from tests.real.corpus.evidence import RECORD, Row
from tests.real.corpus.evm import EvmGround
from tests.real.corpus.stage import FINALITY, Stage
from tests.real.evidence import showed, title_and_deed, write
from tests.real.exchange import Exchange

ROW = pytest.StashKey[Row]()
#: no grace anywhere: what must be a case is one at once
POLICY = {"approval_grace": {"cold": "0s", "hot": "0s", "up_to_percent": 1}}


@pytest.fixture(scope="package")
def compiled(require_component: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Compiled]:
    return compile_all(require_component("solcjs"), tmp_path_factory.mktemp("contracts"))


@pytest.fixture(scope="package")
def evm(
    require_component: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory, compiled: dict[str, Compiled]
) -> Iterator[EvmGround]:
    require_component("anvil")
    with Anvil(tmp_path_factory.mktemp("corpus-anvil"), hardfork="prague") as node:
        yield EvmGround(node, compiled, FINALITY)


@pytest.fixture(scope="package")
def bitcoin(
    require_component: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BitcoinGround]:
    require_component("bitcoind")
    with Bitcoind(tmp_path_factory.mktemp("corpus-bitcoind")) as node:
        yield BitcoinGround(node, FINALITY)


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory, evm: EvmGround, bitcoin: BitcoinGround) -> Iterator[Stage]:
    """The monitor that follows both nodes while every row is played."""
    folder = tmp_path_factory.mktemp("corpus") / "exchange"
    folder.mkdir()
    ex = Exchange(
        folder=folder,
        chains={evm.name: evm.config(), bitcoin.name: bitcoin.config(folder)},
        assets={asset: {"decimals": n} for asset, n in (evm.decimals | bitcoin.decimals).items()},
        wallets=[*evm.wallets(), *bitcoin.wallets()],
        extra={"policy": POLICY, "schedule": {"cycle": "1s"}},
    )
    try:
        ex.start()
        yield Stage(ex)
    finally:
        ex.kill()
    ex.close()


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Row:
    """The row that a test plays."""
    title, done = title_and_deed(request.function)
    made = Row(title=title, done=done)
    request.node.stash[ROW] = made
    return made


@pytest.fixture
def stage(watched: Stage, row: Row) -> Stage:
    watched.row = row
    return watched


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if showed(report, RECORD) and ROW in item.stash:
        RECORD.rows.append(item.stash[ROW])
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    write("corpus", RECORD)
