"""What a Bitcoin node can do for porwatch, found by asking it."""

from __future__ import annotations

from typing import Any

from chains.bitcoin.opening import NO_PREVOUTS
from chains.core.rpc import Calls
from chains.core.values import Capabilities

#: How far back a block with a payment is looked for to see whether the node gives prevouts.
PROBED_BLOCKS = 10


async def probe(calls: Calls, hint_trouble: str) -> Capabilities:
    """History depends on pruning and prevouts; what a block moved is always complete."""
    lowest = await calls.call("getblockchaininfo", check=_lowest_block)
    limits = []
    history = "any block from the head down, by a scan of the UTXO set and blocks undone"
    if lowest:
        history = f"blocks from {lowest} on, by a scan of the UTXO set and blocks undone"
        limits.append(f"the node is pruned: it has no blocks below {lowest}")
    if not await _gives_prevouts(calls):
        history = "the head only"
        limits.append(NO_PREVOUTS)
    if hint_trouble:
        limits.append(hint_trouble)
    return Capabilities(history, "every input and output of every transaction", tuple(limits))


def _lowest_block(info: dict[str, Any]) -> int:
    """The lowest block that a node still has, of its getblockchaininfo: 0 where it is not pruned."""
    return int(info["pruneheight"]) if info["pruned"] else 0


async def _gives_prevouts(calls: Calls) -> bool:
    """Whether getblock with verbosity 3 names what inputs spend; a chain without payments is asked by its help text."""

    def probe(block: dict[str, Any]) -> tuple[bool | None, str | None]:
        payments = block["tx"][1:]
        return "prevout" in payments[0]["vin"][0] if payments else None, block.get("previousblockhash")

    block_hash: str | None = await calls.call("getbestblockhash", check=str)
    for _ in range(PROBED_BLOCKS):
        if block_hash is None:
            break
        gives, block_hash = await calls.call("getblock", [block_hash, 3], check=probe)
        if gives is not None:
            return gives
    return "prevout" in await calls.call("help", ["getblock"], check=str)
