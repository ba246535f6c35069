"""New heads over WebSocket, as a wake-up only: polling goes on whatever becomes of the connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp

from chains.core.credentials import target_of
from chains.core.errors import Unreachable
from chains.core.settings import Endpoint

log = logging.getLogger(__name__)

#: Pauses between attempts to connect double from the first to the last of these.
BACKOFF_MIN_SECONDS = 1.0
BACKOFF_MAX_SECONDS = 60.0
#: Connecting, and each answer to a ping, must come within this time.
ANSWER_SECONDS = 20.0
#: A head is about 2 kB.
MESSAGE_BYTES = 256 * 1024
_SUBSCRIBE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})

Messages = AbstractAsyncContextManager[AsyncIterator[str]]


class HeadHints:
    """Wakes ``wait`` early where one of the WebSocket endpoints announces a block.

    ``openers``: for each of them what connects and subscribes (``subscribed``).
    """

    def __init__(self, openers: Sequence[Callable[[], Messages]], *, poll_seconds: float) -> None:
        self._openers = tuple(openers)
        self._poll_seconds = poll_seconds
        self._announced = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def wait(self, seconds: float) -> None:
        """Sleep until a block was announced since the last wait, for ``seconds`` or the polling interval at most."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen(n, opener)) for n, opener in enumerate(self._openers, 1)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(seconds, self._poll_seconds))):
                await self._announced.wait()
        self._announced.clear()

    async def close(self) -> None:
        """End listening."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, number: int, opener: Callable[[], Messages]) -> None:
        pause = BACKOFF_MIN_SECONDS
        while True:
            try:
                async with opener() as messages:
                    async for message in messages:
                        if '"eth_subscription"' in message:
                            pause = BACKOFF_MIN_SECONDS
                            self._announced.set()
            except Unreachable as error:
                log.warning("WebSocket endpoint %d: %s; polling goes on", number, error)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                # The type only: messages of the library hold the URL, which may hold a key.
                log.info("WebSocket endpoint %d: %s, polling goes on", number, type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACKOFF_MAX_SECONDS)


@asynccontextmanager
async def subscribed(endpoint: Endpoint, base: Path) -> AsyncIterator[AsyncIterator[str]]:
    """The messages of one WebSocket endpoint. Its secrets are read anew, so that a rotated key counts.

    Raises Unreachable where a file that it names cannot be used, relative to ``base``.
    """
    target = target_of(endpoint, base)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_SECONDS, sock_read=None)
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    async with (
        aiohttp.ClientSession(timeout=timeout, trace_configs=[trace]) as session,
        session.ws_connect(
            target.url,
            headers=target.headers,
            ssl=target.tls,
            proxy=endpoint.proxy,
            heartbeat=ANSWER_SECONDS,
            max_msg_size=MESSAGE_BYTES,
        ) as socket,
    ):
        await socket.send_str(_SUBSCRIBE)
        yield (message.data async for message in socket if message.type is aiohttp.WSMsgType.TEXT)


async def _refuse_redirect(*_: object) -> None:
    """Whoever answers with another address would be sent our headers there."""
    raise aiohttp.ClientError("redirected")
