"""The hash of a block re-computed from its header, as eth_getBlockByHash and eth_getBlockByNumber give it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chains.core.errors import BadAnswer
from chains.ethereum.verify import rlp
from chains.ethereum.verify.fields import Json, address_item, data_item, hash_item, mapping, quantity_item, text
from chains.ethereum.verify.hashing import keccak


def _bloom(value: Any, field: str) -> bytes:
    return data_item(value, field, 256)


def _nonce(value: Any, field: str) -> bytes:
    return data_item(value, field, 8)


_Encode = Callable[[Any, str], bytes]

#: In the order of the hash (Yellow Paper, 4.4).
_ALWAYS: tuple[tuple[str, _Encode], ...] = (
    ("parentHash", hash_item),
    ("sha3Uncles", hash_item),
    ("miner", address_item),
    ("stateRoot", hash_item),
    ("transactionsRoot", hash_item),
    ("receiptsRoot", hash_item),
    ("logsBloom", _bloom),
    ("difficulty", quantity_item),
    ("number", quantity_item),
    ("gasLimit", quantity_item),
    ("gasUsed", quantity_item),
    ("timestamp", quantity_item),
    ("extraData", data_item),
    ("mixHash", hash_item),
    ("nonce", _nonce),
)
#: What forks added, each after all before it.
_ADDED: tuple[tuple[str, _Encode], ...] = (
    ("baseFeePerGas", quantity_item),  # EIP-1559
    ("withdrawalsRoot", hash_item),  # EIP-4895
    ("blobGasUsed", quantity_item),  # EIP-4844
    ("excessBlobGas", quantity_item),  # EIP-4844
    ("parentBeaconBlockRoot", hash_item),  # EIP-4788
    ("requestsHash", hash_item),  # EIP-7685
    ("blockAccessListHash", hash_item),  # EIP-7928
    ("slotNumber", quantity_item),  # EIP-7843
)
#: Of a block's answer, not of its header.
_BESIDE = frozenset({"hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"})
_KNOWN = _BESIDE | {name for name, _ in (*_ALWAYS, *_ADDED)}
#: What is taken from a header whose hash is not computed again.
STATED = ("number", "parentHash", "timestamp")
_NAMED, _NAME = 3, 40


def header_hash(raw: Json) -> str:
    """The hash that the header has. Raises BadAnswer where a field is missing or no such value."""
    return "0x" + keccak(rlp.encode_list(_items(mapping(raw, "a block")))).hex()


def header_fields(raw: Json) -> dict[str, Any]:
    """The fields of a block's answer that its hash covers, in the order of the hash."""
    return {name: raw[name] for name, _ in (*_ALWAYS, *_ADDED) if raw.get(name) is not None}


def check_header(raw: Json) -> None:
    """Raises BadAnswer, naming both, where a block's hash is not the one its header has."""
    found, stated = header_hash(raw), text(raw.get("hash"), "block.hash", 32)
    if found != stated:
        unknown = sorted(name[:_NAME] for name in raw if name not in _KNOWN and raw[name] is not None)[:_NAMED]
        hint = f"; header fields that this version does not know: {', '.join(map(repr, unknown))}" if unknown else ""
        raise BadAnswer(f"says that the block's hash is {stated}, but its header hashes to {found}{hint}")


def _items(raw: Json) -> Iterator[bytes]:
    for name, encode in _ALWAYS:
        yield encode(raw.get(name), f"block.{name}")
    absent = ""
    for name, encode in _ADDED:
        value = raw.get(name)
        if value is None:
            absent = absent or name
        elif absent:
            raise BadAnswer(f"block.{name} is there without block.{absent}, which came in an earlier fork")
        else:
            yield encode(value, f"block.{name}")
