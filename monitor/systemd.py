"""What systemd is told (sd_notify(3), sd_watchdog_enabled(3)): one datagram a message to the socket it names.

Without that socket nothing is sent. A message that cannot be sent is lost: systemd, which notices, is
the one who acts on it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta

log = logging.getLogger(__name__)

#: how often the state is told where no watchdog asks for more
_EVERY = timedelta(seconds=5)
#: told to systemd while porwatch comes up: a chain that is down delays readiness, and must not end the start
_START_MICROSECONDS = 60_000_000
_LONGEST_STATUS = 400


class Notifier:
    """Tells the state. ``address`` None: nobody listens. ``watchdog``: how long systemd waits for a sign of life."""

    def __init__(self, address: str | None = None, watchdog: timedelta | None = None) -> None:
        self._address = address
        self.watchdog = watchdog if address is not None else None
        self.is_ready = False

    @property
    def listened_to(self) -> bool:
        """Whether there is anybody to tell."""
        return self._address is not None

    def send(self, **fields: str | int) -> None:
        """One message of assignments. Never blocks and never raises."""
        if self._address is None:
            return
        # A leading @ stands for the zero byte of Linux's abstract names.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        message = "\n".join(f"{name}={value}" for name, value in fields.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), address)
        except OSError as error:
            log.debug("systemd was not told", extra={"error": str(error)})

    def ready(self) -> None:
        """After a reload: ready again, where it was before."""
        if self.is_ready:
            self.send(READY=1)

    def become_ready(self) -> None:
        """Ready for the first time; later calls tell nothing new."""
        if not self.is_ready:
            self.is_ready = True
            self.send(READY=1)

    def reloading(self) -> None:
        """A reload begins; ``ready`` tells its end."""
        if self.is_ready:
            # systemd.service(5), Type=notify-reload: the monotonic clock shows which signal this answers.
            self.send(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def stopping(self) -> None:
        """The end has begun."""
        self.send(STOPPING=1, STATUS="stopping")


def from_environment(environment: MutableMapping[str, str] = os.environ) -> Notifier:
    """What systemd has set, taken out of the environment: programs started from here are not the service."""
    address = environment.pop("NOTIFY_SOCKET", None)
    microseconds, process = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
    mine = not process or process == str(os.getpid())
    watchdog = timedelta(microseconds=int(microseconds)) if mine and microseconds.isdigit() else None
    if address is not None and address[:1] not in {"/", "@"}:
        log.warning("NOTIFY_SOCKET is no path and no abstract name: systemd is told nothing")
        address = None
    return Notifier(address, watchdog or None)


async def tell(
    notifier: Notifier,
    pulse: Callable[[], Awaitable[None]],
    reasons: Callable[[], Awaitable[list[str]]],
    status: Callable[[], Awaitable[str]],
) -> None:
    """Tell the state for ever: ready once there are no ``reasons`` against it, and a sign of life at each turn.

    ``pulse`` returns once the writer has come to the end of its work: while that hangs, as while the event
    loop does, no sign of life is sent and systemd's watchdog ends the process.
    """
    if not notifier.listened_to:
        await asyncio.Event().wait()
    every = (_EVERY if notifier.watchdog is None else min(_EVERY, notifier.watchdog / 3)).total_seconds()
    while True:
        await pulse()
        notifier.send(WATCHDOG=1)
        missing = await reasons()
        if not missing:
            notifier.become_ready()
        elif not notifier.is_ready:
            notifier.send(EXTEND_TIMEOUT_USEC=_START_MICROSECONDS)
        notifier.send(STATUS=_line("; ".join(missing) or await status()))
        await asyncio.sleep(every)


def _line(text: str) -> str:
    """One line, as a message has one assignment a line."""
    return " ".join(text.split())[:_LONGEST_STATUS]
