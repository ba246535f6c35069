"""Reading blocks: which one it is, a quorum says; what stands in it, one endpoint, held against the block's hash.

Two round trips where all goes well: what stands on the last block, with its transactions; then, by hash, the
receipts and what code did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from chains.core.errors import (
    AllEndpointsFailed,
    BadAnswer,
    ChainError,
    HistoryUnavailable,
    NodeError,
    Reorganised,
    Unreachable,
)
from chains.core.peer import MALFORMED, checked
from chains.core.quorum import Lie, Panel
from chains.core.rpc import Calls, Request
from chains.core.values import Block, BlockRef, Witness
from chains.ethereum import sequence
from chains.ethereum.address import ZERO, spell_cached
from chains.ethereum.blocks import Json, RawBlock, Sent, check_receipt, full_block, header_at
from chains.ethereum.body import check_all_receipts, check_block
from chains.ethereum.details import DetailReader, Details, TracesFailed
from chains.ethereum.extract import NOBODY, Authorised, Extractor, Traced
from chains.ethereum.headers import Headers
from chains.ethereum.nodes import Nodes, Offers, lacks_method
from chains.ethereum.verify.transactions import UnverifiableTransaction
from chains.ethereum.watch import AddressWatch

T = TypeVar("T")

#: So many transactions are computed again on the spot; more would hold up everything else.
_AT_ONCE = 20
#: Full nodes keep the state of the newest 128 blocks or so; one that still knows this many has them all.
_HISTORY = 10_000


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The block that is to be read; ``time`` None where only its hash is known, which says the time as well."""

    height: int
    hash: str
    parent: str
    time: int | None = None

    def check(self, ref: BlockRef) -> None:
        same = (ref.height, ref.hash, ref.parent) == (self.height, self.hash, self.parent)
        if not same or self.time not in (None, ref.time):
            raise BadAnswer(f"block {self.hash} has another height, hash, parent or time than before")


class _Gone(BadAnswer):
    """One endpoint says that a block left the chain; whether it did, a quorum decides."""


Nonces = Callable[[Sequence[str], BlockRef], Awaitable[Mapping[str, int]]]


class BlockReader:
    """Reads blocks of one chain. ``contracts``: of the tokens; ``nonces``: of accounts after a block, by quorum.

    ``full``: whatever a block's hash commits to is computed again.

    Anyone can send a transaction whose traces no client can take (hundreds of calls deep, gigabytes of
    input), and a full node cannot trace the past. So traces that fail on every endpoint do not stop the
    reading: the block is then read without them, says so, and what is missing shows as a residual.
    """

    def __init__(
        self,
        panel: Panel,
        nodes: Nodes,
        headers: Headers,
        extractor: Extractor,
        contracts: Sequence[str],
        nonces: Nonces,
        *,
        chain_id: int,
        full: bool,
    ) -> None:
        self._chain = panel.chain
        self._panel = panel
        self._nodes = nodes
        self._headers = headers
        self._extractor = extractor
        self._details = DetailReader(nodes, contracts, full=full)
        self._nonces = nonces
        self._chain_id = chain_id
        self._full = full

    async def read_next(self, after: BlockRef, watch: AddressWatch) -> Block | None:
        """As Chain.read_next."""
        first, *_ = (*self._nodes.order(), "")
        above = await self._headers.above(after, first)
        if above is None:
            return None
        if first not in above.endpoints:
            self._panel.failed(first)
        ref, bodies = above.ref, above.bodies
        wanted = _Wanted(ref.height, ref.hash, ref.parent, ref.time if self._full else None)
        return await self._anywhere(
            lambda one, traced: self._exactly(one, wanted, watch, traced=traced, raw=bodies.get(one.names[0])),
            first=above.endpoints,
        )

    async def read(self, ref: BlockRef, watch: AddressWatch) -> Block:
        """As Chain.read."""
        wanted = _Wanted(ref.height, ref.hash, ref.parent, ref.time)
        try:
            return await self._anywhere(partial(self._wanted, wanted, watch))
        except AllEndpointsFailed as failed:
            if any(isinstance(cause, _Gone) for cause in failed.exceptions) and not await self._headers.canonical(ref):
                raise Reorganised(f"block {ref.height} {ref.hash} is not on the chain any more") from failed
            raise

    async def witnesses(self, after: BlockRef, watch: AddressWatch) -> tuple[Witness, ...]:
        """As Chain.witnesses; a block that contradicts itself is no witness of anything."""
        found = []
        for block_hash, names in self._panel.candidates.open(after).items():
            wanted = _Wanted(after.height + 1, block_hash, after.hash)
            try:
                block = await self._anywhere(partial(self._wanted, wanted, watch), names)
            except AllEndpointsFailed as failed:
                if any(isinstance(cause, Lie) for cause in failed.exceptions):
                    self._panel.candidates.tell(block_hash)
                continue
            except (Unreachable, HistoryUnavailable):
                continue
            self._panel.candidates.tell(block_hash)
            found.append(Witness(block, names, self._panel.quorum))
        return tuple(found)

    async def audit(self, at: BlockRef, names: Sequence[str]) -> None:
        """Read one block from each endpoint, to find who lies about what is usually asked of others only."""
        wanted = _Wanted(at.height, at.hash, at.parent, at.time)

        async def ask(name: str) -> Lie | bool:
            try:
                await self._exactly(self._panel.rpc.on(name), wanted, AddressWatch(), traced=False)
            except Lie as lie:
                return lie
            except ChainError:
                return False
            return True

        answers = await asyncio.gather(*map(ask, names))
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, Lie) and True in answers:
                self._panel.caught(name, answer)

    async def _wanted(self, wanted: _Wanted, watch: AddressWatch, one: Calls, traced: bool) -> Block:  # noqa: FBT001
        return await self._exactly(one, wanted, watch, traced=traced)

    async def _anywhere(
        self,
        read: Callable[[Calls, bool], Awaitable[Block]],
        among: Sequence[str] | None = None,
        first: Sequence[str] = (),
    ) -> Block:
        try:
            return await self._nodes.anywhere(lambda one: read(one, True), among, first=first)
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

    async def _exactly(
        self, one: Calls, wanted: _Wanted, watch: AddressWatch, *, traced: bool, raw: Any = None
    ) -> Block:
        """The block from one endpoint; ``raw``: where it has come already."""

        def check(answers: list[Any]) -> tuple[Any, RawBlock]:
            raw, canonical = answers
            if raw is not None:
                block = self._parsed(raw)
                wanted.check(block.ref)
                return raw, block
            if header_at(self._chain, canonical, wanted.height).hash != wanted.hash:
                raise _Gone(f"block {wanted.height} {wanted.hash} is not on the chain any more")
            raise BadAnswer(f"names block {wanted.hash} by its number and does not know it by its hash")

        calls: list[Request] = [
            ("eth_getBlockByHash", [wanted.hash, True]),
            ("eth_getBlockByNumber", [hex(wanted.height), False]),
        ]
        if raw is None:
            raw, block = await one.batch(calls, check=check)
        else:
            with _naming(one, wanted.height):
                _, block = checked(lambda whole: check([whole, None]), raw)
        return await self._complete(one, raw, block, watch, traced=traced)

    def _parsed(self, raw: Any) -> RawBlock:
        """A block by its form. One that has none may be a lie as well, which says more."""
        try:
            return full_block(self._chain, raw)
        except BadAnswer:
            if self._full:
                with suppress(*MALFORMED):
                    _only_lies(raw)
            raise

    async def _complete(self, one: Calls, raw: Any, block: RawBlock, watch: AddressWatch, *, traced: bool) -> Block:
        if not block.transactions:
            await self._checked_block(one, raw, block)
            return Block(block.ref, self._extractor.transactions(block, {}, {}, watch))
        details, unproved = await self._checked_details(one, raw, block, traced=traced)
        with _naming(one, block.ref.height):
            authorised, unsure = await self._authorised(raw, block, details.traced, watch)
        receipts = details.receipts
        if receipts is None:
            with _naming(one, block.ref.height):
                needed = self._extractor.may_touch(block, details.logs, details.traced, watch, authorised)
            receipts = await self._receipts_of(one, block, needed)
        with _naming(one, block.ref.height):
            found = self._extractor.transactions(block, receipts, details.traced, watch, authorised)
        return Block(block.ref, found, (*details.unseen, *unproved, *unsure))

    async def _checked_details(
        self, one: Calls, raw: Any, block: RawBlock, *, traced: bool
    ) -> tuple[Details, tuple[str, ...]]:
        """Receipts and traces; and what of the block could not be computed again, as sentences."""
        coming = asyncio.ensure_future(
            self._details.whole(one, block) if traced else self._details.without_traces(one, block)
        )
        try:
            # While they come. What the block itself contradicts is told first: all else follows from it.
            unknown = await self._checked_block(one, raw, block)
        except BaseException:
            # Whatever it is, a cancellation too: the other task must not run on unawaited.
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            raise
        details = await coming
        if not self._full:
            return details, ()
        receipts = None if details.receipts is None else [details.receipts[n] for n in range(len(block.transactions))]
        return details, await self._compute(one, block, lambda: check_all_receipts(raw, receipts, unknown))

    async def _checked_block(self, one: Calls, raw: Any, block: RawBlock) -> tuple[UnverifiableTransaction, ...]:
        if not self._full:
            return ()
        return await self._compute(one, block, lambda: check_block(raw))

    async def _compute(self, one: Calls, block: RawBlock, work: Callable[[], T]) -> T:
        """What ``work`` computes again of a block, beside the event loop where it takes long."""
        try:
            if len(block.transactions) <= _AT_ONCE:
                return checked(lambda _: work(), None)
            return await asyncio.to_thread(checked, lambda _: work(), None)
        except BadAnswer as error:
            error.args = (f"{one.names[0]}: block {block.ref.height}: {error}",)
            raise

    async def _authorised(
        self, raw: Any, block: RawBlock, traced: Traced | None, watch: AddressWatch
    ) -> tuple[Authorised, tuple[str, ...]]:
        """The EIP-7702 authorizations of watched accounts that took effect; a sentence where that is not sure."""
        given = checked(lambda whole: sequence.named(whole, self._chain_id, watch), raw)
        if not given:
            return NOBODY, ()
        nonces: dict[str, int] = sequence.first_nonces(given)
        before = BlockRef(self._chain, block.ref.height - 1, block.ref.parent, "", block.ref.time)
        try:
            known = await self._nonces([spell_cached(authority) for authority in nonces], before)
        except HistoryUnavailable:
            return sequence.effective(block, given, nonces, traced), (sequence.UNSURE,)
        nonces = {locator.lower(): count for locator, count in known.items()}
        return sequence.effective(block, given, nonces, traced), ()

    async def _receipts_of(self, one: Calls, block: RawBlock, needed: Sequence[Sent]) -> dict[int, Json]:
        def check(answers: list[Any]) -> dict[int, Json]:
            given = zip(needed, answers, strict=True)
            return {sent.position: check_receipt(block, sent, answer) for sent, answer in given}

        return await one.batch([("eth_getTransactionReceipt", [sent.hash]) for sent in needed], check=check)

    async def probe(self, one: Calls) -> tuple[Offers, bool, bool]:
        """What an endpoint offers, asked about its newest block; whether it still has the state of old blocks;
        and whether it proves state.
        """
        block = await one.call("eth_getBlockByNumber", ["latest", True], check=lambda raw: full_block(self._chain, raw))
        try:
            await self._details.whole(one, block)
        except TracesFailed:
            await self._details.without_traces(one, block)
        old = hex(max(0, block.ref.height - _HISTORY))
        asked: list[Request] = [("eth_getBalance", [ZERO, old]), ("eth_getProof", [ZERO, [], "latest"])]
        balance, proof = await one.batch(asked, keep_errors=True)
        proves = not (isinstance(proof, NodeError) and lacks_method(proof))
        return self._nodes.offers(one.names[0]), not isinstance(balance, NodeError), proves


def _only_lies(raw: Any) -> None:
    try:
        check_block(raw)
    except Lie:
        raise
    except BadAnswer:
        return


@contextmanager
def _naming(one: Calls, height: int) -> Iterator[None]:
    """Says whose answer about which block was bad, as the client does for what it checks itself."""
    try:
        yield
    except Lie:
        raise
    except BadAnswer as error:
        raise BadAnswer(f"{one.names[0]}: block {height}: {error}") from error
