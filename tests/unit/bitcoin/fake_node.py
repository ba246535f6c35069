"""A Bitcoin node in memory, behind the wire that the RPC client speaks to; it can be told to lie."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bitcoin.core import CBlock, CoreRegTestParams, CTransaction

from chains.bitcoin.blocks import parse_header
from chains.bitcoin.node import translate
from chains.bitcoin.reader import BitcoinChain
from chains.bitcoin.settings import Settings
from chains.core.errors import Unreachable
from chains.core.jsonrpc import Reply
from chains.core.rpc import Limits, Rpc
from tests.unit.bitcoin.synthetic import block, coinbase


def coins(units: int) -> float:
    """Satoshis as the number that a node writes; its shortest decimal form is exact for the amounts of the tests."""
    return units / 10**8


class Refusal(Exception):
    """A JSON-RPC error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class FakeNode:
    """``blocks``: raw blocks by height; ``stale``: blocks that have left the chain; ``lies``: method -> replacement.

    ``seconds``: how long it takes to answer.
    """

    def __init__(self) -> None:
        self.blocks: list[bytes] = [CoreRegTestParams.GENESIS_BLOCK.serialize()]
        self.stale: list[bytes] = []
        self.lies: dict[str, Callable[..., Any]] = {}
        self.down = False
        self.seconds = 0.0
        self.calls: list[str] = []

    def mine(self, *transactions: CTransaction, time: int | None = None, reward: bytes = b"\x51") -> str:
        parent = bytes.fromhex(parse_header(self.blocks[-1]).hash)[::-1]
        height = len(self.blocks)
        first = coinbase(height + 1000 * len(self.stale), [(50, reward)])
        self.blocks.append(block([first, *transactions], parent, time or 1_700_000_000 + height))
        return self.hash(height)

    def reorg(self, depth: int) -> None:
        self.stale += self.blocks[-depth:]
        del self.blocks[-depth:]

    def hash(self, height: int) -> str:
        return parse_header(self.blocks[height]).hash

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        if self.down or body is None:
            raise Unreachable("connection refused")
        await asyncio.sleep(self.seconds)
        request = json.loads(body)
        answer = [self._one(each) for each in request] if isinstance(request, list) else self._one(request)
        return Reply(200, json.dumps(answer).encode(), "application/json")

    async def close(self) -> None:
        pass

    def _one(self, request: dict[str, Any]) -> dict[str, Any]:
        method = request["method"]
        self.calls.append(method)
        try:
            handler = self.lies.get(method) or getattr(self, f"rpc_{method}", None)
            if handler is None:
                raise Refusal(-32601, "Method not found")
            return {"jsonrpc": "2.0", "id": request["id"], "result": handler(*request["params"])}
        except Refusal as error:
            return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": error.code, "message": str(error)}}

    def _find(self, block_hash: str) -> tuple[int, bytes]:
        for height, raw in enumerate(self.blocks):
            if parse_header(raw).hash == block_hash:
                return height, raw
        for raw in self.stale:
            if parse_header(raw).hash == block_hash:
                return -1, raw
        raise Refusal(-5, "Block not found")

    def rpc_getbestblockhash(self) -> str:
        return self.hash(-1)

    def rpc_getblockhash(self, height: int) -> str:
        if not 0 <= height < len(self.blocks):
            raise Refusal(-8, "Block height out of range")
        return self.hash(height)

    def rpc_getblockheader(self, block_hash: str, verbose: bool) -> Any:
        height, raw = self._find(block_hash)
        if not verbose:
            return raw[:80].hex()
        confirmations = len(self.blocks) - height if height >= 0 else -1
        return {"hash": block_hash, "height": height, "confirmations": confirmations}

    def rpc_getblock(self, block_hash: str, verbosity: int) -> Any:
        height, raw = self._find(block_hash)
        if verbosity == 0:
            return raw.hex()
        spendable = self._outputs()
        parsed = CBlock.deserialize(raw)
        header = parse_header(raw)
        listed = [self._transaction(each, spendable) for each in parsed.vtx]
        linked = {"previousblockhash": header.parent} if height else {}
        return {"hash": block_hash, "height": height, "tx": listed} | linked

    def rpc_scantxoutset(self, action: str, descriptors: Sequence[str] = ()) -> Any:
        wanted = {each.removeprefix("raw(").removesuffix(")") for each in descriptors}
        spent = {
            (entry.prevout.hash, entry.prevout.n)
            for raw in self.blocks
            for each in CBlock.deserialize(raw).vtx
            for entry in each.vin
        }
        left = {key: out for key, out in self._outputs().items() if key not in spent and out[1].hex() in wanted}
        return {
            "success": True,
            "height": len(self.blocks) - 1,
            "bestblock": self.hash(-1),
            "unspents": [
                {"txid": txid[::-1].hex(), "vout": number, "scriptPubKey": script.hex(), "amount": coins(units)}
                | {"height": self.height_of(txid)}
                for (txid, number), (units, script) in left.items()
            ],
            "total_amount": coins(sum(units for units, _ in left.values())),
        }

    def rpc_getblockchaininfo(self) -> Any:
        return {"bestblockhash": self.hash(-1), "pruned": False}

    def rpc_help(self, method: str) -> str:
        return f"{method}: the prevout of each input"

    def _outputs(self) -> dict[tuple[bytes, int], tuple[int, bytes]]:
        """All outputs of the chain but those of the genesis block, which nobody can spend."""
        return {
            (each.GetTxid(), number): (out.nValue, bytes(out.scriptPubKey))
            for raw in self.blocks[1:]
            for each in CBlock.deserialize(raw).vtx
            for number, out in enumerate(each.vout)
        }

    def height_of(self, txid: bytes) -> int:
        """The height of the newest block with this transaction (wire order)."""
        heights = [
            height
            for height, raw in enumerate(self.blocks)
            if any(each.GetTxid() == txid for each in CBlock.deserialize(raw).vtx)
        ]
        return heights[-1] if heights else 0

    def _transaction(self, each: CTransaction, outputs: dict[tuple[bytes, int], tuple[int, bytes]]) -> Any:
        vin = []
        for entry in each.vin:
            if entry.prevout.is_null():
                vin.append({"coinbase": "00"})
                continue
            units, script = outputs.get((entry.prevout.hash, entry.prevout.n), (1_000_000, b"\x51"))
            prevout = {"value": coins(units), "scriptPubKey": {"hex": script.hex()}}
            prevout["height"] = self.height_of(entry.prevout.hash)
            vin.append({"txid": entry.prevout.hash[::-1].hex(), "vout": entry.prevout.n, "prevout": prevout})
        vout = [
            {"n": number, "value": coins(out.nValue), "scriptPubKey": {"hex": bytes(out.scriptPubKey).hex()}}
            for number, out in enumerate(each.vout)
        ]
        return {"txid": each.GetTxid()[::-1].hex(), "vin": vin, "vout": vout}


def settings_of(**keys: Any) -> Settings:
    given = {
        "kind": "bitcoin",
        "network": "regtest",
        "native": "BTC",
        "endpoints": [{"url": "http://127.0.0.1:1"}],
    } | keys
    return Settings.model_validate(given)


def chain_on(*nodes: FakeNode, own: Sequence[int] = (), **keys: Any) -> BitcoinChain:
    """A chain called "bitcoin" on these nodes; ``own``: the numbers of those marked so."""
    names = [f"node-{number}" for number in range(len(nodes))]
    endpoints = [{"name": name, "url": "http://127.0.0.1:1", "own": number in own} for number, name in enumerate(names)]
    settings = settings_of(endpoints=endpoints, **keys)
    by_name = dict(zip(names, nodes, strict=True))
    rpc = Rpc(
        settings.endpoints,
        Path(),
        translate=translate,
        limits=Limits(tries=1, backoff_min=0.001),
        transport=lambda _, name: by_name[name],
    )
    return BitcoinChain("bitcoin", settings, rpc)
