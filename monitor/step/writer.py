"""The one thread that writes: observations go in, one at a time, each a transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Never, Self, TypeVar

from monitor import detect
from monitor.health import Health
from monitor.ledger import heads
from monitor.ledger.access import CaseRead, note
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger, TakenOver, commit
from monitor.signing.keys import ReportKey
from monitor.step import Outcome, take
from monitor.step.observations import BlockSeen, Observation, Opened, Reloaded, Rewound, ShadowAsked, ShadowOver
from monitor.step.setup import Setup

log = logging.getLogger(__name__)

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


def utc_now() -> datetime:
    """The wall clock; the only place where steps get their time from."""
    return datetime.now(UTC)


class Writer:
    """Takes observations in the order they come. ``on_commit`` is called on the loop after each commit."""

    def __init__(self, ledger: Ledger, setup: Setup, health: Health, clock: Callable[[], datetime] = utc_now) -> None:
        self._ledger = ledger
        self._setup = setup
        self._health = health
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._successor: TakenOver | None = None
        self._ended = asyncio.Event()
        self._head: heads.Head | None = None
        self.on_commit: list[Callable[[], None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True)

    async def take(self, observation: Observation) -> Outcome:
        """One step. An exception means that nothing of it was written."""
        outcome = await self._in_thread(self._step, observation)
        for hook in self.on_commit:
            hook()
        return outcome

    async def adopt(self, setup: Setup, reloaded: Reloaded) -> None:
        """Judge by ``setup`` from the next step on; that it changed is journalled in the same turn of the thread.

        An exception means that nothing was written, and that the setup before stays.
        """
        await self._in_thread(self._adopt, (setup, reloaded))
        for hook in self.on_commit:
            hook()

    async def pulse(self) -> None:
        """Return once the thread has come to the end of all that was asked of it before: a sign of its life."""
        await self._in_thread(lambda _: None, None)

    async def mark_sent(self, ids: tuple[int, ...], told: tuple[Record, ...] = ()) -> None:
        """Outbox rows that a receiver has taken, and what it was told by them."""
        await self._in_thread(self._commit, Commit(records=told, sent=ids))

    async def note_reads(self, reads: tuple[CaseRead, ...]) -> None:
        """Who was shown which case; changes nothing else."""
        await self._in_thread(self._note_reads, reads)

    async def seal(self, key: ReportKey) -> None:
        """Sign tree heads over all that is in the journal, a bounded number of records at a time."""
        while await self._in_thread(self._seal, key):
            pass

    async def taken_over(self) -> Never:
        """Wait for ever; raises TakenOver once another porwatch has the ledger: nothing can be written any more."""
        await self._ended.wait()
        assert self._successor is not None
        raise self._successor

    async def _in_thread(self, work: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
        try:
            # What is logged on the way says where it came up, as on the loop.
            inside = copy_context().run
            return await asyncio.get_running_loop().run_in_executor(self._thread, inside, work, argument)
        except TakenOver as error:
            self._successor = error
            self._ended.set()
            raise

    def _step(self, observation: Observation) -> Outcome:
        now = self._clock()
        with self._ledger.write() as connection:
            outcome = take(connection, self._setup, observation, now)
        if isinstance(observation, Opened):
            # What is ours and what is watched are the same: else one end of a payment would be missing.
            wallets = self._setup.wallets
            owned = {locator: wallets[name] for locator, name in observation.wallets.items()}
            self._setup.owners[observation.opening.at.chain].update(owned)
        elif isinstance(observation, ShadowAsked | ShadowOver):
            self._setup.shadow = outcome.shadow
        self._count(observation, outcome)
        return outcome

    def _adopt(self, change: tuple[Setup, Reloaded]) -> None:
        setup, reloaded = change
        with self._ledger.write() as connection:
            take(connection, setup, reloaded, self._clock())
        # How long the shadow lasts was settled at the start.
        setup.shadow = self._setup.shadow
        self._setup = setup

    def _seal(self, key: ReportKey) -> bool:
        """Whether there may be more records than one transaction took."""
        before = 0 if self._head is None else self._head.size
        with self._ledger.write() as connection:
            if self._head is None and (newest := heads.newest(connection)) is not None:
                before = newest.size
            head = heads.seal(connection, key, self._clock(), self._head)
        self._head = head or self._head
        return head is not None and head.size - before == heads.BATCH

    def _note_reads(self, reads: tuple[CaseRead, ...]) -> None:
        with self._ledger.write() as connection:
            note(connection, reads)

    def _commit(self, change: Commit) -> None:
        with self._ledger.write() as connection:
            commit(connection, change, self._clock())

    def _count(self, observation: Observation, outcome: Outcome) -> None:
        """Published counters and what the log says, only for what is now committed."""
        for case in outcome.cases:
            for last in case.history[-1:]:
                if last.action in detect.HALT_EVENTS:
                    log.warning(last.action, extra={"case": case.id, "why": last.note or "its rule is named"})
        match observation:
            case BlockSeen():
                chain = observation.block.ref.chain
                for a in outcome.attributions:
                    self._health.movements[chain, a.flow.asset, a.flow.direction.value, a.reason.value] += 1
                if outcome.cases and observation.live:
                    seconds = (self._clock() - observation.noticed).total_seconds()
                    self._health.observe_detection(chain, seconds)
            case Rewound():
                self._health.observe_reorg(observation.to.chain, outcome.depth)
            case _:
                pass
