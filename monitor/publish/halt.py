"""Asks the exchange's own system to halt withdrawals: one signed request a case, sent until it is taken.

Each request is a row of the outbox, written with its case (monitor.step.halting), so a crash loses none. It is sent at
least once; its key of idempotency is the case's id, in a header and, signed, in the body. porwatch holds no key that
moves anything: the endpoint decides what halting is, and answers when it is done.

The signature is HMAC-SHA256 (RFC 2104) over the time of sending, a full stop and the body, so that the receiver can
refuse what is altered, and what is older than REPLAY_SECONDS.
"""

from __future__ import annotations

import asyncio
import hmac
import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import aiohttp
import structlog

from chains.core.strictjson import loads
from monitor.config.models import Halt, may_be_asked
from monitor.config.secret import SecretError, read_signing_secret
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.model import CaseState
from monitor.publish.deadman import read_url
from monitor.publish.deliver import utc_now
from monitor.publish.http import DeliveryFailed, failure_of, new_session, reason_of
from monitor.step.halting import RECEIVER
from monitor.step.observations import HaltAnswered, HaltWithdrawn

_log = structlog.get_logger(__name__)

TIMESTAMP_HEADER = "Porwatch-Timestamp"
SIGNATURE_HEADER = "Porwatch-Signature"
KEY_HEADER = "Idempotency-Key"
#: how far the receiver should let the time of sending be from its own clock, either way
REPLAY_SECONDS = 300
#: an answer needs fewer bytes; more are not read
_LARGEST_ANSWER = 4096
#: how far an endpoint's clock may run ahead of ours before its "halted_at" is not believed
_AHEAD = timedelta(seconds=60)
_STAGE = "halt"


@dataclass(frozen=True, slots=True)
class HaltPace:
    """Bounds of the wait after a failure, a request's time, seconds between two looks, and rows a look."""

    first_wait: float = 1.0
    longest_wait: float = 30.0
    timeout: float = 10.0
    rest: float = 30.0
    batch: int = 100


DEFAULT_PACE = HaltPace()


def signed_headers(secret: bytes, body: bytes, key: str, now: datetime) -> dict[str, str]:
    """The headers of one request, as of ``now``."""
    timestamp = str(int(now.timestamp()))
    digest = hmac.new(secret, timestamp.encode() + b"." + body, sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: f"v1={digest}",
        KEY_HEADER: key,
    }


def contained_at(answer: bytes, now: datetime) -> tuple[datetime, str]:
    """Since when withdrawals are halted, and who says so, of the body of a 2xx that came at ``now``.

    ``{"halted_at": TIME}`` with RFC 3339 and an offset is the endpoint's word; without one, or with one that lies in
    the future or cannot be read, it is the time of the answer, and porwatch's word.
    """
    try:
        body = loads(answer)
        text = body["halted_at"] if isinstance(body, dict) else None
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except (ValueError, KeyError, RecursionError):
        moment = None
    if moment is None or moment.tzinfo is None or moment > now + _AHEAD:
        return now, "porwatch"
    return moment, "endpoint"


class Halts:
    """Sends what asks for a halt. Has its own connections and waits, so it holds up no page.

    ``take`` hands an observation to the ledger's one writer. ``settings`` None or a dry run: what was asked for
    before and not taken is withdrawn.
    """

    def __init__(
        self,
        settings: Halt | None,
        base: Path,
        ledger: Ledger,
        take: Callable[[HaltAnswered | HaltWithdrawn], Awaitable[object]],
        health: Health,
        *,
        clock: Callable[[], datetime] = utc_now,
        pace: HaltPace = DEFAULT_PACE,
    ) -> None:
        self._settings = settings
        self._base = base
        self._ledger = ledger
        self._take = take
        self._health = health
        self._clock = clock
        self._pace = pace
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was committed. To be called on the event loop."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled."""
        failures = 0
        while True:
            self._woken.clear()
            try:
                await self._round()
            except Exception as error:  # noqa: BLE001 - a fault of one round must not end the sending
                failures += 1
                sentence = str(error) if isinstance(error, DeliveryFailed) else f"{type(error).__name__}: {error}"
                self._health.problem(_STAGE, "", f"a request to halt was not taken: {sentence}")
                await asyncio.sleep(self._wait(failures, error))
            else:
                failures = 0
                self._health.solved(_STAGE, "")
                with suppress(TimeoutError):
                    # Not wait_for, which in Python 3.11 loses a cancellation that comes together with its result.
                    async with asyncio.timeout(self._pace.rest):
                        await self._woken.wait()

    async def _round(self) -> None:
        """Every waiting request once, the oldest first; where the endpoint cannot be had, no more of them.

        Raises DeliveryFailed for the first that was not taken.
        """
        rows = await asyncio.to_thread(self._waiting)
        first: Exception | None = None
        for row, case_id, body, why in rows:
            try:
                if why:
                    _log.warning("halt withdrawn", case=case_id, why=why)
                    await self._take(HaltWithdrawn(row, case_id, why))
                else:
                    await self._send(row, case_id, body.encode())
            except DeliveryFailed as error:
                _log.warning("halt not taken", case=case_id, why=str(error))
                if not error.refused:
                    raise
                # Only this one is refused: it holds up no other.
                first = first or error
        if first is not None:
            raise first

    def _waiting(self) -> list[tuple[int, str, str, str]]:
        """Unsent rows with their case's id, their body, and why they are not sent any more ("" where they are)."""
        found = []
        with self._ledger.read() as connection:
            for row, case_id, body in reader.next_messages(connection, RECEIVER, self._pace.batch):
                case = reader.case(connection, case_id)
                why = self._off()
                if case is None or case.state is CaseState.CLOSED:
                    why = "the case is closed"
                found.append((row, case_id, body, why))
        return found

    def _off(self) -> str:
        if self._settings is None:
            return "no halt is configured any more"
        return "dry_run is on now" if self._settings.dry_run else ""

    async def _send(self, row: int, case_id: str, body: bytes) -> None:
        assert self._settings is not None
        url, secret, trust = await asyncio.to_thread(self._means, self._settings)
        headers = signed_headers(secret, body, case_id, self._clock())
        quote = self._settings.url is not None
        async with new_session(self._pace.timeout) as session:
            answer = await _ask(session, url, body, headers, trust, quote=quote, clock=self._clock)
        at, said_by = contained_at(answer, self._clock())
        await self._take(HaltAnswered(row, case_id, at, said_by))
        _log.warning("withdrawals halted", case=case_id, at=at.isoformat(), said_by=said_by)

    def _means(self, settings: Halt) -> tuple[str, bytes, ssl.SSLContext]:
        """Address, secret and trust, read anew each time so that each may be rotated."""
        ca_file = None if settings.ca_file is None else str(self._base / settings.ca_file)
        try:
            secret = read_signing_secret(self._base / settings.secret_file)
            url = settings.url if settings.url is not None else read_url(self._base / (settings.url_file or ""))
            trust = ssl.create_default_context(cafile=ca_file)
        except (SecretError, OSError, ValueError) as error:
            raise DeliveryFailed(str(error)) from error
        if not may_be_asked(url):
            raise DeliveryFailed("halt.url_file: its answer is believed: write https://, or a loopback address")
        return url, secret, trust

    def _wait(self, failures: int, error: Exception) -> float:
        """Doubling and bounded, or as long as the endpoint asked for (bounded where that is read)."""
        bound = min(self._pace.first_wait * 2.0 ** min(failures - 1, 16), self._pace.longest_wait)
        wait = bound * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        asked = error.retry_after if isinstance(error, DeliveryFailed) else None
        return wait if asked is None else max(wait, asked)


async def _ask(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: dict[str, str],
    trust: ssl.SSLContext,
    *,
    quote: bool,
    clock: Callable[[], datetime],
) -> bytes:
    """One request; the body of a 2xx, cut off where it is too long to be one that is understood.

    Raises DeliveryFailed for any other answer and for none; a redirect is not followed.
    """
    try:
        async with session.post(url, data=body, headers=headers, ssl=trust, allow_redirects=False) as response:
            if not 200 <= response.status < 300:
                raise await failure_of(response, clock(), quote=quote)
            answer = b""
            async for chunk in response.content.iter_chunked(_LARGEST_ANSWER):
                answer += chunk
                if len(answer) > _LARGEST_ANSWER:
                    break
            return answer
    except TimeoutError as error:
        raise DeliveryFailed("no answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise DeliveryFailed(f"no connection ({reason_of(error)})") from error
