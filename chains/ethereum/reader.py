"""Reading one block from one endpoint: two round trips, the second by hash, everything checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from chains.core.errors import AllEndpointsFailed, BadAnswer, ChainError, NodeError, Reorganised, Unreachable
from chains.core.hex import quantity
from chains.core.rpc import Calls, Request
from chains.core.values import Block, BlockRef
from chains.ethereum import nodes, transfers
from chains.ethereum.address import ZERO
from chains.ethereum.blocks import (
    Json,
    RawBlock,
    Sent,
    check_logs,
    check_receipt,
    check_receipts,
    full_block,
    header_at,
)
from chains.ethereum.extract import UNSEEN_INTERNAL, Extractor, Traced
from chains.ethereum.nodes import Nodes, Offers, lacks_method
from chains.ethereum.profiles import TOPICS
from chains.ethereum.watch import AddressWatch

T = TypeVar("T")

UNSEEN_HERE = "internal transfers of this block could not be traced: the residual catches them"
#: An endpoint can turn out to lack receipts once and traces twice.
_DOWNGRADES = 3
#: Seconds for one try at the traces of a block. Whoever wants to blind us can make them slow, so this is short.
_TRACE_SECONDS = 10.0
#: Full nodes keep the state of the newest 128 blocks or so; one that still knows this many has them all.
_HISTORY = 10_000


class TracesFailed(BadAnswer):
    """The traces of a block came too late, too large, too deep or wrong; without them it may be readable."""

    def __init__(self, endpoint: str, cause: ChainError) -> None:
        super().__init__(str(cause))
        self.endpoint = endpoint
        self.cause = cause


@dataclass(frozen=True, slots=True)
class _Details:
    """The second round trip: all receipts, or the token logs where the node has no block receipts."""

    receipts: dict[int, Json] | None
    logs: list[Any]
    traced: Traced | None
    unseen: tuple[str, ...]


class BlockReader:
    """Reads blocks of one chain. ``contracts``: of the tokens.

    Anyone can send a transaction whose traces no client can take (hundreds of calls deep, gigabytes of
    input), and a full node cannot trace the past. So traces that fail on every endpoint do not stop the
    reading: the block is then read without them, says so, and what is missing shows as a residual.
    """

    def __init__(self, chain: str, nodes: Nodes, extractor: Extractor, contracts: Sequence[str]) -> None:
        self._chain = chain
        self._nodes = nodes
        self._extractor = extractor
        self._contracts = list(contracts)
        # Endpoints that never answered a call for traces. Some providers refuse a method by closing the door
        # (HTTP 403); one that then answers without it is asked for it again only after a while.
        self._shut: set[str] = set()

    async def read_next(self, after: BlockRef, watch: AddressWatch) -> Block | None:
        """As Chain.read_next."""
        return await self._anywhere(lambda one, traced: self._after(one, after, watch, traced=traced))

    async def read(self, ref: BlockRef, watch: AddressWatch) -> Block:
        """As Chain.read."""
        return await self._anywhere(lambda one, traced: self._exactly(one, ref, watch, traced=traced))

    async def _anywhere(self, read: Callable[[Calls, bool], Awaitable[T]]) -> T:
        try:
            return await self._nodes.anywhere(lambda one: read(one, True))
        except AllEndpointsFailed as failed:
            failures = failed.exceptions
        without = {error.endpoint for error in failures if isinstance(error, TracesFailed)}
        try:
            if without:
                return await self._nodes.anywhere(lambda one: read(one, False), without)
        except AllEndpointsFailed:
            # It was not the traces: the first errors say more.
            pass
        causes = [e.cause if isinstance(e, TracesFailed) else e for e in failures if isinstance(e, ChainError)]
        raise AllEndpointsFailed("no endpoint gave a whole answer", causes)

    async def _after(self, one: Calls, after: BlockRef, watch: AddressWatch, *, traced: bool) -> Block | None:
        def check(answers: list[Any]) -> RawBlock | None:
            head, below, above = answers
            if header_at(self._chain, below, after.height).hash != after.hash:
                raise Reorganised(f"block {after.height} {after.hash} is not on the chain any more")
            if above is not None:
                return self._block(above, after.height + 1)
            # The head was asked for first, so what it promised must be there.
            if quantity(head, "eth_blockNumber") > after.height:
                raise BadAnswer(f"has no block {after.height + 1}, which is not above its head")
            return None

        calls: list[Request] = [
            ("eth_blockNumber", []),
            ("eth_getBlockByNumber", [hex(after.height), False]),
            ("eth_getBlockByNumber", [hex(after.height + 1), True]),
        ]
        block = await one.batch(calls, check=check)
        if block is None:
            return None
        if block.ref.parent != after.hash:
            # The chain may have turned between the two answers; if not, they contradict each other.
            if (await nodes.header(one, self._chain, after.height)).hash != after.hash:
                raise Reorganised(f"block {after.height} {after.hash} is not on the chain any more")
            raise BadAnswer(f"{one.names[0]}: block {block.ref.height} does not stand on its block {after.height}")
        return await self._complete(one, block, watch, traced=traced)

    async def _exactly(self, one: Calls, ref: BlockRef, watch: AddressWatch, *, traced: bool) -> Block:
        def check(answers: list[Any]) -> RawBlock:
            raw, canonical = answers
            if raw is not None:
                block = self._block(raw, ref.height)
                if block.ref != ref:
                    raise BadAnswer(f"block {ref.hash} has another hash, parent or time than before")
                return block
            if header_at(self._chain, canonical, ref.height).hash != ref.hash:
                raise Reorganised(f"block {ref.height} {ref.hash} is not on the chain any more")
            raise BadAnswer(f"names block {ref.hash} by its number and does not know it by its hash")

        calls: list[Request] = [
            ("eth_getBlockByHash", [ref.hash, True]),
            ("eth_getBlockByNumber", [hex(ref.height), False]),
        ]
        return await self._complete(one, await one.batch(calls, check=check), watch, traced=traced)

    def _block(self, raw: Any, height: int) -> RawBlock:
        block = full_block(self._chain, raw)
        if block.ref.height != height:
            raise BadAnswer(f"was asked for block {height} and answered {block.ref.height}")
        return block

    async def _complete(self, one: Calls, block: RawBlock, watch: AddressWatch, *, traced: bool) -> Block:
        if not block.transactions:
            return Block(block.ref, self._extractor.transactions(block, {}, {}, watch))
        details = await (self._details(one, block) if traced else self._without_traces(one, block))
        receipts = details.receipts
        if receipts is None:
            with _naming(one, block):
                needed = self._extractor.may_touch(block, details.logs, details.traced, watch)
            receipts = await self._receipts_of(one, block, needed)
        with _naming(one, block):
            found = self._extractor.transactions(block, receipts, details.traced, watch)
        return Block(block.ref, found, details.unseen)

    async def _receipts_of(self, one: Calls, block: RawBlock, needed: Sequence[Sent]) -> dict[int, Json]:
        def check(answers: list[Any]) -> dict[int, Json]:
            given = zip(needed, answers, strict=True)
            return {sent.position: check_receipt(block, sent, answer) for sent, answer in given}

        return await one.batch([("eth_getTransactionReceipt", [sent.hash]) for sent in needed], check=check)

    async def probe(self, one: Calls) -> tuple[Offers, bool]:
        """What an endpoint offers, asked about its newest block; and whether it still has the state of old blocks."""
        block = await one.call("eth_getBlockByNumber", ["latest", True], check=lambda raw: full_block(self._chain, raw))
        try:
            await self._details(one, block)
        except TracesFailed:
            await self._without_traces(one, block)
        old = hex(max(0, block.ref.height - _HISTORY))
        (balance,) = await one.batch([("eth_getBalance", [ZERO, old])], keep_errors=True)
        return self._nodes.offers(one.names[0]), not isinstance(balance, NodeError)

    async def _details(self, one: Calls, block: RawBlock) -> _Details:
        """Receipts and traces; less where the endpoint says that it does not offer something."""
        (name,) = one.names
        for _ in range(_DOWNGRADES + 1):
            offers = self._nodes.offers(name)
            calls = [*self._receipt_calls(offers, block), *_trace_calls(offers, block)]
            timeout = _TRACE_SECONDS if offers.traces else None
            check = partial(self._checked, offers, block)
            try:
                answer = await one.batch(calls, keep_errors=True, timeout=timeout, check=check)
            except (Unreachable, BadAnswer) as error:
                if not offers.traces:
                    raise
                if isinstance(error, Unreachable) and not self._nodes.known(name):
                    self._shut.add(name)
                raise TracesFailed(name, error) from error
            if isinstance(answer, _Details):
                self._shut.discard(name)
                if not self._nodes.known(name):
                    self._nodes.learn(name, offers)
                return answer
            self._nodes.learn(name, answer)
        raise AssertionError("an endpoint cannot offer less than nothing")

    async def _without_traces(self, one: Calls, block: RawBlock) -> _Details:
        (name,) = one.names
        offers = replace(self._nodes.offers(name), traces="")
        calls = self._receipt_calls(offers, block)
        answer = await one.batch(calls, keep_errors=True, check=partial(self._checked, offers, block))
        if isinstance(answer, Offers):
            offers, calls = answer, self._receipt_calls(answer, block)
            answer = await one.batch(calls, keep_errors=True, check=partial(self._checked, offers, block))
        assert isinstance(answer, _Details), "receipts are either offered or not"
        if name in self._shut:
            self._shut.remove(name)
            self._nodes.learn(name, offers, doubtful=True)
        return replace(answer, unseen=(UNSEEN_HERE,))

    def _receipt_calls(self, offers: Offers, block: RawBlock) -> list[Request]:
        if offers.receipts:
            return [("eth_getBlockReceipts", [{"blockHash": block.ref.hash}])]
        if not self._contracts:
            return []
        # The contracts keep the answer small; who is meant is matched here, whatever the number of wallets.
        wanted = {"blockHash": block.ref.hash, "address": self._contracts, "topics": [list(TOPICS)]}
        return [("eth_getLogs", [wanted])]

    def _checked(self, offers: Offers, block: RawBlock, answers: list[Any]) -> _Details | Offers:
        """What the answers hold; where they say that a method is not offered, what is left to try."""
        trace = answers.pop() if offers.traces else None
        receipts = answers[0] if answers else []
        if isinstance(receipts, NodeError):
            if not offers.receipts or not lacks_method(receipts):
                raise receipts
            return replace(offers, receipts=False)
        if isinstance(trace, NodeError) and lacks_method(trace):
            return offers.without_traces()
        traced, unseen = _traced(offers, block, trace)
        if offers.receipts:
            return _Details(check_receipts(block, receipts), [], traced, unseen)
        if not isinstance(receipts, list):
            raise BadAnswer("logs of a block must be a list")
        check_logs(block, receipts)
        return _Details(None, receipts, traced, unseen)


@contextmanager
def _naming(one: Calls, block: RawBlock) -> Iterator[None]:
    """Says whose answer about which block was bad, as the client does for what it checks itself."""
    try:
        yield
    except BadAnswer as error:
        raise BadAnswer(f"{one.names[0]}: block {block.ref.height}: {error}") from error


def _trace_calls(offers: Offers, block: RawBlock) -> list[Request]:
    if offers.traces == "debug_traceBlockByHash":
        return [(offers.traces, [block.ref.hash, {"tracer": "callTracer"}])]
    if offers.traces == "trace_block":
        return [(offers.traces, [hex(block.ref.height)])]
    return []


def _traced(offers: Offers, block: RawBlock, trace: Any) -> tuple[Traced | None, tuple[str, ...]]:
    if not offers.traces:
        return None, (UNSEEN_INTERNAL,)
    if isinstance(trace, NodeError):
        # The method is there and fails for this block, as it does on full nodes for blocks whose state they dropped.
        raise BadAnswer(str(trace)) from trace
    if offers.traces == "trace_block":
        return transfers.from_flat_traces(block, trace), ()
    return transfers.from_call_trees(block, trace), ()
