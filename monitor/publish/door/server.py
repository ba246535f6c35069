"""The server that listens: uvicorn's, with deadlines for slow clients, a cap on connections, and new certificates
without a restart.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import nullcontext, suppress
from ipaddress import ip_address
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from monitor.publish.door.door import Door
from monitor.publish.door.gate import CERTIFICATE, LARGEST_HEAD
from monitor.publish.door.limits import neighbourhood

log = logging.getLogger(__name__)

#: from the first byte (or from connecting) to the last of the headers
HEADER_SECONDS = 10.0
#: for a TLS handshake, and for a client to take what waits for it
HANDSHAKE_SECONDS, SEND_SECONDS = 10.0, 30.0
#: for a client to answer that TLS ends
GOODBYE_SECONDS = 2.0
#: how old the Date of an answer may be
DATE_SECONDS = 1.0
#: connections at once: of all, and of one address that is neither this machine nor a trusted proxy
MOST_CONNECTIONS, MOST_OF_ONE = 512, 64


class Protocol(H11Protocol):
    """One connection."""

    def __init__(self, door: Door, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._door = door
        self._heading: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._crowded():
            log.warning("too many connections: one is refused", extra={"client": self._peer})
            transport.abort()
            return
        self.app_state = {**self.app_state, CERTIFICATE: transport.get_extra_info("peercert")}
        self._await_headers()

    @property
    def _peer(self) -> str:
        return self.client[0] if self.client else ""

    def _crowded(self) -> bool:
        if len(self.connections) > MOST_CONNECTIONS:
            return True
        if self._door.settings.trusts(self._peer) or not self._peer or ip_address(self._peer).is_loopback:
            return False
        mine = neighbourhood(self._peer)
        peers = [each._peer for each in self.connections if isinstance(each, Protocol)]  # noqa: SLF001  our own
        return sum(neighbourhood(peer) == mine for peer in peers) > MOST_OF_ONE

    def data_received(self, data: bytes) -> None:
        # uvicorn sets ``cycle`` to None before the first request, and does not say so in its type.
        before = cast("RequestResponseCycle | None", self.cycle)
        busy = before is not None and not before.response_complete
        super().data_received(data)
        if self.cycle is not before:
            self._stop_heading()
        elif self._heading is None and not busy:
            self._await_headers()

    def _await_headers(self) -> None:
        self._heading = self.loop.call_later(HEADER_SECONDS, self._too_slow, "headers")

    def _stop_heading(self) -> None:
        if self._heading is not None:
            self._heading.cancel()
            self._heading = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(SEND_SECONDS, self._too_slow, "answer")

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        # Closing waits for what is still to be taken, however long that is.
        self._stuck = self._stuck or self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def _too_slow(self, what: str) -> None:
        log.warning("a slow client is cut off", extra={"client": self._peer, "waited_for": what})
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_heading()
        if self._stuck is not None:
            self._stuck.cancel()
        super().connection_lost(exc)


class Server(uvicorn.Server):
    """Serves ``app`` on an open socket until ``end``; signals are the caller's business."""

    def __init__(self, app: ASGIApp, listener: socket.socket, door: Door) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            # It would believe X-Forwarded-For of whoever connects from this machine.
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=LARGEST_HEAD,
        )
        super().__init__(config)
        self._listener = listener
        self._door = door
        self._ended = asyncio.Event()
        self.servers: list[asyncio.base_events.Server] = []
        self.capture_signals = nullcontext  # type: ignore[method-assign, assignment]  # a signal ends the whole monitor

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await self._listen()
        self.started = True

    def end(self) -> None:
        """Stop listening; ``serve`` returns once present requests have ended."""
        self.should_exit = True
        self._ended.set()

    async def main_loop(self) -> None:
        """Wait for the end, of which this is told: uvicorn's own loop looks for it ten times a second."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(DATE_SECONDS):
                    await self._ended.wait()

    def renew(self) -> None:
        """Serve new connections with the door's newest certificates; old ones end after their present request."""
        self._renewal = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        tls, before = self._door.tls, self.servers
        loop = asyncio.get_running_loop()

        def protocol() -> Protocol:
            return Protocol(self._door, self.config, self.server_state, {})

        # A context that is in use cannot be changed as a whole, so another server takes over the same socket.
        server = await loop.create_server(
            protocol,
            sock=self._listener.dup(),
            ssl=None if tls is None else tls.context,
            ssl_handshake_timeout=None if tls is None else HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=None if tls is None else GOODBYE_SECONDS,
        )
        self.servers = [server]
        for each in before:
            each.close()
        if before:
            for connection in list(self.server_state.connections):
                connection.shutdown()
            log.info("new certificates are served")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and let present requests end."""
        self._listener.close()
        await super().shutdown(sockets)
