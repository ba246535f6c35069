"""What a quorum of endpoints says: asked of reads, never of alerts.

An answer counts for the value it gives; an endpoint that fails, or has nothing yet, counts for
none. One liar in a quorum of two of three is outvoted; one of three that disagrees with both
others leaves no quorum, and the read fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chains.core.errors import ChainError, Disagreement, QuorumLost
from chains.core.rpc import Calls, Rpc

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Vote(Generic[T]):
    """A value and the endpoints that gave it; ``others``: what the rest said, by endpoint."""

    value: T
    endpoints: tuple[str, ...]
    others: Mapping[str, T | ChainError]


async def agree(
    rpc: Rpc, ask: Callable[[Calls], Coroutine[Any, Any, T]], quorum: int, key: Callable[[T], Hashable], what: str
) -> Vote[T]:
    """Ask every endpoint at once; return as soon as ``quorum`` of them say the same by ``key``.

    Raises Disagreement where answers differ and none has a quorum, QuorumLost where too few
    answered; both name every endpoint's answer or error.
    """
    tasks = {
        asyncio.create_task(ask(rpc.on(name)), name=f"{name}: {what}"): name
        for name in rpc.names
        if name not in rpc.quarantined
    }
    answers: dict[str, T | ChainError] = {}
    pending = set(tasks)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                answers[tasks[task]] = _result(task)
            vote = tally(answers, quorum, key)
            if vote is not None:
                return vote
    finally:
        for task in pending:
            task.cancel()
    raise failure(answers, quorum, key, what)


def tally(answers: Mapping[str, T | ChainError], quorum: int, key: Callable[[T], Hashable]) -> Vote[T] | None:
    """The value that ``quorum`` endpoints give, or None."""
    groups: dict[Hashable, list[str]] = {}
    values: dict[Hashable, T] = {}
    for name, answer in answers.items():
        if not isinstance(answer, ChainError):
            groups.setdefault(key(answer), []).append(name)
            values.setdefault(key(answer), answer)
    for group, names in groups.items():
        if len(names) >= quorum:
            others = {name: answer for name, answer in answers.items() if name not in names}
            return Vote(values[group], tuple(names), others)
    return None


def failure(
    answers: Mapping[str, T | ChainError], quorum: int, key: Callable[[T], Hashable], what: str
) -> Disagreement | QuorumLost:
    """Why ``answers`` have no quorum: they differ, or there are too few."""
    given = {name: answer for name, answer in answers.items() if not isinstance(answer, ChainError)}
    said = "; ".join(
        f"{name}: {answer if isinstance(answer, ChainError) else key(answer)}" for name, answer in answers.items()
    )
    if len({key(answer) for answer in given.values()}) > 1:
        return Disagreement(f"{what}: endpoints differ, and none has {quorum} on its side: {said}")
    return QuorumLost(f"{what}: {len(given)} of {len(answers)} endpoints answered, {quorum} are needed: {said}")


def _result(task: asyncio.Task[T]) -> T | ChainError:
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, ChainError):
        return error
    raise error
