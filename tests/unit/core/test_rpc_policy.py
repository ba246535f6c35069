"""What the client does with silence, refusal, nonsense and errors: in virtual time, on a scripted wire."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from chains.core.errors import (
    AllEndpointsFailed,
    BadAnswer,
    ChainError,
    HistoryUnavailable,
    NodeError,
    RateLimited,
    Reorganised,
    Unreachable,
)
from chains.core.hex import quantity
from chains.core.rpc import Limits, Rpc
from chains.core.settings import Endpoint
from tests.unit.core.fake_wire import VirtualClock, Wire, http, json_reply, node_error, raises, result, rpc

SILENT = raises(lambda: Unreachable("no connection: Connection refused"))


async def test_a_good_answer_takes_one_exchange() -> None:
    wire = Wire(result("0x10"))
    client, clock = rpc(wire)
    assert await client.call("eth_blockNumber", []) == "0x10"
    assert [(sent["method"], sent["params"]) for sent in wire.sent] == [("eth_blockNumber", [])]
    assert clock.slept == []


async def test_named_parameters_are_sent_as_an_object() -> None:
    wire = Wire(result(None))
    client, _ = rpc(wire)
    assert await client.call("getblock", {"verbosity": 3}) is None
    assert wire.sent[0]["params"] == {"verbosity": 3}


async def test_a_silent_endpoint_is_tried_three_times_with_growing_pauses_and_then_the_next_one_is_asked() -> None:
    first, second = Wire(SILENT), Wire(result(7))
    client, clock = rpc(first, second)
    assert await client.call("getblockcount") == 7
    assert len(first.sent) == 3
    assert clock.slept == [0.05, 0.1]


async def test_pauses_grow_to_their_cap_and_no_further() -> None:
    client, clock = rpc(Wire(SILENT), limits=Limits(tries=9, deadline=1000))
    with pytest.raises(AllEndpointsFailed):
        await client.call("getblockcount")
    assert clock.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5, 2.5]


async def test_a_short_silence_does_not_move_the_call_to_another_endpoint() -> None:
    first, second = Wire(SILENT, result(1)), Wire(result(2))
    client, _ = rpc(first, second)
    assert await client.call("getblockcount") == 1
    assert second.sent == []


async def test_the_last_good_endpoint_is_asked_first_the_next_time() -> None:
    first, second = Wire(SILENT), Wire(result(7))
    client, _ = rpc(first, second)
    await client.call("getblockcount")
    await client.call("getblockcount")
    assert (len(first.sent), len(second.sent)) == (3, 2)


async def test_nonsense_is_never_asked_for_again_on_the_same_endpoint() -> None:
    first, second = Wire(http(200, b"<html>")), Wire(result(7))
    client, clock = rpc(first, second)
    assert await client.call("getblockcount") == 7
    assert (len(first.sent), clock.slept) == (1, [])


async def test_a_check_that_refuses_the_result_sends_the_call_to_the_next_endpoint() -> None:
    first, second = Wire(result("16")), Wire(result("0x10"))
    client, _ = rpc(first, second)
    assert await client.call("eth_blockNumber", check=lambda value: quantity(value, "height")) == 16
    assert len(first.sent) == 1


@pytest.mark.parametrize("wrong", [None, [], {}, "text", 5])
async def test_a_result_that_parsing_code_stumbles_over_is_a_bad_answer(wrong: Any) -> None:
    client, _ = rpc(Wire(result(wrong)))
    with pytest.raises(AllEndpointsFailed) as caught:
        await client.call("getblockheader", check=lambda header: int(header["height"]))
    (cause,) = caught.value.exceptions
    assert type(cause) is BadAnswer
    assert str(cause).startswith("endpoint-1: getblockheader: answered something of the wrong form")
    assert cause.__cause__ is not None


async def test_a_broken_invariant_in_a_check_is_a_bug_and_no_fault_of_the_endpoint() -> None:
    def broken(_: Any) -> None:
        raise AssertionError("bug")

    second = Wire(result(1))
    client, _ = rpc(Wire(result(1)), second)
    with pytest.raises(AssertionError, match="bug"):
        await client.call("getblockcount", check=broken)
    assert second.sent == []


async def test_what_a_check_says_about_the_chain_goes_to_the_caller_at_once() -> None:
    def gone(_: Any) -> None:
        raise Reorganised("block 5 is gone")

    second = Wire(result(1))
    client, _ = rpc(Wire(result(1)), second)
    with pytest.raises(Reorganised, match=r"^endpoint-1: getblock: block 5 is gone$"):
        await client.call("getblock", check=gone)
    assert second.sent == []


async def test_every_failure_of_every_endpoint_is_kept() -> None:
    client, _ = rpc(Wire(SILENT), Wire(http(200, b"<html>")), Wire(http(403)))
    with pytest.raises(AllEndpointsFailed) as caught:
        await client.call("getblockcount")
    assert [type(cause) for cause in caught.value.exceptions] == [Unreachable] * 3 + [BadAnswer] + [Unreachable] * 3
    assert "credentials" in str(caught.value.exceptions[-1])
    assert str(caught.value.exceptions[0]) == "endpoint-1: getblockcount: no connection: Connection refused"


async def test_an_error_of_the_node_goes_to_the_caller_without_another_try() -> None:
    first, second = Wire(node_error(-8, "Block height out of range", status=500)), Wire(result(1))
    client, _ = rpc(first, second)
    with pytest.raises(NodeError) as caught:
        await client.call("getblockhash", [9])
    assert (caught.value.code, caught.value.text) == (-8, "Block height out of range")
    assert str(caught.value) == "endpoint-1: getblockhash: the node answered error -8: Block height out of range"
    assert (len(first.sent), len(second.sent)) == (1, 0)


async def test_a_chain_package_decides_what_an_error_of_the_node_means() -> None:
    def meaning(error: NodeError) -> ChainError:
        return {-28: Unreachable(error.text), -32000: HistoryUnavailable(error.text)}.get(error.code, error)

    warming, pruned = Wire(node_error(-28, "Loading block index", status=500)), Wire(node_error(-32000, "pruned"))
    client, _ = rpc(warming, pruned, Wire(result(1)), translate=meaning)
    assert await client.call("getblockcount") == 1
    assert (len(warming.sent), len(pruned.sent)) == (3, 1)


async def test_retry_after_in_seconds_is_waited_for_on_the_same_endpoint() -> None:
    first, second = Wire(http(429, retry_after="4"), result(1)), Wire(result(2))
    client, clock = rpc(first, second)
    assert await client.call("eth_blockNumber") == 1
    assert (clock.slept, second.sent) == ([4.0], [])


async def test_retry_after_as_a_date_is_waited_for() -> None:
    clock = VirtualClock()
    client, _ = rpc(Wire(http(429, retry_after="Thu, 01 Jan 1970 00:16:43 GMT"), result(1)), clock=clock)
    assert await client.call("eth_blockNumber") == 1
    assert clock.slept == [3.0]


@pytest.mark.parametrize("written", ["soon", "-1", "9999999999999", "Thu, 99 Jan 1970 00:00:00 GMT", "٣"])
async def test_a_retry_after_that_means_nothing_counts_as_silence(written: str) -> None:
    client, clock = rpc(Wire(http(429, retry_after=written), result(1)))
    assert await client.call("eth_blockNumber") == 1
    assert clock.slept == [0.05]


async def test_an_endpoint_that_asks_for_too_long_a_pause_is_left_alone_for_the_next() -> None:
    first, second = Wire(http(429, retry_after="120")), Wire(http(200, b"<html>"), result(2))
    client, clock = rpc(first, second)
    with pytest.raises(AllEndpointsFailed):
        await client.call("eth_blockNumber")
    assert await client.call("eth_blockNumber") == 2
    assert (len(first.sent), clock.slept) == (1, [])


async def test_the_pause_is_kept_by_later_calls_and_ends() -> None:
    wire = Wire(http(429, retry_after="999999999"), result(1))
    client, clock = rpc(wire)
    with pytest.raises(AllEndpointsFailed):
        await client.call("eth_blockNumber")
    with pytest.raises(AllEndpointsFailed) as caught:
        await client.call("eth_blockNumber")
    (cause,) = caught.value.exceptions
    assert isinstance(cause, RateLimited)
    assert "not asked" in str(cause)
    clock.now += 301
    assert await client.call("eth_blockNumber") == 1


async def test_rate_limits_inside_json_count_as_such() -> None:
    client, clock = rpc(Wire(node_error(429, "compute units exceeded"), result(1)))
    assert await client.call("eth_blockNumber") == 1
    assert clock.slept == [0.05]


async def test_a_slow_first_endpoint_leaves_time_for_the_others() -> None:
    clock = VirtualClock()
    first, second = Wire(SILENT, takes=1000, clock=clock), Wire(result(2))
    client, _ = rpc(first, second, clock=clock, limits=Limits(timeout=50, deadline=60))
    began = clock.now
    assert await client.call("getblockcount") == 2
    assert first.timeouts == [30.0]
    assert clock.now - began == 30.0


async def test_no_call_lasts_longer_than_its_deadline() -> None:
    clock = VirtualClock()
    wires = [Wire(SILENT, takes=1000, clock=clock) for _ in range(3)]
    client, _ = rpc(*wires, clock=clock)
    began = clock.now
    with pytest.raises(AllEndpointsFailed):
        await client.call("getblockcount")
    assert clock.now - began == pytest.approx(60, abs=0.5)


async def test_a_long_call_gets_its_own_time_on_every_endpoint() -> None:
    clock = VirtualClock()
    wires = [Wire(SILENT, takes=1000, clock=clock), Wire(result(1))]
    client, _ = rpc(*wires, clock=clock)
    assert await client.call("scantxoutset", timeout=600) == 1
    assert wires[0].timeouts == [600.0]
    assert wires[1].timeouts == [600.0]


async def test_one_endpoint_alone_gives_its_own_error_with_the_tries_before() -> None:
    second = Wire(result(1))
    client, _ = rpc(Wire(SILENT), second)
    with pytest.raises(Unreachable) as caught:
        await client.on("endpoint-1").call("getblockcount")
    assert len(caught.value.__notes__) == 2
    assert second.sent == []


async def test_a_series_of_calls_can_stay_on_one_endpoint() -> None:
    first, second = Wire(result(1)), Wire(result(2))
    client, _ = rpc(first, second)
    pinned = client.on("endpoint-2")
    assert [await pinned.call("a"), await pinned.call("b")] == [2, 2]
    assert await client.call("c") == 1
    with pytest.raises(KeyError):
        client.on("endpoint-3")


async def test_asking_each_endpoint_gives_results_and_errors_side_by_side() -> None:
    client, _ = rpc(Wire(result("0x1")), Wire(SILENT), Wire(result("x")), Wire(node_error(-32601)))
    answers = await client.ask_each("eth_chainId", check=lambda value: quantity(value, "chain id"))
    assert answers["endpoint-1"] == 1
    assert [type(answers[f"endpoint-{n}"]) for n in (2, 3, 4)] == [Unreachable, BadAnswer, NodeError]


async def test_an_endpoint_in_quarantine_is_not_asked_until_it_is_released() -> None:
    first, second = Wire(result(1)), Wire(result(2))
    client, _ = rpc(first, second)
    client.quarantine("endpoint-1", "serves chain 5")
    assert await client.call("a") == 2
    assert await client.ask_each("a") == {"endpoint-2": 2}
    with pytest.raises(Unreachable, match="in quarantine: serves chain 5"):
        await client.on("endpoint-1").call("a")
    assert first.sent == []
    assert client.quarantined == {"endpoint-1": "serves chain 5"}
    assert await client.ask_each("a", also_quarantined=True) == {"endpoint-1": 1, "endpoint-2": 2}
    client.release("endpoint-1")
    assert await client.on("endpoint-1").call("a") == 1


async def test_with_every_endpoint_in_quarantine_every_call_fails() -> None:
    client, _ = rpc(Wire(result(1)))
    client.quarantine("endpoint-1", "lies")
    with pytest.raises(AllEndpointsFailed):
        await client.call("a")


async def test_each_exchange_is_metered_with_its_outcome() -> None:
    seen: list[tuple[str, str, float]] = []
    clock = VirtualClock()
    wires = [
        Wire(SILENT, http(429, retry_after="1"), http(200, b"<"), takes=2, clock=clock),
        Wire(node_error(1), result(1), result(None)),
    ]
    client, _ = rpc(*wires, clock=clock, observer=lambda *values: seen.append(values))
    with pytest.raises(NodeError):
        await client.call("a")
    await client.call("a")
    with pytest.raises(AllEndpointsFailed):
        await client.call("a", check=int)
    outcomes = [(name[-1], outcome) for name, outcome, _ in seen]
    assert outcomes[:4] == [("1", "unreachable"), ("1", "rate_limited"), ("1", "bad_answer"), ("2", "node_error")]
    assert outcomes[4:] == [("1", "bad_answer"), ("2", "ok"), ("2", "bad_answer"), ("1", "bad_answer")]
    assert [seconds for _, _, seconds in seen[:4]] == [2.0, 2.0, 2.0, 0.0]


async def test_a_failing_endpoint_is_logged_once_a_minute_and_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chains.core.peer")
    client, clock = rpc(Wire(*[http(200, b"<html>")] * 4, result(1)))
    for pause in (0, 30, 31, 1):
        clock.now += pause
        with pytest.raises(AllEndpointsFailed):
            await client.call("getblockcount")
    await client.call("getblockcount")
    await client.call("getblockcount")
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    assert caplog.messages[-1] == "endpoint-1 answers again"


async def test_a_get_gives_the_bytes_and_a_missing_page_is_an_answer_of_the_node() -> None:
    wire = Wire(http(200, b"\x01\x02"), http(404, b"block not found"), http(500))
    client, _ = rpc(wire)
    assert await client.get("/rest/block/aa.bin") == b"\x01\x02"
    assert wire.sent == ["/rest/block/aa.bin"]
    with pytest.raises(NodeError) as caught:
        await client.get("/rest/block/aa.bin")
    assert (caught.value.code, caught.value.text) == (404, "block not found")
    with pytest.raises(AllEndpointsFailed):
        await client.get("/rest/block/aa.bin", check=len)


async def test_closing_closes_every_wire() -> None:
    wires = [Wire(result(1)), Wire(result(1))]
    client, _ = rpc(*wires)
    await client.close()
    assert all(wire.closed for wire in wires)


def test_websocket_endpoints_keep_their_number_and_are_not_asked() -> None:
    endpoints = [Endpoint(url="ws://a.example"), Endpoint(url="http://b.example"), Endpoint(name="own", url="http://c")]
    client = Rpc(endpoints, Path(), transport=lambda *_: Wire(result(1)))
    assert client.names == ("endpoint-2", "own")
    assert repr(client) == "Rpc(endpoint-2, own)"


@pytest.mark.parametrize(
    ("endpoints", "remedy"),
    [
        ([Endpoint(url="ws://a.example")], "add at least one"),
        ([Endpoint(name="endpoint-2", url="http://a"), Endpoint(url="http://b")], "rename it"),
    ],
)
def test_endpoints_that_cannot_work_are_refused(endpoints: list[Endpoint], remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        Rpc(endpoints, Path())


async def test_a_message_of_a_node_cannot_forge_log_lines_or_repeat_a_secret() -> None:
    def hostile(sent: Any) -> Any:
        reply = json_reply({"id": sent["id"], "error": {"code": 1, "message": "key s3cret-key\nFAKE " + "x" * 9999}})
        return type(reply)(reply.status, reply.body, hide=("s3cret-key",))

    client, _ = rpc(Wire(hostile))
    with pytest.raises(NodeError) as caught:
        await client.call("a")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "[hidden]" in str(caught.value)
    assert len(str(caught.value)) < 400
