"""A block whose hash and roots are right, with transactions of every type, signed by eth_account.

The encodings are written here a second time, with the rlp package, so that ours are checked against them.
"""

from __future__ import annotations

from typing import Any

import rlp
from eth_account import Account

from tests.unit.ethereum.verify.tries import other_hash, root_of_list

KEY = b"\x01" * 32
OTHER_KEY = b"\x02" * 32
SENDER = Account.from_key(KEY).address.lower()
TO = "0x" + "c0" * 20
ZERO_HASH = "0x" + "00" * 32
CHAIN_ID = 1


def number(value: str) -> bytes:
    n = int(value, 16)
    return n.to_bytes((n.bit_length() + 7) // 8, "big")


def raw(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def authorization(nonce: int = 7, key: bytes = OTHER_KEY, chain_id: int = CHAIN_ID) -> Any:
    return Account.from_key(key).sign_authorization({"chainId": chain_id, "address": TO, "nonce": nonce})


def authorization_json(signed: Any) -> dict[str, Any]:
    return {
        "chainId": hex(signed.chain_id),
        "address": "0x" + signed.address.hex(),
        "nonce": hex(signed.nonce),
        "yParity": hex(signed.y_parity),
        "r": hex(signed.r),
        "s": hex(signed.s),
    }


def transaction(kind: int, *, protected: bool = True, **more: Any) -> dict[str, Any]:
    """One signed transaction as a node answers it."""
    fields: dict[str, Any] = {"nonce": 3, "gas": 90_000, "to": TO, "value": 10**18, "data": "0x" + "ab" * 40}
    if kind < 2:
        fields["gasPrice"] = 9 * 10**9
    else:
        fields |= {"maxFeePerGas": 30 * 10**9, "maxPriorityFeePerGas": 10**9}
    if kind or protected:
        fields["chainId"] = CHAIN_ID
    if kind:
        fields |= {"type": kind, "accessList": [{"address": TO, "storageKeys": ["0x" + "05" * 32]}]}
    if kind == 3:
        fields |= {"maxFeePerBlobGas": 5, "blobVersionedHashes": ["0x01" + "07" * 31]}
    if kind == 4:
        fields["authorizationList"] = [authorization(), authorization(9, chain_id=0)]
    fields |= more
    signed = Account.from_key(KEY).sign_transaction(fields | {"to": raw(fields["to"] or "0x")})
    answer = {name: hex(value) if isinstance(value, int) else value for name, value in fields.items()}
    answer["input"] = answer.pop("data")
    if kind == 4:
        answer["authorizationList"] = [authorization_json(entry) for entry in fields["authorizationList"]]
    answer |= {"type": hex(kind), "hash": "0x" + signed.hash.hex(), "from": SENDER}
    answer |= {"v": hex(signed.v), "r": hex(signed.r), "s": hex(signed.s)}
    return answer | ({"yParity": hex(signed.v)} if kind else {})


def every_transaction() -> list[dict[str, Any]]:
    """Of every type, and two that create a contract."""
    typed = (transaction(kind) for kind in (1, 2, 3, 4))
    creations = (transaction(kind, to=None, nonce=4 + kind) for kind in (0, 2))
    return [transaction(0, protected=False), transaction(0), *typed, *creations]


def encode_transaction(tx: dict[str, Any]) -> bytes:
    kind = int(tx["type"], 16)
    to = raw(tx["to"]) if tx["to"] else b""
    call = [number(tx["gas"]), to, number(tx["value"]), raw(tx["input"])]
    signature = [number(tx[name]) for name in ("v", "r", "s")]
    if kind == 0:
        return bytes(rlp.encode([number(tx["nonce"]), number(tx["gasPrice"]), *call, *signature]))
    access = [[raw(e["address"]), [raw(k) for k in e["storageKeys"]]] for e in tx["accessList"]]
    prices = ["gasPrice"] if kind == 1 else ["maxPriorityFeePerGas", "maxFeePerGas"]
    fields = [number(tx[name]) for name in ("chainId", "nonce", *prices)]
    more: list[Any] = []
    if kind == 3:
        more = [number(tx["maxFeePerBlobGas"]), [raw(h) for h in tx["blobVersionedHashes"]]]
    if kind == 4:
        names = ("nonce", "yParity", "r", "s")
        more = [
            [[number(e["chainId"]), raw(e["address"]), *(number(e[n]) for n in names)] for e in tx["authorizationList"]]
        ]
    return bytes((kind,)) + bytes(rlp.encode([*fields, *call, access, *more, *signature]))


def encode_receipt(receipt: dict[str, Any]) -> bytes:
    kind = int(receipt["type"], 16)
    logs = [[raw(log["address"]), [raw(t) for t in log["topics"]], raw(log["data"])] for log in receipt["logs"]]
    outcome = number(receipt["status"]) if "status" in receipt else raw(receipt["root"])
    body = rlp.encode([outcome, number(receipt["cumulativeGasUsed"]), raw(receipt["logsBloom"]), logs])
    return (bytes((kind,)) if kind else b"") + bytes(body)


def bloom(logs: list[dict[str, Any]]) -> str:
    bits = bytearray(256)
    for log in logs:
        for value in (log["address"], *log["topics"]):
            digest = other_hash(raw(value))
            for n in (0, 2, 4):
                bit = int.from_bytes(digest[n : n + 2], "big") & 2047
                bits[255 - bit // 8] |= 1 << (bit % 8)
    return "0x" + bits.hex()


def a_log(n: int) -> dict[str, Any]:
    return {"address": "0x" + f"{n:02x}" * 20, "topics": [f"0x{t:064x}" for t in range(n % 5)], "data": "0x" + "0d" * n}


def receipt_of(tx: dict[str, Any], position: int, logs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    kind = int(tx["type"], 16)
    price = int(tx["gasPrice"], 16) if kind < 2 else min(int(tx["maxFeePerGas"], 16), 8 * 10**9)
    created = None
    if not tx["to"]:
        created = "0x" + other_hash(rlp.encode([raw(tx["from"]), number(tx["nonce"])]))[12:].hex()
    receipt = {
        "type": tx["type"],
        "status": "0x1",
        "transactionHash": tx["hash"],
        "from": tx["from"],
        "to": tx["to"],
        "contractAddress": created,
        "cumulativeGasUsed": hex(50_000 * (position + 1)),
        "gasUsed": hex(50_000),
        "effectiveGasPrice": hex(price),
        "logs": logs,
        "logsBloom": bloom(logs),
    }
    return receipt | ({"blobGasUsed": hex(1 << 17)} if kind == 3 else {}) | more


def make_header(**more: Any) -> dict[str, Any]:
    header = {
        "parentHash": "0x" + "01" * 32,
        "sha3Uncles": "0x" + "02" * 32,
        "miner": "0x" + "03" * 20,
        "stateRoot": "0x" + "04" * 32,
        "transactionsRoot": "0x" + root_of_list([]).hex(),
        "receiptsRoot": "0x" + root_of_list([]).hex(),
        "logsBloom": "0x" + "07" * 256,
        "difficulty": "0x0",
        "number": "0x1234",
        "gasLimit": "0x1c9c380",
        "gasUsed": "0x5208",
        "timestamp": "0x67be0db3",
        "extraData": "0x706f72",
        "mixHash": "0x" + "08" * 32,
        "nonce": "0x" + "00" * 8,
    }
    return header | more


#: In the order in which forks added them.
FORKS: dict[str, str] = {
    "baseFeePerGas": hex(7 * 10**9),
    "withdrawalsRoot": "0x" + root_of_list([]).hex(),
    "blobGasUsed": "0x20000",
    "excessBlobGas": "0x0",
    "parentBeaconBlockRoot": "0x" + "0a" * 32,
    "requestsHash": "0x" + "0b" * 32,
    "blockAccessListHash": "0x" + "0c" * 32,
    "slotNumber": "0xa1b2c3",
}
NUMBERS = frozenset(
    {"difficulty", "number", "gasLimit", "gasUsed", "timestamp"}
    | {"baseFeePerGas", "blobGasUsed", "excessBlobGas", "slotNumber"}
)


def hash_header(header: dict[str, Any]) -> str:
    fields = [(number if name in NUMBERS else raw)(value) for name, value in header.items()]
    return "0x" + other_hash(rlp.encode(fields)).hex()


def make_block() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block with its receipts."""
    sent = every_transaction()
    receipts = [receipt_of(tx, n, [a_log(m) for m in range(n)]) for n, tx in enumerate(sent)]
    withdrawals = [
        {"index": hex(n), "validatorIndex": hex(40 + n), "address": TO, "amount": hex(n * 10**9)} for n in range(3)
    ]
    paid = [
        rlp.encode([number(w["index"]), number(w["validatorIndex"]), raw(w["address"]), number(w["amount"])])
        for w in withdrawals
    ]
    header = make_header(
        **FORKS
        | {
            "transactionsRoot": "0x" + root_of_list([encode_transaction(tx) for tx in sent]).hex(),
            "receiptsRoot": "0x" + root_of_list([encode_receipt(receipt) for receipt in receipts]).hex(),
            "withdrawalsRoot": "0x" + root_of_list(paid).hex(),
        }
    )
    rest = {"hash": hash_header(header), "size": "0x1", "uncles": [], "transactions": sent, "withdrawals": withdrawals}
    return header | rest, receipts
