"""A whole block against its hash: what cannot be re-computed is said, what differs is a lie with evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chains.core.errors import BadAnswer
from chains.core.quorum import Lie
from chains.ethereum.body import UNPROVED_LOGS, check_all_receipts, check_block
from chains.ethereum.verify.header import header_hash
from chains.ethereum.verify.receipts import encode_receipt, logs_bloom
from chains.ethereum.verify.transactions import encode_transaction
from chains.ethereum.verify.trie import EMPTY_ROOT, ordered_root
from tests.unit.ethereum.shapes import addr, word

DEPOSIT = 0x7E


def sealed(transactions: Sequence[dict[str, Any]], receipts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A block whose header commits to what it can; nobody signed the transactions."""
    encoded = [encode_transaction(each) for each in transactions]
    known = all(each is not None for each in encoded)
    block: dict[str, Any] = {
        "parentHash": word(1), "sha3Uncles": word(2), "miner": addr(3), "stateRoot": word(4), "receiptsRoot":
        "0x" + ordered_root([encode_receipt(each) for each in receipts]).hex(),
        "transactionsRoot": "0x" + ordered_root([e for e in encoded if e]).hex() if known else word(5),
        "logsBloom": "0x" + "00" * 256, "difficulty": "0x0", "number": "0x7", "gasLimit": "0x1c9c380",
        "gasUsed": hex(21_000 * len(receipts)), "timestamp": "0x64", "extraData": "0x", "mixHash": word(6),
        "nonce": "0x" + "00" * 8, "baseFeePerGas": "0x7", "withdrawalsRoot": "0x" + EMPTY_ROOT.hex(), "withdrawals": [],
        "transactions": list(transactions),
    }  # fmt: skip
    return block | {"hash": header_hash(block)}


def transaction(n: int, kind: int = 2) -> dict[str, Any]:
    return {
        "hash": word(0x100 + n), "type": hex(kind), "chainId": "0x1", "nonce": hex(n), "gas": "0x5208", "to": addr(9),
        "from": addr(8), "maxFeePerGas": "0x9", "maxPriorityFeePerGas": "0x1", "value": "0x5", "input": "0x",
        "accessList": [], "yParity": "0x0", "v": "0x0", "r": "0x0", "s": "0x0", "transactionIndex": hex(n),
    }  # fmt: skip


def receipt(n: int, kind: int = 2, price: int = 8) -> dict[str, Any]:
    return {
        "transactionHash": word(0x100 + n), "type": hex(kind), "status": "0x1", "gasUsed": "0x5208", "logs": [],
        "cumulativeGasUsed": hex(21_000 * (n + 1)), "logsBloom": "0x" + logs_bloom([]).hex(), "from": addr(8),
        "to": addr(9), "contractAddress": None, "effectiveGasPrice": hex(price),
    }  # fmt: skip


TRANSACTIONS, RECEIPTS = [transaction(n) for n in range(3)], [receipt(n) for n in range(3)]
BLOCK = sealed(TRANSACTIONS, RECEIPTS)


def test_a_true_block_leaves_nothing_unsaid() -> None:
    assert check_block(BLOCK) == ()
    assert check_all_receipts(BLOCK, RECEIPTS, ()) == ()


def test_without_all_receipts_logs_are_said_to_be_unproved() -> None:
    assert check_all_receipts(BLOCK, None, ()) == (UNPROVED_LOGS,)


def test_types_that_are_new_are_said_and_stop_nothing() -> None:
    mixed = sealed([transaction(0, DEPOSIT), *TRANSACTIONS[1:]], [receipt(0, DEPOSIT), *RECEIPTS[1:]])
    unknown = check_block(mixed)
    assert [(each.position, each.type) for each in unknown] == [(0, DEPOSIT)]
    (said,) = check_all_receipts(mixed, [receipt(0, DEPOSIT), *RECEIPTS[1:]], unknown)
    assert "(126)" in said
    assert "transactionsRoot" in said
    # Rules of layer 1 are not asked of a chain with types of its own.
    assert (
        len(check_all_receipts(mixed, [receipt(0, DEPOSIT, price=0), receipt(1, price=0), RECEIPTS[2]], unknown)) == 1
    )


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda b: b | {"timestamp": "0x65"}, "header_hash"),
        (lambda b: b | {"transactions": b["transactions"][1:]}, "transactions_root"),
        (lambda b: b | {"transactions": []}, "transactions_root"),
        (lambda b: b | {"transactions": [*b["transactions"], transaction(3)]}, "transactions_root"),
        (lambda b: b | {"transactions": [t | {"value": "0x6"} for t in b["transactions"]]}, "transactions_root"),
    ],
)
def test_what_the_hash_does_not_commit_to_is_a_lie_with_evidence(change: Change, kind: str) -> None:
    with pytest.raises(Lie) as caught:
        check_block(change(BLOCK))
    assert caught.value.kind == kind
    assert caught.value.evidence["answered"]
    if kind != "header_hash":
        assert json.loads(caught.value.evidence["header"])["hash"] == BLOCK["hash"]
        assert "root" in caught.value.evidence["refuted_by"]


def test_receipts_that_the_block_does_not_commit_to_are_a_lie() -> None:
    log = {"address": addr(1), "topics": [word(1)], "data": "0x"}
    for changed, kind in (
        ([RECEIPTS[0] | {"logs": [log]}, *RECEIPTS[1:]], "receipts_root"),
        ([RECEIPTS[0] | {"status": "0x0"}, *RECEIPTS[1:]], "receipts_root"),
        ([RECEIPTS[0] | {"effectiveGasPrice": "0x9"}, *RECEIPTS[1:]], "receipt"),
        ([RECEIPTS[0] | {"gasUsed": "0x1"}, *RECEIPTS[1:]], "receipt"),
    ):
        with pytest.raises(Lie) as caught:
            check_all_receipts(BLOCK, changed, ())
        assert caught.value.kind == kind


def test_what_has_not_the_form_of_a_block_is_no_lie() -> None:
    bare = [{key: value for key, value in each.items() if key != "accessList"} for each in TRANSACTIONS]
    for broken in (BLOCK | {"transactions": bare}, {k: v for k, v in BLOCK.items() if k != "mixHash"}):
        with pytest.raises(BadAnswer) as caught:
            check_block(broken)
        assert not isinstance(caught.value, Lie)
    with pytest.raises(BadAnswer) as caught:
        check_all_receipts(BLOCK, [RECEIPTS[0] | {"logs": None}, *RECEIPTS[1:]], ())
    assert not isinstance(caught.value, Lie)
