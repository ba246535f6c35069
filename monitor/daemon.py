"""`porwatch run`: everything at once, until a signal; and `porwatch once`: to the head, one cycle, done."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from chains.core.errors import AddressError
from chains.core.settings import ChainSettings
from monitor.build import Desk, Monitor, opened
from monitor.clock import follow_clock
from monitor.config.resolved import Config
from monitor.daily import Daily
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import LedgerError
from monitor.model import Tier
from monitor.publish.api.particulars import Particulars
from monitor.publish.deadman import Deadman
from monitor.publish.deliver import Delivery, receivers
from monitor.publish.first_line import Form
from monitor.publish.guard import Access
from monitor.publish.halt import Halts
from monitor.publish.scope import Channel, Scope
from monitor.publish.snapshot import Snapshots
from monitor.reporting import DailyReport
from monitor.shipped import shipped
from monitor.step.halting import RECEIVER as HALT
from monitor.step.writer import utc_now

if TYPE_CHECKING:
    from monitor.publish.door.door import Door, WebConfiguration
    from monitor.publish.door.reads import Reads
    from monitor.publish.door.server import Server

log = logging.getLogger(__name__)

#: a cycle that could not start in time is still worth running; a later one replaces it
_MISFIRE_SECONDS = 300
#: how often grace periods and declared files are looked at
_TICK_SECONDS = 1
#: how often a tree head of the journal is signed, besides at each close
_HEAD_HOURS = 1
#: how often a daily report that is missing is tried again
_REPORT_HOURS = 1
_STOP_SECONDS = 10.0
#: the first cycle need not wait for a whole interval, only for the chains to be opened
_FIRST_CYCLE = timedelta(seconds=5)
#: a chain is fresh for the dead-man's heartbeat while its last good look is younger than this
_FRESH = timedelta(minutes=2)


class CannotListen(Exception):
    """The listening address cannot be had."""


async def run(config: Config, *, ready: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT. ``ready`` is called with the address once HTTP is served.

    Raises WrongChain where an endpoint serves another chain, LedgerError where the ledger is taken (or
    is taken over while running), ShadowRefused where the configured shadow may not be,
    CannotListen where the address of HTTP is.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    # Its default would end the monitor, and a monitor must not end by a habit of other daemons.
    loop.add_signal_handler(signal.SIGHUP, log.warning, "SIGHUP: restart porwatch to take up a changed configuration")
    async with opened(config) as monitor:
        await serve(monitor, stop, ready)


async def serve(monitor: Monitor, stop: asyncio.Event, ready: Callable[[str], None] | None = None) -> None:
    """Run an opened monitor until ``stop`` is set; then end every task and return."""
    await _identify(monitor)
    await monitor.watchlist.begin()
    async with AsyncExitStack() as stack:
        config, scope = monitor.config, scope_of(monitor.config)
        snapshots = Snapshots(monitor.ledger, monitor.health, scope)
        web, reads = _open_web(config, monitor.health)
        # After the last answer.
        stack.push_async_callback(reads.write, monitor.writer.note_reads)
        address, server = await _serve_http(stack, monitor, scope, snapshots, web.door, reads)
        delivery = Delivery(
            monitor.receivers,
            monitor.ledger,
            form=Form(config.decimals, config.web.external_url or address),
            mark_sent=monitor.writer.mark_sent,
            health=monitor.health,
            source=config.books.approvals is not None,
        )
        halts = Halts(config.halt, config.base, monitor.ledger, monitor.writer.take, monitor.health)
        monitor.writer.on_commit += [delivery.wake, halts.wake]
        scheduler = _scheduler(monitor)
        stack.callback(scheduler.shutdown, wait=False)
        tasks = [snapshots.run(), _after_shadow(monitor, delivery.run), halts.run()]
        tasks += [follower.run() for follower in monitor.followers.values()]
        if config.deadman.url_file is not None:
            url_file = config.path(config.deadman.url_file)
            tasks.append(Deadman(url_file, config.deadman.every, _FRESH, monitor.health).run())
        tasks += [monitor.writer.taken_over(), web.run(server.renew), reads.run(monitor.writer.note_reads)]
        running = [asyncio.create_task(task) for task in tasks]
        stack.push_async_callback(_cancel, running)
        scheduler.start()
        running.append(asyncio.create_task(follow_clock(scheduler)))
        log.info("running", extra={"address": address})
        if ready is not None:
            ready(address)
        await _until(stop, running)
        log.info("stopping")


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


async def act(config: Config, case_id: str, action: str, name: str, reason: str) -> str:
    """A person's action without a running monitor; returns the case's new state."""
    async with opened(config) as monitor:
        case = await monitor.inbox.act(case_id, action, name, reason)
    return case.state.value


async def _identify(monitor: Monitor) -> None:
    """At start another chain behind an endpoint is a mistake; an endpoint that is down is not."""
    await asyncio.gather(*(follower.identify(starting=True) for follower in monitor.followers.values()))


def scope_of(config: Config) -> Scope:
    """What is configured, as names."""
    books, told = config.books, receivers(config.alertmanagers)
    return Scope(
        version=version("porwatch"),
        wallets=config.wallets,
        assets={name: (chain.native, *chain.tokens_by_asset()) for name, chain in config.chains.items()},
        decimals=config.decimals,
        receivers=(*(receiver.name for receiver in told), *(() if config.halt is None else (HALT,))),
        channels=tuple(Channel(receiver.name, receiver.redact, receiver.recipients) for receiver in told),
        endpoints={name: _endpoint_names(chain) for name, chain in config.chains.items()},
        sources=tuple(name for name in ("liabilities", "approvals", "prices") if getattr(books, name) is not None),
    )


def particulars_of(config: Config) -> Particulars:
    """What is configured, for the API."""
    books = config.books

    def spellings(address: str) -> tuple[str, ...]:
        found = {address}
        for chain in config.chains:
            with suppress(AddressError):
                found.add(config.locator(chain, address))
        return tuple(sorted(found))

    return Particulars(
        known={
            (chain, tier): config.allow["cold" if tier is Tier.COLD else "hot"].get(chain, frozenset())
            for chain in config.chains
            for tier in Tier
        },
        spellings=spellings,
        liabilities_age=None if books.liabilities is None else books.liabilities.max_age,
        statements=books.statements is not None,
        reports=config.reports_path,
        ceremonies_required=frozenset(
            name for name, each in config.wallet_settings.items() if each.ceremonies == "required"
        ),
    )


def _endpoint_names(settings: ChainSettings) -> tuple[str, ...]:
    named = enumerate(settings.endpoints, start=1)
    return tuple(endpoint.name or f"endpoint-{i}" for i, endpoint in named if not endpoint.hint_only)


async def _after_shadow(monitor: Monitor, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Begin ``work`` once cases may be told: at once, or when the shadow has ended."""
    over = asyncio.Event()

    def look() -> None:
        if monitor.setup.shadow is None:
            over.set()

    monitor.writer.on_commit.append(look)
    look()
    await over.wait()
    monitor.writer.on_commit.remove(look)
    await work()


def _scheduler(monitor: Monitor) -> AsyncIOScheduler:
    """All timed work. The job store is memory: what is due follows from the configuration alone."""
    schedule, zone = monitor.config.schedule, monitor.config.zone
    scheduler = AsyncIOScheduler(timezone=zone)
    common = {"coalesce": True, "max_instances": 1, "misfire_grace_time": _MISFIRE_SECONDS}
    first = utc_now() + min(_FIRST_CYCLE, schedule.cycle)
    scheduler.add_job(
        _until_cancelled(monitor.cycle),
        IntervalTrigger(seconds=schedule.cycle.total_seconds(), timezone=zone),
        args=["provisional"],
        next_run_time=first,
        id="cycle",
        **common,
    )
    scheduler.add_job(_until_cancelled(monitor.close), Daily(schedule.close, zone), id="close", **common)
    report = _until_cancelled(DailyReport(monitor.config, monitor.ledger, monitor.health).run)
    scheduler.add_job(report, Daily(schedule.report, zone), id="report", **common)
    # What could not be made then, or was due while porwatch did not run.
    again = {"hours": _REPORT_HOURS, "next_run_time": first + _FIRST_CYCLE}
    scheduler.add_job(report, "interval", **again, id="missing report", **common)
    scheduler.add_job(_until_cancelled(monitor.seal), "interval", hours=_HEAD_HOURS, id="seal", **common)
    scheduler.add_job(
        _until_cancelled(monitor.cycles.prove),
        IntervalTrigger(seconds=schedule.prove.total_seconds(), timezone=zone),
        next_run_time=first + _FIRST_CYCLE,
        id="prove",
        **common,
    )
    scheduler.add_job(_until_cancelled(_every_second(monitor)), "interval", seconds=_TICK_SECONDS, id="tick", **common)
    # Beside the tick: a database of addresses that hangs must not hold up what falls due.
    read_sources = _until_cancelled(monitor.watchlist.read_sources)
    scheduler.add_job(read_sources, "interval", seconds=_TICK_SECONDS, id="addresses", **common)
    scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    return scheduler


def _every_second(monitor: Monitor) -> Callable[[], Awaitable[None]]:
    async def tick() -> None:
        await monitor.inbox.read_all()
        await monitor.inbox.tick()

    return tick


def _until_cancelled(job: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[None]]:
    """Only the scheduler's shutdown cancels a job: that is the monitor's end, not the job's failure."""

    async def run(*args: object) -> None:
        try:
            await job(*args)
        except asyncio.CancelledError:
            log.info("timed job ended with the monitor")

    return run


def _report(event: JobExecutionEvent) -> None:
    if event.exception is not None:
        log.error("timed job failed", extra={"job": event.job_id}, exc_info=event.exception)
    else:
        log.warning("timed job missed its time", extra={"job": event.job_id})


async def _until(stop: asyncio.Event, running: list[asyncio.Task[None]]) -> None:
    """Wait for the stop. A task that ends by itself ends everything: half a monitor must not look like a whole one."""
    waiting = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait([waiting, *running], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done - {waiting}:
        error = task.exception()
        if isinstance(error, LedgerError):
            raise error
        raise RuntimeError(f"{task.get_coro()} ended by itself") from error


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    done, _ = await asyncio.wait(tasks, timeout=_STOP_SECONDS)
    for task in done:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task had ended early", exc_info=error)


def _open_web(config: Config, health: Health) -> tuple[WebConfiguration, Reads]:
    """The web configuration file, read, and the notes of who reads what. Raises ConfigError."""
    from monitor.publish.door.door import WebConfiguration  # noqa: PLC0415  `once` serves nothing
    from monitor.publish.door.reads import Reads  # noqa: PLC0415

    file = config.web.config_file
    return WebConfiguration(config.web, None if file is None else config.path(file), health, utc_now), Reads()


async def _serve_http(
    stack: AsyncExitStack, monitor: Monitor, scope: Scope, snapshots: Snapshots, door: Door, reads: Reads
) -> tuple[str, Server]:
    """Listen, and answer in the background until the stack closes; the address, port filled in, and the server."""
    from monitor.publish.console.site import Entity  # noqa: PLC0415
    from monitor.publish.door.server import Server  # noqa: PLC0415  `check` and `status` need no web server
    from monitor.publish.web import Served, make_app  # noqa: PLC0415

    config = monitor.config
    host, _, port = config.web.listen.rpartition(":")
    access = Access(listen_host=host.strip("[]"), external_url=config.web.external_url or "")
    app = make_app(
        Served(
            ledger=monitor.ledger,
            health=monitor.health,
            snapshots=snapshots,
            scope=scope,
            actions=Desk(monitor.inbox, monitor.watchlist, monitor.proving),
            access=access,
            runbook=_runbook,
            entity=Entity(config.entity.name, config.entity.timezone),
            particulars=particulars_of(config),
            door=door,
            reads=reads,
        )
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=128)
    except OSError as error:
        # create_server says more than the reason; a name that does not resolve has a number of its own.
        why = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror
        raise CannotListen(f"web.listen: {config.web.listen}: {why}: free it, or write another address") from error
    _warn_of_exposure(access, door)
    server = Server(app, listener, door)
    port = listener.getsockname()[1]
    task = asyncio.create_task(server.serve())
    stack.push_async_callback(_stop_http, server, task)
    return f"{'http' if door.tls is None else 'https'}://{host}:{port}", server


def _warn_of_exposure(access: Access, door: Door) -> None:
    if access.loopback:
        return
    if not door.settings.authentication:
        log.warning("others reach web.listen and nobody logs in: only health, runbooks and metrics are answered")
    elif door.tls is None and door.settings.users:
        log.warning("others reach web.listen and passwords travel in the clear: write tls_server_config")


async def _stop_http(server: Server, task: asyncio.Task[None]) -> None:
    server.should_exit = True
    await asyncio.wait([task], timeout=_STOP_SECONDS)


def _runbook(name: str, lang: str) -> str | None:
    """The runbook of an alert in one language; the Japanese half begins at its first Japanese heading."""
    if not name.isalnum():
        return None
    try:
        text = shipped("alerts", "runbooks", f"{name}.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    english, heading, japanese = text.partition("\n## 意味")
    return heading.lstrip() + japanese if lang == "ja" and heading else english
