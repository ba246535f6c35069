"""One endpoint: its tries, its pauses, its log lines, and what a call may cost."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chains.core.errors import BadAnswer, ChainError, NodeError, RateLimited, Unreachable
from chains.core.jsonrpc import Reply, Translate, printable
from chains.core.transport import Transport

T = TypeVar("T")
Observer = Callable[[str, str, float], None]
Check = Callable[[Any], T]

log = logging.getLogger(__name__)

#: An endpoint that fails on every call fills no log.
LOG_SECONDS = 60.0
#: An endpoint that refuses a batch gets one this many times smaller: 500, 125, 31, 7, then single calls.
BATCH_SHRINK = 4
#: For how long that is remembered: the refusal may have been a passing one, and single calls are slow.
BATCH_MEMORY_SECONDS = 3600.0
#: The longest message of an error that a check raised about a node's data.
MESSAGE_CHARACTERS = 400
#: What parsing code raises on data of the wrong form.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of the client; seconds and bytes.

    ``timeout``: one try. ``deadline``: one call with all its tries. ``tries``: an endpoint.
    ``retry_after_max``: an endpoint that asks for a longer pause is left for the next, and left alone
    that long, ``rest_max`` at most: a date in the far future must not lose it for good.
    ``body_bytes``: one answer, decompressed; a 4 MB Bitcoin block with all prevouts is about 20 MB of JSON.
    ``concurrency``: requests in flight per endpoint. bitcoind works on 16 at once (rpcthreads) and
    refuses beyond 64 waiting (rpcworkqueue): more would only queue there, and others use it too.
    ``batch_items``: calls in one batch; geth takes 1,000 (batch.request-limit), 500 are as fast.
    ``batch_workers``: batches in flight of one ``batch``; more are no faster on a local node.
    """

    timeout: float = 30.0
    deadline: float = 60.0
    tries: int = 3
    backoff_min: float = 0.1
    backoff_max: float = 5.0
    retry_after_max: float = 10.0
    rest_max: float = 300.0
    body_bytes: int = 64 * 1024 * 1024
    concurrency: int = 16
    batch_items: int = 500
    batch_workers: int = 4


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, replaced in tests. ``random`` gives 0 <= x < 1."""

    monotonic: Callable[[], float] = time.monotonic
    time: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    random: Callable[[], float] = random.random


DEFAULT_LIMITS = Limits()
SYSTEM_CLOCK = Clock()


@dataclass(frozen=True, slots=True)
class Policy:
    """What all endpoints of a chain share."""

    limits: Limits
    clock: Clock
    translate: Translate
    observer: Observer | None
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))


@dataclass(slots=True)
class Run:
    """One call on one endpoint: when to stop, how long a try may take, and what went wrong so far."""

    label: str
    until: float
    timeout: float
    causes: list[ChainError]


class Peer:
    """One endpoint: what is known about it, and one exchange with it at a time or several."""

    def __init__(self, name: str, transport: Transport, policy: Policy) -> None:
        self.name = name
        self.transport = transport
        self.quarantined: str | None = None
        self.rests_until = 0.0
        self._policy = policy
        self._hide: tuple[str, ...] = ()
        self._logged_at: float | None = None
        self._batch_items = policy.limits.batch_items
        self._batches_shrunk_at = 0.0

    def batch_items(self) -> int:
        """How many calls this endpoint takes in one batch, as far as is known."""
        if self._policy.clock.monotonic() - self._batches_shrunk_at >= BATCH_MEMORY_SECONDS:
            self._batch_items = self._policy.limits.batch_items
        return self._batch_items

    def shrink_batches(self, refused: int) -> None:
        """Remember that a batch of this many calls was refused."""
        self._batch_items = min(self._batch_items, max(1, refused // BATCH_SHRINK))
        self._batches_shrunk_at = self._policy.clock.monotonic()

    async def persist(self, run: Run, path: str, body: bytes | None, finish: Callable[[Reply], T]) -> T:
        """An exchange, repeated while the endpoint is unreachable and tries and time are left."""
        limits, clock = self._policy.limits, self._policy.clock
        attempt = 0
        while True:
            attempt += 1
            try:
                await self._rest(run)
                timeout = min(run.timeout, max(run.until - clock.monotonic(), limits.backoff_min))
                return await self._exchange(run.label, path, body, timeout, finish)
            except Unreachable as error:
                run.causes.append(error)
                pause = self._pause(error, attempt)
                if attempt >= limits.tries or clock.monotonic() + pause >= run.until:
                    raise
                await clock.sleep(pause)
            except BadAnswer as error:
                run.causes.append(error)
                raise

    async def _exchange(
        self, label: str, path: str, body: bytes | None, timeout: float, finish: Callable[[Reply], T]
    ) -> T:
        clock = self._policy.clock
        began = clock.monotonic()
        seconds = None
        try:
            reply = await self.transport.send(path, body, timeout)
            seconds = clock.monotonic() - began
            self._hide = reply.hide
            result = finish(reply)
        except ChainError as error:
            self.signed(error, label)
            self._observe(error, clock.monotonic() - began if seconds is None else seconds)
            raise
        self._observe(None, seconds)
        return result

    def checked(self, run: Run, check: Check[T], value: Any) -> T:
        """What ``check`` makes of an answer that took several exchanges; a refusal is metered as one more answer."""
        try:
            return checked(check, value)
        except ChainError as error:
            self.signed(error, run.label)
            if isinstance(error, Unreachable | BadAnswer):
                run.causes.append(error)
                self._observe(error, 0.0)
            raise

    def signed(self, error: ChainError, label: str) -> None:
        """Put endpoint and call in front of an error's message; foreign text in it is made harmless."""
        if not isinstance(error, ExceptionGroup):
            text = printable(str(error), self._hide, MESSAGE_CHARACTERS)
            error.args = (f"{self.name}: {label}: {text}",)

    def _pause(self, error: Unreachable, attempt: int) -> float:
        limits, clock = self._policy.limits, self._policy.clock
        asked = error.retry_after if isinstance(error, RateLimited) else None
        if asked is not None:
            # Other calls keep away from this endpoint as well.
            self.rests_until = max(self.rests_until, clock.monotonic() + min(asked, limits.rest_max))
            return float("inf") if asked > limits.retry_after_max else asked
        # Half fixed, half chance: never at once, and several watchers do not come back in step.
        pause = min(limits.backoff_max, limits.backoff_min * 2.0 ** (attempt - 1))
        return pause * (0.5 + clock.random() / 2)

    async def _rest(self, run: Run) -> None:
        clock = self._policy.clock
        left = self.rests_until - clock.monotonic()
        if left <= 0:
            return
        if left > self._policy.limits.retry_after_max or clock.monotonic() + left >= run.until:
            raise RateLimited(f"{self.name}: {run.label}: not asked: it wants {left:.3g} s of peace first", left)
        await clock.sleep(left)

    def _observe(self, error: ChainError | None, seconds: float) -> None:
        if self._policy.observer is not None:
            self._policy.observer(self.name, _outcome(error), seconds)
        now = self._policy.clock.monotonic()
        if not isinstance(error, Unreachable | BadAnswer):
            if self._logged_at is not None:
                log.info("%s answers again", self.name)
            self._logged_at = None
        elif self._logged_at is None or now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            log.warning("%s", error)


def checked(check: Check[T], value: Any) -> T:
    """``check(value)``; what parsing code raises on data of the wrong form is a BadAnswer with that cause."""
    try:
        return check(value)
    except ChainError:
        raise
    except MALFORMED as error:
        raise BadAnswer(f"answered something of the wrong form: {type(error).__name__}: {error}") from error


def _outcome(error: ChainError | None) -> str:
    match error:
        case None:
            return "ok"
        case RateLimited():
            return "rate_limited"
        case Unreachable():
            return "unreachable"
        case NodeError():
            return "node_error"
        case _:
            return "bad_answer"
