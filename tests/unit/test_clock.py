"""Our clock is set back by an hour: what runs at intervals goes on, what runs at a time of day waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.executors import base as executors
from apscheduler.schedulers import asyncio as aps_asyncio
from apscheduler.schedulers import base
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.clock import follow_clock
from monitor.daily import Daily


@pytest.mark.parametrize("followed", [True, False])
async def test_jobs_at_intervals_go_on_after_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch, followed: bool
) -> None:
    """Without following the clock APScheduler waits for the hour: the second case shows that the first says something."""
    shift = [0.0]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(time.time() + shift[0], tz)

    for module in (base, executors, aps_asyncio):
        if hasattr(module, "datetime"):
            monkeypatch.setattr(module, "datetime", Clock)
    zone = ZoneInfo("UTC")
    scheduler = AsyncIOScheduler(timezone=zone)
    ticks: list[float] = []
    closes: list[float] = []
    scheduler.add_job(lambda: ticks.append(time.monotonic()), "interval", seconds=0.05)
    later = (datetime.now(zone) + timedelta(hours=2)).time()
    scheduler.add_job(lambda: closes.append(time.monotonic()), Daily(later, zone))
    scheduler.start()
    watching = None
    if followed:
        watching = asyncio.create_task(follow_clock(scheduler, wall=lambda: time.time() + shift[0], look=0.1))
    await _until(lambda: len(ticks) > 2)
    shift[0] = -3600.0
    # What was due before the step may still run once.
    await asyncio.sleep(1)
    before = len(ticks)
    if followed:
        await _until(lambda: len(ticks) > before + 2)
    else:
        await asyncio.sleep(1)
        assert len(ticks) == before
    scheduler.shutdown(wait=False)
    if watching is not None:
        watching.cancel()
    assert closes == []


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)
