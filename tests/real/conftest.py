"""Real nodes and servers on free loopback ports, ended by their own process id.

`anvil` and `bitcoind` are shared by all tests: a test uses wallets of its own there, mines freely and never rewinds.
Whoever rewinds, restarts or stops a node asks for `fresh_anvil` or `fresh_bitcoind`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.postgres import Databases, Server, programs, reachable_folder
from tests.real.servers import Alertmanager, Prometheus, WebhookReceiver

Programs = Callable[[str], Path]


@pytest.fixture(scope="session")
def anvil(require_component: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """The shared EVM node, chain id 31337."""
    require_component("anvil")
    with Anvil(tmp_path_factory.mktemp("anvil")) as node:
        yield node


@pytest.fixture(scope="session")
def bitcoind(require_component: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bitcoind]:
    """The shared Bitcoin node on regtest."""
    require_component("bitcoind")
    with Bitcoind(tmp_path_factory.mktemp("bitcoind")) as node:
        yield node


@pytest.fixture
def start_anvil(require_component: Programs, tmp_path: Path) -> Iterator[Callable[..., Anvil]]:
    """Starts EVM nodes of this test's own: start_anvil(chain_id=1, block_time=1, …) as chains.lab.anvil.Anvil takes."""
    require_component("anvil")
    numbers = itertools.count()
    with ExitStack() as nodes:
        yield lambda **options: nodes.enter_context(Anvil(tmp_path / f"anvil-{next(numbers)}", **options))


@pytest.fixture
def fresh_anvil(start_anvil: Callable[..., Anvil]) -> Anvil:
    """An EVM node of this test's own, chain id 31337, safe 2 and finalized 4 blocks below the head."""
    return start_anvil()


@pytest.fixture
def fresh_bitcoind(require_component: Programs, tmp_path: Path) -> Iterator[Bitcoind]:
    """A Bitcoin node of this test's own, at height 0."""
    require_component("bitcoind")
    with Bitcoind(tmp_path / "bitcoind") as node:
        yield node


@pytest.fixture
def start_prometheus(require_component: Programs, tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """start_prometheus(config, major="") runs a Prometheus on that configuration; major="-next" takes the newest."""
    numbers = itertools.count()
    with ExitStack() as servers:

        def start(config: dict[str, Any], major: str = "") -> Prometheus:
            program = require_component(f"prometheus{major}")
            return servers.enter_context(Prometheus(program, tmp_path / f"prometheus-{next(numbers)}", config))

        yield start


@pytest.fixture
def start_alertmanager(require_component: Programs, tmp_path: Path) -> Iterator[Callable[..., Alertmanager]]:
    """start_alertmanager(config, major="") runs an Alertmanager on that configuration; major="-next" takes the newest."""
    numbers = itertools.count()
    with ExitStack() as servers:

        def start(config: dict[str, Any], major: str = "") -> Alertmanager:
            program = require_component(f"alertmanager{major}")
            return servers.enter_context(Alertmanager(program, tmp_path / f"alertmanager-{next(numbers)}", config))

        yield start


@pytest.fixture
def webhook() -> Iterator[WebhookReceiver]:
    """A webhook receiver that is up."""
    receiver = WebhookReceiver()
    receiver.up()
    yield receiver
    receiver.down()


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The shared PostgreSQL; it writes nothing down for a power cut, so that tests are fast."""
    with reachable_folder() as folder, Server(programs(), folder, "-c", "fsync=off") as server:
        yield Databases(server)


@pytest.fixture
def start_postgres() -> Iterator[Callable[..., Server]]:
    """Starts PostgreSQL servers of this test's own: start_postgres("-c", "name=value", …)."""
    with ExitStack() as servers:
        yield lambda *options: servers.enter_context(
            Server(programs(), servers.enter_context(reachable_folder()), *options)
        )
