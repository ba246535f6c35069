"""Who read which case: what porwatch knows of an outflow is inside information, and reading it leaves a trace.

A read waits for nothing: it is noted in memory, and written within a second by the ledger's one writer. One
row a caller, case and hour. What is noted and not yet written is lost with a crash.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from starlette.exceptions import HTTPException

from monitor.ledger.access import CaseRead
from monitor.publish.door.caller import Caller

log = logging.getLogger(__name__)

#: notes that wait to be written; beyond, cases are not shown, because nobody could say to whom
MOST_WAITING = 50_000
#: reads of this hour that are known to be noted
_MOST_KNOWN = 100_000
#: rows in one transaction: a few thousandths of a second of the writer's time
_BATCH = 1_000

Keep = Callable[[tuple[CaseRead, ...]], Awaitable[None]]


class Reads:
    """Notes reads, and hands them to the writer."""

    def __init__(self) -> None:
        self._waiting: list[CaseRead] = []
        self._known: set[tuple[str, str, str]] = set()
        self._hour: datetime | None = None

    def note(self, who: Caller, case_ids: Iterable[str], at: datetime) -> None:
        """Note that somebody is shown these cases. Raises HTTPException 503 where it cannot be noted."""
        hour = at.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour or len(self._known) > _MOST_KNOWN:
            # Twice noted is once written: the ledger refuses the second.
            self._hour, self._known = hour, set()
        for case_id in case_ids:
            key = (who.name, who.how, case_id)
            if key in self._known:
                continue
            if len(self._waiting) >= MOST_WAITING:
                raise HTTPException(503, "who reads this cannot be recorded now, so it is not shown")
            role = "" if who.role is None else who.role.value
            self._waiting.append(CaseRead(who.name, who.how, role, who.client, case_id, hour, at))
            self._known.add(key)

    def __len__(self) -> int:
        return len(self._waiting)

    async def write(self, keep: Keep) -> None:
        """Hand over what waits, in batches; what a failed batch held waits on."""
        while self._waiting:
            batch = tuple(self._waiting[:_BATCH])
            await keep(batch)
            del self._waiting[: len(batch)]

    async def run(self, keep: Keep, every: float = 1.0) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.write(keep)
            except Exception as error:  # noqa: BLE001 - the notes wait, and the next second tries again
                log.warning("who read which case could not be written yet", extra={"error": type(error).__name__})
