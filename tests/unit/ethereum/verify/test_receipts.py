from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from chains.core.errors import BadAnswer
from chains.ethereum.verify.receipts import check_derived, check_receipts, encode_receipt, logs_bloom
from chains.ethereum.verify.transactions import UnverifiableTransaction
from tests.unit.ethereum.verify.blocks import a_log, bloom, make_block
from tests.unit.ethereum.verify.blocks import encode_receipt as other_encode
from tests.unit.ethereum.verify.tries import root_of_list

Made = tuple[dict[str, Any], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def made() -> Made:
    return make_block()


def test_receipts_of_every_type_verify(made: Made) -> None:
    block, receipts = made
    assert check_receipts(block, receipts) == ()
    check_derived(block, receipts)
    for receipt in receipts:
        assert encode_receipt(receipt) == other_encode(receipt)


def test_a_receipt_from_before_byzantium_has_a_root_in_place_of_its_status(made: Made) -> None:
    receipt = {name: value for name, value in made[1][0].items() if name != "status"} | {"root": "0x" + "5a" * 32}
    assert encode_receipt(receipt) == other_encode(receipt)
    with pytest.raises(BadAnswer, match=r"receipt\.root"):
        encode_receipt(receipt | {"root": None})


def lies() -> list[Callable[[list[dict[str, Any]]], object]]:
    """Each changes something that the root commits to."""
    flipped = "0x" + "80" + "00" * 255
    return [
        lambda r: r.pop(),
        lambda r: r.reverse(),
        lambda r: r[1].update(status="0x0"),
        lambda r: r[1].update(cumulativeGasUsed="0x1"),
        lambda r: r[1].update(logsBloom=flipped),
        lambda r: r[2]["logs"].pop(),
        lambda r: r[2]["logs"].reverse(),
        lambda r: r[2]["logs"].append(a_log(1)),
        lambda r: r[4]["logs"][3].update(address="0x" + "04" * 20),
        lambda r: r[4]["logs"][3]["topics"].pop(),
        lambda r: r[4]["logs"][3]["topics"].reverse(),
        lambda r: r[4]["logs"][3].update(data="0x0d0d"),
        lambda r: r[4]["logs"][3].update(data="0x0d0d0e"),
        lambda r: r[4].update(type="0x2"),
    ]


@pytest.mark.parametrize("lie", lies())
def test_a_receipt_that_differs_from_what_the_root_commits_to_is_noticed(
    made: Made, lie: Callable[[list[dict[str, Any]]], object]
) -> None:
    block, receipts = deepcopy(made)
    lie(receipts)
    with pytest.raises(BadAnswer):
        check_receipts(block, receipts)


@pytest.mark.parametrize(
    ("position", "name", "value"),
    [
        (1, "from", "0x" + "99" * 20),
        (1, "to", "0x" + "99" * 20),
        (1, "to", None),
        (1, "contractAddress", "0x" + "99" * 20),
        (6, "contractAddress", "0x" + "99" * 20),
        (6, "contractAddress", None),
        (2, "gasUsed", "0x1"),
        (1, "effectiveGasPrice", "0x1"),
        (3, "effectiveGasPrice", "0x1"),
        (4, "blobGasUsed", "0x0"),
        (4, "blobGasUsed", None),
        (3, "blobGasUsed", "0x20000"),
    ],
)
def test_what_no_root_commits_to_must_follow_from_what_they_do(
    made: Made, position: int, name: str, value: Any
) -> None:
    block, receipts = deepcopy(made)
    receipts[position][name] = value
    assert check_receipts(block, receipts) == ()
    with pytest.raises(BadAnswer, match=f"receipt {position} has {name} "):
        check_derived(block, receipts)


def test_a_creation_that_failed_need_not_name_the_contract_it_did_not_make(made: Made) -> None:
    block, receipts = deepcopy(made)
    receipts[6] |= {"status": "0x0", "contractAddress": None}
    check_derived(block, receipts)


def test_a_price_is_capped_by_what_the_sender_allows(made: Made) -> None:
    block, receipts = deepcopy(made)
    block["baseFeePerGas"] = hex(29 * 10**9 + 1)
    for receipt in receipts:
        if receipt["type"] not in ("0x0", "0x1"):
            receipt["effectiveGasPrice"] = hex(30 * 10**9)
    check_derived(block, receipts)


def test_receipts_of_types_that_are_not_known_are_unverifiable_where_the_root_differs(made: Made) -> None:
    block, receipts = deepcopy(made)
    hash_ = "0x" + "77" * 32
    block["transactions"].append({"type": "0x7e", "hash": hash_})
    receipts.append(receipts[0] | {"type": "0x7e", "transactionHash": hash_})
    assert check_receipts(block, receipts) == (UnverifiableTransaction(8, hash_, 0x7E, unsigned=False),)
    check_derived(block, receipts)
    # Where it has the usual form after all, it is verified.
    block["receiptsRoot"] = "0x" + root_of_list([other_encode(receipt) for receipt in receipts]).hex()
    assert check_receipts(block, receipts) == ()


def test_receipts_that_are_no_list_of_receipts_are_refused(made: Made) -> None:
    block, receipts = made
    for wrong in (None, {}, "x", receipts[1:], [None] * len(receipts), [{}] * len(receipts)):
        with pytest.raises(BadAnswer):
            check_receipts(block, wrong)  # type: ignore[arg-type]


def test_a_receipt_without_its_bloom_is_verified_with_the_one_of_its_logs(made: Made) -> None:
    block, receipts = deepcopy(made)
    for receipt in receipts:
        del receipt["logsBloom"]
    assert check_receipts(block, receipts) == ()


def test_the_bloom_of_logs_is_the_one_of_the_yellow_paper() -> None:
    logs = [a_log(n) for n in range(9)]
    assert "0x" + logs_bloom(logs).hex() == bloom(logs)
    assert logs_bloom([]) == bytes(256)


@pytest.fixture
def mainnet(shared_data: Path) -> Made:
    """Block 21,925,176 of mainnet; its transactions are known by hash and, from the receipts, by type."""
    folder = shared_data / "ethereum"
    block, receipts = (json.loads((folder / f"helios_{name}.json").read_text()) for name in ("block", "receipts"))
    types = [receipt["type"] for receipt in receipts]
    sent = [{"hash": hash_, "type": kind} for hash_, kind in zip(block["transactions"], types, strict=True)]
    return block | {"transactions": sent}, receipts


def test_the_202_receipts_of_a_mainnet_block_are_those_of_its_header(mainnet: Made) -> None:
    block, receipts = mainnet
    assert len(receipts) == 202
    assert check_receipts(block, receipts) == ()
    bits = 0
    for receipt in receipts:
        assert "0x" + logs_bloom(receipt["logs"]).hex() == receipt["logsBloom"]
        bits |= int(receipt["logsBloom"], 16)
    assert bits == int(block["logsBloom"], 16)


def test_any_byte_of_a_mainnet_log_that_is_changed_is_noticed(mainnet: Made) -> None:
    block, receipts = mainnet
    at = next(n for n, receipt in enumerate(receipts) if len(receipt["logs"]) > 1)
    log = receipts[at]["logs"][1]
    for name, texts in (("address", [log["address"]]), ("topics", log["topics"]), ("data", [log["data"]])):
        for n, text in enumerate(texts):
            for place in range(2, len(text), 8):
                wrong = text[:place] + ("0" if text[place] != "0" else "f") + text[place + 1 :]
                lie = [*texts[:n], wrong, *texts[n + 1 :]]
                changed = log | {name: lie if name == "topics" else lie[0]}
                logs = [receipts[at]["logs"][0], changed, *receipts[at]["logs"][2:]]
                with pytest.raises(BadAnswer, match="receipts have the root"):
                    check_receipts(block, [*receipts[:at], receipts[at] | {"logs": logs}, *receipts[at + 1 :]])


def test_a_type_above_what_envelopes_allow_is_refused(made: Made) -> None:
    with pytest.raises(BadAnswer, match="above what EIP-2718 allows"):
        encode_receipt(made[1][0] | {"type": "0x80"})
