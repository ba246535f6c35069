"""What a quorum of endpoints says: asked of reads, never of alerts.

An answer counts for the value it gives; an endpoint that fails counts for none. One liar of three is
outvoted; three that say three things leave no quorum, and the read fails.

The decisions (``decide``, ``tally``, ``reached``, ``failure``) are pure. ``Panel`` asks the endpoints side
by side, waits no longer than the answer needs, and leaves out whoever was caught in a lie.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chains.core.errors import (
    AllEndpointsFailed,
    BadAnswer,
    ChainError,
    Disagreement,
    NodeError,
    QuorumLost,
    Reorganised,
    Unreachable,
)
from chains.core.rpc import Calls, Rpc
from chains.core.values import BlockRef, Fault

T = TypeVar("T")
R = TypeVar("R")

#: Once a quorum has answered, how long the slower endpoints may still change what is made of it.
GRACE_SECONDS = 2.0
#: An endpoint that failed is asked last for this long: long enough not to wait for a dead one at every
#: block, short enough that the preferred one is soon back.
SETBACK_SECONDS = 30.0
#: Witnesses and lies are remembered so that each is told once; the oldest are forgotten.
TOLD_MOST = 1_000
#: The longest part of a lying answer that is kept as evidence.
EVIDENCE_CHARACTERS = 4_000


class Lie(BadAnswer):
    """An answer that is provably false: its endpoint is asked nothing more.

    ``kind``: one word (header_hash, merkle_root, …). ``evidence``: what was asked, what was answered and
    what refutes it, as text.
    """

    def __init__(self, kind: str, message: str, evidence: Mapping[str, str]) -> None:
        super().__init__(message)
        self.kind = kind
        self.evidence = {key: value[:EVIDENCE_CHARACTERS] for key, value in evidence.items()}


@dataclass(frozen=True, slots=True)
class Link:
    """What one endpoint shows of its chain around a block.

    ``at``: hash of its block at the height of that block, "" where its chain is shorter and it says that
    it has left the block. ``next``: hash of the block above, None where it has none yet. An endpoint that
    has not come as far as the block shows no link: it fails.
    """

    at: str
    next: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """``next``: hash of the block above that a quorum shows, None where it is not there yet; who shows just that."""

    next: str | None
    endpoints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vote(Generic[T]):
    """A value and the endpoints that gave it; ``others``: what the rest said, by endpoint."""

    value: T
    endpoints: tuple[str, ...]
    others: Mapping[str, T | ChainError]


def decide(after: BlockRef, links: Mapping[str, Link | ChainError], quorum: int, waiting: int = 0) -> Decision | None:
    """Which block stands on ``after``; None where the ``waiting`` endpoints must be heard first.

    A next block is not there yet as long as endpoints that merely lag could still give it a quorum.
    Raises Reorganised where a quorum shows another block in place of ``after``, QuorumLost (or
    AllEndpointsFailed) where too few answered, Disagreement where no quorum is possible any more, or
    where a quorum that is no majority allows two answers.
    """
    shown = {name: link for name, link in links.items() if isinstance(link, Link)}
    ahead = _groups({name: link.next for name, link in shown.items() if link.at == after.hash and link.next})
    still = tuple(name for name, link in shown.items() if link.at == after.hash and link.next is None)
    gone = _groups({name: link.at for name, link in shown.items() if link.at != after.hash})
    shorter = gone.pop("", ())
    elsewhere = max((len(names) for names in gone.values()), default=0) + len(shorter)
    won = [block for block, names in ahead.items() if len(names) >= quorum]
    if len(won) + (elsewhere >= quorum) > 1:
        raise Disagreement(_said(f"{quorum} endpoints are enough for two different answers", after, links))
    if won:
        return Decision(won[0], ahead[won[0]])
    if elsewhere >= quorum:
        raise Reorganised(f"block {after.height} {after.hash} of {after.chain} has left the chain")
    leading = max((len(names) for names in ahead.values()), default=0)
    # Also where a quorum says that there is nothing yet: who is slower may be the lone witness of an outflow.
    if waiting:
        return None
    if len(shown) < quorum:
        raise failure(links, quorum, str, f"the block after {after.height}")
    if leading + len(still) >= quorum:
        return Decision(None, still)
    raise Disagreement(_said(f"endpoints differ, and none has {quorum} on its side", after, links))


def _groups(answers: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
    """Endpoints by answer."""
    found: dict[str, tuple[str, ...]] = {}
    for name, answer in answers.items():
        if answer is not None:
            found[answer] = (*found.get(answer, ()), name)
    return found


def _said(problem: str, after: BlockRef, links: Mapping[str, Link | ChainError]) -> str:
    said = "; ".join(f"{name}: {link}" for name, link in links.items())
    return f"{after.chain}: the block after {after.height} {after.hash}: {problem}: {said}"


def reached(heights: Mapping[str, int], quorum: int) -> int:
    """The greatest height that ``quorum`` endpoints have come to. Raises QuorumLost where there are fewer."""
    if len(heights) < quorum:
        raise QuorumLost(f"{len(heights)} endpoints answered, {quorum} are needed")
    return sorted(heights.values(), reverse=True)[quorum - 1]


def tally(answers: Mapping[str, T | ChainError], quorum: int, key: Callable[[T], Hashable]) -> Vote[T] | None:
    """The value that most endpoints give, where these are ``quorum`` or more; None elsewhere, and at a tie."""
    groups: dict[Hashable, dict[str, T]] = {}
    for name, answer in answers.items():
        if not isinstance(answer, ChainError):
            groups.setdefault(key(answer), {})[name] = answer
    ranked = sorted(groups.values(), key=len, reverse=True)
    if not ranked or len(ranked[0]) < quorum or (len(ranked) > 1 and len(ranked[1]) == len(ranked[0])):
        return None
    others = {name: answer for name, answer in answers.items() if name not in ranked[0]}
    return Vote(next(iter(ranked[0].values())), tuple(ranked[0]), others)


def failure(
    answers: Mapping[str, T | ChainError], quorum: int, key: Callable[[T], Hashable], what: str
) -> Disagreement | QuorumLost | Reorganised | AllEndpointsFailed:
    """Why ``answers`` have no quorum: they differ, there are too few or none, or a quorum says Reorganised."""
    errors = {name: answer for name, answer in answers.items() if isinstance(answer, ChainError)}
    given = {name: answer for name, answer in answers.items() if not isinstance(answer, ChainError)}
    left = [error for error in errors.values() if isinstance(error, Reorganised)]
    if len(left) >= quorum:
        return Reorganised(str(left[0]))
    said = "; ".join(
        f"{name}: {answer if isinstance(answer, ChainError) else key(answer)}" for name, answer in answers.items()
    )
    if len({key(answer) for answer in given.values()}) + bool(left and given) > 1:
        return Disagreement(f"{what}: endpoints differ, and none has {quorum} on its side: {said}")
    if errors and not given:
        return AllEndpointsFailed(f"{what}: every endpoint failed", list(errors.values()))
    return QuorumLost(f"{what}: {len(given)} of {len(answers)} endpoints answered, {quorum} are needed: {said}")


class Candidates:
    """Blocks on top of the newest ``after`` that were shown without a quorum; each is told once."""

    def __init__(self) -> None:
        self._after = ""
        self._shown: dict[str, tuple[str, ...]] = {}
        self._told: dict[str, None] = {}

    def note(self, after: BlockRef, links: Mapping[str, Link | ChainError], chosen: str | None) -> None:
        """Remember what endpoints showed on top of ``after`` besides the block that a quorum chose."""
        shown = {name: link.next for name, link in links.items() if isinstance(link, Link) and link.at == after.hash}
        self._after = after.hash
        self._shown = {block: names for block, names in _groups(shown).items() if block != chosen}

    def open(self, after: BlockRef) -> dict[str, tuple[str, ...]]:
        """The endpoints that show each candidate on ``after`` that was not told yet, by its hash."""
        if after.hash != self._after:
            return {}
        return {block: names for block, names in self._shown.items() if block not in self._told}

    def tell(self, block_hash: str) -> None:
        """This candidate was told, or refuted: it does not come again."""
        self._told[block_hash] = None
        if len(self._told) > TOLD_MOST:
            del self._told[next(iter(self._told))]


class Panel:
    """The endpoints of one chain, ``quorum`` of which must agree.

    What an endpoint answers for is whatever ``ask`` makes of its ``Calls``. A ``Lie`` out of ``ask`` becomes
    a Fault, and its endpoint is quarantined (see ``caught``).
    """

    def __init__(self, chain: str, rpc: Rpc, quorum: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.chain = chain
        self.rpc = rpc
        self.quorum = quorum
        self.candidates = Candidates()
        self._faults: list[Fault] = []
        self._told: dict[tuple[str, str, str], None] = {}
        self._kinds: dict[str, str] = {}
        self._monotonic = monotonic
        self._failed_at: dict[str, float] = {}

    @property
    def asked(self) -> tuple[str, ...]:
        """The endpoints that are not in quarantine, in configured order."""
        out = self.rpc.quarantined
        return tuple(name for name in self.rpc.names if name not in out)

    def failed(self, endpoint: str) -> None:
        """An endpoint did not give what was asked: for a while it is asked last."""
        self._failed_at[endpoint] = self._monotonic()

    def is_set_back(self, endpoint: str) -> bool:
        """Whether the endpoint failed a short while ago."""
        failed_at = self._failed_at.get(endpoint)
        return failed_at is not None and self._monotonic() - failed_at < SETBACK_SECONDS

    def condemn(self, endpoint: str, lie: Lie) -> None:
        """Record a proven lie; its endpoint is asked nothing more. One that was condemned before stays so."""
        if endpoint not in self.rpc.quarantined:
            self._record(endpoint, lie)
            self._kinds[endpoint] = lie.kind
            self.rpc.quarantine(endpoint, f"{lie.kind}: {lie}")

    def caught(self, endpoint: str, lie: Lie) -> None:
        """Condemn an endpoint for a lie that failed its read; the last one left, where one is enough, only record.

        Nothing else can be asked then, and nothing else vouches for what it says: when it tells the
        truth again the reading goes on.
        """
        if self.quorum == 1 and self.asked == (endpoint,):
            self._record(endpoint, lie)
        else:
            self.condemn(endpoint, lie)

    def _record(self, endpoint: str, lie: Lie) -> None:
        """Each lie is a fault once, however often it is told."""
        told = (endpoint, lie.kind, str(lie))
        if told not in self._told:
            self._faults.append(Fault(self.chain, endpoint, lie.kind, str(lie), lie.evidence))
        self._told[told] = None
        if len(self._told) > TOLD_MOST:
            del self._told[next(iter(self._told))]

    def release(self, endpoint: str, kind: str) -> None:
        """Ask an endpoint again that was condemned for this kind of lie: one that time can put right."""
        if self._kinds.get(endpoint) == kind:
            del self._kinds[endpoint]
            self.rpc.release(endpoint)

    def faults(self) -> tuple[Fault, ...]:
        """The faults found since the last call."""
        found, self._faults = tuple(self._faults), []
        return found

    async def agree(
        self,
        ask: Callable[[Calls], Coroutine[Any, Any, T]],
        key: Callable[[T], Hashable],
        what: str,
        *,
        everyone: bool = False,
    ) -> Vote[T]:
        """What a quorum says, told apart by ``key`` (short: it stands in messages).

        ``everyone``: wait until all have answered or failed, to compare them.
        Raises Disagreement where answers differ and none has a quorum, QuorumLost where too few answered,
        AllEndpointsFailed where none did, Reorganised where a quorum raised it.
        """

        def settle(answers: Mapping[str, T | ChainError], waiting: int) -> Vote[T] | None:
            vote = None if everyone and waiting else tally(answers, self.quorum, key)
            if vote is None and not waiting:
                raise failure(answers, self.quorum, key, f"{self.chain}: {what}")
            return vote

        return await self.poll(ask, settle, what, patient=everyone)

    async def after(self, after: BlockRef, ask: Callable[[Calls], Coroutine[Any, Any, Link]]) -> Decision:
        """``decide`` on what every endpoint shows; the rest is remembered as candidates, also where it raises."""
        heard: dict[str, Link | ChainError] = {}
        chosen = None

        def settle(answers: Mapping[str, Link | ChainError], waiting: int) -> Decision | None:
            heard.update(answers)
            return decide(after, answers, self.quorum, waiting)

        try:
            decision = await self.poll(ask, settle, f"the block after {after.height}")
            chosen = decision.next
        finally:
            self.candidates.note(after, heard, chosen)
        return decision

    async def poll(
        self,
        ask: Callable[[Calls], Coroutine[Any, Any, T]],
        settle: Callable[[Mapping[str, T | ChainError], int], R | None],
        what: str,
        *,
        patient: bool = False,
    ) -> R:
        """Ask every endpoint at once; the first that ``settle`` makes of the answers so far is the result.

        ``settle(answers, waiting)`` gives None while it needs to hear more; with nobody ``waiting`` it must
        give a result or raise. Endpoints that have not answered ``GRACE_SECONDS`` after a quorum has are not
        waited for, unless ``patient``. Raises QuorumLost where every endpoint is in quarantine.
        """
        names = self.asked
        tasks = {asyncio.create_task(ask(self.rpc.on(name)), name=f"{name}: {what}"): name for name in names}
        if not tasks:
            raise QuorumLost(f"{self.chain}: {what}: every endpoint is in quarantine: {self.rpc.quarantined}")
        answers: dict[str, T | ChainError] = {}
        until: float | None = None
        pending, clock = set(tasks), asyncio.get_running_loop()
        try:
            while True:
                left = None if until is None else max(0.0, until - clock.time())
                done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                answers |= self._answers({tasks[task]: task for task in done})
                result = settle({name: answers[name] for name in names if name in answers}, len(pending) if done else 0)
                if result is not None:
                    return result
                if not pending or not done:
                    raise AssertionError(f"{what}: every answer is there, and nothing was made of them")
                given = sum(not isinstance(answer, ChainError) for answer in answers.values())
                if until is None and not patient and given >= self.quorum:
                    until = clock.time() + GRACE_SECONDS
        finally:
            await _end(pending)

    async def first(
        self, ask: Callable[[Calls], Awaitable[T]], what: str, names: Sequence[str] | None = None
    ) -> tuple[str, T]:
        """The name and answer of the first of ``names`` (default: of all) that can: for facts that prove themselves.

        Asked in configured order, those that failed a short while ago last. Raises AllEndpointsFailed with every
        cause.
        """
        asked = (name for name in self.asked if names is None or name in names)
        places = sorted(asked, key=self.is_set_back)
        failures: list[ChainError] = []
        for name in places:
            try:
                answer = await ask(self.rpc.on(name))
            except (Unreachable, BadAnswer, NodeError) as error:
                if isinstance(error, Lie):
                    self.caught(name, error)
                self.failed(name)
                failures.append(error)
            else:
                return name, answer
        if not failures:
            raise QuorumLost(f"{self.chain}: {what}: every endpoint is in quarantine: {self.rpc.quarantined}")
        raise AllEndpointsFailed(f"{self.chain}: {what}: every endpoint failed", failures)

    def _answers(self, tasks: Mapping[str, asyncio.Task[T]]) -> dict[str, T | ChainError]:
        """What finished tasks gave, by endpoint. Raises what is no endpoint's fault: a bug in what was asked."""
        errors = {name: task.exception() for name, task in tasks.items()}
        answers: dict[str, T | ChainError] = {}
        for name, error in errors.items():
            if isinstance(error, Lie):
                self.caught(name, error)
            if error is None:
                answers[name] = tasks[name].result()
            elif isinstance(error, ChainError):
                answers[name] = error
            else:
                raise error
        return answers


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel what is still running, and wait until it has put away what it began."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()
