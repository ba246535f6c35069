"""What a quorum is, decided without a network, and how endpoints are asked side by side."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core import quorum as module
from chains.core.errors import (
    AllEndpointsFailed,
    BadAnswer,
    ChainError,
    Disagreement,
    QuorumLost,
    Reorganised,
    Unreachable,
)
from chains.core.jsonrpc import Reply
from chains.core.quorum import (
    SETBACK_SECONDS,
    Candidates,
    Decision,
    Lie,
    Link,
    Panel,
    decide,
    failure,
    reached,
    tally,
)
from chains.core.rpc import Calls, Limits, Rpc
from chains.core.settings import Endpoint
from chains.core.values import BlockRef

AFTER = BlockRef("chain", 7, "aa", "99", 0)
HEAD, LEFT, DOWN = Link("aa", None), Link("", None), Unreachable("down")
ONE, TWO, THREE = Link("aa", "b1"), Link("aa", "b2"), Link("aa", "b3")
FORK, FORK_2 = Link("cc", "c1"), Link("dd", None)

Shown = Link | ChainError


def links(*shown: Shown) -> dict[str, Shown]:
    return {f"node-{number}": each for number, each in enumerate(shown)}


def outcome(shown: Mapping[str, Shown], quorum: int, waiting: int = 0) -> str:
    """What ``decide`` says, as one word."""
    try:
        decision = decide(AFTER, shown, quorum, waiting)
    except (Disagreement, QuorumLost, Reorganised, AllEndpointsFailed) as error:
        return type(error).__name__
    if decision is None:
        return "ask on"
    return decision.next or "not yet"


@pytest.mark.parametrize(
    ("shown", "quorum", "expected"),
    [
        ([ONE], 1, "b1"),
        ([HEAD], 1, "not yet"),
        ([FORK], 1, "Reorganised"),
        ([LEFT], 1, "Reorganised"),
        ([DOWN], 1, "AllEndpointsFailed"),
        ([ONE, ONE, TWO], 2, "b1"),
        ([TWO, ONE, ONE], 2, "b1"),
        ([ONE, ONE, DOWN], 2, "b1"),
        ([ONE, FORK, ONE], 2, "b1"),
        ([ONE, HEAD, HEAD], 2, "not yet"),
        ([ONE, HEAD, DOWN], 2, "not yet"),
        ([ONE, TWO, HEAD], 2, "not yet"),
        ([FORK, HEAD, HEAD], 2, "not yet"),
        ([ONE, TWO, THREE], 2, "Disagreement"),
        ([ONE, TWO, DOWN], 2, "Disagreement"),
        ([ONE, TWO, FORK], 2, "Disagreement"),
        ([FORK, FORK_2, HEAD], 2, "Disagreement"),
        ([FORK, FORK, ONE], 2, "Reorganised"),
        ([FORK, LEFT, HEAD], 2, "Reorganised"),
        ([LEFT, LEFT, ONE], 2, "Reorganised"),
        ([ONE, DOWN, DOWN], 2, "QuorumLost"),
        ([DOWN, FORK, DOWN], 2, "QuorumLost"),
        ([DOWN, DOWN, DOWN], 2, "AllEndpointsFailed"),
        ([ONE, TWO], 1, "Disagreement"),
        ([ONE, FORK], 1, "Disagreement"),
        ([ONE, HEAD], 1, "b1"),
    ],
)
def test_a_quorum_decides_and_nothing_less(shown: list[Shown], quorum: int, expected: str) -> None:
    assert outcome(links(*shown), quorum) == expected


def test_a_decision_names_who_stands_for_it_and_an_error_what_everyone_said() -> None:
    assert decide(AFTER, links(TWO, ONE, ONE), 2) == Decision("b1", ("node-1", "node-2"))
    assert decide(AFTER, links(HEAD, ONE, HEAD), 2) == Decision(None, ("node-0", "node-2"))
    with pytest.raises(QuorumLost, match=r"1 of 3 endpoints answered, 2 are needed.*node-2: down"):
        decide(AFTER, links(ONE, DOWN, DOWN), 2)
    with pytest.raises(Disagreement, match=r"node-0: .*b1.*node-1: .*b2"):
        decide(AFTER, links(ONE, TWO, DOWN), 2)


shows = st.sampled_from([ONE, TWO, HEAD, FORK, FORK_2, LEFT, DOWN])
panels = st.lists(shows, min_size=1, max_size=7)


@given(panels, st.data())
def test_what_is_decided_before_all_were_heard_is_decided_after(shown: list[Shown], data: st.DataObject) -> None:
    """The quorum is a majority here; a smaller one may be answered by whoever is quicker."""
    quorum = len(shown) // 2 + 1
    heard = data.draw(st.integers(1, len(shown)))
    early = outcome(links(*shown[:heard]), quorum, len(shown) - heard)
    assert early in {"ask on", outcome(links(*shown), quorum)}


@given(panels, st.integers(1, 7))
def test_a_block_is_taken_only_where_a_quorum_shows_it_on_the_block_asked_about(
    shown: list[Shown], quorum: int
) -> None:
    expected = {
        block: [each for each in shown if isinstance(each, Link) and each == Link("aa", block)]
        for block in ("b1", "b2")
    }
    said = outcome(links(*shown), quorum)
    if said in expected:
        assert len(expected[said]) >= quorum
    if said == "Reorganised":
        assert sum(isinstance(each, Link) and each.at != "aa" for each in shown) >= quorum
    if said == "not yet":
        assert HEAD in shown


@given(panels, st.integers(1, 7), st.randoms(use_true_random=False))
def test_the_order_of_endpoints_decides_nothing(shown: list[Shown], quorum: int, chance: Any) -> None:
    shuffled = list(links(*shown).items())
    chance.shuffle(shuffled)
    assert outcome(dict(shuffled), quorum) == outcome(links(*shown), quorum)


@given(shows, st.integers(0, 2), st.sampled_from([ONE, HEAD, FORK]))
def test_one_liar_of_three_changes_nothing(lie: Shown, place: int, truth: Link) -> None:
    shown: list[Shown] = [truth, truth]
    shown.insert(place, lie)
    assert outcome(links(*shown), 2) == outcome(links(truth), 1)


@given(st.lists(st.sampled_from(["x", "y", "z", DOWN]), min_size=1, max_size=6), st.integers(1, 6))
def test_a_tally_has_a_quorum_and_no_rival_or_there_is_none(said: list[str | ChainError], quorum: int) -> None:
    answers = {f"node-{number}": each for number, each in enumerate(said)}
    vote = tally(answers, quorum, str)
    counts = {each: said.count(each) for each in said if isinstance(each, str)}
    best = [each for each, count in counts.items() if count == max(counts.values()) and count >= quorum]
    if vote is None:
        assert len(best) != 1
        assert isinstance(failure(answers, quorum, str, "w"), Disagreement | QuorumLost | AllEndpointsFailed)
    else:
        assert best == [vote.value]
        assert {*vote.endpoints, *vote.others} == set(answers)


def test_the_height_a_quorum_has_reached() -> None:
    assert reached({"a": 9, "b": 7, "c": 8}, 1) == 9
    assert reached({"a": 9, "b": 7, "c": 8}, 2) == 8
    assert reached({"a": 10**9, "b": 7, "c": 8}, 2) == 8
    with pytest.raises(QuorumLost):
        reached({"a": 9}, 2)


def test_a_candidate_is_told_once_and_only_for_the_block_last_asked_about() -> None:
    candidates = Candidates()
    candidates.note(AFTER, links(ONE, TWO, ONE, FORK), "b1")
    assert candidates.open(AFTER) == {"b2": ("node-1",)}
    candidates.tell("b2")
    assert candidates.open(AFTER) == {}
    candidates.note(AFTER, links(ONE, TWO, HEAD), None)
    assert candidates.open(AFTER) == {"b1": ("node-0",)}
    assert candidates.open(BlockRef("chain", 8, "b1", "aa", 0)) == {}


class Node:
    """Answers every call with ``answer`` after ``seconds``."""

    def __init__(self, answer: Any = None, seconds: float = 0.0) -> None:
        self.answer = answer
        self.seconds = seconds
        self.ended = False

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.ended = True
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        request = json.loads(body or b"")
        return Reply(200, json.dumps({"id": request["id"], "result": self.answer}).encode(), "application/json")

    async def close(self) -> None:
        pass


def panel_of(*nodes: Node, quorum: int = 2) -> Panel:
    by_name = {f"node-{number}": node for number, node in enumerate(nodes)}
    rpc = Rpc(
        [Endpoint(name=name, url="http://127.0.0.1:1") for name in by_name],
        Path(),
        limits=Limits(tries=1, backoff_min=0.001),
        transport=lambda _, name: by_name[name],
    )
    return Panel("chain", rpc, quorum)


async def number(calls: Calls) -> Any:
    return await calls.call("number")


async def test_a_slow_endpoint_is_not_waited_for_once_a_quorum_agrees() -> None:
    slow = Node(1, 60.0)
    began = time.monotonic()
    vote = await panel_of(Node(1), slow, Node(1)).agree(number, str, "a number")
    assert (vote.value, vote.endpoints, vote.others) == (1, ("node-0", "node-2"), {})
    assert slow.ended
    assert time.monotonic() - began < 1.0


async def test_everyone_is_waited_for_where_all_are_to_be_compared() -> None:
    vote = await panel_of(Node(1), Node(2, 0.05), Node(1)).agree(number, str, "a number", everyone=True)
    assert vote.others == {"node-1": 2}


async def test_a_silent_endpoint_costs_a_decision_no_more_than_the_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)

    async def link(calls: Calls) -> Link:
        return Link("aa", await calls.call("next"))

    panel = panel_of(Node("b1"), Node(None), Node("b1", 60.0))
    began = time.monotonic()
    # The silent one could have given b1 its quorum.
    assert await panel.after(AFTER, link) == Decision(None, ("node-1",))
    assert 0.04 < time.monotonic() - began < 1.0
    assert panel.candidates.open(AFTER) == {"b1": ("node-0",)}


async def test_candidates_are_kept_where_there_is_no_quorum() -> None:
    async def link(calls: Calls) -> Link:
        return Link("aa", await calls.call("next"))

    panel = panel_of(Node("b1"), Node("b2"), Node("b3"))
    with pytest.raises(Disagreement):
        await panel.after(AFTER, link)
    assert panel.candidates.open(AFTER) == {"b1": ("node-0",), "b2": ("node-1",), "b3": ("node-2",)}


async def test_three_answers_leave_no_quorum_and_one_alive_neither() -> None:
    with pytest.raises(Disagreement, match="chain: a number: endpoints differ"):
        await panel_of(Node(1), Node(2), Node(3)).agree(number, str, "a number")
    with pytest.raises(QuorumLost, match="1 of 3 endpoints answered, 2 are needed"):
        await panel_of(Node(1), Node(DOWN), Node(DOWN)).agree(number, str, "a number")
    with pytest.raises(AllEndpointsFailed):
        await panel_of(Node(DOWN), Node(DOWN), Node(DOWN)).agree(number, str, "a number")


async def test_a_lie_is_recorded_once_and_its_endpoint_asked_nothing_more() -> None:
    def check(value: int) -> int:
        if value == 666:
            raise Lie("number", "the number is not the beast's", {"answered": "6" * 10_000})
        return value

    async def ask(calls: Calls) -> int:
        return await calls.call("number", check=check)

    panel = panel_of(Node(666), Node(1, 0.02), Node(1, 0.02))
    assert (await panel.agree(ask, str, "a number")).endpoints == ("node-1", "node-2")
    (fault,) = panel.faults()
    assert (fault.chain, fault.endpoint, fault.kind) == ("chain", "node-0", "number")
    assert "the beast" in fault.detail
    assert len(fault.evidence["answered"]) == module.EVIDENCE_CHARACTERS
    assert panel.asked == ("node-1", "node-2")
    assert panel.faults() == ()
    assert (await panel.agree(ask, str, "a number")).endpoints == ("node-1", "node-2")


async def test_the_last_endpoint_is_asked_on_only_where_one_is_enough() -> None:
    lie = Lie("number", "no", {})
    alone, pair = panel_of(Node(1), quorum=1), panel_of(Node(1), Node(1), quorum=2)
    for _ in range(3):
        alone.caught("node-0", lie)
    assert len(alone.faults()) == 1
    assert (await alone.agree(number, str, "a number")).value == 1
    pair.caught("node-0", lie)
    with pytest.raises(QuorumLost):
        await pair.agree(number, str, "a number")
    alone.condemn("node-0", lie)
    with pytest.raises(QuorumLost):
        await alone.agree(number, str, "a number")
    assert alone.faults() == ()


async def test_only_the_lie_that_time_put_right_is_forgiven() -> None:
    panel = panel_of(Node(1), Node(1), Node(1))
    panel.condemn("node-0", Lie("chain", "no", {}))
    panel.condemn("node-0", Lie("number", "no", {}))
    panel.release("node-0", "number")
    assert panel.asked == ("node-1", "node-2")
    panel.release("node-0", "chain")
    assert panel.asked == ("node-0", "node-1", "node-2")
    panel.release("node-1", "chain")
    assert [fault.kind for fault in panel.faults()] == ["chain"]


async def test_a_quorum_of_liars_in_quarantine_is_no_quorum() -> None:
    panel = panel_of(Node(1), Node(1), Node(1))
    for name in ("node-0", "node-2"):
        panel.condemn(name, Lie("number", "no", {}))
    with pytest.raises(QuorumLost):
        await panel.agree(number, str, "a number")
    panel.condemn("node-1", Lie("number", "no", {}))
    for asking in (panel.agree(number, str, "a number"), panel.first(number, "a number")):
        with pytest.raises(QuorumLost, match="every endpoint is in quarantine"):
            await asking


async def test_reorganised_by_a_quorum_is_reorganised_by_fewer_it_is_not() -> None:
    async def ask(calls: Calls) -> int:
        if await calls.call("gone"):
            raise Reorganised("gone")
        return 1

    with pytest.raises(Reorganised):
        await panel_of(Node(True), Node(True), Node(False, 0.05)).agree(ask, str, "it")
    assert (await panel_of(Node(True), Node(False), Node(False)).agree(ask, str, "it")).value == 1
    with pytest.raises(Disagreement):
        await panel_of(Node(True), Node(False), Node(DOWN)).agree(ask, str, "it")


async def test_a_bug_in_what_is_asked_is_not_an_endpoints_fault() -> None:
    async def ask(calls: Calls) -> int:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        await panel_of(Node(1), Node(1)).agree(ask, str, "it")


async def test_the_first_that_can_answers_and_who_failed_is_asked_last_for_a_while() -> None:
    def check(value: int) -> int:
        if value != 3:
            raise BadAnswer("not three")
        return value

    panel, now = panel_of(Node(DOWN), Node(1), Node(3)), 0.0
    panel._monotonic = lambda: now
    assert await panel.first(lambda calls: calls.call("n", check=check), "n") == ("node-2", 3)
    assert await panel.first(lambda calls: calls.call("n"), "n") == ("node-2", 3)
    now += SETBACK_SECONDS
    assert await panel.first(lambda calls: calls.call("n"), "n") == ("node-1", 1)
    assert await panel.first(lambda calls: calls.call("n"), "n", ("node-1",)) == ("node-1", 1)
    with pytest.raises(AllEndpointsFailed, match="every endpoint failed"):
        await panel.first(lambda calls: calls.call("n", check=check), "n", ("node-0", "node-1"))
