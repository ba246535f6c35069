"""A wire that answers from a script and a clock that only moves when somebody sleeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chains.core.jsonrpc import Reply
from chains.core.rpc import DEFAULT_LIMITS, Clock, Limits, Rpc
from chains.core.settings import Endpoint

Step = Callable[[Any], Reply]


def json_reply(document: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode(), "application/json")


def result(value: Any) -> Step:
    """The same result to every call, single or in a batch."""

    def answer(sent: Any) -> Reply:
        if isinstance(sent, list):
            return json_reply([{"jsonrpc": "2.0", "id": call["id"], "result": value} for call in sent])
        return json_reply({"jsonrpc": "2.0", "id": sent["id"], "result": value})

    return answer


def echo(sent: Any) -> Reply:
    """Every call's first parameter as its result, a batch in reverse order."""
    if isinstance(sent, list):
        return json_reply([{"id": call["id"], "result": call["params"][0]} for call in reversed(sent)])
    return json_reply({"id": sent["id"], "result": sent["params"][0]})


def node_error(code: int, text: str = "no", data: Any = None, status: int = 200) -> Step:
    error = {"code": code, "message": text} | ({} if data is None else {"data": data})
    return lambda sent: json_reply({"id": sent["id"], "result": None, "error": error}, status)


def http(status: int, body: bytes = b"", content_type: str = "text/html", retry_after: str | None = None) -> Step:
    return lambda _: Reply(status, body, content_type, retry_after)


def raises(make: Callable[[], Exception]) -> Step:
    def fail(_: Any) -> Reply:
        raise make()

    return fail


class Wire:
    """Answers with one step after the other; the last one goes on for ever."""

    def __init__(self, *steps: Step, takes: float = 0.0, clock: VirtualClock | None = None) -> None:
        self.steps = list(steps)
        self.sent: list[Any] = []
        self.timeouts: list[float] = []
        self.closed = False
        self._takes = takes
        self._clock = clock

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        sent = path if body is None else json.loads(body)
        self.sent.append(sent)
        self.timeouts.append(timeout)
        if self._clock is not None:
            self._clock.now += min(self._takes, timeout)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return step(sent)

    async def close(self) -> None:
        self.closed = True


class VirtualClock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, time=lambda: self.now, sleep=self.sleep, random=lambda: 0.0)


def rpc(
    *wires: Wire, clock: VirtualClock | None = None, limits: Limits = DEFAULT_LIMITS, **options: Any
) -> tuple[Rpc, VirtualClock]:
    """A client on these wires, named endpoint-1, endpoint-2, …"""
    virtual = clock or VirtualClock()
    left = iter(wires)
    client = Rpc(
        [Endpoint(url="http://node.example") for _ in wires],
        Path(),
        limits=limits,
        clock=virtual.clock(),
        transport=lambda _endpoint, _name: next(left),
        **options,
    )
    return client, virtual
