"""A monitor at work: the tasks and timed jobs of one configuration, and how another takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from monitor.build import Monitor
from monitor.clock import follow_clock
from monitor.crew import Crew, Task
from monitor.jobs import Jobs
from monitor.publish.deadman import Deadman
from monitor.publish.deliver import Delivery
from monitor.publish.first_line import Form
from monitor.publish.halt import Halts
from monitor.step.observations import Reloaded

#: a chain is fresh for the dead-man's heartbeat while its last good look is younger than this
_FRESH = timedelta(minutes=2)
#: how long the parts that are replaced may take to end
_END_SECONDS = 10.0
#: problems of what the configuration names: whoever has them still says so again
_LOOKED_AT_AGAIN = ("books/", "addresses_", "deliver/", "halt/", "identify/")


class Running:
    """``monitor`` and what of it runs. Followers, couriers and timed jobs are replaced with the configuration."""

    def __init__(self, crew: Crew, monitor: Monitor, address: str) -> None:
        self._crew = crew
        self._address = address
        self.monitor = monitor
        self._tasks: list[Task] = []
        self._wakes: list[Callable[[], None]] = []
        self.jobs: Jobs | None = None

    def start(self, due: frozenset[str] = frozenset()) -> None:
        """Begin everything. ``due``: timed jobs whose time has come while nothing ran."""
        monitor, config = self.monitor, self.monitor.config
        delivery = Delivery(
            monitor.receivers,
            monitor.ledger,
            form=Form(config.decimals, config.web.external_url or self._address),
            mark_sent=monitor.writer.mark_sent,
            health=monitor.health,
            source=config.books.approvals is not None,
        )
        halts = Halts(config.halt, config.base, monitor.ledger, monitor.writer.take, monitor.health)
        self._wakes = [delivery.wake, halts.wake]
        monitor.writer.on_commit += self._wakes
        work = [_after_shadow(monitor, delivery.run), halts.run()]
        work += [follower.run() for follower in monitor.followers.values()]
        if config.deadman.url_file is not None:
            url_file = config.path(config.deadman.url_file)
            work.append(Deadman(url_file, config.deadman.every, _FRESH, monitor.health).run())
        self._tasks = [self._crew.start(each) for each in work]
        self.jobs = Jobs(monitor, due)
        self.jobs.scheduler.start()
        self._tasks.append(self._crew.start(follow_clock(self.jobs.scheduler)))

    async def hold(self, seconds: float) -> bool:
        """Bring every follower to the end of its block; False, and all as before, where one does not get there."""
        held = []
        try:
            async with asyncio.timeout(seconds):
                for follower in self.monitor.followers.values():
                    await follower.hold()
                    held.append(follower)
        except TimeoutError:
            for follower in held:
                follower.release()
            return False
        return True

    def release(self) -> None:
        """Let the followers go on."""
        for follower in self.monitor.followers.values():
            follower.release()

    async def replace(self, after: Monitor, reloaded: Reloaded) -> None:
        """Put ``after`` in the place of the monitor, whose followers and jobs rest.

        An exception means that nothing was changed, and that they still rest.
        """
        before, jobs = self.monitor, self.jobs
        assert jobs is not None
        await before.writer.adopt(after.setup, reloaded)
        self.monitor = after
        try:
            due = jobs.due()
            if left := await self._crew.end(self._tasks, _END_SECONDS):
                raise RuntimeError(f"{left[0].get_coro()} of the configuration before does not end")
            jobs.end()
            for wake in self._wakes:
                before.writer.on_commit.remove(wake)
            for key in [key for key in after.health.problems if key.startswith(_LOOKED_AT_AGAIN)]:
                del after.health.problems[key]
            self.start(due)
        except BaseException as error:
            # The new configuration judges, and half of its parts would: only a restart makes them whole.
            self._crew.lose(error)
            raise

    def end(self) -> None:
        """End the timed jobs; the tasks end with their crew."""
        if self.jobs is not None:
            self.jobs.end()


async def _after_shadow(monitor: Monitor, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Begin ``work`` once cases may be told: at once, or when the shadow has ended."""
    over = asyncio.Event()

    def look() -> None:
        if monitor.setup.shadow is None:
            over.set()

    monitor.writer.on_commit.append(look)
    try:
        look()
        await over.wait()
    finally:
        monitor.writer.on_commit.remove(look)
    await work()
