"""`porwatch check --online`: every endpoint is asked which chain it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from chains.lab.process import free_port
from tests.real.exchange import Exchange, exchange
from tests.real.sides import BitcoinSide, EvmSide


@pytest.fixture
def evm(anvil: Anvil) -> EvmSide:
    return EvmSide(anvil, with_token=True)


def online(ex: Exchange) -> tuple[int, str]:
    ex.write_config()
    result = ex.command("check", str(ex.config), "--online")
    assert "Traceback" not in result.stderr
    return result.returncode, result.stdout + result.stderr


def test_right_endpoints_are_listed_by_name_with_what_they_serve(
    evm: EvmSide, bitcoind: Bitcoind, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [BitcoinSide(bitcoind), evm]) as ex:
        ex.chains["ethereum"]["endpoints"][0]["name"] = "own-1"
        code, text = online(ex)
        assert code == 0
        assert "ethereum own-1: right: chain id 31337" in text
        assert "bitcoin endpoint-1: right" in text


def test_an_endpoint_that_is_down_leaves_it_undetermined_and_the_others_are_asked_all_the_same(
    evm: EvmSide, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [evm]) as ex:
        ex.chains["ethereum"]["endpoints"].insert(0, {"url": f"http://127.0.0.1:{free_port()}", "name": "down"})
        code, text = online(ex)
        assert code == 3
        assert "ethereum down: unreachable" in text
        assert "ethereum endpoint-2: right" in text


def test_an_endpoint_of_another_chain_is_wrong_whatever_else_is_right(
    evm: EvmSide, bitcoind: Bitcoind, tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", [evm, BitcoinSide(bitcoind)]) as ex:
        ex.chains["ethereum"]["chain_id"] = 11155111
        code, text = online(ex)
        assert code == 2
        assert "ethereum endpoint-1: wrong" in text
        assert "31337" in text
        assert "bitcoin endpoint-1: right" in text, "every mistake at once"


def test_a_token_with_other_decimals_on_chain_is_wrong(evm: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [evm]) as ex:
        ex.chains["ethereum"]["tokens"]["USDT"]["decimals"] = 2
        code, text = online(ex)
        assert code == 2
        assert "USDT" in text
        assert "6" in text


def test_a_contract_without_code_is_no_token(evm: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [evm]) as ex:
        ex.chains["ethereum"]["tokens"]["USDT"]["contract"] = evm.outside()
        code, text = online(ex)
        assert code == 2
        assert "USDT" in text


def test_without_the_option_nothing_is_asked(evm: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [evm]) as ex:
        ex.chains["ethereum"]["endpoints"] = [{"url": f"http://127.0.0.1:{free_port()}"}]
        ex.write_config()
        assert ex.command("check", str(ex.config)).returncode == 0
