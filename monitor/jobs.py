"""The timed work of a running monitor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from monitor.build import Monitor
from monitor.daily import Daily
from monitor.logs import context
from monitor.reporting import DailyReport
from monitor.step.writer import utc_now

log = logging.getLogger(__name__)

#: a cycle that could not start in time is still worth running; a later one replaces it
_MISFIRE_SECONDS = 300
#: how often grace periods and declared files are looked at
_TICK = timedelta(seconds=1)
#: how often a tree head of the journal is signed, besides at each close
_HEAD = timedelta(hours=1)
#: how often a daily report that is missing is tried again
_REPORT = timedelta(hours=1)
#: a journal that was changed is found so long after a start, however often that is
_FIRST_HEAD = timedelta(minutes=1)
#: the first cycle need not wait for a whole interval, only for the chains to be opened
_FIRST_CYCLE = timedelta(seconds=5)


class Jobs:
    """All timed work of one wiring. The job store is memory: what is due follows from the configuration alone."""

    def __init__(self, monitor: Monitor, due: frozenset[str] = frozenset()) -> None:
        """``due``: jobs whose time has come in the meantime, that begin at once."""
        self._zone = monitor.config.zone
        self.scheduler = AsyncIOScheduler(timezone=self._zone)
        self._running: set[asyncio.Task[None]] = set()
        self._due = due
        schedule = monitor.config.schedule
        first = utc_now() + min(_FIRST_CYCLE, schedule.cycle)
        self._add("cycle", lambda: monitor.cycle("provisional"), self._every(schedule.cycle), first)
        self._add("close", monitor.close, Daily(schedule.close, self._zone), None)
        report = DailyReport(monitor.config, monitor.ledger, monitor.health).run
        self._add("report", report, Daily(schedule.report, self._zone), None)
        # What could not be made then, or was due while porwatch did not run.
        self._add("missing report", report, self._every(_REPORT), first + _FIRST_CYCLE)
        self._add("seal", monitor.seal, self._every(_HEAD), utc_now() + _FIRST_HEAD)
        self._add("prove", monitor.cycles.prove, self._every(schedule.prove), first + _FIRST_CYCLE)
        self._add("tick", _every_second(monitor), self._every(_TICK), None)
        # Beside the tick: a database of addresses that hangs must not hold up what falls due.
        self._add("addresses", monitor.watchlist.read_sources, self._every(_TICK), None)
        self.scheduler.add_listener(_report, EVENT_JOB_ERROR | EVENT_JOB_MISSED)

    def _every(self, interval: timedelta) -> BaseTrigger:
        return IntervalTrigger(seconds=interval.total_seconds(), timezone=self._zone)

    def _add(
        self, name: str, job: Callable[[], Awaitable[object]], trigger: BaseTrigger, first: datetime | None
    ) -> None:
        when = utc_now() if name in self._due else first
        more = {} if when is None else {"next_run_time": when}
        self.scheduler.add_job(
            self._tracked(name, job),
            trigger,
            id=name,
            name=name,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=_MISFIRE_SECONDS,
            **more,
        )

    def _tracked(self, name: str, job: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
        """Only the scheduler's shutdown cancels a job: that is the monitor's end, not the job's failure."""

        async def run() -> None:
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            try:
                with context(job=name):
                    await job()
            except asyncio.CancelledError:
                log.info("timed job ended with the monitor")
            finally:
                self._running.discard(task)

        return run

    async def rest(self, seconds: float) -> bool:
        """Begin no job any more, and wait for those that run; False, and all as before, where one does not end."""
        self.scheduler.pause()
        # One turn of the loop: what the scheduler has handed over in this one begins, and is seen.
        await asyncio.sleep(0)
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)
        if self._running:
            self.scheduler.resume()
            return False
        return True

    def due(self) -> frozenset[str]:
        """Names of the jobs whose time has come while they rest."""
        now = utc_now()
        return frozenset(
            j.id for j in self.scheduler.get_jobs() if j.next_run_time is not None and j.next_run_time <= now
        )

    def end(self) -> None:
        """End everything, running jobs included."""
        self.scheduler.shutdown(wait=False)


def _every_second(monitor: Monitor) -> Callable[[], Awaitable[None]]:
    async def tick() -> None:
        await monitor.inbox.read_all()
        await monitor.inbox.tick()

    return tick


def _report(event: JobExecutionEvent) -> None:
    if event.exception is not None:
        log.error("timed job failed", extra={"job": event.job_id}, exc_info=event.exception)
    else:
        log.warning("timed job missed its time", extra={"job": event.job_id})
