"""The wire: HTTP to one endpoint, its answers limited in size and time.

No message raised here holds a URL, a host or a secret, and none has a cause that does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from chains.core.credentials import Target, reason, stamp_of, target_of
from chains.core.errors import BadAnswer, ChainError, Unreachable
from chains.core.jsonrpc import Reply
from chains.core.settings import Endpoint

#: A reachable host accepts a connection within this time; a black hole must not eat the whole deadline.
CONNECT_SECONDS = 5.0
#: bitcoind closes idle connections after 30 s (rpcservertimeout); ours are closed well before, so that
#: no call meets a connection that the node is just giving up.
KEEPALIVE_SECONDS = 15.0
#: How often the files of an endpoint that answers are looked at: a key is often valid for a while after it was rotated.
LOOK_SECONDS = 5.0


class Transport(Protocol):
    """One endpoint's wire: what tests replace."""

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        """POST ``body`` to the endpoint, or GET ``path`` below it where ``body`` is None.

        Raises Unreachable or BadAnswer for what never became a reply.
        """

    async def close(self) -> None:
        """Close every connection."""


class HttpTransport:
    """HTTP with aiohttp. Nothing is read or opened before the first ``send``.

    Secrets are read again when a file of theirs has changed, after every failure and after every
    refusal of credentials: bitcoind writes a new cookie at each start, and a rotated key counts
    without a restart of porwatch. ``clock``: monotonic seconds.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        base: Path,
        *,
        concurrency: int,
        body_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._base = base
        self._body_bytes = body_bytes
        self._slots = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None
        self._target: Target | None = None
        self._clock = clock
        self._look_at = 0.0
        self._stamp: object = None

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        try:
            async with asyncio.timeout(timeout), self._slots:
                return await self._exchange(path, body)
        except ChainError:
            self._target = None
            raise
        except aiohttp.ServerTimeoutError:
            failure: ChainError = Unreachable(f"no connection within {CONNECT_SECONDS:g} s")
        except TimeoutError:
            failure = Unreachable(f"no answer within {timeout:.3g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _plain(error)
        # Raised out here so that the library's error, which holds the address, is no context of ours.
        self._target = None
        raise failure

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, path: str, body: bytes | None) -> Reply:
        target = self._current()
        session = self._session = self._session or _session()
        async with session.request(
            "GET" if body is None else "POST",
            _below(target.url, path),
            data=body,
            headers={"Content-Type": "application/json"} | target.headers,
            ssl=target.tls,
            proxy=self._endpoint.proxy,
            allow_redirects=False,
        ) as response:
            content = await self._content(response)
            if response.status in (401, 403):
                self._target = None
            return Reply(
                response.status,
                content,
                response.content_type if "Content-Type" in response.headers else "",
                response.headers.get("Retry-After"),
                target.hide,
            )

    def _current(self) -> Target:
        """What the files say now. One that cannot be read while the endpoint answers takes nothing away."""
        now = self._clock()
        if self._target is not None and now < self._look_at:
            return self._target
        self._look_at = now + LOOK_SECONDS
        # Taken before the reading: what is written meanwhile is another stamp at the next look.
        stamp = stamp_of(self._endpoint, self._base)
        if self._target is not None and stamp == self._stamp:
            return self._target
        try:
            self._target, self._stamp = target_of(self._endpoint, self._base), stamp
        except Unreachable:
            if self._target is None:
                raise
        return self._target

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        total = response.content_length or 0
        if total <= self._body_bytes:
            total = 0
            async for chunk in response.content.iter_any():
                total += len(chunk)
                if total > self._body_bytes:
                    break
                chunks.append(chunk)
        if total > self._body_bytes:
            # Without this the rest would be read to keep the connection.
            response.close()
            raise BadAnswer(f"answered more than {self._body_bytes} bytes")
        return b"".join(chunks)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # The semaphore bounds the connections; a second limit here would only hide waiting from it.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _below(url: str, path: str) -> str:
    if not path:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def _plain(error: Exception) -> ChainError:
    """A library's error in our words: its own hold addresses."""
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return Unreachable("the proxy does not connect: check proxy")
    if isinstance(error, aiohttp.ClientSSLError):
        return Unreachable("TLS failed: the certificate is not trusted or not for this host: check url and ca_file")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable("the host name is not known: check url or url_file, and name resolution")
    if isinstance(error, aiohttp.InvalidURL):
        return Unreachable("the URL is not valid: check url or url_file")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"no connection: {reason(error.os_error)}")
    if isinstance(error, aiohttp.ClientResponseError):
        return BadAnswer("answered something that is not HTTP")
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return Unreachable("the request could not be built: check url, headers_file and proxy")
    return Unreachable("the connection broke before the answer was whole")
