from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chains.core.errors import BadAnswer
from chains.ethereum.address import canonical_address
from chains.ethereum.blocks import RawBlock, Sent, check_receipts, header_ref
from chains.ethereum.extract import Assets, Extractor
from chains.ethereum.profiles import TRANSFER
from chains.ethereum.watch import AddressWatch


@pytest.fixture
def mainnet(shared_data: Path) -> tuple[RawBlock, list[dict[str, Any]]]:
    """Block 21,925,176 of mainnet. The data has no transaction bodies: they are taken from the receipts."""

    def load(name: str) -> Any:
        content = json.loads((shared_data / "ethereum" / name).read_text())
        return content.get("result", content) if isinstance(content, dict) else content

    header, receipts = load("helios_block.json"), load("helios_receipts.json")
    sent = tuple(
        Sent(txid, n, receipt["from"], receipt["to"], 0, 0, "", 0)
        for n, (txid, receipt) in enumerate(zip(header["transactions"], receipts, strict=True))
    )
    fee = int(header["baseFeePerGas"], 16)
    return RawBlock(header_ref("ethereum", header), header["miner"], fee, sent, ()), receipts


def everybody(receipts: list[dict[str, Any]]) -> tuple[AddressWatch, Assets]:
    """All ends of transfers as watched addresses, all that logs a transfer as a token."""
    transfers = [log for r in receipts for log in r["logs"] if log["topics"] and log["topics"][0] == TRANSFER]
    ends = {"0x" + topic[26:] for log in transfers for topic in log["topics"][1:3]}
    tokens = {log["address"]: log["address"] for log in transfers}
    return AddressWatch(map(canonical_address, ends)), Assets("ETH", tokens, dict.fromkeys(tokens, 1) | {"ETH": 1})


def test_the_225_transfers_of_a_mainnet_block_are_all_found(
    mainnet: tuple[RawBlock, list[dict[str, Any]]],
) -> None:
    block, receipts = mainnet
    watch, assets = everybody(receipts)
    found = Extractor("ethereum", assets).transactions(block, check_receipts(block, receipts), {}, watch)
    data = [
        int(log["data"], 16)
        for r in receipts
        for log in r["logs"]
        if len(log["topics"]) == 3 and log["topics"][0] == TRANSFER
    ]
    assert len(data) == 225
    legs = [leg for t in found for leg in t.legs if leg.asset != "ETH"]
    # Legs are of positive units: what transfers nothing is no leg.
    assert sorted(leg.units for leg in legs) == sorted(units for units in data if units)
    tokens = [m for t in found for m in t.movements if m.account.asset != "ETH"]
    assert len(tokens) == 2 * len(legs)
    assert sum(m.delta for m in tokens) == 0


def test_a_receipt_that_is_missing_or_from_elsewhere_is_noticed(
    mainnet: tuple[RawBlock, list[dict[str, Any]]],
) -> None:
    block, receipts = mainnet
    with pytest.raises(BadAnswer):
        check_receipts(block, receipts[:-1])
    with pytest.raises(BadAnswer):
        check_receipts(block, [*receipts[1:], receipts[0]])
