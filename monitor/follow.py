"""Follow one chain: block by block, by hash, parent-linked, never skipping.

The cursor is what the ledger stores; everything else here can be lost at any instruction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chains.core.chain import Chain, Watch
from chains.core.errors import BadAnswer, ChainError, Disagreement, QuorumLost, Reorganised, WrongChain
from chains.core.values import Block, BlockRef, Coin, EndpointIdentity, Fault, Heads
from monitor.completeness import Completeness
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.logs import context
from monitor.model import CaseState, deep_reorg_id
from monitor.step.observations import (
    AssetsOpened,
    BlockSeen,
    Configured,
    EndpointFault,
    FinalSeen,
    Opened,
    RangeNearlyUsed,
    ReorgTooDeep,
    Rewound,
    Witnessed,
)
from monitor.step.writer import Writer, utc_now

log = logging.getLogger(__name__)

#: a block seen later than this after we were last at the head is judged by its own time, not by ours
_LIVE_GAP = timedelta(seconds=30)
#: how long what a node said of its head and of what is final may stand where no block came
_NOTE_AGAIN = timedelta(seconds=5)
#: blocks taken between two looks at the heads while catching up
_BURST = 64
#: seconds to the next try after a failure, and between two looks where nothing wakes us
_RETRY_SECONDS = 2.0
POLL_SECONDS = 1.0


class TooDeep(Exception):
    """The chain was reorganised below its final block: following stops until a person has looked."""


@dataclass(slots=True)
class Follower:
    """Follows one chain. ``wallets``: wallet name by configured locator; ``start``: first block to follow.

    ``before_outflow`` is awaited before a block with an outflow of ours is judged: it reads the
    approvals to their end. ``write_evidence`` keeps an endpoint's lie and returns the file's name. ``late``: by locator
    near the end of a descriptor's range, the name of that range.
    """

    chain: Chain
    wallets: Mapping[str, str]
    start: int | None
    quorum: int
    endpoints: int
    ledger: Ledger
    writer: Writer
    health: Health
    before_outflow: Callable[[], Awaitable[None]]
    checks: Completeness
    write_evidence: Callable[[Fault], str]
    late: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = utc_now
    _watch: Watch | None = None
    _cursor: BlockRef | None = None
    _final_height: int = 0
    _stored_final: int = 0
    _identified: bool = False
    _at_head: datetime | None = None
    _noted: datetime | None = None
    _unseen: dict[str, int] = field(default_factory=dict)
    _reload: bool = False
    _new: list[str] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)
    _whole: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Follow for ever. A chain's errors are shown, waited out and tried again; nothing is skipped."""
        while True:
            pause = await self._try()
            await self.chain.wait(pause)

    async def _try(self) -> float:
        name = self.chain.name
        try:
            await self.catch_up()
        except TooDeep as error:
            self.health.problem("follow", name, str(error))
            return _RETRY_SECONDS
        except ChainError as error:
            log.warning("cannot follow chain", extra={"chain": name, "error": describe(error)})
            self.health.problem("follow", name, describe(error))
            self._identified = False
            return _RETRY_SECONDS
        except Exception as error:
            # Unforeseen: nothing was written, and giving up would blind the chain until someone looks.
            # The age of the last success pages meanwhile.
            log.exception("a step failed", extra={"chain": name})
            self._watch = None  # whatever was committed, the ledger knows: begin again from there
            self.health.problem("follow", name, describe(error))
            return _RETRY_SECONDS
        self.health.success("follow", name, self.clock())
        return POLL_SECONDS

    async def hold(self) -> None:
        """Wait until no block is half taken, and take no other one until ``release``: ``run`` may be cancelled then."""
        await self._whole.acquire()

    def release(self) -> None:
        """Take blocks again."""
        self._whole.release()

    def go_on_from(self, before: Follower) -> None:
        """Know what the follower of this chain knew that this one takes the place of; the ledger knows the rest."""
        self._at_head, self._final_height = before._at_head, before._final_height
        self._unseen, self._said = dict(before._unseen), set(before._said)
        self._identified = before._identified and before.chain is self.chain

    def unseen_above(self, height: int) -> tuple[str, ...]:
        """What could not be enumerated in some block above ``height``, as sentences."""
        return tuple(sentence for sentence, newest in self._unseen.items() if newest > height)

    async def identify(self, *, starting: bool = False) -> bool:
        """Ask every endpoint which chain it serves; True with a quorum of right ones.

        An endpoint of another chain raises WrongChain at start (a mistake in the configuration);
        later it only does not count.
        """
        answers = await self.chain.identify()
        wrong = [_said(a) for a in answers if a.state == "wrong"]
        if wrong and starting:
            raise WrongChain(f"chain {self.chain.name}: " + "; ".join(wrong))
        self._identified = sum(a.state == "right" for a in answers) >= self.quorum
        if self._identified:
            self.health.identified[self.chain.name] = True
        else:
            missing = "; ".join(_said(a) for a in answers if a.state != "right")
            self.health.problem("identify", self.chain.name, missing)
        return self._identified

    async def catch_up(self) -> None:
        """Take every block up to the head. Raises a ChainError where a read fails; the cursor stays."""
        if not self._identified and not await self.identify():
            await self._listen()
            raise BadAnswer(self.health.problems.get(f"identify/{self.chain.name}", "no quorum of endpoints"))
        self.health.solved("identify", self.chain.name)
        if self._watch is None:
            await self._open()
        if self._reload:
            await self._load()
            self._reload = False
        try:
            await self._open_grown()
        except ChainError as error:
            # The block of the cursor has left the chain, or its state is gone: following comes first.
            log.warning("cannot open here", extra={"chain": self.chain.name, "error": describe(error)})
        before = self._cursor
        while not await self._burst():
            heads = await self.chain.heads()
            self._note(heads)
        # Without a new block nothing becomes final: no need to ask for that every second.
        if self._cursor != before or self._noted is None or self.clock() - self._noted >= _NOTE_AGAIN:
            self._note(await self.chain.heads())
        self._at_head = self.clock()
        if self._final_height > self._stored_final:
            await self.writer.take(FinalSeen(self.chain.name, self._final_height))
            self._stored_final = self._final_height
        await self._open_grown()

    async def _burst(self) -> bool:
        """Up to ``_BURST`` blocks; True when the head is reached."""
        for _ in range(_BURST):
            noticed = self.clock()
            cursor, watch = self._position()
            try:
                block = await self.chain.read_next(cursor, watch)
            except Reorganised:
                await self._rewind()
                continue
            except (QuorumLost, Disagreement):
                # Quorum is asked of reads, never of alerts.
                await self._hear_witnesses(cursor, watch, noticed)
                raise
            finally:
                await self._report_faults()
            if block is None:
                await self._hear_witnesses(cursor, watch, noticed)
                return True
            await self._take(block, noticed)
        return False

    async def _hear_witnesses(self, cursor: BlockRef, watch: Watch, noticed: datetime) -> None:
        """A block that too few endpoints show raises its cases, unconfirmed; nothing is booked."""
        for witness in await self.chain.witnesses(cursor, watch):
            if any(m.delta < 0 for item in witness.block.transactions for m in item.movements):
                await self.before_outflow()
                await self.writer.take(Witnessed(witness, noticed))

    async def _listen(self) -> None:
        """Too few endpoints are there to be believed; what the others show of an outflow is heard all the same."""
        if self._watch is not None:
            with suppress(ChainError):
                await self._burst()

    async def _report_faults(self) -> None:
        """Lies that were found on the way: kept as evidence, and a case an endpoint."""
        name = self.chain.name
        for fault in self.chain.faults():
            log.error("endpoint lies", extra={"chain": name, "endpoint": fault.endpoint, "kind": fault.kind})
            self.health.disagreements[name, fault.endpoint] += 1
            file = await asyncio.to_thread(self.write_evidence, fault)
            holds = self.endpoints - len(self.chain.quarantined()) >= self.quorum
            await self.writer.take(EndpointFault(fault, file, holds))
        self.health.quarantined[name] = tuple(self.chain.quarantined())

    def grow(self, locators: Sequence[str]) -> None:
        """Open these new locators before the next block; ``wallets`` has them already."""
        self._new.extend(locators)

    async def _open_grown(self) -> None:
        """Open what was added since the last block, and watch it from the next one on."""
        if not self._new:
            return
        cursor, watch = self._position()
        locators, self._new = list(dict.fromkeys(self._new)), []
        try:
            opening = await self.chain.open_at(locators, cursor)
            wallets = {locator: self.wallets[locator] for locator in locators}
            await self.writer.take(Opened(opening, wallets, self.chain.assets, self._final_height, first=False))
        except BaseException:
            # A cancellation too: what was not opened must stay asked for.
            self._new = [*locators, *self._new]
            raise
        watch.add(locators)
        watch.add_coins(opening.coins)

    def reload(self) -> None:
        """Take locators and coins from the ledger again before the next block."""
        self._reload = True

    async def _take(self, block: Block, noticed: datetime) -> None:
        with context(chain=self.chain.name, height=block.ref.height):
            async with self._whole:
                await self._take_whole(block, noticed)

    async def _take_whole(self, block: Block, noticed: datetime) -> None:
        if any(m.delta < 0 for item in block.transactions for m in item.movements):
            await self.before_outflow()
        live = self._at_head is not None and noticed - self._at_head < _LIVE_GAP
        if live:
            self._at_head = noticed
        await self.writer.take(BlockSeen(block, noticed, live, self._final_height))
        self._stored_final = self._final_height
        self._position()[1].apply(block)
        self._cursor = block.ref
        self._unseen |= dict.fromkeys(block.unseen, block.ref.height)
        await self.checks.after_block(block, live=live)
        await self._watch_ranges(block)
        self.health.heads[self.chain.name] = max(block.ref.height, self.health.heads.get(self.chain.name, 0))

    async def _watch_ranges(self, block: Block) -> None:
        """Say once when a descriptor's range is nearly used up: behind its end nothing is watched."""
        if not self.late:
            return
        for item in block.transactions:
            for movement in item.movements:
                name = self.late.get(movement.account.locator)
                if name is not None and name not in self._said:
                    self._said.add(name)
                    wallet = self.wallets[movement.account.locator]
                    await self.writer.take(RangeNearlyUsed(self.chain.name, wallet, name))

    def _note(self, heads: Heads) -> None:
        self.health.heads[self.chain.name] = heads.seen.height
        self._final_height = max(self._final_height, heads.final.height)
        self._noted = self.clock()
        self.health.following[self.chain.name] = True

    def _position(self) -> tuple[BlockRef, Watch]:
        if self._cursor is None or self._watch is None:
            raise RuntimeError(f"{self.chain.name} is not open")
        return self._cursor, self._watch

    async def _open(self) -> None:
        """Load what the ledger follows, align it with the configuration, and open what is new."""
        name = self.chain.name
        self._note(await self.chain.heads())
        self.health.limits[name] = (await self.chain.capabilities()).limits
        with self.ledger.read() as connection:
            stored = reader.cursors(connection).get(name)
            watched = reader.watched(connection, name)
            carried = reader.carried(connection, name)
        retired = tuple(locator for locator in watched if locator not in self.wallets)
        assigned = {
            locator: self.wallets[locator]
            for locator, item in watched.items()
            if locator in self.wallets and self.wallets[locator] != item.wallet
        }
        gone = tuple(sorted(carried.keys() - set(self.chain.assets)))
        if retired or assigned or gone:
            await self.writer.take(Configured(name, retired, assigned, gone))
        if stored is not None:
            self._final_height = max(self._final_height, stored.final_height)
        else:
            # The very first opening is at the block below the first one to follow.
            await self._open_locators(await self._first_block(), list(self.wallets), first=True)
        await self._load()

    async def _open_locators(self, at: BlockRef, locators: Sequence[str], *, first: bool = False) -> None:
        opening = await self.chain.open_at(locators, at)
        wallets = {locator: self.wallets[locator] for locator in locators}
        await self.writer.take(Opened(opening, wallets, self.chain.assets, self._final_height, first))
        log.info("opened", extra={"chain": self.chain.name, "height": at.height, "addresses": len(locators)})

    async def _open_assets(self, at: BlockRef, assets: tuple[str, ...], locators: Sequence[str]) -> None:
        opening = await self.chain.open_at(locators, at)
        wallets = {locator: self.wallets[locator] for locator in locators}
        await self.writer.take(AssetsOpened(opening, assets, wallets, self._final_height))
        log.info("assets opened", extra={"chain": self.chain.name, "assets": list(assets)})

    async def _first_block(self) -> BlockRef:
        heads = await self.chain.heads()
        first = heads.seen.height if self.start is None else self.start
        if first > heads.seen.height + 1:
            raise BadAnswer(f"start {first} is above the head {heads.seen.height}: waiting for the chain to get there")
        return await self.chain.header(max(first - 1, 0))

    async def _load(self) -> None:
        """Take cursor, locators and coins from the ledger, and open at the cursor what is not there yet.

        In a thread, as there may be very many.
        """
        cursor, watched, carried, coins = await asyncio.to_thread(self._stored)
        missing = [locator for locator in self.wallets if locator not in watched]
        assets = tuple(asset for asset in self.chain.assets if asset not in carried)
        if missing or assets:
            if not await self.chain.is_canonical(cursor):
                await self._rewind_from(cursor)
                raise Reorganised(f"{self.chain.name}: the chain moved while addresses were opened: tried again")
            # Assets first: an opening of locators says of all assets that they are carried.
            if assets and watched:
                await self._open_assets(cursor, assets, list(watched))
            if missing:
                await self._open_locators(cursor, missing)
            cursor, watched, carried, coins = await asyncio.to_thread(self._stored)
        self._cursor = cursor
        self._watch = await asyncio.to_thread(self.chain.watch, watched, coins)
        self.health.opened.add(self.chain.name)
        self._new = [locator for locator in self._new if locator not in watched]

    def _stored(self) -> tuple[BlockRef, dict[str, reader.Watched], dict[str, int], list[Coin]]:
        name = self.chain.name
        with self.ledger.read() as connection:
            return (
                reader.cursors(connection)[name].at,
                reader.watched(connection, name),
                reader.carried(connection, name),
                list(reader.coins(connection, name)),
            )

    async def _rewind(self) -> None:
        """Go back to the newest stored header that is still canonical, and open anew what began above it."""
        await self._rewind_from(self._position()[0])
        self._watch = None
        await self._load()

    async def _rewind_from(self, cursor: BlockRef) -> None:
        with self.ledger.read() as connection:
            headers = reader.headers(connection, self.chain.name)
            final_height = reader.cursors(connection)[self.chain.name].final_height
        to = await self._fork(headers)
        if to is None or to.height < min(final_height, cursor.height):
            await self.writer.take(ReorgTooDeep(cursor, final_height))
            if not await asyncio.to_thread(self._deep_reorg_closed, cursor):
                raise TooDeep(
                    f"reorganised below the final block {final_height}: "
                    "following goes on when a person has closed the deep_reorg case"
                )
            to = to or await self.chain.header(min(headers[-1].height, (await self.chain.heads()).final.height))
        if to.hash == cursor.hash:
            # Undoing nothing, again and again, would fill the journal: wait until the nodes are of one mind.
            raise Disagreement(f"block {cursor.height} {cursor.hash} has left the chain by one answer, not by another")
        log.warning("reorganised", extra={"chain": self.chain.name, "from": cursor.height, "to": to.height})
        await self.writer.take(Rewound(to, self._final_height))

    def _deep_reorg_closed(self, cursor: BlockRef) -> bool:
        """Whether a person has looked at this very reorganisation and closed its case."""
        with self.ledger.read() as connection:
            case = reader.case(connection, deep_reorg_id(cursor))
        return case is not None and case.state is CaseState.CLOSED

    async def _fork(self, headers: Sequence[BlockRef]) -> BlockRef | None:
        """The newest canonical header: doubling steps down, then halving between."""
        step, known_bad = 1, -1
        index = 0
        while index < len(headers) and not await self.chain.is_canonical(headers[index]):
            known_bad, index, step = index, index + step, step * 2
        index = min(index, len(headers))
        while index - known_bad > 1:
            middle = (index + known_bad) // 2
            if await self.chain.is_canonical(headers[middle]):
                index = middle
            else:
                known_bad = middle
        return headers[index] if index < len(headers) else await self._below(headers)

    async def _below(self, headers: Sequence[BlockRef]) -> BlockRef | None:
        """Where to begin again when no stored header is canonical; None where that would undo a final block.

        Where the window does not reach down to a final block, the first block that was followed has
        itself been reorganised: what is final now is where the branch that won begins for us.
        """
        lowest = headers[-1]
        if lowest.height <= self._final_height or lowest.height == 0:
            return None
        return await self.chain.header(max(self._final_height, 0))


def _said(answer: EndpointIdentity) -> str:
    """What an endpoint answered, with its name in front once."""
    return answer.detail if answer.detail.startswith(f"{answer.endpoint}:") else f"{answer.endpoint}: {answer.detail}"


def describe(error: BaseException) -> str:
    """One line with every cause of a group."""
    if isinstance(error, BaseExceptionGroup):
        return f"{error.message}: " + "; ".join(dict.fromkeys(describe(inner) for inner in error.exceptions))
    return f"{type(error).__name__}: {error}"
