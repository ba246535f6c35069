"""What a Bitcoin node is asked about its chain of headers, and what its errors mean.

Every function works on one endpoint or on several alike; a hash that comes back is checked against
the 80 bytes it belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence

from chains.bitcoin.blocks import Header, header_with_hash
from chains.core.errors import BadAnswer, ChainError, HistoryUnavailable, NodeError, Reorganised, Unreachable
from chains.core.quorum import Link
from chains.core.rpc import Calls
from chains.core.values import BlockRef, Heads

# Codes of Bitcoin Core's src/rpc/protocol.h.
RPC_INVALID_ADDRESS_OR_KEY = -5
RPC_INVALID_PARAMETER = -8
RPC_IN_WARMUP = -28
#: JSON-RPC 2.0: what a node of another kind of chain answers.
RPC_METHOD_NOT_FOUND = -32601

#: Blocks whose times a median spans (BIP-113).
MEDIAN_SPAN = 11


class UnknownBlock(HistoryUnavailable):
    """The node has never seen a block with this hash."""


def translate(error: NodeError) -> ChainError:
    """What an error of Bitcoin Core stands for; the error itself where it means no more than it says."""
    text = error.text.lower()
    if error.code == RPC_IN_WARMUP:
        return Unreachable(f"the node is still starting: {error.text}")
    if error.code == RPC_INVALID_ADDRESS_OR_KEY and "block not found" in text:
        return UnknownBlock("the node does not know this block")
    if "pruned data" in text or "not fully downloaded" in text or "undo data" in text:
        return HistoryUnavailable(f"the node does not hold this block: {error.text}; ask a node that is not pruned")
    return error


def block_hash_of(value: object) -> str:
    """A block hash as nodes write it. Raises BadAnswer for anything else."""
    if not isinstance(value, str) or len(value) != 64 or bytes.fromhex(value).hex() != value:
        raise BadAnswer(f"a block hash is 64 lower-case hex digits, not {value!r}")
    return value


async def hash_at(calls: Calls, height: int) -> str | None:
    """The hash of the block at a height on the node's own chain; None above its head."""
    try:
        return await calls.call("getblockhash", [height], check=block_hash_of)
    except NodeError as error:
        if error.code == RPC_INVALID_PARAMETER and height >= 0:
            return None
        raise


async def hashes_at(calls: Calls, heights: Sequence[int]) -> list[str | None]:
    """The hashes at several heights in one exchange; None above the node's head."""

    def check(found: list[object]) -> list[str | None]:
        return [None if _above_head(each) else block_hash_of(each) for each in found]

    return await calls.batch([("getblockhash", [each]) for each in heights], check=check, keep_errors=True)


def _above_head(answer: object) -> bool:
    if isinstance(answer, NodeError) and answer.code != RPC_INVALID_PARAMETER:
        raise answer
    return isinstance(answer, NodeError)


async def raw_header(calls: Calls, block_hash: str) -> Header:
    """The header with this hash, which is computed from its bytes. Raises Lie where it has another."""
    return await calls.call(
        "getblockheader", [block_hash, False], check=lambda value: header_with_hash(value, block_hash)
    )


async def raw_headers(calls: Calls, heights: Sequence[int]) -> list[Header]:
    """The headers at several heights of the node's own chain, hashes computed from their bytes."""

    def check_hashes(found: list[object]) -> list[str]:
        if any(_above_head(each) for each in found):
            raise HistoryUnavailable(f"the node has no block at height {heights[-1]} yet")
        return [block_hash_of(each) for each in found]

    hashes = await calls.batch([("getblockhash", [each]) for each in heights], check=check_hashes, keep_errors=True)
    return await calls.batch(
        [("getblockheader", [each, False]) for each in hashes],
        check=lambda raws: [header_with_hash(raw, each) for raw, each in zip(raws, hashes, strict=True)],
    )


async def header(calls: Calls, chain: str, block_hash: str, height: int) -> BlockRef:
    """The block with this hash; hash, parent and time come from the bytes of its header."""
    found = await raw_header(calls, block_hash)
    return BlockRef(chain, height, found.hash, found.parent, found.time)


async def header_at(calls: Calls, chain: str, height: int) -> BlockRef:
    """The block at a height on the node's own chain. Raises HistoryUnavailable above its head."""
    block_hash = await hash_at(calls, height)
    if block_hash is None:
        raise HistoryUnavailable(f"the node has no block at height {height} yet")
    return await header(calls, chain, block_hash, height)


async def is_canonical(calls: Calls, ref: BlockRef) -> bool:
    """Whether the node's chain has this block at its height.

    A node whose chain is shorter must know the block to deny it: one that is merely behind does
    not, and raises UnknownBlock.
    """
    block_hash = await hash_at(calls, ref.height)
    if block_hash is not None:
        return block_hash == ref.hash

    def check(value: dict[str, object]) -> bool:
        # -1 confirmations: the node knows the block and has left it.
        if value["hash"] != ref.hash or value["confirmations"] != -1:
            raise BadAnswer(f"the node has {ref.hash} on its chain, but no block at height {ref.height}")
        return False

    return await calls.call("getblockheader", [ref.hash, True], check=check)


async def check_canonical(calls: Calls, ref: BlockRef) -> None:
    """Raises Reorganised where the node's chain does not have this block."""
    if not await is_canonical(calls, ref):
        raise Reorganised(f"block {ref.height} {ref.hash} of {ref.chain} has left the chain")


async def link(calls: Calls, after: BlockRef) -> Link:
    """What the node has at the height of ``after`` and above, in one exchange where its chain is that long.

    A node whose chain is shorter must know the block to say that it left it: one that is merely behind
    raises UnknownBlock.
    """
    here, above = await hashes_at(calls, [after.height, after.height + 1])
    if here is not None:
        return Link(here, above)
    if await is_canonical(calls, after):
        raise Unreachable(f"block {after.height} changed while it was looked up")
    return Link("", None)


async def tip(calls: Calls, known: BlockRef | None) -> tuple[int, str]:
    """Height and hash of the node's head; one call where it still is ``known``."""
    best = await calls.call("getbestblockhash", check=block_hash_of)
    if known is not None and known.hash == best:
        return known.height, best
    return await _height(calls, best), best


async def heads(calls: Calls, chain: str, height: int, finality: int) -> Heads:
    """The node's block at ``height`` as the head, and the one with ``finality`` confirmations, the head counted.

    A chain shorter than that is final up to its genesis block, which nothing can undo.
    """
    heights = [height, max(0, height - finality + 1)]
    headers = await raw_headers(calls, heights)
    # The head still in its place: the final block was looked up on the chain of that head.
    if await hash_at(calls, height) != headers[0].hash:
        raise Unreachable(f"block {height} changed while it was read")
    seen, final = (
        BlockRef(chain, at, each.hash, each.parent, each.time) for at, each in zip(heights, headers, strict=True)
    )
    return Heads(seen, final)


async def _height(calls: Calls, block_hash: str) -> int:
    def check(value: dict[str, object]) -> int:
        height = value["height"]
        if value["hash"] != block_hash or type(height) is not int or height < 0:
            raise BadAnswer(f"the header of {block_hash} is said to be {value['hash']} at height {height!r}")
        return height

    return await calls.call("getblockheader", [block_hash, True], check=check)


async def last_block_before(calls: Calls, chain: str, time: int, final: BlockRef) -> BlockRef:
    """The newest block not above ``final`` whose own time is <= ``time``.

    Block times may fall, so they cannot be searched by halves; medians can. The median time of a
    block (of its own and the ten before, BIP-113) never falls, and the next block's time must be
    above it. So the blocks behind the first one whose median reaches ``time`` are all later than
    ``time``; from that one the walk goes down. Six of the eleven blocks behind its parent's median are
    earlier than ``time``, so the walk is short.
    """
    low, high = 0, final.height
    while low < high:
        middle = (low + high) // 2
        if await _median_time(calls, middle) >= time:
            high = middle
        else:
            low = middle + 1
    for height in range(low, max(-1, low - MEDIAN_SPAN - 1), -1):
        block = final if height == final.height else await header_at(calls, chain, height)
        if block.time <= time:
            return block
    raise HistoryUnavailable(f"{chain} has no block at or before time {time}")


async def _median_time(calls: Calls, height: int) -> int:
    """Median time past of the block at a height, from the headers themselves."""
    headers = await raw_headers(calls, range(max(0, height - MEDIAN_SPAN + 1), height + 1))
    return sorted(each.time for each in headers)[len(headers) // 2]
