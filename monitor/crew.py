"""The tasks of a running monitor, held together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any

from monitor.ledger.store import LedgerError

log = logging.getLogger(__name__)

Task = asyncio.Task[None]


class Crew:
    """A task that ends by itself ends everything: half a monitor must not look like a whole one."""

    def __init__(self) -> None:
        self._tasks: set[Task] = set()
        self._lost: list[Task] = []
        self._changed = asyncio.Event()

    def start(self, work: Coroutine[Any, Any, None]) -> Task:
        """Run ``work``, which has no end of its own."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: Task) -> None:
        if task in self._tasks:
            self._tasks.discard(task)
            self._lost.append(task)
            self._changed.set()

    def lose(self, error: BaseException) -> None:
        """End everything, as where a task has ended by itself with ``error``."""

        async def failed() -> None:
            raise error

        self.start(failed())

    async def end(self, tasks: Iterable[Task], seconds: float) -> tuple[Task, ...]:
        """Cancel tasks and wait for their end, so long and no longer; those that have not ended then."""
        ending = [task for task in tasks if task in self._tasks]
        self._tasks.difference_update(ending)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=seconds)
        done = [task for task in ending if task.done()]
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("a task had ended early", exc_info=error)
        return tuple(task for task in ending if not task.done())

    async def end_all(self, seconds: float) -> None:
        """``end`` for every task that runs."""
        await self.end(tuple(self._tasks), seconds)

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for ``stop``. Raises LedgerError or RuntimeError as soon as a task has ended by itself."""
        waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(self._changed.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        for task in self._lost:
            error = None if task.cancelled() else task.exception()
            if isinstance(error, LedgerError):
                raise error
            raise RuntimeError(f"{task.get_coro()} ended by itself") from error
