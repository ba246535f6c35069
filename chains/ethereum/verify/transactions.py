"""Transactions of a block, held against their own hashes, their signatures and the block's transactionsRoot.

Types: legacy with and without EIP-155, 1 (EIP-2930), 2 (EIP-1559), 3 (EIP-4844, as it stands in a block:
without blobs), 4 (EIP-7702).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.hex import quantity
from chains.ethereum.verify import rlp, signatures
from chains.ethereum.verify.fields import (
    Json,
    address_item,
    array,
    data_item,
    hash_item,
    mapping,
    padded,
    quantity_item,
    text,
)
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.trie import ordered_root

#: Types that can be encoded here.
KNOWN_TYPES = frozenset({0, 1, 2, 3, 4})
_LEGACY = 0
#: From here on ``v`` of a legacy transaction carries the chain: 35 + 2 * chain id + parity (EIP-155).
_EIP_155 = 35


@dataclass(frozen=True, slots=True)
class UnverifiableTransaction:
    """A transaction whose hash and sender cannot be re-computed.

    ``unsigned`` False: its type is not known here, so the root of the block cannot be computed either.
    ``unsigned`` True: it has no signature, so that it comes from the node itself, as local development
    nodes and some layer-2 chains make them. The root holds it all the same; layer 1 has none.
    """

    position: int
    hash: str
    type: int
    unsigned: bool


def check_transactions(raw: Json) -> tuple[UnverifiableTransaction, ...]:
    """Re-computes the hash of every transaction and the root of all.

    ``raw``: a block with its full transactions, whose header is checked elsewhere. Nothing returned: all
    is as the header commits to. With one that is not ``unsigned`` the root could not be computed, and the
    block counts as unverified. Raises BadAnswer where a hash or the root is another one.
    """
    encoded, unverifiable, complete = [], [], True
    for position, item in enumerate(array(raw, "transactions", "block.transactions")):
        transaction = mapping(item, f"transaction {position}")
        stated = text(transaction.get("hash"), "transaction.hash", 32)
        kind, envelope = transaction_type(transaction), encode_transaction(transaction)
        if envelope is None:
            unverifiable.append(UnverifiableTransaction(position, stated, kind, unsigned=False))
            complete = False
            continue
        encoded.append(envelope)
        if _unsigned(transaction):
            unverifiable.append(UnverifiableTransaction(position, stated, kind, unsigned=True))
            continue
        found = "0x" + keccak(envelope).hex()
        if found != stated:
            raise BadAnswer(f"transaction {position} is said to have the hash {stated}, but its fields hash to {found}")
    if complete:
        stated = text(raw.get("transactionsRoot"), "block.transactionsRoot", 32)
        found = "0x" + ordered_root(encoded).hex()
        if found != stated:
            raise BadAnswer(f"the block's transactions have the root {found}, its header says {stated}")
    return tuple(unverifiable)


def check_senders(raw: Json) -> None:
    """Raises BadAnswer where a transaction of a known type is said to be of another sender than who signed it.

    ``from`` is part of no hash: an endpoint that names somebody else hides an outflow of ours. What is
    unverifiable is passed over.
    """
    for position, item in enumerate(array(raw, "transactions", "block.transactions")):
        transaction = mapping(item, f"transaction {position}")
        if transaction_type(transaction) not in KNOWN_TYPES or _unsigned(transaction):
            continue
        stated, found = text(transaction.get("from"), "transaction.from", 20), sender(transaction)
        if found != stated:
            raise BadAnswer(f"transaction {position} is said to be sent by {stated}, but it is signed by {found}")


def encode_transaction(raw: Json) -> bytes | None:
    """The bytes whose keccak is a transaction's hash; None for a type that this version does not know."""
    kind = transaction_type(raw)
    if kind not in KNOWN_TYPES:
        return None
    signature = [rlp.encode_int(part) for part in _signature(raw, kind)]
    return _envelope(kind, [*_SIGNED[kind](raw), *signature])


def sender(raw: Json) -> str | None:
    """Who signed a transaction: the address in lower case.

    None where no key can have made the signature, or for a type that this version does not know.
    """
    kind = transaction_type(raw)
    if kind not in KNOWN_TYPES:
        return None
    v, r, s = _signature(raw, kind)
    fields = _SIGNED[kind](raw)
    parity = v
    if kind == _LEGACY:
        parity = v - 27
        if v >= _EIP_155:
            chain, parity = divmod(v - _EIP_155, 2)
            fields = [*fields, rlp.encode_int(chain), rlp.EMPTY, rlp.EMPTY]
    return signatures.recover(keccak(_envelope(kind, fields)), parity, r, s)


def transaction_type(raw: Json) -> int:
    """The EIP-2718 type of a transaction or receipt; nodes from before types leave it out."""
    value = raw.get("type")
    return _LEGACY if value is None else quantity(value, "transaction.type")


def _envelope(kind: int, fields: list[bytes]) -> bytes:
    body = rlp.encode_list(fields)
    return body if kind == _LEGACY else bytes((kind,)) + body


def _signature(raw: Json, kind: int) -> tuple[int, int, int]:
    # Nodes from before `yParity` give the parity of a typed transaction as `v`.
    name = "yParity" if kind != _LEGACY and raw.get("yParity") is not None else "v"
    v = quantity(raw.get(name), f"transaction.{name}")
    return v, padded(raw.get("r"), "transaction.r"), padded(raw.get("s"), "transaction.s")


def _unsigned(raw: Json) -> bool:
    return padded(raw.get("r"), "transaction.r") == padded(raw.get("s"), "transaction.s") == 0


def _number(raw: Json, name: str) -> bytes:
    return quantity_item(raw.get(name), f"transaction.{name}")


def _call(raw: Json) -> list[bytes]:
    """Gas limit, destination, value and input, which stand together in every type."""
    to = raw.get("to")
    return [
        _number(raw, "gas"),
        rlp.EMPTY if to is None else address_item(to, "transaction.to"),
        _number(raw, "value"),
        data_item(raw.get("input"), "transaction.input"),
    ]


def _legacy(raw: Json) -> list[bytes]:
    return [_number(raw, "nonce"), _number(raw, "gasPrice"), *_call(raw)]


def _type_1(raw: Json) -> list[bytes]:
    return [_number(raw, "chainId"), *_legacy(raw), _access_list(raw)]


def _type_2(raw: Json) -> list[bytes]:
    fees = [_number(raw, name) for name in ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas")]
    return [*fees, *_call(raw), _access_list(raw)]


def _type_3(raw: Json) -> list[bytes]:
    hashes = array(raw, "blobVersionedHashes", "transaction.blobVersionedHashes")
    blobs = rlp.encode_list(hash_item(blob, "transaction.blobVersionedHashes") for blob in hashes)
    return [*_type_2(raw), _number(raw, "maxFeePerBlobGas"), blobs]


def _type_4(raw: Json) -> list[bytes]:
    listed = array(raw, "authorizationList", "transaction.authorizationList")
    return [*_type_2(raw), rlp.encode_list(map(_authorization, listed))]


def _authorization(raw: Any) -> bytes:
    item = mapping(raw, "an authorization")
    signed = (padded(item.get(name), f"authorization.{name}") for name in ("yParity", "r", "s"))
    return rlp.encode_list(
        (
            quantity_item(item.get("chainId"), "authorization.chainId"),
            address_item(item.get("address"), "authorization.address"),
            quantity_item(item.get("nonce"), "authorization.nonce"),
            *map(rlp.encode_int, signed),
        )
    )


def _access_list(raw: Json) -> bytes:
    entries = []
    for entry in array(raw, "accessList", "transaction.accessList"):
        item = mapping(entry, "an entry of an access list")
        keys = array(item, "storageKeys", "accessList.storageKeys")
        slots = rlp.encode_list(hash_item(key, "accessList.storageKeys") for key in keys)
        entries.append(rlp.encode_list((address_item(item.get("address"), "accessList.address"), slots)))
    return rlp.encode_list(entries)


#: What is signed, by type: all of KNOWN_TYPES.
_SIGNED: Mapping[int, Callable[[Json], list[bytes]]] = {0: _legacy, 1: _type_1, 2: _type_2, 3: _type_3, 4: _type_4}
