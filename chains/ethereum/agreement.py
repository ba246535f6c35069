"""Numbers about many accounts, read whole from as many endpoints as must agree and compared one by one.

Where they differ, a state proof says who lies. Where nothing can be proved, more endpoints are heard: a
quorum outvotes who contradicts it, and without one the read fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chains.core.errors import ChainError, HistoryUnavailable, QuorumLost
from chains.core.quorum import Lie, Panel, failure
from chains.core.rpc import Calls

K = TypeVar("K", bound=Hashable)
Numbers = Mapping[K, int]

#: So many differences are looked into by proof; one is enough to know a liar.
_LOOKED_INTO = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """What a number really is, and what shows it, as text."""

    units: int
    evidence: Callable[[], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Question(Generic[K]):
    """Numbers to be read. ``what``: for messages; ``kind``: of the fault where one is false; ``names``: a key in words.

    ``read``: all of them from one endpoint. ``prove``: of some keys, told what each endpoint said, what the
    proof shows; a key that cannot be proved is left out.
    """

    what: str
    kind: str
    names: Callable[[K], str]
    read: Callable[[Calls], Coroutine[Any, Any, Numbers[K]]]
    prove: Callable[[Sequence[K], Mapping[str, Numbers[K]]], Awaitable[Mapping[K, Shown]]]


async def agreed(panel: Panel, order: Sequence[str], question: Question[K]) -> tuple[Numbers[K], tuple[str, ...]]:
    """The numbers and the endpoints that gave them, as many as must agree; ``order``: whom to ask first.

    Raises Disagreement, QuorumLost, Reorganised or AllEndpointsFailed as ``quorum.failure`` says;
    HistoryUnavailable where the quorum fails only because endpoints dropped that state.
    """
    heard: dict[str, Numbers[K] | ChainError] = {}
    left = list(order)
    while True:
        given = {name: answer for name, answer in heard.items() if not isinstance(answer, ChainError)}
        found = groups(given)
        if len(found) > 1:
            liars = await _refuted(question, given)
            if liars:
                for name, lie in liars.items():
                    panel.condemn(name, lie)
                heard |= liars
                continue
        top = found[0] if found else ()
        if outvote(panel, question, given):
            return given[top[0]], top
        some, left = left[: max(1, panel.quorum - len(top))], left[max(1, panel.quorum - len(top)) :]
        if not some:
            raise _failed(panel, question, heard)
        answers = await asyncio.gather(*(_ask(panel, name, question) for name in some))
        heard |= dict(zip(some, answers, strict=True))


async def _ask(panel: Panel, name: str, question: Question[K]) -> Numbers[K] | ChainError:
    try:
        return await question.read(panel.rpc.on(name))
    except ChainError as error:
        return error


def groups(given: Mapping[str, Numbers[K]]) -> list[tuple[str, ...]]:
    """Endpoints that say the same of everything, the largest group first."""
    found: list[tuple[str, ...]] = []
    for name, answer in given.items():
        place = next((n for n, group in enumerate(found) if given[group[0]] == answer), None)
        if place is None:
            found.append((name,))
        else:
            found[place] = (*found[place], name)
    return sorted(found, key=len, reverse=True)


def differing(given: Mapping[str, Numbers[K]]) -> list[K]:
    """The keys about which endpoints differ."""
    first, *others = given.values()
    return [key for key, units in first.items() if any(other[key] != units for other in others)]


async def _refuted(question: Question[K], given: Mapping[str, Numbers[K]]) -> dict[str, Lie]:
    try:
        shown = await question.prove(differing(given)[:_LOOKED_INTO], given)
    except ChainError:
        # Nothing can be proved now: what more endpoints say decides.
        return {}
    return {name: lie for name, said in given.items() if (lie := refuted(question, said, shown)) is not None}


def refuted(question: Question[K], said: Numbers[K], shown: Mapping[K, Shown]) -> Lie | None:
    """The first thing said that a proof refutes, as a lie."""
    for key, proved in shown.items():
        if said[key] != proved.units:
            what = f"{question.what}: says {said[key]} for {question.names(key)}, a proof shows {proved.units}"
            about = {"asked": f"{question.what}: {question.names(key)}", "answered": str(said[key])}
            return Lie(question.kind, what, about | {"proved": str(proved.units)} | proved.evidence())
    return None


def outvote(panel: Panel, question: Question[K], given: Mapping[str, Numbers[K]]) -> bool:
    """Condemn whom a quorum contradicts. False where there is none, or two."""
    top, *others = groups(given) or [()]
    if len(top) < panel.quorum or any(len(other) == len(top) for other in others):
        return False
    for name in given:
        if name not in top:
            key = differing({name: given[name], top[0]: given[top[0]]})[0]
            said, right = given[name][key], given[top[0]][key]
            what = f"{question.what}: says {said} for {question.names(key)}, {', '.join(top)} say {right}"
            about = {"asked": f"{question.what}: {question.names(key)}", "answered": str(said)}
            panel.condemn(name, Lie(question.kind, what, about | {f"said_by_{other}": str(right) for other in top}))
    return True


def _failed(panel: Panel, question: Question[K], heard: Mapping[str, Numbers[K] | ChainError]) -> ChainError:
    given = {name: answer for name, answer in heard.items() if not isinstance(answer, ChainError)}
    gone = [answer for answer in heard.values() if isinstance(answer, HistoryUnavailable)]
    differ = differing(given)[:1] if len(given) > 1 else []
    if gone and not differ and len(given) + len(gone) >= panel.quorum:
        few = f": {len(given)} have that state and {panel.quorum} are needed" if given else ""
        return HistoryUnavailable(f"{gone[0]}{few}")

    def key(answer: Numbers[K]) -> str:
        return "the same" if not differ else f"{question.names(differ[0])} {answer[differ[0]]}"

    if not heard:
        return QuorumLost(f"{panel.chain}: {question.what}: every endpoint is in quarantine: {panel.rpc.quarantined}")
    return failure(heard, panel.quorum, key, f"{panel.chain}: {question.what}")
