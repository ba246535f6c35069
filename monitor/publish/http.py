"""One bounded HTTP request to a receiver, and how its answer is read."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from monitor.ledger.encode import Json
from monitor.publish.text import printable

_ANSWER_SHOWN = 200
#: no receiver can silence porwatch for longer by asking it to wait
LONGEST_WAIT = 120.0
#: says something about the content sent; every other status is about the receiver
_REFUSALS = (400, 413, 422)


class DeliveryFailed(Exception):
    """A receiver did not take what it was sent. The message never holds a URL.

    ``refused``: the receiver will not take this content however often it is sent.
    ``retry_after``: seconds it asked to wait, or None.
    """

    def __init__(self, message: str, *, refused: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.refused = refused
        self.retry_after = retry_after


def new_session(timeout: float) -> aiohttp.ClientSession:
    """A session for one receiver: few connections, whole request within ``timeout`` seconds, no proxy from outside."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout),
        connector=aiohttp.TCPConnector(limit=2),
        headers={"User-Agent": "porwatch"},
    )


async def post(
    session: aiohttp.ClientSession, url: str, body: list[Json] | None, now: datetime, *, quote: bool = True
) -> int:
    """POST ``body`` as JSON (None: an empty body) and return the status, which is 2xx.

    Raises DeliveryFailed for any other answer and for none. ``quote``: the message may quote the
    answer, which may repeat the URL: False where the URL is a secret.
    """
    try:
        async with session.post(url, json=body, allow_redirects=False) as response:
            if 200 <= response.status < 300:
                return response.status
            raise await failure_of(response, now, quote=quote)
    except TimeoutError as error:
        raise DeliveryFailed("no answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise DeliveryFailed(f"no connection ({reason_of(error)})") from error


def reason_of(error: Exception) -> str:
    """Why there was no answer, in a few words without the address."""
    if isinstance(error, aiohttp.ClientSSLError) or not isinstance(error, OSError) or not error.errno:
        # The numbers of TLS are not those of the system.
        return type(error).__name__
    return os.strerror(error.errno)


async def failure_of(response: aiohttp.ClientResponse, now: datetime, *, quote: bool) -> DeliveryFailed:
    """What an answer other than 2xx says; ``quote``: whether its body may be repeated."""
    status = response.status
    answer = await response.content.read(_ANSWER_SHOWN) if quote else b""
    detail = printable(answer.decode("utf-8", "replace").strip())
    message = f"HTTP {status}" + (f": {detail}" if detail else "")
    wait = _retry_after(response.headers.get("Retry-After"), now)
    return DeliveryFailed(message, refused=status in _REFUSALS, retry_after=wait)


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After header in either of its forms (RFC 9110, 10.2.3), bounded; None if unreadable."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), LONGEST_WAIT)
