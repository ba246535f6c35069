"""The tasks of a monitor end together."""

from __future__ import annotations

import asyncio

import pytest

from monitor.crew import Crew
from monitor.ledger.store import TakenOver


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_task_that_ends_by_itself_ends_everything() -> None:
    crew = Crew()
    crew.start(forever())

    async def short() -> None:
        await asyncio.sleep(0)

    crew.start(short())
    with pytest.raises(RuntimeError, match=r"short.* ended by itself"):
        await crew.until(asyncio.Event())
    await crew.end_all(1)


async def test_a_ledger_that_was_taken_over_is_named_as_the_reason() -> None:
    crew = Crew()
    crew.lose(TakenOver("somebody else has it"))
    with pytest.raises(TakenOver, match="somebody else"):
        await crew.until(asyncio.Event())


async def test_tasks_that_are_replaced_end_and_nothing_else_does() -> None:
    crew, stop = Crew(), asyncio.Event()
    old, kept = crew.start(forever()), crew.start(forever())
    await asyncio.sleep(0)
    await crew.end([old], 1)
    assert old.cancelled()
    asyncio.get_running_loop().call_later(0.02, stop.set)
    await crew.until(stop)
    assert not kept.done()
    await crew.end_all(1)
    assert kept.cancelled()


async def test_a_task_that_will_not_end_is_waited_for_in_bounded_time() -> None:
    crew, let_go = Crew(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await forever()
        finally:
            await let_go.wait()

    task = crew.start(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert await crew.end([task], 0.05) == (task,)
    assert not task.done()
    let_go.set()
    await asyncio.wait([task])
