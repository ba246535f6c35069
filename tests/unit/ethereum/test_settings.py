from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chains import ethereum
from chains.core.registry import open_kind
from chains.core.settings import ChainSettings
from tests.unit.ethereum.shapes import TOKEN, addr, settings


def test_the_registry_opens_this_package_for_evm() -> None:
    assert open_kind("evm").Settings is ethereum.Settings
    assert issubclass(ethereum.Settings, ChainSettings)


def test_tokens_are_named_by_asset_and_spelled() -> None:
    assert settings().tokens_by_asset() == {"USDT": ethereum.parse_address(TOKEN, settings())}
    assert settings(tokens={}).tokens_by_asset() == {}


@pytest.mark.parametrize("finality", ["finalized", "safe", 0, 12])
def test_finality_is_a_tag_or_a_number_of_blocks(finality: object) -> None:
    assert settings(finality=finality).finality == finality


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"finality": "latest"}, "finality"),
        ({"finality": -1}, "finality"),
        ({"finality": True}, "finality"),
        ({"finality": 1.0}, "finality"),
        ({"chain_id": 0}, "chain_id"),
        ({"chain_id": "1"}, "chain_id"),
        ({"tokens": {"ETH": {"contract": TOKEN}}}, "is the native asset and also a token"),
        ({"tokens": {"A": {"contract": TOKEN}, "B": {"contract": TOKEN}}}, "A and B name the same contract"),
        ({"tokens": {"A": {"contract": "0x12"}}}, "2 hex digits"),
        ({"tokens": {"A": {"contract": TOKEN, "decimals": -1}}}, "decimals"),
        ({"tokens": {"A": {"contract": TOKEN, "symbol": "A"}}}, "symbol"),
        ({"network": "mainnet"}, "network"),
    ],
)
def test_mistakes_are_refused_by_name(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**keys)


def test_an_asset_counts_at_least_as_finely_as_each_of_its_chains() -> None:
    conf = settings(tokens={"USDT": {"contract": addr(9), "decimals": 6}})
    assert conf.scales({"ETH": 18, "USDT": 18}) == {"ETH": 1, "USDT": 10**12}
    with pytest.raises(ValueError, match="USDT has 6 decimals on this chain and 2 as an asset: write decimals: 6"):
        conf.scales({"ETH": 18, "USDT": 2})
    with pytest.raises(ValueError, match="ETH has 18 decimals"):
        ethereum.connect("ethereum", conf, {"ETH": 8, "USDT": 6}, Path())
