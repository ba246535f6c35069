"""`porwatch demo`: local nodes, a small exchange, normal traffic, then a staged theft. Loopback only.

The monitor runs as a process of its own, as a user runs it, and knows nothing of the staging; what
the terminal shows is read back from its API.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from chains.lab.errors import LabError
from monitor.demo.exchange import Exchange
from monitor.demo.screen import Screen
from monitor.demo.traffic import Traffic

FINE, FINDING, UNDETERMINED = 0, 1, 3
#: quiet time before the theft, so that normal traffic is seen first
_THEFT_AFTER = 20.0


def command(*, theft: bool, seconds: float | None) -> int:
    """Run until Ctrl-C, SIGTERM or ``seconds``.

    0 where porwatch saw what there was to see; 1 where it did not, or saw a case without a theft;
    3 where the nodes cannot be started.
    """
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="porwatch-demo-")))
        try:
            exchange = Exchange.start(folder, stack)
        except LabError as error:
            sys.stderr.write(f"{error}\n")
            return UNDETERMINED
        screen = Screen(exchange)
        screen.welcome()
        traffic = Traffic(exchange, stop)
        stack.callback(traffic.end)
        traffic.start()
        _play(screen, traffic, stop, theft=theft, seconds=seconds)
        interrupted = stop.is_set()
        traffic.end()
        screen.look()
        seen = screen.judge(theft=traffic.stolen_at is not None)
        return FINE if seen or interrupted else FINDING


def _play(screen: Screen, traffic: Traffic, stop: threading.Event, *, theft: bool, seconds: float | None) -> None:
    began = time.monotonic()
    after = _THEFT_AFTER if seconds is None else min(_THEFT_AFTER, seconds / 2)
    while not stop.is_set():
        elapsed = time.monotonic() - began
        if theft and traffic.stolen_at is None and elapsed >= after:
            screen.announce_theft()
            traffic.steal()
        screen.look(stolen_at=traffic.stolen_at)
        if seconds is not None and elapsed >= seconds:
            return
        if traffic.failure is not None:
            raise traffic.failure
        stop.wait(0.25)
