"""Delivery that cannot be lost: the outbox is drained in order, at least once, and what is open is said again.

Every receiver has its own task, connections and waits, so one that is down holds up nobody else.
A row counts as sent only after a 2xx. Alertmanager forgets (a restart, its resolve timeout), so
every open case is sent again well within each minute, and at once when a receiver comes back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

import aiohttp
import structlog

from monitor.canonical import canonical
from monitor.health import Health
from monitor.ledger import incidents, reader
from monitor.ledger.encode import Json, case_from_json, parse
from monitor.ledger.journal import Record
from monitor.ledger.store import Ledger
from monitor.model import Case, CaseState
from monitor.publish.alert import render_alerts
from monitor.publish.first_line import Form, Present
from monitor.publish.http import DeliveryFailed, new_session, post

MarkSent = Callable[[tuple[int, ...], tuple[Record, ...]], Awaitable[None]]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receiver:
    """One Alertmanager by its own address; ``labels`` are added to every alert sent there.

    ``redact``: it is told no address, no transaction and no exact amount. ``recipients``: who gets what it is told.
    """

    name: str
    url: str
    labels: Mapping[str, str] = field(default_factory=dict)
    redact: bool = False
    recipients: tuple[str, ...] = ()

    @property
    def alerts_url(self) -> str:
        return f"{self.url.rstrip('/')}/api/v2/alerts"


class ReceiverSettings(Protocol):
    """An entry of ``alertmanagers`` in the configuration."""

    @property
    def url(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def redact(self) -> bool: ...

    @property
    def recipients(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between re-sends, bounds of the wait after a failure, a request's time, and its size in alerts."""

    resend: float = 45.0
    first_wait: float = 1.0
    longest_wait: float = 30.0
    timeout: float = 10.0
    batch: int = 200


DEFAULT_PACE = Pace()


def receivers(settings: Iterable[ReceiverSettings]) -> tuple[Receiver, ...]:
    """Receivers named ``alertmanager-1``, ``alertmanager-2`` … in the order of the configuration."""
    return tuple(
        Receiver(f"alertmanager-{i}", s.url, dict(s.labels), s.redact, tuple(s.recipients))
        for i, s in enumerate(settings, start=1)
    )


def utc_now() -> datetime:
    """The present, with its time zone."""
    return datetime.now(UTC)


class Delivery:
    """Delivery to all receivers.

    ``mark_sent`` hands the ids of delivered outbox rows, and what was told to whom, to the ledger's one writer and
    returns after its commit. ``form``: how cases are told; each receiver decides on redaction itself.
    ``source``: whether an approvals source is configured.
    """

    def __init__(
        self,
        receivers: Sequence[Receiver],
        ledger: Ledger,
        *,
        form: Form,
        mark_sent: MarkSent,
        health: Health,
        source: bool = True,
        clock: Callable[[], datetime] = utc_now,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self._health = health
        self._clock = clock
        self._problems: dict[str, str] = {}
        self._couriers = [
            _Courier(
                receiver,
                _Outbox(ledger, receiver.name, pace.batch, mark_sent, source),
                replace(form, redact=receiver.redact),
                clock,
                pace,
            )
            for receiver in receivers
        ]

    def wake(self) -> None:
        """Something was committed: look into the outbox now. To be called on the event loop."""
        for courier in self._couriers:
            courier.woken.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        if not self._couriers:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            for courier in self._couriers:
                tasks.create_task(courier.run(self._report), name=f"deliver {courier.receiver.name}")

    def _report(self, receiver: str, problem: str | None) -> None:
        """The stage has succeeded when the last attempt of every receiver left nothing pending."""
        before = self._problems.get(receiver)
        if problem is None:
            self._problems.pop(receiver, None)
        else:
            self._problems[receiver] = problem
        if problem != before:
            _log.warning("delivery", receiver=receiver, problem=problem or "over")
        if self._problems:
            self._health.problem("deliver", "", "; ".join(f"{name}: {text}" for name, text in self._problems.items()))
        elif all(courier.delivered for courier in self._couriers):
            self._health.success("deliver", "", self._clock())


class _Outbox:
    """The outbox rows of one receiver, and the open cases; reads run in a thread."""

    def __init__(
        self,
        ledger: Ledger,
        receiver: str,
        batch: int,
        mark_sent: MarkSent,
        source: bool,  # noqa: FBT001  of one caller
    ) -> None:
        self._ledger = ledger
        self._receiver = receiver
        self._batch = batch
        self._source = source
        self.mark_sent = mark_sent

    async def next(self, after: int) -> list[tuple[int, str, str]]:
        """The oldest unsent rows behind row ``after``."""
        return await asyncio.to_thread(self._next, after)

    def _next(self, after: int) -> list[tuple[int, str, str]]:
        with self._ledger.read() as connection:
            return reader.next_messages(connection, self._receiver, self._batch, after)

    async def open_cases(self, after: str | None) -> list[Case]:
        """One page of the open cases."""
        return await asyncio.to_thread(self._open_cases, after)

    def _open_cases(self, after: str | None) -> list[Case]:
        with self._ledger.read() as connection:
            return reader.cases(connection, states=(CaseState.OPEN,), limit=self._batch, after=after)

    async def present(self, cases: Sequence[Case], at: datetime) -> Present:
        """What the ledger says now of what these cases are about."""
        return await asyncio.to_thread(self._present, cases, at)

    def _present(self, cases: Sequence[Case], at: datetime) -> Present:
        with self._ledger.read() as connection:
            return Present(
                at=at,
                cursors=reader.cursors(connection),
                source=self._source,
                approvals=reader.feeds(connection).get("approvals"),
                incidents=incidents.incidents(connection, {case.incident for case in cases if case.incident}),
            )


@dataclass(slots=True)
class _Sent:
    """What became of outbox rows: the ids of those that are done with, what was told, what was refused for good."""

    done: list[int] = field(default_factory=list)
    told: list[Record] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def add(self, other: _Sent) -> None:
        """And what became of others."""
        self.done += other.done
        self.told += other.told
        self.refusals += other.refusals


class _Courier:
    """Delivery to one receiver: one request at a time, so that nothing overtakes."""

    def __init__(
        self,
        receiver: Receiver,
        outbox: _Outbox,
        form: Form,
        clock: Callable[[], datetime],
        pace: Pace,
    ) -> None:
        self.receiver = receiver
        self.woken = asyncio.Event()
        self.delivered = False
        self._outbox = outbox
        self._form = form
        self._clock = clock
        self._pace = pace
        self._resend_due = 0.0

    async def run(self, report: Callable[[str, str | None], None]) -> None:
        failures = 0
        async with new_session(self._pace.timeout) as session:
            while True:
                self.woken.clear()
                try:
                    problem = await self._round(session)
                except Exception as error:  # noqa: BLE001 - a fault of one round must not end delivery
                    self.delivered = False
                    failures += 1
                    self._resend_due = 0.0
                    report(self.receiver.name, _sentence(error))
                    await asyncio.sleep(self._wait(failures, error))
                else:
                    failures, self.delivered = 0, problem is None
                    report(self.receiver.name, problem)
                    await self._rest()

    async def _round(self, session: aiohttp.ClientSession) -> str | None:
        """Drain the outbox, then say again what is open where that is due.

        Returns a sentence about what was refused for good, or None. Raises DeliveryFailed.
        """
        refusals = await self._drain(session)
        now = asyncio.get_running_loop().time()
        if now >= self._resend_due:
            refusals += await self._resend(session)
            self._resend_due = now + self._pace.resend
        return f"{len(refusals)} alerts refused, first: {refusals[0]}" if refusals else None

    async def _drain(self, session: aiohttp.ClientSession) -> list[str]:
        after, refusals = 0, []
        while rows := await self._outbox.next(after):
            after = rows[-1][0]
            sent = await self._send(session, [(row_id, _case_of(payload)) for row_id, _, payload in rows])
            refusals += sent.refusals
            if sent.done:
                await self._outbox.mark_sent(tuple(sent.done), tuple(sent.told))
        return refusals

    async def _resend(self, session: aiohttp.ClientSession) -> list[str]:
        after, refusals = None, []
        while cases := await self._outbox.open_cases(after):
            after = cases[-1].id
            refusals += (await self._send(session, [(0, case) for case in cases])).refusals
        return refusals

    async def _send(self, session: aiohttp.ClientSession, rows: Sequence[tuple[int, Case | str]]) -> _Sent:
        """A batch that is refused is sent again one by one, so that a single bad alert, which an
        attacker may have caused, holds up no other. Pending cases are told to nobody.
        """
        readable = [(row_id, case) for row_id, case in rows if isinstance(case, Case)]
        told = [(row_id, case) for row_id, case in readable if case.state is not CaseState.PENDING]
        sent = _Sent(
            done=[row_id for row_id, case in readable if case.state is CaseState.PENDING],
            refusals=[case for _, case in rows if isinstance(case, str)],
        )
        if told:
            try:
                sent.told = await self._post(session, [case for _, case in told])
            except DeliveryFailed as error:
                if not error.refused:
                    raise
                if len(told) > 1:
                    return await self._one_by_one(session, rows)
                sent.refusals.append(f"case {told[0][1].id}: {error}")
            else:
                sent.done += [row_id for row_id, _ in told]
        return sent

    async def _one_by_one(self, session: aiohttp.ClientSession, rows: Sequence[tuple[int, Case | str]]) -> _Sent:
        sent = _Sent()
        for row in rows:
            sent.add(await self._send(session, [row]))
        return sent

    async def _post(self, session: aiohttp.ClientSession, cases: Sequence[Case]) -> list[Record]:
        """Tell of cases; what was told, a record each."""
        present = await self._outbox.present(cases, self._clock())
        alerts = [self._alerts(case, present) for case in cases]
        await post(session, self.receiver.alerts_url, [alert for each in alerts for alert in each], present.at)
        return [self._delivered(case, each) for case, each in zip(cases, alerts, strict=True)]

    def _delivered(self, case: Case, alerts: list[Json]) -> Record:
        """The record that a receiver and the people behind it were told of a case; ``content``: SHA-256 of what."""
        receiver = self.receiver
        body = {
            "case": case.id,
            "receiver": receiver.name,
            "redacted": receiver.redact,
            "people": list(receiver.recipients),
            "content": sha256(canonical(alerts).encode()).hexdigest(),
        }
        return Record("delivered", body)

    def _alerts(self, case: Case, present: Present) -> list[Json]:
        alerts = render_alerts(case, present, self._form)
        return [{**alert, "labels": {**self.receiver.labels, **alert["labels"]}} for alert in alerts]

    async def _rest(self) -> None:
        """Until a commit or the next re-send."""
        rest = max(self._resend_due - asyncio.get_running_loop().time(), 0.0)
        with suppress(TimeoutError):
            # Not wait_for, which in Python 3.11 loses a cancellation that comes together with its result.
            async with asyncio.timeout(rest):
                await self.woken.wait()

    def _wait(self, failures: int, error: Exception) -> float:
        """Doubling, bounded, and never the same for two: replicas must not knock together."""
        bound = min(self._pace.first_wait * 2.0 ** min(failures - 1, 16), self._pace.longest_wait)
        wait = bound * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        asked = error.retry_after if isinstance(error, DeliveryFailed) else None
        return wait if asked is None else max(wait, asked)


def _case_of(payload: str) -> Case | str:
    """The case of an outbox row, or a sentence where it cannot be read."""
    try:
        return case_from_json(parse(payload))
    except (KeyError, TypeError, ValueError) as error:
        return f"an outbox row cannot be read ({type(error).__name__})"


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, DeliveryFailed) else f"{type(error).__name__}: {error}"
