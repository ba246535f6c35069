"""Blocks of other projects' test data, from their RLP to the form in which a node answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rlp

from tests.unit.ethereum.verify.blocks import FORKS, NUMBERS, make_header
from tests.unit.ethereum.verify.tries import other_hash


def read_chain(shared_data: Path) -> list[Any]:
    """The 54 blocks of execution-apis' chain: header, transactions, uncles, withdrawals."""
    data = (shared_data / "ethereum" / "execution_apis" / "chain.rlp").read_bytes()
    blocks = []
    while data:
        block, end = rlp.codec.consume_item(data, 0)[0], rlp.codec.consume_length_prefix(data, 0)
        data = data[end[3] + end[2] :]
        blocks.append(block)
    return blocks


def json_header(fields: list[bytes]) -> dict[str, Any]:
    names = [*make_header(), *FORKS]
    return {name: number(value) if name in NUMBERS else text(value) for name, value in zip(names, fields, strict=False)}


def json_block(block: Any) -> dict[str, Any]:
    header = json_header(block[0]) | {"hash": text(other_hash(rlp.encode(block[0]))), "uncles": []}
    header["transactions"] = [json_transaction(item) for item in block[1]]
    if len(block) > 3:
        names = ("index", "validatorIndex", "address", "amount")
        header["withdrawals"] = [
            {name: text(value) if name == "address" else number(value) for name, value in zip(names, w, strict=True)}
            for w in block[3]
        ]
    return header


def json_transaction(item: Any) -> dict[str, Any]:
    if isinstance(item, bytes):
        return typed(item[0], rlp.decode(item[1:])) | {"hash": text(other_hash(item))}
    names = ("nonce", "gasPrice", "gas", "to", "value", "input", "v", "r", "s")
    return named(names, item) | {"type": "0x0", "hash": text(other_hash(rlp.encode(item)))}


def typed(kind: int, fields: Any) -> dict[str, Any]:
    fees = ("gasPrice",) if kind == 1 else ("maxPriorityFeePerGas", "maxFeePerGas")
    more = {3: ("maxFeePerBlobGas", "blobVersionedHashes"), 4: ("authorizationList",)}.get(kind, ())
    call = ("gas", "to", "value", "input", "accessList")
    return named(("chainId", "nonce", *fees, *call, *more, "yParity", "r", "s"), fields) | {"type": hex(kind)}


def named(names: tuple[str, ...], fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in zip(names, fields, strict=True):
        match name:
            case "to":
                found[name] = text(value) if value else None
            case "input" | "address":
                found[name] = text(value)
            case "accessList":
                found[name] = [{"address": text(a), "storageKeys": [text(k) for k in keys]} for a, keys in value]
            case "blobVersionedHashes":
                found[name] = [text(h) for h in value]
            case "authorizationList":
                parts = ("chainId", "address", "nonce", "yParity", "r", "s")
                found[name] = [named(parts, entry) for entry in value]
            case _:
                found[name] = number(value)
    return found


def text(value: bytes) -> str:
    return "0x" + value.hex()


def number(value: bytes) -> str:
    return hex(int.from_bytes(value, "big"))
