"""A node's ZMQ notice of new blocks, as an alarm clock and nothing more: facts are always asked for over RPC."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

log = logging.getLogger(__name__)

#: Without a notice this is how long a sleeper sleeps at most, so that a dead publisher costs one second.
POLL_SECONDS = 1.0
RECONNECT_SECONDS = 5.0
#: A hashblock notice has 41 bytes.
MESSAGE_BYTES = 1_024
NOT_INSTALLED = "zmq is configured but pyzmq is not installed: blocks are polled for; install porwatch[zmq]"


class BlockHint:
    """Sleeps until a node publishes a block. Any trouble with ZMQ turns it into a plain sleep."""

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._event = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str:
        """Why notices cannot come, as a sentence; "" where they can or none are wanted."""
        if self._address is None:
            return ""
        try:
            import zmq.asyncio  # noqa: F401, PLC0415
        except ImportError:
            return NOT_INSTALLED
        return ""

    async def wait(self, seconds: float) -> None:
        """Sleep ``seconds``, ``POLL_SECONDS`` at most, less where a block was announced since the last wait."""
        if self._address is not None and self._listener is None:
            self._listener = asyncio.create_task(self._listen(self._address))
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, POLL_SECONDS)):
                await self._event.wait()
        self._event.clear()

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
            self._listener = None

    async def _listen(self, address: str) -> None:
        if self.trouble:
            log.warning("%s", self.trouble)
            return
        import zmq  # noqa: PLC0415
        import zmq.asyncio  # noqa: PLC0415

        while True:
            context = zmq.asyncio.Context()
            try:
                socket = context.socket(zmq.SUB)
                socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
                socket.setsockopt(zmq.RCVHWM, 16)
                socket.setsockopt(zmq.SUBSCRIBE, b"hashblock")
                socket.connect(address)
                while True:
                    await socket.recv_multipart()
                    self._event.set()
            except zmq.ZMQError as error:
                log.warning("zmq %s: %s; blocks are polled for meanwhile", address, error)
            finally:
                context.destroy(linger=0)
            await asyncio.sleep(RECONNECT_SECONDS)
