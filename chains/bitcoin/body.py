"""One whole block from one endpoint: its bytes bound to its hash, its work, its parent and its merkle root."""

from __future__ import annotations

from hashlib import sha256

from chains.bitcoin.blocks import Header, check_merkle_root, header_with_hash
from chains.bitcoin.networks import Network
from chains.bitcoin.node import raw_header
from chains.bitcoin.transactions import transactions_of
from chains.bitcoin.walker import Walk, walk
from chains.bitcoin.watch import CoinWatch
from chains.bitcoin.work import check_difficulty, check_work
from chains.core.errors import BadAnswer
from chains.core.quorum import Lie
from chains.core.rpc import Calls
from chains.core.values import Block, BlockRef

#: Headers of the blocks read last, to check the difficulty of the next ones against.
HEADERS_KEPT = 100


class BodyReader:
    """Reads the blocks of one chain, whose native asset is ``asset``."""

    def __init__(self, chain: str, asset: str, network: Network) -> None:
        self.chain = chain
        self.asset = asset
        self.network = network
        self._headers: dict[str, Header] = {}

    async def read(self, calls: Calls, block_hash: str, height: int, watch: CoinWatch, *, on: str = "") -> Block:
        """The block with this hash, searched for what ``watch`` holds.

        ``on``: the hash of the block that it must stand on, and against which its difficulty is checked;
        where that block was not read before, its header is asked for. Raises Lie where the bytes are not
        what they are given as, BadAnswer where they are no block.
        """
        parent = self._headers.get(on)
        if parent is None and on and height > 0 and self.network.retargets:
            parent = await raw_header(calls, on)

        def check(value: str) -> Block:
            raw = bytes.fromhex(value)
            header = header_with_hash(value, block_hash, "getblock 0")
            check_work(header, self.network)
            if on and header.parent != on:
                raise BadAnswer(f"block {block_hash} stands on {header.parent}, not on {on}")
            if parent is not None:
                check_difficulty(header, parent, height, self.network)
            walked = walk(raw, watch.scripts, watch.coins)
            _check_root(raw, header, walked)
            self._keep(header)
            transactions = transactions_of(raw, walked, watch, self.chain, self.asset, self.network)
            return Block(BlockRef(self.chain, height, header.hash, header.parent, header.time), transactions)

        return await calls.call("getblock", [block_hash, 0], check=check)

    def _keep(self, header: Header) -> None:
        self._headers[header.hash] = header
        if len(self._headers) > HEADERS_KEPT:
            del self._headers[next(iter(self._headers))]


def _check_root(raw: bytes, header: Header, walked: Walk) -> None:
    try:
        check_merkle_root(raw, walked.spans, header.root)
    except BadAnswer as error:
        evidence = {
            "asked": f"getblock {header.hash} 0",
            "answered_header": header.raw.hex(),
            "answered_sha256": sha256(raw).hexdigest(),
            "refuted": str(error),
        }
        message = f"the transactions given for block {header.hash} are not its own: {error}"
        raise Lie("merkle_root", message, evidence) from error
