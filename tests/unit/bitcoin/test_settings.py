"""The configuration keys of a Bitcoin chain, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from chains.bitcoin.networks import NETWORKS
from chains.core.registry import open_kind
from tests.unit.bitcoin.fake_node import settings_of

CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_registry_opens_the_package_and_its_settings_have_defaults() -> None:
    assert open_kind("bitcoin").Settings.__module__ == "chains.bitcoin.settings"
    settings = settings_of()
    assert (settings.finality, settings.zmq, settings.parameters()) == (6, None, NETWORKS["regtest"])


@pytest.mark.parametrize(
    "keys",
    [
        {"network": "testnet3"},
        {"network": "Mainnet"},
        {"finality": 0},
        {"finality": 1001},
        {"finality": "6"},
        {"finality": True},
        {"zmq": "http://127.0.0.1:28332"},
        {"zmq": "tcp://127.0.0.1"},
        {"zmq": "ipc:///tmp/socket"},
        {"tokens": {}},
    ],
)
def test_wrong_keys_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings_of(**keys)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:28332", "tcp://node.example:1", "tcp://[::1]:28332"])
def test_a_publisher_of_blocks_may_be_named(address: str) -> None:
    assert settings_of(zmq=address).zmq == address


def test_a_websocket_endpoint_is_refused_by_its_name_because_no_bitcoin_node_has_one() -> None:
    endpoints = [{"url": "http://127.0.0.1:18443"}, {"name": "wake-up", "url": "ws://127.0.0.1:8546"}]
    with pytest.raises(ValidationError, match=r"wake-up is a WebSocket, which no Bitcoin node has: .* write zmq"):
        settings_of(endpoints=endpoints)


def test_every_network_has_its_caip_2_id() -> None:
    assert NETWORKS["mainnet"].caip2 == "bip122:000000000019d6689c085ae165831e93"
    assert len({network.genesis for network in NETWORKS.values()}) == 4


def test_settings_and_address_parsing_import_no_chain_library() -> None:
    program = (
        "import sys, chains.bitcoin as b;"
        "s = b.Settings(kind='bitcoin', network='mainnet', native='BTC', endpoints=[{'url': 'http://127.0.0.1:1'}]);"
        "b.parse_address('1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa', s);"
        "heavy = {'bitcoin', 'embit', 'aiohttp', 'zmq', 'web3'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
