"""Answers of a node, written by hand in the shapes of execution-apis, and a node that gives them without a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.core.jsonrpc import Reply
from chains.core.rpc import Limits, Rpc
from chains.core.settings import Endpoint
from chains.core.values import BlockRef
from chains.ethereum.chain import EvmChain
from chains.ethereum.nodes import translate
from chains.ethereum.profiles import TRANSFER
from chains.ethereum.settings import Settings

GWEI = 10**9
BASE_FEE = 7 * GWEI
PRICE = 10 * GWEI


def addr(n: int) -> str:
    return f"0x{n:040x}"


def word(n: int) -> str:
    return f"0x{n:064x}"


def block_hash(height: int, fork: int = 0) -> str:
    return f"0xb{fork:07x}{height:056x}"


def tx_hash(height: int, position: int, fork: int = 0) -> str:
    return f"0xa{fork:07x}{height:028x}{position:028x}"


TOKEN = addr(0x70CE)
OTHER_TOKEN = addr(0xBAD)
MINER = addr(0xFEE)


def transfer_log(source: int, destination: int, units: int, contract: str = TOKEN, **more: Any) -> dict[str, Any]:
    return {"address": contract, "topics": [TRANSFER, word(source), word(destination)], "data": word(units), **more}


def call(source: int, to: int, wei: int, *calls: dict[str, Any], type: str = "CALL", **more: Any) -> dict[str, Any]:
    return {"type": type, "from": addr(source), "to": addr(to), "value": hex(wei), "calls": list(calls), **more}


class Tx:
    """One transaction with its receipt and trace, before it stands in a block."""

    def __init__(
        self,
        sender: int,
        to: int | None,
        wei: int = 0,
        *,
        logs: Sequence[dict[str, Any]] = (),
        trace: dict[str, Any] | None = None,
        ok: bool = True,
        gas: int = 21_000,
        receipt: Mapping[str, Any] | None = None,
        fields: Mapping[str, Any] | None = None,
        created: int = 0xC0DE,
    ) -> None:
        self.sender, self.to, self.wei = sender, to, wei
        root = call(sender, created if to is None else to, wei, type="CREATE" if to is None else "CALL")
        self.trace = trace if trace is not None else root
        if not ok:
            self.trace = self.trace | {"error": "execution reverted"}
        self.logs, self.ok, self.gas, self.created = logs, ok, gas, created
        self.more_receipt, self.more_fields = dict(receipt or {}), dict(fields or {})


def make_block(
    height: int,
    txs: Sequence[Tx] = (),
    *,
    fork: int = 0,
    parent_fork: int | None = None,
    miner: str = MINER,
    withdrawals: Sequence[tuple[int, int]] = (),
    time: int | None = None,
) -> dict[str, Any]:
    """{"block", "receipts", "traces"}: what a node says about one block. ``withdrawals``: (address, Gwei)."""
    own = block_hash(height, fork)
    block: dict[str, Any] = {
        "number": hex(height),
        "hash": own,
        "parentHash": block_hash(height - 1, fork if parent_fork is None else parent_fork) if height else word(0),
        "timestamp": hex(1_000 + 12 * height if time is None else time),
        "miner": miner,
        "baseFeePerGas": hex(BASE_FEE),
        "transactions": [],
        "withdrawals": [{"address": addr(a), "amount": hex(gwei)} for a, gwei in withdrawals],
    }
    receipts, traces = [], []
    for n, tx in enumerate(txs):
        here = {"blockHash": own, "transactionIndex": hex(n)}
        h = tx_hash(height, n, fork)
        block["transactions"].append(
            here
            | {"hash": h, "from": addr(tx.sender), "to": None if tx.to is None else addr(tx.to)}
            | {"value": hex(tx.wei), "nonce": hex(n), "input": "0x", "type": "0x2"}
            | tx.more_fields
        )
        logs = [{"blockHash": own, "transactionHash": h, "removed": False} | log for log in tx.logs] if tx.ok else []
        receipts.append(
            here
            | {"transactionHash": h, "status": hex(tx.ok), "logs": logs, "gasUsed": hex(tx.gas)}
            | {"effectiveGasPrice": hex(PRICE), "contractAddress": addr(tx.created) if tx.to is None else None}
            | tx.more_receipt
        )
        traces.append({"txHash": h, "result": tx.trace})
    return {"block": block, "receipts": receipts, "traces": traces}


def ref_of(made: Mapping[str, Any], chain: str = "ethereum") -> BlockRef:
    b = made["block"]
    return BlockRef(chain, int(b["number"], 16), b["hash"], b["parentHash"], int(b["timestamp"], 16))


class NoMethod(Exception):
    pass


class Refusal(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class FakeNode:
    """A node's answers without a socket: the wire of one endpoint (chains.core.transport.Transport).

    ``refuse``: methods it does not know. ``change[method]``: replaces an answer, given params and the true one.
    """

    def __init__(self, *made: dict[str, Any], chain_id: int = 1) -> None:
        self.made = {int(m["block"]["number"], 16): m for m in made}
        self.chain_id = chain_id
        self.refuse: set[str] = set()
        self.change: dict[str, Callable[[list[Any], Any], Any]] = {}
        self.asked: list[str] = []
        self.exchanges = 0
        self.balances: dict[str, int] = {}
        self.nonces: dict[str, int] = {}
        self.down: Exception | None = None

    def put(self, *made: dict[str, Any]) -> None:
        for m in made:
            self.made[int(m["block"]["number"], 16)] = m

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        self.exchanges += 1
        if self.down is not None:
            raise self.down
        message = json.loads(body or b"")
        answer = [self._one(m) for m in message] if isinstance(message, list) else self._one(message)
        return Reply(200, json.dumps(answer).encode(), "application/json")

    async def close(self) -> None:
        pass

    def _one(self, message: dict[str, Any]) -> dict[str, Any]:
        method, params = message["method"], message["params"]
        self.asked.append(method)
        head = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            if method in self.refuse:
                raise Refusal(-32601, f"the method {method} does not exist/is not available")
            answer = self._answer(method, params)
            if method in self.change:
                answer = self.change[method](params, answer)
        except Refusal as refusal:
            return head | {"error": {"code": refusal.code, "message": refusal.message}}
        return head | {"result": answer}

    def _answer(self, method: str, params: list[Any]) -> Any:  # noqa: PLR0911  one line a method
        match method:
            case "eth_chainId":
                return hex(self.chain_id)
            case "eth_blockNumber":
                return hex(max(self.made))
            case "eth_getBlockByNumber":
                heights = {"latest": max(self.made), "finalized": max(0, max(self.made) - 2), "safe": max(self.made)}
                found = self.made.get(heights[params[0]] if params[0] in heights else int(params[0], 16))
                return found and found["block"]
            case "eth_getBlockByHash":
                return next((m["block"] for m in self.made.values() if m["block"]["hash"] == params[0]), None)
            case "eth_getTransactionReceipt":
                every = (r for m in self.made.values() for r in m["receipts"])
                return next((r for r in every if r["transactionHash"] == params[0]), None)
            case "trace_block":
                return flat(self.made[int(params[0], 16)])
            case "eth_getBalance":
                self._by_hash_or_number(params[1])
                return hex(self.balances.get(params[0].lower(), 0))
            case "eth_getTransactionCount":
                self._by_hash_or_number(params[1])
                return hex(self.nonces.get(params[0].lower(), 0))
            case "eth_call":
                self._by_hash_or_number(params[1])
                return word(self.balances.get("0x" + params[0]["data"][34:].lower(), 0))
        return self._by_hash(method, params[0]["blockHash"] if isinstance(params[0], dict) else params[0])

    def _by_hash(self, method: str, wanted: str) -> Any:
        made = next((m for m in self.made.values() if m["block"]["hash"] == wanted), None)
        match method:
            case "eth_getBlockReceipts":
                return made and made["receipts"]
            case "debug_traceBlockByHash" if made:
                return made["traces"]
            case "eth_getLogs" if made:
                return [log for r in made["receipts"] for log in r["logs"] if log["topics"][0] == TRANSFER]
        raise Refusal(-32000, "header for hash not found")

    def _by_hash_or_number(self, at: Any) -> None:
        if isinstance(at, dict) and not any(m["block"]["hash"] == at["blockHash"] for m in self.made.values()):
            raise Refusal(-32000, "header for hash not found")


def flat(made: dict[str, Any]) -> list[dict[str, Any]]:
    """The same traces as trace_block writes them."""
    found: list[dict[str, Any]] = []
    here = {"blockHash": made["block"]["hash"], "blockNumber": int(made["block"]["number"], 16)}
    for n, item in enumerate(made["traces"]):
        about = here | {"transactionHash": item["txHash"], "transactionPosition": n}
        _flatten(item["result"], [], about, found)
    return found


def _flatten(frame: dict[str, Any], place: list[int], about: dict[str, Any], found: list[dict[str, Any]]) -> None:
    kind = frame["type"]
    source, to, value = frame["from"], frame["to"], frame["value"]
    if kind == "SELFDESTRUCT":
        own = {"type": "suicide", "action": {"address": source, "refundAddress": to, "balance": value}, "result": None}
    elif kind in ("CREATE", "CREATE2"):
        own = {"type": "create", "action": {"from": source, "value": value}, "result": {"address": to}}
    else:
        own = {"type": "call", "action": {"callType": kind.lower(), "from": source, "to": to, "value": value}}
    error = {"error": frame["error"]} if "error" in frame else {}
    found.append(about | own | error | {"traceAddress": place, "subtraces": len(frame["calls"])})
    for n, inner in enumerate(frame["calls"]):
        _flatten(inner, [*place, n], about, found)


def settings(endpoints: int = 1, /, **more: Any) -> Settings:
    urls = [{"url": f"http://node-{n}.invalid"} for n in range(endpoints)]
    # The hashes of these blocks are made up, and one endpoint is believed unless a test says otherwise.
    keys = {"kind": "evm", "chain_id": 1, "native": "ETH", "endpoints": urls, "verify": "hashes", "quorum": 1}
    return Settings.model_validate(keys | {"tokens": {"USDT": {"contract": TOKEN}}} | more)


async def _no_pause(_: float) -> None:
    return None


def make_chain(*nodes: FakeNode, decimals: dict[str, int] | None = None, **more: Any) -> EvmChain:
    from chains.core.rpc import Clock

    conf = settings(len(nodes), **more)
    wires = iter(nodes)

    def wire(endpoint: Endpoint, name: str) -> FakeNode:
        return next(wires)

    limits = Limits(tries=1)
    rpc = Rpc(conf.endpoints, Path(), translate=translate, limits=limits, clock=Clock(sleep=_no_pause), transport=wire)
    return EvmChain("ethereum", conf, decimals or {"ETH": 18, "USDT": 6}, rpc)
