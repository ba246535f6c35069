"""The monitor on PostgreSQL, run as a user runs it, while its sessions and its server come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from tests.real.exchange import Exchange, exchange
from tests.real.postgres import Databases, Server
from tests.real.sides import EvmSide


@pytest.fixture
def server(start_postgres: Callable[..., Server]) -> Server:
    return start_postgres()


@pytest.fixture
def name(server: Server) -> str:
    return Databases(server).empty()


@pytest.fixture
def side(anvil: Anvil) -> EvmSide:
    return EvmSide(anvil)


@pytest.fixture
def ex(server: Server, name: str, side: EvmSide, tmp_path: Path) -> Iterator[Exchange]:
    folder = tmp_path / "exchange"
    folder.mkdir()
    (folder / "store-password").write_text("not asked for, and not to be seen\n")
    store = {"url": server.url(name), "password_file": "store-password"}
    with exchange(folder, [side], store=store) as made:
        yield made


def steal(ex: Exchange, side: EvmSide) -> str:
    """A theft that is found; returns its transaction."""
    txid = side.pay(side.cold, side.outside(), side.unit // 10)
    ex.wait(lambda: txid in found(ex), f"{txid} was not found", 60)
    return txid


def found(ex: Exchange) -> list[Any]:
    return sorted(case["txid"] for case in ex.cases("all"))


def test_the_monitor_makes_no_tables_and_lives_through_whatever_becomes_of_its_database(
    ex: Exchange, server: Server, name: str, side: EvmSide
) -> None:
    refused = ex.command("run", str(ex.config))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "run `porwatch db upgrade CONFIG --apply`" in refused.stderr
    planned = ex.command("db", "upgrade", str(ex.config), "--plan")
    assert planned.returncode == 0
    assert "CREATE TABLE journal" in planned.stdout
    assert ex.command("run", str(ex.config)).returncode == 2
    applied = ex.command("db", "upgrade", str(ex.config), "--apply")
    assert applied.returncode == 0, applied.stderr
    again = ex.command("db", "upgrade", str(ex.config), "--plan")
    assert (again.returncode, again.stdout) == (0, "")

    ex.errors_expected = True  # a step that loses its session says so, and is tried again
    ex.start()
    second = ex.command("run", str(ex.config))
    assert second.returncode == 2
    assert "is in use by another porwatch: stop that one first" in second.stderr
    stolen = [steal(ex, side)]

    assert server.terminate(name) == 1
    stolen.append(steal(ex, side))
    for _ in range(20):  # at whatever moment of a step
        server.terminate(name)
        time.sleep(0.13)
    stolen.append(steal(ex, side))

    server.stop()
    stolen.append(side.pay(side.cold, side.outside(), side.unit // 10))
    side.mine(3)
    time.sleep(3)
    server.start()
    ex.wait(lambda: stolen[-1] in found(ex), "the theft while the server was down was not found", 60)
    server.crash()
    stolen.append(side.pay(side.cold, side.outside(), side.unit // 10))
    server.start()
    ex.wait(lambda: stolen[-1] in found(ex), "the theft while the server recovered was not found", 60)

    ex.kill()
    stolen.append(side.pay(side.cold, side.outside(), side.unit // 10))
    ex.start()
    ex.wait(lambda: stolen[-1] in found(ex), "the theft while the monitor was down was not found", 60)
    assert found(ex) == sorted(stolen)
    ((units,),) = server.run(name, "SELECT units FROM total WHERE wallet = %s AND asset = 'ETH'", side.cold)
    assert int(units) == side.held(side.cold)
    before = ex.cases("all")
    assert ex.command("status", str(ex.config)).returncode == 1
    assert ex.stop() == 0

    verified = ex.command("journal", "verify", str(ex.config))
    assert verified.returncode == 0, verified.stderr
    rebuilt = ex.command("journal", "rebuild", str(ex.config))
    assert rebuilt.returncode == 0, rebuilt.stderr
    ex.start()
    assert ex.cases("all") == before
