"""The daily report: made once for each close, by the same program as `porwatch report`, in a process of its own.

What is missing is what is made. So a restart between the close and the report, or in the middle of one, loses
nothing: the next look makes it. A report that could not be made is a problem that stays until it could.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import monitor
from monitor.config.resolved import Config
from monitor.daily import Daily
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.model import rfc3339
from monitor.step.writer import utc_now

log = logging.getLogger(__name__)

STAGE = "report"
#: a month with 100,000 addresses takes a minute: what takes this long will not end
_SECONDS = 3600.0
_SHOWN = 500
#: the report says "the verdict contradicts itself" with 1, and makes the bundle all the same
_MADE = frozenset({0, 1})


@dataclass(frozen=True, slots=True)
class DailyReport:
    """Makes the report of the last close, once schedule.report has come after it."""

    config: Config
    ledger: Ledger
    health: Health
    clock: Callable[[], datetime] = utc_now
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Make the report that is due and missing, if there is one; whatever goes wrong is a problem, never silence."""
        async with self._one:
            try:
                found = await asyncio.to_thread(self.due)
                if found is None:
                    return
                at, target = found
                if not await asyncio.to_thread(target.exists):
                    await self._make(at, target)
            except ReportFailed as error:
                log.warning("the daily report was not made", extra={"why": str(error)})
                self.health.problem(STAGE, "", str(error))
            else:
                self.health.success(STAGE, "", self.clock())

    def due(self) -> tuple[datetime, Path] | None:
        """The close to be reported on, and the folder of its report; None before the first close is due.

        Raises ReportFailed where the close of the business day did not happen.
        """
        schedule, zone = self.config.schedule, self.config.zone
        now = self.clock()
        reported = _last(Daily(schedule.report, zone), now)
        # Strictly before: where both are at one time of day, the report is of the day before.
        expected = _last(Daily(schedule.close, zone), reported - timedelta.resolution)
        with self.ledger.read() as connection:
            closes = [at for at in reader.closes(connection) if at <= reported]
            begun = reader.first_record(connection)
        if begun is None or (not closes and begun >= expected):
            return None
        if not closes or closes[-1] < expected:
            raise ReportFailed(f"there was no close at {rfc3339(expected)}: that day has no report")
        day = closes[-1].astimezone(zone).date()
        return closes[-1], self.config.reports_path / f"{day.isoformat()}-daily"

    async def _make(self, at: datetime, target: Path) -> None:
        command = ("report", str(self.config.file), "--at", rfc3339(at), "--out", str(target), "--preset", "daily")
        # The code that runs now, and no module of the folder that porwatch was started in.
        path = os.pathsep.join(filter(None, (str(Path(monitor.__file__).parents[1]), os.environ.get("PYTHONPATH"))))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "monitor",
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            async with asyncio.timeout(_SECONDS):
                _, said = await process.communicate()
        except TimeoutError as error:
            raise ReportFailed(f"the report of {rfc3339(at)} took longer than an hour and was ended") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        there = await asyncio.to_thread(target.exists)
        if process.returncode not in _MADE or not there:
            words = " ".join(said.decode("utf-8", "replace").split())[-_SHOWN:]
            raise ReportFailed(f"the report of {rfc3339(at)} was not made (exit {process.returncode}): {words}")
        if process.returncode:
            raise ReportFailed(f"{target}: porwatch verify finds problems in it: run porwatch verify {target}")
        log.info("daily report made", extra={"folder": str(target)})


class ReportFailed(Exception):
    """A report that is due was not made; the message says why."""


def _last(trigger: Daily, now: datetime) -> datetime:
    """The last moment of a trigger that is not after ``now``."""
    moment = trigger.get_next_fire_time(None, now - timedelta(days=3))
    while (following := trigger.get_next_fire_time(moment, now)) <= now:
        moment = following
    return moment
