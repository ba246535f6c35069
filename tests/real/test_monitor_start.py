"""How the monitor starts, refuses to start, and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.sides import BitcoinSide, EvmSide, Side


@pytest.fixture
def side(anvil: Anvil) -> EvmSide:
    return EvmSide(anvil)


def ended(ex: Exchange, command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """A command that must end by itself, and within the minute that is promised."""
    begin = time.monotonic()
    result = ex.command(command, str(ex.config), timeout=seconds + 10)
    assert time.monotonic() - begin < seconds
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.parametrize("second", ["once", "run"])
def test_a_second_porwatch_on_the_same_store_is_refused_and_the_first_goes_on(
    side: EvmSide, second: str, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        result = ended(ex, second)
        assert (result.returncode, result.stdout) == (2, "")
        assert "porwatch.db is in use by another porwatch" in result.stderr
        side.pay(side.cold, side.outside(), side.unit)
        ex.only_case(wallet=side.cold)


@pytest.mark.parametrize("command", ["once", "run"])
def test_an_endpoint_of_another_evm_chain_is_a_mistake_in_the_configuration(
    side: EvmSide, command: str, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.chains["ethereum"]["chain_id"] = 1
        ex.write_config()
        result = ended(ex, command)
        assert result.returncode == 2
        assert "ethereum" in result.stderr
        assert "31337" in result.stderr


def test_an_endpoint_of_another_bitcoin_network_is_a_mistake_in_the_configuration(
    bitcoind: Bitcoind, tmp_path: Path
) -> None:
    side = BitcoinSide(bitcoind)
    # BIP 173's own example address.
    address = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
    wallets = [{"name": "cold", "chain": "bitcoin", "tier": "cold", "owner": "customer", "addresses": [address]}]
    with exchange(tmp_path / "exchange", [side], wallets) as ex:
        ex.chains["bitcoin"]["network"] = "signet"
        ex.write_config()
        result = ended(ex, "run")
        assert result.returncode == 2
        assert "bitcoin" in result.stderr
        assert bitcoind.password not in result.stderr


def test_once_without_a_node_cannot_determine_anything(
    fresh_anvil: Anvil, fresh_bitcoind: Bitcoind, tmp_path: Path
) -> None:
    for side in (BitcoinSide(fresh_bitcoind), EvmSide(fresh_anvil)):
        with exchange(tmp_path / side.name, [side]) as ex:
            side.stop()
            result = ended(ex, "once")
            assert (result.returncode, result.stdout) == (3, "")
            assert "endpoint-1" in result.stderr


def test_run_waits_for_its_nodes_and_is_ready_once_they_are_there(
    fresh_anvil: Anvil, fresh_bitcoind: Bitcoind, tmp_path: Path
) -> None:
    sides: list[Side] = [BitcoinSide(fresh_bitcoind), EvmSide(fresh_anvil)]
    with exchange(tmp_path / "exchange", sides) as ex:
        for side in sides:
            side.stop()
        ex.launch()
        ex.wait(lambda: ex.status_of("/-/healthy") == 200, "HTTP is not served")
        for side in sides:
            assert ex.status_of("/-/ready") == 503
            assert side.name in _why_not_ready(ex)
            side.start()
            ex.wait(lambda side=side: side.name not in _why_not_ready(ex), "still missed")
        ex.wait(lambda: ex.status_of("/-/ready") == 200, "not ready with its nodes there")
        txid = sides[0].pay(sides[0].cold, sides[0].outside(), sides[0].unit)
        ex.only_case(txid=txid)


def _why_not_ready(ex: Exchange) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ex.port}/-/ready", timeout=10):
            return ""
    except urllib.error.HTTPError as error:
        return str(json.load(error)["error"])


def test_a_listening_address_that_is_taken_is_named(side: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex, socket.create_server(("127.0.0.1", ex.port)):
        result = ended(ex, "run")
        assert result.returncode == 2
        assert f"127.0.0.1:{ex.port}" in result.stderr
        assert "web.listen" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_zero_whatever_is_open(side: EvmSide, number: signal.Signals, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        side.pay(side.cold, side.outside(), side.unit)
        ex.only_case()
        assert ex.process is not None
        begin = time.monotonic()
        os.kill(ex.process.pid, number)
        assert ex.process.wait(30) == 0
        assert time.monotonic() - begin < 15
        ex.process = None
        assert ex.command("cases", str(ex.config), "list", "--state", "open").stdout.count(side.cold) == 1
