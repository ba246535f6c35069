"""`porwatch run`: everything at once, until a signal; and `porwatch once`: to the head, one cycle, done."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from monitor.build import Monitor, opened
from monitor.config.resolved import Config
from monitor.crew import Crew
from monitor.inbox import Inbox
from monitor.ledger import reader
from monitor.model import Case, CaseState
from monitor.publish.front import Application, Front
from monitor.publish.ready import not_ready
from monitor.publish.snapshot import Snapshots
from monitor.reload import Reloader
from monitor.running import Running
from monitor.serving import Http, application, open_web, scope_of
from monitor.systemd import Notifier, from_environment, tell

log = logging.getLogger(__name__)

_STOP_SECONDS = 5.0
#: after the first signal: whatever still hangs then is given up, as in a crash, which loses nothing
_LAST_SECONDS = 13.0


async def run(config: Config, *, ready: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT. ``ready`` is called with the address once HTTP is served.

    Raises WrongChain where an endpoint serves another chain, LedgerError where the ledger is taken (or
    is taken over while running), ShadowRefused where the configured shadow may not be,
    ConfigError where the web configuration file cannot be used, CannotListen where the address of HTTP is.
    """
    stop, asked = asyncio.Event(), asyncio.Event()
    notifier = from_environment()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, stop, notifier, number)
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    async with opened(config) as monitor:
        await serve(monitor, stop, ready, asked, notifier)


def _end(stop: asyncio.Event, notifier: Notifier, number: signal.Signals) -> None:
    """At the first signal end in order and in bounded time; at the second end now."""
    if stop.is_set():
        log.warning("a second signal: ended at once")
        _give_up(128 + number)
    stop.set()
    notifier.stopping()
    last = threading.Timer(_LAST_SECONDS, _give_up, args=(0,))
    last.daemon = True
    last.start()


def _give_up(code: int) -> None:
    logging.shutdown()
    os._exit(code)


async def serve(
    monitor: Monitor,
    stop: asyncio.Event,
    ready: Callable[[str], None] | None = None,
    asked: asyncio.Event | None = None,
    notifier: Notifier | None = None,
) -> None:
    """Run an opened monitor until ``stop`` is set; then end every task and return. ``asked``: reload when it is set."""
    told, crew = notifier or Notifier(), Crew()
    web, reads = open_web(monitor.config, monitor.health)
    async with AsyncExitStack() as stack:
        # After the last answer, and after the task that writes them too.
        stack.push_async_callback(reads.write, monitor.writer.note_reads)
        stack.push_async_callback(crew.end_all, _STOP_SECONDS)
        crew.start(_tell(told, monitor))
        await _identify(monitor)
        await monitor.watchlist.begin()
        snapshots = Snapshots(monitor.ledger, monitor.health, scope_of(monitor.config))
        front = Front(_nothing)
        http = Http(front, monitor.config, web.door)
        stack.push_async_callback(http.stop, _STOP_SECONDS)
        running = Running(crew, monitor, http.address)

        def served(each: Monitor) -> Application:
            return application(each, snapshots, web.door, reads, reloader.reload)

        reloader = Reloader(running, front, snapshots, served, told)
        front.application = served(monitor)
        crew.start(snapshots.run())
        crew.start(monitor.writer.taken_over())
        crew.start(web.run(http.renew))
        crew.start(reads.run(monitor.writer.note_reads))
        crew.start(reloader.on_signal(asked or asyncio.Event()))
        running.start()
        stack.callback(running.end)
        log.info("running", extra={"address": http.address})
        if ready is not None:
            ready(http.address)
        await crew.until(stop)
        log.info("stopping")


async def _nothing(*_: object) -> None:
    """Before the first application is made nobody has connected."""


async def _tell(notifier: Notifier, monitor: Monitor) -> None:
    async def reasons() -> list[str]:
        return await asyncio.to_thread(not_ready, monitor.ledger, monitor.health)

    def count() -> int:
        with monitor.ledger.read() as connection:
            return reader.state_counts(connection)[CaseState.OPEN]

    async def status() -> str:
        opened, health = await asyncio.to_thread(count), monitor.health
        return f"watching {', '.join(health.chains)}; {opened} open cases; {len(health.problems)} problems"

    await tell(notifier, monitor.writer.pulse, reasons, status)


async def once(config: Config) -> tuple[dict[str, Any], int]:
    """Follow every chain to its head and run one cycle: its verdict, and how many critical cases are unresolved.

    Raises a ChainError where a chain cannot be followed, LedgerError where a monitor already runs.
    """
    async with opened(config) as monitor:
        await _identify(monitor)
        await monitor.inbox.read_all()
        await monitor.watchlist.begin()
        for follower in monitor.followers.values():
            await follower.catch_up()
        await monitor.inbox.tick()
        await monitor.cycles.prove()
        outcome = await monitor.kept(await monitor.cycle("provisional"))
        await monitor.seal()
        with monitor.ledger.read() as connection:
            counts = reader.open_counts(connection)
    assert outcome.verdict is not None
    return outcome.verdict, sum(count for key, count in counts.items() if key[1] == "critical")


async def change(config: Config, ask: Callable[[Inbox], Awaitable[Case]]) -> str:
    """A person's action on a case without a running monitor; returns the case's new state."""
    async with opened(config) as monitor:
        case = await ask(monitor.inbox)
    return case.state.value


async def _identify(monitor: Monitor) -> None:
    """At start another chain behind an endpoint is a mistake; an endpoint that is down is not."""
    await asyncio.gather(*(follower.identify(starting=True) for follower in monitor.followers.values()))
