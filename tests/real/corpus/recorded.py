"""A node that replays recorded blocks. What is served hashes to the recording's own block hashes, or nothing is served.

Not recorded are receipts, traces and state: the node refuses the first two as an old one does. A balance is what the
recorded blocks make of the genesis file, for accounts that never sent and were only paid by plain transfers and
withdrawals; any other account is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rlp
from eth_account import Account
from eth_utils import keccak
from rlp.codec import consume_length_prefix

from chains.ethereum.address import spell
from chains.ethereum.verify.transactions import check_transactions
from chains.ethereum.verify.withdrawals import check_withdrawals
from tests.real.faulty_node import FaultyNode

JSON = dict[str, Any]
HEADER = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty",
    "number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot",
    "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
)  # fmt: skip
_CALL = ("nonce", "gasPrice", "gas", "to", "value", "input")
_FEES = ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas", "to", "value", "input", "accessList")
_SIGNED = ("v", "r", "s")
#: fields of a transaction in the order in which each type is encoded
FIELDS = {
    0: (*_CALL, *_SIGNED),
    1: ("chainId", *_CALL, "accessList", *_SIGNED),
    2: (*_FEES, *_SIGNED),
    3: (*_FEES, "maxFeePerBlobGas", "blobVersionedHashes", *_SIGNED),
    4: (*_FEES, "authorizationList", *_SIGNED),
}
AUTHORIZATION = ("chainId", "address", "nonce", "yParity", "r", "s")
WITHDRAWAL = ("index", "validatorIndex", "address", "amount")
#: what is bytes and not a number
DATA = frozenset({
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "extraData",
    "mixHash", "withdrawalsRoot", "parentBeaconBlockRoot", "requestsHash", "to", "input", "address",
})  # fmt: skip
NO_METHOD = -32601


def load(folder: Path) -> tuple[dict[int, JSON], JSON]:
    """Blocks by height as a node gives them, and the balances of the genesis file by address in lower case.

    Every hash is re-computed: of each header (which must name its parent and end in the head of the recorded
    transcript), and the roots of transactions and withdrawals in it.
    """
    raw = (folder / "chain.rlp").read_bytes()
    blocks: dict[int, JSON] = {}
    at, parent = 0, None
    while at < len(raw):
        _, _, length, start = consume_length_prefix(raw, at)
        block = _block(rlp.decode(raw[at : start + length]))
        assert parent in (None, block["parentHash"])
        check_transactions(block)
        if "withdrawalsRoot" in block:
            check_withdrawals(block)
        blocks[int(block["number"], 16)] = block
        at, parent = start + length, block["hash"]
    answer = (folder / "eth_getBlockByNumber_get-latest.io").read_text().split("<< ")[1]
    assert parent == json.loads(answer)["result"]["hash"]
    alloc = json.loads((folder / "genesis.json").read_text())["alloc"]
    return blocks, {"0x" + a.lower().removeprefix("0x"): int(entry["balance"], 16) for a, entry in alloc.items()}


def _block(item: list[Any]) -> JSON:
    header, transactions, _, *rest = item
    block: JSON = {name: _said(name, value) for name, value in zip(HEADER, header, strict=False)}
    # The nonce of a header is eight bytes, that of a transaction a number.
    block |= {"hash": "0x" + keccak(rlp.encode(header)).hex(), "nonce": "0x" + header[14].hex(), "uncles": []}
    block["transactions"] = [_transaction(n, sent, block) for n, sent in enumerate(transactions)]
    if rest:
        block["withdrawals"] = [_named(WITHDRAWAL, line) for line in rest[0]]
    return block


def _transaction(position: int, item: Any, block: JSON) -> JSON:
    envelope = item if isinstance(item, bytes) else rlp.encode(item)
    kind = item[0] if isinstance(item, bytes) else 0
    sent = _named(FIELDS[kind], rlp.decode(item[1:]) if isinstance(item, bytes) else item)
    sent["to"] = None if sent["to"] == "0x" else sent["to"]
    if kind:
        sent |= {"yParity": sent["v"], "accessList": _access(sent["accessList"])}
    if "authorizationList" in sent:
        sent["authorizationList"] = [_named(AUTHORIZATION, line) for line in sent["authorizationList"]]
    if "blobVersionedHashes" in sent:
        sent["blobVersionedHashes"] = ["0x" + one.hex() for one in sent["blobVersionedHashes"]]
    here = {"blockHash": block["hash"], "blockNumber": block["number"], "transactionIndex": hex(position)}
    own = {"hash": "0x" + keccak(envelope).hex(), "type": hex(kind)}
    return sent | here | own | {"from": Account.recover_transaction(envelope).lower()}


def _access(entries: Any) -> list[JSON]:
    return [{"address": "0x" + a.hex(), "storageKeys": ["0x" + k.hex() for k in keys]} for a, keys in entries]


def _named(names: tuple[str, ...], values: Any) -> JSON:
    return {name: _said(name, value) for name, value in zip(names, values, strict=True)}


def _said(name: str, value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    return "0x" + value.hex() if name in DATA else hex(int.from_bytes(value, "big"))


class RecordedNode(FaultyNode):
    """Serves the blocks up to ``height``, which ``mine`` raises."""

    def __init__(self, blocks: Mapping[int, JSON], genesis: Mapping[str, int], height: int) -> None:
        super().__init__()
        self.blocks, self.genesis, self.height = blocks, genesis, height

    def _result(self, call: dict[str, Any]) -> dict[str, Any]:
        answers = {
            "eth_chainId": self._chain_id,
            "eth_blockNumber": lambda: hex(self.height),
            "eth_getBlockByNumber": self._by_number,
            "eth_getBlockByHash": self._by_hash,
            "eth_getBalance": lambda address, at: hex(self.balance(address, self._height(at))),
            "eth_getTransactionCount": lambda address, at: hex(self.nonce(address, self._height(at))),
        }
        head = {"jsonrpc": "2.0", "id": call["id"]}
        if call["method"] not in answers:
            return head | {"error": {"code": NO_METHOD, "message": f"{call['method']} is not recorded"}}
        return head | {"result": answers[call["method"]](*call["params"])}

    def _chain_id(self) -> str:
        found = {
            sent["chainId"] for block in self.blocks.values() for sent in block["transactions"] if "chainId" in sent
        }
        (only,) = found
        return str(only)

    def _by_number(self, number: str, whole: bool) -> JSON | None:
        return self._served(self.height if number == "latest" else int(number, 16), whole)

    def _by_hash(self, hash: str, whole: bool) -> JSON | None:
        return next((self._served(n, whole) for n, block in self.blocks.items() if block["hash"] == hash), None)

    def _served(self, height: int, whole: bool) -> JSON | None:
        block = self.blocks.get(height)
        if block is None or height > self.height:
            return None
        return block if whole else block | {"transactions": [sent["hash"] for sent in block["transactions"]]}

    def _height(self, at: Any) -> int:
        if isinstance(at, str):
            return int(at, 16)
        return next(n for n, block in self.blocks.items() if block["hash"] == at["blockHash"])

    def nonce(self, address: str, height: int) -> int:
        lower = address.lower()
        sent = [s for n in range(1, height + 1) for s in self.blocks[n]["transactions"] if s["from"] == lower]
        return len(sent)

    def balance(self, address: str, height: int) -> int:
        """Wei of an account that only received."""
        lower, wei = address.lower(), self.genesis.get(address.lower(), 0)
        assert self.nonce(address, height) == 0
        for number in range(1, height + 1):
            block = self.blocks[number]
            wei += sum(int(sent["value"], 16) for sent in block["transactions"] if sent["to"] == lower)
            wei += sum(int(w["amount"], 16) * 10**9 for w in block.get("withdrawals", ()) if w["address"] == lower)
        return wei


class RecordedGround:
    """The recorded chain, with wallets that withdrawals pay."""

    name, native, node_name = "recorded", "ETH", "recorded blocks"

    def __init__(self, node: RecordedNode, paid: Mapping[str, str]) -> None:
        """``paid``: address by wallet."""
        self.node = node
        self.addresses = {wallet: spell(address) for wallet, address in paid.items()}
        self.wallet_names = tuple(self.addresses)
        self.decimals = {"ETH": 18}
        self.began = 0.0
        self.people: dict[str, str] = {}

    def config(self) -> JSON:
        return {
            "kind": "evm", "chain_id": int(self.node._chain_id(), 16), "native": "ETH", "finality": 2,
            "start": self.node.height + 1, "endpoints": [{"url": self.node.url}],
        }  # fmt: skip

    def wallets(self) -> list[JSON]:
        return [
            {"name": name, "chain": self.name, "tier": "cold", "addresses": [address]}
            for name, address in self.addresses.items()
        ]

    def head(self) -> int:
        return self.node.height

    def mine(self, blocks: int = 1) -> None:
        self.began = time.time()
        self.node.height += blocks

    def held(self, wallet: str, asset: str) -> int:
        return self.node.balance(self.addresses[wallet], self.node.height)
