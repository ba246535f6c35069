from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chains.ethereum.hints import HeadHints

HEAD = '{"jsonrpc":"2.0","method":"eth_subscription","params":{"result":{"number":"0x1"}}}'


class Feed:
    """What a WebSocket endpoint says; an exception put into it breaks the connection."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | Exception] = asyncio.Queue()
        self.opened = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AsyncIterator[str]]:
        self.opened += 1
        yield self._messages()

    async def _messages(self) -> AsyncIterator[str]:
        while True:
            item = await self.queue.get()
            if isinstance(item, Exception):
                raise item
            yield item


async def timed(hints: HeadHints, seconds: float) -> float:
    began = time.monotonic()
    await hints.wait(seconds)
    return time.monotonic() - began


async def test_a_new_head_wakes_the_wait() -> None:
    feed = Feed()
    hints = HeadHints([feed.open], poll_seconds=30.0)
    feed.queue.put_nowait('{"id":1,"result":"0xsubscription"}')
    asyncio.get_running_loop().call_later(0.02, feed.queue.put_nowait, HEAD)
    assert 0.015 < await timed(hints, 30.0) < 5.0
    await hints.close()


async def test_without_hints_the_wait_ends_by_polling() -> None:
    hints = HeadHints([], poll_seconds=0.02)
    assert await timed(hints, 30.0) < 5.0
    hints = HeadHints([], poll_seconds=30.0)
    assert await timed(hints, 0.02) < 5.0
    assert await timed(hints, -1.0) < 5.0
    await hints.close()


async def test_one_announcement_wakes_one_wait() -> None:
    feed = Feed()
    hints = HeadHints([feed.open], poll_seconds=0.05)
    feed.queue.put_nowait(HEAD)
    await hints.wait(1.0)
    assert await timed(hints, 1.0) > 0.04
    await hints.close()


@pytest.mark.parametrize("error", [OSError(), TimeoutError(), ValueError()])
async def test_a_broken_connection_is_opened_again_and_harms_nothing(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chains.ethereum.hints.BACKOFF_MIN_SECONDS", 0.001)
    feed = Feed()
    feed.queue.put_nowait(error)
    feed.queue.put_nowait(HEAD)
    hints = HeadHints([feed.open], poll_seconds=5.0)
    assert await timed(hints, 5.0) < 4.0
    assert feed.opened == 2
    await hints.close()


async def test_attempts_to_connect_get_rarer_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            raise asyncio.CancelledError

    @asynccontextmanager
    async def refused() -> AsyncIterator[AsyncIterator[str]]:
        raise ConnectionRefusedError
        yield

    hints = HeadHints([], poll_seconds=1.0)
    monkeypatch.setattr("chains.ethereum.hints.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await hints._listen(1, refused)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_closing_leaves_no_task() -> None:
    hints = HeadHints([Feed().open], poll_seconds=0.01)
    await hints.wait(0.01)
    await hints.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
