"""The RPC client of one chain: several endpoints, none trusted, every wait and every answer limited.

What goes wrong decides what happens next:

    Unreachable   the same endpoint again after a growing pause, a few times, then the next one
    RateLimited   the same, after the pause it asked for; the next one where that is too long
    BadAnswer     the next endpoint at once
    NodeError     to the caller: the node answered, and the answer is no

A call is over at its deadline, whatever is left to try. Each endpoint may use an equal share of the
time that is left, so that a silent first one cannot starve the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

from chains.core.errors import AllEndpointsFailed, BadAnswer, ChainError, NodeError, Unreachable
from chains.core.jsonrpc import (
    BatchRefused,
    Params,
    Reply,
    Translate,
    encode,
    read_bytes,
    read_many,
    read_one,
    request,
)
from chains.core.peer import (
    DEFAULT_LIMITS,
    SYSTEM_CLOCK,
    Check,
    Clock,
    Limits,
    Observer,
    Peer,
    Policy,
    Run,
    checked,
)
from chains.core.settings import Endpoint
from chains.core.transport import HttpTransport, Transport

T = TypeVar("T")
Request = tuple[str, Params]

__all__ = ["DEFAULT_LIMITS", "SYSTEM_CLOCK", "Calls", "Clock", "Limits", "Rpc", "as_it_is", "endpoint_names"]

log = logging.getLogger(__name__)


def as_it_is(error: NodeError) -> ChainError:
    """The translation of a chain whose nodes' errors all mean no more than they say."""
    return error


class Calls:
    """Calls to one or more endpoints of a chain."""

    def __init__(self, peers: Sequence[Peer], policy: Policy, *, ask_quarantined: bool = False) -> None:
        self._peers = tuple(peers)
        self._policy = policy
        self._ask_quarantined = ask_quarantined
        self._preferred = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.names)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The endpoints in configured order, those in quarantine included."""
        return tuple(peer.name for peer in self._peers)

    @overload
    async def call(self, method: str, params: Params = (), *, timeout: float | None = None) -> Any: ...
    @overload
    async def call(self, method: str, params: Params = (), *, check: Check[T], timeout: float | None = None) -> T: ...
    async def call(
        self, method: str, params: Params = (), *, check: Check[Any] | None = None, timeout: float | None = None
    ) -> Any:
        """The result of one call, or what ``check`` makes of it.

        ``check`` raises BadAnswer for a result that cannot be true, which sends the call to the next
        endpoint; LookupError, TypeError, ValueError, AttributeError and ArithmeticError count as that.
        ``timeout``: seconds of one try, where the usual ones are too short (a scan of the UTXO set).
        Raises NodeError, AllEndpointsFailed or whatever other ChainError ``check`` raises.
        """
        ident = next(self._policy.ids)
        body = encode(request(ident, method, params))

        def finish(reply: Reply) -> Any:
            result = read_one(reply, ident, self._policy.translate, self._policy.clock.time())
            return result if check is None else checked(check, result)

        return await self._anywhere(method, timeout, lambda peer, run: peer.persist(run, "", body, finish))

    @overload
    async def batch(
        self, requests: Sequence[Request], *, timeout: float | None = None, keep_errors: bool = False
    ) -> list[Any]: ...
    @overload
    async def batch(
        self, requests: Sequence[Request], *, check: Check[T], timeout: float | None = None, keep_errors: bool = False
    ) -> T: ...
    async def batch(
        self,
        requests: Sequence[Request],
        *,
        check: Check[Any] | None = None,
        timeout: float | None = None,
        keep_errors: bool = False,
    ) -> Any:
        """The results of many calls in their order, all from one endpoint, or what ``check`` makes of the list.

        Sent in batches of ``Limits.batch_items``, smaller ones where an endpoint refuses them.
        Raises the NodeError of the first call that the node refuses; with ``keep_errors`` NodeErrors
        stand in the list instead. Otherwise as ``call``.
        """
        if not requests:
            return [] if check is None else checked(check, [])
        label = f"{len(requests)} x {requests[0][0]}"

        async def ask(peer: Peer, run: Run) -> Any:
            values, errors = await self._whole(peer, run, requests)
            if errors and not keep_errors:
                raise errors[min(errors)]
            return values if check is None else peer.checked(run, check, values)

        limits = self._policy.limits
        return await self._anywhere(
            label, timeout, ask, -(-len(requests) // (limits.batch_items * limits.batch_workers))
        )

    @overload
    async def get(self, path: str, *, timeout: float | None = None) -> bytes: ...
    @overload
    async def get(self, path: str, *, check: Callable[[bytes], T], timeout: float | None = None) -> T: ...
    async def get(self, path: str, *, check: Check[Any] | None = None, timeout: float | None = None) -> Any:
        """The bytes at a path below the endpoint's URL (Bitcoin's REST interface), or what ``check`` makes of them.

        Raises NodeError with the HTTP status as code for 400 and 404. Otherwise as ``call``.
        """

        def finish(reply: Reply) -> Any:
            content = read_bytes(reply, self._policy.clock.time())
            return content if check is None else checked(check, content)

        return await self._anywhere(f"GET {path}", timeout, lambda peer, run: peer.persist(run, path, None, finish))

    async def _whole(self, peer: Peer, run: Run, requests: Sequence[Request]) -> tuple[list[Any], dict[int, NodeError]]:
        """All results of a batch; begun anew with smaller parts where the endpoint refuses the size."""
        while True:
            size = min(peer.batch_items(), len(requests))
            parts = [(start, requests[start : start + size]) for start in range(0, len(requests), size)]
            workers = self._policy.limits.batch_workers if size > 1 else self._policy.limits.concurrency
            try:
                answers = await _side_by_side(
                    [partial(self._part, peer, run, start, part) for start, part in parts],
                    workers,
                )
            except BatchRefused:
                # Strictly smaller each time; a single call cannot be refused as a batch.
                peer.shrink_batches(size)
                continue
            return [value for values, _ in answers for value in values], dict(
                item for _, errors in answers for item in errors.items()
            )

    async def _part(
        self, peer: Peer, run: Run, start: int, part: Sequence[Request]
    ) -> tuple[list[Any], dict[int, NodeError]]:
        idents = [next(self._policy.ids) for _ in part]
        messages = [request(ident, method, params) for ident, (method, params) in zip(idents, part, strict=True)]
        body = encode(messages if len(messages) > 1 else messages[0])

        def finish(reply: Reply) -> tuple[list[Any], dict[int, NodeError]]:
            wall = self._policy.clock.time()
            if len(part) > 1:
                values, found = read_many(reply, idents[0], len(part), self._policy.translate, wall)
            else:
                values, found = _single(reply, idents[0], self._policy.translate, wall)
            for place, error in found.items():
                peer.signed(error, f"{part[place][0]} ({start + place + 1} of the batch)")
            return values, {start + place: error for place, error in found.items()}

        return await peer.persist(run, "", body, finish)

    async def _anywhere(
        self, label: str, timeout: float | None, ask: Callable[[Peer, Run], Awaitable[T]], rounds: int = 1
    ) -> T:
        """Ask one endpoint after the other, the last good one first, until one gives a usable answer.

        ``rounds``: how many deadlines the call has, because it takes that many exchanges in a row.
        """
        limits, clock = self._policy.limits, self._policy.clock
        places = [(self._preferred + step) % len(self._peers) for step in range(len(self._peers))]
        asked = [place for place in places if self._ask_quarantined or self._peers[place].quarantined is None]
        causes: list[ChainError] = []
        total = rounds * (limits.deadline if timeout is None else max(limits.deadline, timeout * len(asked)))
        end = clock.monotonic() + total
        for position, place in enumerate(asked):
            peer, now = self._peers[place], clock.monotonic()
            if now >= end:
                causes.append(Unreachable(f"{peer.name}: {label}: not asked: the {total:g} s for the call are over"))
                break
            share = (end - now) / (len(asked) - position)
            try:
                answer = await ask(peer, Run(label, now + share, timeout or limits.timeout, causes))
            except (Unreachable, BadAnswer):
                continue
            self._preferred = place
            return answer
        if not asked:
            causes = [Unreachable(f"{p.name}: {label}: not asked: in quarantine: {p.quarantined}") for p in self._peers]
        raise self._failed(label, causes)

    def _failed(self, label: str, causes: list[ChainError]) -> ChainError:
        return AllEndpointsFailed(f"{label}: every endpoint failed", causes)


class _Pinned(Calls):
    """One endpoint: its own last error is the error, so that callers can tell silence from nonsense."""

    def _failed(self, label: str, causes: list[ChainError]) -> ChainError:
        *earlier, last = causes
        for error in earlier:
            last.add_note(f"before that: {error}")
        return last


class Rpc(Calls):
    """The RPC client of one chain. Opens no connection and reads no secret before the first call.

    ``base``: the folder that the paths of secrets are relative to. ``translate``: what an error object
    means on this chain (return it unchanged, or the ChainError it stands for). ``observer``: called after
    each exchange with the endpoint's name, the outcome (ok, unreachable, rate_limited, bad_answer,
    node_error) and its seconds. ``transport``: makes the wire of one endpoint; tests replace it.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        base: Path,
        *,
        translate: Translate = as_it_is,
        observer: Observer | None = None,
        limits: Limits = DEFAULT_LIMITS,
        clock: Clock = SYSTEM_CLOCK,
        transport: Callable[[Endpoint, str], Transport] | None = None,
    ) -> None:
        def http(endpoint: Endpoint, _: str) -> Transport:
            return HttpTransport(endpoint, base, concurrency=limits.concurrency, body_bytes=limits.body_bytes)

        policy = Policy(limits, clock, translate, observer)
        names = endpoint_names(endpoints)
        pairs = [(e, name) for e, name in zip(endpoints, names, strict=True) if not e.hint_only]
        if not pairs:
            raise ValueError("no http:// or https:// endpoint: add at least one")
        if len(set(names)) != len(names):
            raise ValueError("an endpoint has the name that another one without a name gets: rename it")
        super().__init__([Peer(name, (transport or http)(e, name), policy) for e, name in pairs], policy)

    def on(self, endpoint: str) -> Calls:
        """The same calls on one endpoint only. Errors are its own, not AllEndpointsFailed. KeyError: no such name."""
        return _Pinned([self._peer(endpoint)], self._policy)

    async def each(
        self, ask: Callable[[Calls], Awaitable[T]], *, also_quarantined: bool = False
    ) -> dict[str, T | ChainError]:
        """What ``ask`` makes of every endpoint by name, all at once; an endpoint's ChainError is its value."""

        async def one(peer: Peer) -> T | ChainError:
            try:
                return await ask(_Pinned([peer], self._policy, ask_quarantined=also_quarantined))
            except ChainError as error:
                return error

        peers = [peer for peer in self._peers if also_quarantined or peer.quarantined is None]
        answers = await _side_by_side([partial(one, peer) for peer in peers], len(peers))
        return {peer.name: answer for peer, answer in zip(peers, answers, strict=True)}

    async def ask_each(
        self,
        method: str,
        params: Params = (),
        *,
        check: Check[Any] | None = None,
        timeout: float | None = None,
        also_quarantined: bool = False,
    ) -> dict[str, Any]:
        """One call on every endpoint: its result (what ``check`` makes of it) or its ChainError, by name."""

        async def ask(one: Calls) -> Any:
            if check is None:
                return await one.call(method, params, timeout=timeout)
            return await one.call(method, params, check=check, timeout=timeout)

        return await self.each(ask, also_quarantined=also_quarantined)

    def quarantine(self, endpoint: str, reason: str) -> None:
        """Ask this endpoint nothing more until it is released."""
        peer = self._peer(endpoint)
        if peer.quarantined is None:
            log.warning("%s is in quarantine: %s", endpoint, reason)
        peer.quarantined = reason

    def release(self, endpoint: str) -> None:
        """End the quarantine of this endpoint."""
        peer = self._peer(endpoint)
        if peer.quarantined is not None:
            log.info("%s is out of quarantine", endpoint)
        peer.quarantined = None

    @property
    def quarantined(self) -> dict[str, str]:
        """The endpoints in quarantine and why."""
        return {peer.name: peer.quarantined for peer in self._peers if peer.quarantined is not None}

    async def close(self) -> None:
        """Close every connection."""
        for peer in self._peers:
            await peer.transport.close()

    def _peer(self, name: str) -> Peer:
        return {peer.name: peer for peer in self._peers}[name]


def endpoint_names(endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
    """The name each endpoint is shown by: the configured one, else ``endpoint-N`` by its place, from 1."""
    return tuple(endpoint.name or f"endpoint-{place}" for place, endpoint in enumerate(endpoints, 1))


def _single(reply: Reply, ident: int, translate: Translate, wall: float) -> tuple[list[Any], dict[int, NodeError]]:
    try:
        return [read_one(reply, ident, translate, wall)], {}
    except NodeError as error:
        return [error], {0: error}


async def _side_by_side(jobs: Sequence[Callable[[], Awaitable[T]]], workers: int) -> list[T]:
    """The results of jobs in their order, at most ``workers`` at once; the first error ends all."""
    if len(jobs) == 1:
        return [await jobs[0]()]
    results: dict[int, T] = {}
    left = iter(enumerate(jobs))

    async def work() -> None:
        for place, job in left:
            results[place] = await job()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(workers, len(jobs))):
                group.create_task(work())
    except BaseExceptionGroup as group_error:
        # A programming error must not hide behind an endpoint's.
        first = min(group_error.exceptions, key=lambda error: isinstance(error, ChainError))
    else:
        return [results[place] for place in range(len(jobs))]
    raise first
