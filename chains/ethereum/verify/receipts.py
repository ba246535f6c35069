"""Receipts of a block, held against its receiptsRoot, and what they say beyond what the root commits to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.hex import quantity
from chains.ethereum.verify import rlp
from chains.ethereum.verify.fields import (
    Json,
    address_item,
    array,
    data_item,
    hash_item,
    mapping,
    quantity_item,
    raw_bytes,
    text,
)
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.transactions import KNOWN_TYPES, UnverifiableTransaction, transaction_type
from chains.ethereum.verify.trie import ordered_root

_BLOOM_BITS = 2048
#: Gas of one blob (EIP-4844).
_GAS_PER_BLOB = 1 << 17


def check_receipts(raw: Json, receipts: Sequence[Any]) -> tuple[UnverifiableTransaction, ...]:
    """Re-computes the root of a block's receipts.

    ``raw``: the block with its full transactions, whose header is checked elsewhere; ``receipts``: all, in
    order. Nothing returned: the receipts are those that the header commits to. Where the root differs and
    the block has transactions of types that this version does not know, their receipts may have another
    form: they are returned, and nothing is verified. Raises BadAnswer where the root differs otherwise.
    """
    transactions = _pairs(raw, receipts)
    found = "0x" + ordered_root([encode_receipt(receipt) for _, receipt in transactions]).hex()
    stated = text(raw.get("receiptsRoot"), "block.receiptsRoot", 32)
    if found == stated:
        return ()
    unknown = tuple(
        UnverifiableTransaction(
            n, text(sent.get("hash"), "transaction.hash", 32), transaction_type(sent), unsigned=False
        )
        for n, (sent, _) in enumerate(transactions)
        if transaction_type(sent) not in KNOWN_TYPES
    )
    if not unknown:
        raise BadAnswer(f"the block's receipts have the root {found}, its header says {stated}")
    return unknown


def check_derived(raw: Json, receipts: Sequence[Any]) -> None:
    """Raises BadAnswer where what no root commits to does not follow from what the roots commit to.

    Of every receipt of a known type: its sender and destination, the contract it created, the gas it used,
    the price it paid (EIP-1559) and its blob gas. The rules are those of layer 1. The blob gas price is not
    checked: its formula is set anew by forks.
    """
    cumulative = 0
    base_fee = 0 if raw.get("baseFeePerGas") is None else quantity(raw["baseFeePerGas"], "block.baseFeePerGas")
    for n, (sent, receipt) in enumerate(_pairs(raw, receipts)):
        before, cumulative = cumulative, quantity(receipt.get("cumulativeGasUsed"), "receipt.cumulativeGasUsed")
        if transaction_type(sent) not in KNOWN_TYPES:
            continue
        for name, stated, right in (
            ("from", _address(receipt, "from"), _address(sent, "from")),
            ("to", _address(receipt, "to"), _address(sent, "to")),
            ("contractAddress", _address(receipt, "contractAddress"), _created(sent, receipt)),
            ("gasUsed", quantity(receipt.get("gasUsed"), "receipt.gasUsed"), cumulative - before),
            ("effectiveGasPrice", _price(receipt), _right_price(sent, base_fee)),
            ("blobGasUsed", _blob_gas(receipt), _GAS_PER_BLOB * len(sent.get("blobVersionedHashes") or ())),
        ):
            if stated != right:
                raise BadAnswer(f"receipt {n} has {name} {stated}, but what the block commits to gives {right}")


def encode_receipt(raw: Json) -> bytes:
    """A receipt as the root commits to it: status (or the state root, before EIP-658), gas so far, bloom, logs."""
    kind = transaction_type(raw)
    if raw.get("status") is not None:
        outcome = quantity_item(raw["status"], "receipt.status")
    else:
        outcome = hash_item(raw.get("root"), "receipt.root")
    logs = array(raw, "logs", "receipt.logs")
    stated = raw.get("logsBloom")
    bloom = rlp.encode_bytes(logs_bloom(logs)) if stated is None else data_item(stated, "receipt.logsBloom", 256)
    gas = quantity_item(raw.get("cumulativeGasUsed"), "receipt.cumulativeGasUsed")
    body = rlp.encode_list((outcome, gas, bloom, rlp.encode_list(map(_log, logs))))
    if kind > 0x7F:
        raise BadAnswer(f"receipt.type is {kind}, above what EIP-2718 allows")
    return bytes((kind,)) + body if kind else body


def logs_bloom(logs: Iterable[Any]) -> bytes:
    """The 256-byte filter of what logged and under which topics (Yellow Paper, 4.4.1)."""
    bits = 0
    for log in logs:
        bits |= _bloom_bits(raw_bytes(mapping(log, "a log").get("address"), "log.address", 20))
        for topic in array(log, "topics", "log.topics"):
            bits |= _bloom_bits(raw_bytes(topic, "log.topic", 32))
    return bits.to_bytes(_BLOOM_BITS // 8, "big")


#: The same tokens and events return in every block.
@lru_cache(maxsize=16_384)
def _bloom_bits(value: bytes) -> int:
    digest = keccak(value)
    bits = 0
    for n in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[n : n + 2], "big") % _BLOOM_BITS)
    return bits


def _log(raw: Any) -> bytes:
    log = mapping(raw, "a log")
    topics = [hash_item(topic, "log.topic") for topic in array(log, "topics", "log.topics")]
    return rlp.encode_list(
        (
            address_item(log.get("address"), "log.address"),
            rlp.encode_list(topics),
            data_item(log.get("data"), "log.data"),
        )
    )


def _pairs(raw: Json, receipts: Sequence[Any]) -> list[tuple[Json, Json]]:
    """Each transaction with its receipt, of the same hash and type."""
    sent = array(raw, "transactions", "block.transactions")
    if not isinstance(receipts, list | tuple) or len(receipts) != len(sent):
        raise BadAnswer(f"receipts must be a list of {len(sent)}, one for each transaction of the block")
    return list(_matched(sent, receipts))


def _matched(sent: Sequence[Any], receipts: Sequence[Any]) -> Iterator[tuple[Json, Json]]:
    for n, pair in enumerate(zip(sent, receipts, strict=True)):
        transaction, receipt = mapping(pair[0], f"transaction {n}"), mapping(pair[1], f"receipt {n}")
        of = text(receipt.get("transactionHash"), "receipt.transactionHash", 32)
        if of != text(transaction.get("hash"), "transaction.hash", 32):
            raise BadAnswer(f"receipt {n} is of transaction {of}, which does not stand at its place")
        if transaction_type(receipt) != transaction_type(transaction):
            raise BadAnswer(f"receipt {n} is of another type than its transaction")
        yield transaction, receipt


def _address(raw: Json, name: str) -> str | None:
    return None if raw.get(name) is None else text(raw[name], f"receipt.{name}", 20)


def _created(sent: Json, receipt: Json) -> str | None:
    """The contract that a transaction without destination creates (Yellow Paper, 7).

    Where that failed there is none; some nodes name what it would have been.
    """
    if sent.get("to") is not None or (receipt.get("contractAddress") is None and receipt.get("status") == "0x0"):
        return None
    maker = address_item(sent.get("from"), "transaction.from")
    made = keccak(rlp.encode_list((maker, quantity_item(sent.get("nonce"), "transaction.nonce"))))
    return "0x" + made[12:].hex()


def _price(receipt: Json) -> int:
    return quantity(receipt.get("effectiveGasPrice"), "receipt.effectiveGasPrice")


def _right_price(sent: Json, base_fee: int) -> int:
    if transaction_type(sent) < 2:
        return quantity(sent.get("gasPrice"), "transaction.gasPrice")
    highest = quantity(sent.get("maxFeePerGas"), "transaction.maxFeePerGas")
    tip = quantity(sent.get("maxPriorityFeePerGas"), "transaction.maxPriorityFeePerGas")
    return min(highest, base_fee + tip)


def _blob_gas(receipt: Json) -> int:
    # Nodes give it with blob transactions only.
    value = receipt.get("blobGasUsed")
    return 0 if value is None else quantity(value, "receipt.blobGasUsed")
