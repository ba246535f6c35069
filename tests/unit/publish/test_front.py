"""One application takes the place of another under requests that are under way."""

from __future__ import annotations

import asyncio
from typing import Any

from monitor.publish.front import RELOAD_PATH, Front


class Application:
    """Answers when it is let go, and remembers what came."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.go = asyncio.Event()

    async def __call__(self, scope: Any, _receive: Any, _send: Any) -> None:
        self.came.append(f"{scope['method']} {scope['path']}")
        await self.go.wait()


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def ask(front: Front, method: str, path: str = "/api/v1/approvals") -> asyncio.Task[None]:
    async def nothing(*_: Any) -> Any: ...

    return asyncio.create_task(front({"type": "http", "method": method, "path": path}, nothing, nothing))


async def test_a_change_under_way_is_waited_for_and_the_next_one_meets_the_new_application() -> None:
    old, new = Application(), Application()
    front = Front(old)
    first = ask(front, "POST")
    await turn()
    holding = asyncio.create_task(front.hold(5))
    await turn()
    second = ask(front, "POST")
    await turn()
    assert not holding.done()
    assert len(old.came) == 1
    old.go.set()
    assert await holding
    await first
    front.application = new
    front.release()
    new.go.set()
    await second
    assert (old.came, new.came) == (["POST /api/v1/approvals"], ["POST /api/v1/approvals"])


async def test_reading_and_the_reload_itself_are_never_held() -> None:
    application = Application()
    application.go.set()
    front = Front(application)
    assert await front.hold(5)
    for method, path in (("GET", "/metrics"), ("HEAD", "/-/healthy"), ("POST", RELOAD_PATH)):
        await asyncio.wait_for(ask(front, method, path), 1)


async def test_a_request_that_does_not_end_puts_the_change_off_and_holds_nobody() -> None:
    application = Application()
    front = Front(application)
    slow = ask(front, "POST")
    await turn()
    assert not await front.hold(0.02)
    another = ask(front, "POST")
    await turn()
    assert len(application.came) == 2
    application.go.set()
    await asyncio.gather(slow, another)
