"""Batches: order, ids, sizes, errors in the middle, and endpoints that want none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.errors import AllEndpointsFailed, BadAnswer, ChainError, NodeError, Unreachable
from chains.core.rpc import Limits
from tests.unit.core.fake_wire import VirtualClock, Wire, echo, http, json_reply, node_error, raises, result, rpc


def calls(count: int) -> list[tuple[str, list[int]]]:
    return [("echo", [number]) for number in range(count)]


def with_item(place: int, change: Any) -> Any:
    """A correct batch reply with one item changed: a dict is merged into it, None removes it."""

    def answer(sent: list[dict[str, Any]]) -> Any:
        items = [{"id": call["id"], "result": call["params"][0]} for call in sent]
        items[place : place + 1] = [] if change is None else [items[place] | change]
        return json_reply(items)

    return answer


async def test_results_come_in_the_order_of_the_calls() -> None:
    wire = Wire(echo)
    client, _ = rpc(wire)
    assert await client.batch(calls(7)) == list(range(7))
    assert len(wire.sent) == 1


async def test_an_empty_batch_asks_nobody() -> None:
    wire = Wire(echo)
    client, _ = rpc(wire)
    assert await client.batch([]) == []
    assert await client.batch([], check=len) == 0
    assert wire.sent == []


async def test_a_batch_of_one_is_sent_as_a_plain_call() -> None:
    wire = Wire(echo)
    client, _ = rpc(wire)
    assert await client.batch(calls(1)) == [0]
    assert isinstance(wire.sent[0], dict)


@given(count=st.integers(0, 60), size=st.integers(1, 20), workers=st.integers(1, 5))
async def test_however_a_batch_is_split_nothing_is_lost_or_moved(count: int, size: int, workers: int) -> None:
    wire = Wire(echo)
    client, _ = rpc(wire, limits=Limits(batch_items=size, batch_workers=workers))
    assert await client.batch(calls(count)) == list(range(count))
    sizes = [len(sent) if isinstance(sent, list) else 1 for sent in wire.sent]
    assert sum(sizes) == count
    assert all(sent <= size for sent in sizes)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(None, id="an item is missing"),
        pytest.param({"id": 999_999}, id="unknown id"),
        pytest.param({"id": None}, id="no id"),
        pytest.param({"id": "1"}, id="id as a string"),
        pytest.param({"id": True}, id="true is not 1"),
        pytest.param({"id": 1.0}, id="1.0 is not 1"),
        pytest.param({"id": 3}, id="an id twice"),
        pytest.param({"error": "no"}, id="an error that is no object"),
        pytest.param({"error": {"code": 1.5, "message": "x"}}, id="an error code that is no int"),
        pytest.param({"error": {"code": 1, "message": "x"}}, id="a result and an error"),
    ],
)
async def test_a_batch_reply_that_does_not_answer_exactly_what_was_asked_is_a_bad_answer(change: Any) -> None:
    first, second = Wire(with_item(0, change)), Wire(echo)
    client, _ = rpc(first, second)
    assert await client.batch(calls(4)) == [0, 1, 2, 3]
    assert (len(first.sent), len(second.sent)) == (1, 1)


@pytest.mark.parametrize("document", [1, "x", None, [], [1, 2], {"id": 1}, {"id": 1, "result": [0, 1]}])
async def test_a_reply_that_is_no_batch_is_a_bad_answer(document: Any) -> None:
    client, _ = rpc(Wire(lambda _: json_reply(document)))
    with pytest.raises(AllEndpointsFailed) as caught:
        await client.batch(calls(2))
    assert [type(cause) for cause in caught.value.exceptions] == [BadAnswer]


async def test_a_result_of_null_is_a_value_in_a_batch() -> None:
    client, _ = rpc(Wire(result(None)))
    assert await client.batch(calls(3)) == [None, None, None]


def refuse_item(place: int, code: int = -5) -> Any:
    return with_item(place, {"result": None, "error": {"code": code, "message": "no such thing"}})


async def test_the_first_error_in_a_batch_is_raised_and_names_its_call() -> None:
    second = Wire(echo)
    client, _ = rpc(Wire(refuse_item(2)), second)
    with pytest.raises(NodeError, match=r"^endpoint-1: echo \(3 of the batch\): the node answered error -5: no such"):
        await client.batch(calls(4))
    assert second.sent == []


async def test_errors_can_be_kept_in_their_places() -> None:
    client, _ = rpc(Wire(refuse_item(1)), limits=Limits(batch_items=2))
    values = await client.batch(calls(4), keep_errors=True)
    assert isinstance(values[1], NodeError)
    assert [values[0], values[2]] == [0, 2]
    assert isinstance(values[3], NodeError)


async def test_an_error_kept_in_a_batch_of_one_is_numbered_by_its_place_in_the_whole() -> None:
    client, _ = rpc(Wire(echo, node_error(-5)), limits=Limits(batch_items=2))
    values = await client.batch(calls(3), keep_errors=True)
    assert values[:2] == [0, 1]
    assert str(values[2]).startswith("endpoint-1: echo (3 of the batch): ")


async def test_an_item_error_that_means_silence_is_tried_again() -> None:
    def meaning(error: NodeError) -> ChainError:
        return Unreachable(error.text) if error.code == -28 else error

    wire = Wire(refuse_item(0, -28), echo)
    client, clock = rpc(wire, translate=meaning)
    assert await client.batch(calls(2), keep_errors=True) == [0, 1]
    assert clock.slept == [0.05]


def takes_at_most(limit: int, *, as_list: bool) -> Any:
    def answer(sent: Any) -> Any:
        if isinstance(sent, list) and len(sent) > limit:
            error = {"id": None, "error": {"code": -32600, "message": "batch too large"}}
            return json_reply([error | {"id": sent[0]["id"]}] if as_list else error)
        return echo(sent)

    return answer


@pytest.mark.parametrize("as_list", [False, True])
async def test_an_endpoint_that_forbids_batches_gets_single_calls_from_then_on(as_list: bool) -> None:
    wire = Wire(takes_at_most(0, as_list=as_list))
    client, _ = rpc(wire)
    assert await client.batch(calls(20)) == list(range(20))
    assert {len(sent) for sent in wire.sent if isinstance(sent, list)} == {20, 5}
    wire.sent.clear()
    assert await client.batch(calls(20)) == list(range(20))
    assert [type(sent) for sent in wire.sent] == [dict] * 20


async def test_a_refused_batch_is_offered_again_after_an_hour() -> None:
    wire = Wire(takes_at_most(0, as_list=False))
    client, clock = rpc(wire)
    await client.batch(calls(20))
    wire.steps = [echo]
    wire.sent.clear()
    clock.now += 3600
    assert await client.batch(calls(20)) == list(range(20))
    assert [len(sent) for sent in wire.sent] == [20]


async def test_an_endpoint_that_wants_smaller_batches_gets_them_and_others_keep_theirs() -> None:
    small, large = Wire(takes_at_most(100, as_list=True)), Wire(echo)
    client, _ = rpc(small, large)
    assert await client.batch(calls(130)) == list(range(130))
    small.sent.clear()
    await client.on("endpoint-1").batch(calls(130))
    await client.on("endpoint-2").batch(calls(130))
    assert [len(sent) for sent in small.sent] == [32, 32, 32, 32, 2]
    assert [len(sent) for sent in large.sent] == [130]


async def test_a_batch_refused_because_of_silence_keeps_its_size() -> None:
    wire = Wire(http(429, retry_after="1"), http(503), echo)
    client, _ = rpc(wire)
    assert await client.batch(calls(20)) == list(range(20))
    assert [len(sent) for sent in wire.sent] == [20, 20, 20]


async def test_a_check_over_the_whole_list_moves_the_whole_batch_to_the_next_endpoint() -> None:
    first, second = Wire(result(5)), Wire(echo)
    client, _ = rpc(first, second, limits=Limits(batch_items=2))

    def rising(values: list[int]) -> int:
        if values != sorted(set(values)):
            raise BadAnswer("the heights do not rise")
        return sum(values)

    assert await client.batch(calls(6), check=rising) == 15
    assert (len(first.sent), len(second.sent)) == (3, 3)


async def test_a_refused_batch_is_metered_as_a_bad_answer_and_named() -> None:
    seen: list[str] = []
    client, _ = rpc(Wire(result("x")), observer=lambda _, outcome, __: seen.append(outcome))
    with pytest.raises(AllEndpointsFailed) as caught:
        await client.batch(calls(2), check=lambda values: [int(value) for value in values])
    assert str(caught.value.exceptions[0]).startswith("endpoint-1: 2 x echo: answered something of the wrong form")
    assert seen == ["ok", "bad_answer"]


async def test_one_part_that_fails_fails_the_batch_on_that_endpoint_with_every_cause() -> None:
    first = Wire(echo, raises(lambda: Unreachable("broken")))
    client, _ = rpc(first, Wire(echo), limits=Limits(batch_items=2, batch_workers=1))
    assert await client.batch(calls(6)) == list(range(6))
    assert len(first.sent) == 4


async def test_a_bug_beside_an_endpoints_fault_is_not_hidden() -> None:
    def bug() -> Exception:
        return AssertionError("bug")

    client, _ = rpc(Wire(raises(bug)), limits=Limits(batch_items=2))
    with pytest.raises(AssertionError, match="bug"):
        await client.batch(calls(6))


async def test_a_long_batch_on_an_endpoint_without_batches_has_a_deadline_for_each_round() -> None:
    clock = VirtualClock()
    wire = Wire(takes_at_most(0, as_list=False), takes=0.1, clock=clock)
    client, _ = rpc(wire, clock=clock, limits=Limits(batch_items=2, batch_workers=1, deadline=1, timeout=1))
    began = clock.now
    assert await client.batch(calls(40)) == list(range(40))
    assert clock.now - began > 4
