"""A wall clock that is set back must not stop what is done at intervals."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.interval import IntervalTrigger

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
#: less is the clock being disciplined, and no interval notices
_STEP_SECONDS = 2.0


async def follow_clock(
    scheduler: BaseScheduler,
    wall: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
    look: float = _LOOK_SECONDS,
) -> None:
    """Run for ever. APScheduler times its jobs by the wall clock: after a step back of an hour they would all
    wait for an hour. Those at intervals are due at once then; those of a time of day keep their moment.
    """
    before, since = wall(), steady()
    while True:
        await asyncio.sleep(look)
        now, at = wall(), steady()
        back = (at - since) - (now - before)
        before, since = now, at
        if back > _STEP_SECONDS:
            log.warning("the clock was set back", extra={"seconds": round(back)})
            _due_now(scheduler, now)


def _due_now(scheduler: BaseScheduler, now: float) -> None:
    moment = datetime.fromtimestamp(now, scheduler.timezone)
    for job in scheduler.get_jobs():
        waits = job.next_run_time is not None and job.next_run_time - moment > timedelta(seconds=_STEP_SECONDS)
        if waits and isinstance(job.trigger, IntervalTrigger):
            job.modify(next_run_time=moment)
