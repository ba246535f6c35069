"""The RPC client against a server that misbehaves on a real socket: a typed error, few tries, the next endpoint."""

from __future__ import annotations

import asyncio
import gc
import traceback
import tracemalloc
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.core.errors import AllEndpointsFailed, BadAnswer, ChainError, NodeError, RateLimited, Unreachable
from chains.core.hex import quantity
from chains.core.rpc import Limits, Rpc
from chains.core.settings import Endpoint
from tests.real import faulty_node as faults
from tests.real.certificates import self_signed
from tests.real.faulty_node import Fault, FaultyNode

#: Short waits; the policy itself is tested in virtual time.
QUICK = Limits(timeout=2, deadline=8, tries=2, backoff_min=0.01, backoff_max=0.02, body_bytes=1024 * 1024)
KEY = "0123456789abcdef-key"


def answer(method: str, params: list[Any]) -> Any:
    return hex(16) if method == "eth_blockNumber" else params[0]


def height(result: Any) -> int:
    return quantity(result, "height")


@pytest.fixture
def node() -> Iterator[FaultyNode]:
    with FaultyNode(answer) as server:
        yield server


@pytest.fixture
def good() -> Iterator[FaultyNode]:
    with FaultyNode(answer) as server:
        yield server


Open = Callable[..., Rpc]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Open]:
    """client(endpoint, …, **options): an Rpc whose connections are closed after the test."""
    opened: list[Rpc] = []

    def make(*endpoints: Endpoint | str, limits: Limits = QUICK, **options: Any) -> Rpc:
        whole = [Endpoint(url=endpoint) if isinstance(endpoint, str) else endpoint for endpoint in endpoints]
        opened.append(Rpc(whole, tmp_path, limits=limits, **options))
        return opened[-1]

    yield make
    for rpc in opened:
        await rpc.close()
    # An unclosed connection or session would be reported here, inside the test that left it.
    gc.collect()


FAULTS: list[tuple[Fault, type[ChainError], int]] = [
    (faults.null, BadAnswer, 1),
    (faults.html, BadAnswer, 1),
    (faults.truncated_json, BadAnswer, 1),
    (faults.hex_without_prefix, BadAnswer, 1),
    (faults.huge, BadAnswer, 1),
    (faults.huge_without_length, BadAnswer, 1),
    (faults.wrong_id, BadAnswer, 1),
    (faults.redirect, BadAnswer, 1),
    (faults.not_http, BadAnswer, 1),
    (faults.truncated_body, Unreachable, 2),
    (faults.broken_gzip, Unreachable, 2),
    (faults.closed, Unreachable, 2),
    (faults.bad_gateway, Unreachable, 2),
    (faults.unauthorized, Unreachable, 2),
    (faults.rate_limited("0"), RateLimited, 2),
    (faults.rate_limited("3600"), RateLimited, 1),
]


@pytest.mark.parametrize(("fault", "error", "tries"), FAULTS, ids=lambda value: getattr(value, "__name__", str(value)))
async def test_a_bad_node_gives_a_typed_error_after_few_tries_and_the_next_one_answers(
    node: FaultyNode, good: FaultyNode, client: Open, fault: Fault, error: type[ChainError], tries: int
) -> None:
    node.fault = fault
    rpc = client(node.url, good.url)
    with pytest.raises(error) as caught:
        await rpc.on("endpoint-1").call("eth_blockNumber", check=height)
    assert type(caught.value) is error
    assert str(caught.value).startswith("endpoint-1: eth_blockNumber: ")
    assert len(node.requests) == tries
    assert await rpc.call("eth_blockNumber", check=height) == 16
    assert len(good.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [faults.null, faults.missing_item, faults.wrong_id, faults.hex_without_prefix, faults.truncated_json],
    ids=lambda fault: fault.__name__,
)
async def test_a_bad_batch_is_taken_whole_from_the_next_endpoint(
    node: FaultyNode, good: FaultyNode, client: Open, fault: Fault
) -> None:
    node.fault = fault
    rpc = client(node.url, good.url)
    requests = [("eth_getBalance", [hex(number)]) for number in range(1200)]
    balances = await rpc.batch(requests, check=lambda values: [quantity(value, "balance") for value in values])
    assert balances == list(range(1200))
    assert len(node.requests) <= 3
    assert sorted(len(sent) for sent in good.requests) == [200, 500, 500]


async def test_a_node_that_takes_no_batches_is_asked_one_by_one(node: FaultyNode, client: Open) -> None:
    node.fault = faults.no_batches
    rpc = client(node.url)
    assert await rpc.batch([("echo", [number]) for number in range(40)]) == list(range(40))
    node.requests.clear()
    assert await rpc.batch([("echo", [number]) for number in range(40)]) == list(range(40))
    assert all(isinstance(sent, dict) for sent in node.requests)


async def test_a_silent_node_costs_its_time_out_and_no_more(node: FaultyNode, good: FaultyNode, client: Open) -> None:
    node.fault = faults.slow
    rpc = client(node.url, good.url, limits=Limits(timeout=0.2, deadline=1, tries=2, backoff_min=0.01))
    async with asyncio.timeout(1):
        assert await rpc.call("eth_blockNumber", check=height) == 16
    with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
        await rpc.on("endpoint-1").call("eth_blockNumber")


async def test_waiting_for_a_free_place_counts_as_waiting(node: FaultyNode, client: Open) -> None:
    node.fault = faults.slow
    rpc = client(node.url, limits=Limits(timeout=0.2, deadline=0.3, tries=1, concurrency=1))
    async with asyncio.timeout(1):
        answers = await asyncio.gather(*[rpc.call("eth_blockNumber") for _ in range(5)], return_exceptions=True)
    assert [type(error) for error in answers] == [AllEndpointsFailed] * 5
    assert len(node.requests) <= 2


async def test_nobody_at_the_address_is_unreachable(node: FaultyNode, client: Open) -> None:
    with FaultyNode() as gone:
        pass
    rpc = client(gone.url, node.url)
    with pytest.raises(Unreachable, match="no connection: Connection refused"):
        await rpc.on("endpoint-1").call("eth_blockNumber")
    assert await rpc.call("eth_blockNumber", check=height) == 16


async def test_a_node_that_starts_again_on_its_port_is_found_again(client: Open) -> None:
    with FaultyNode(answer) as before:
        rpc = client(before.url, limits=Limits(tries=2, backoff_min=0.01))
        assert await rpc.call("eth_blockNumber") == "0x10"
    with pytest.raises(AllEndpointsFailed):
        await rpc.call("eth_blockNumber")
    with FaultyNode(answer, port=before.port):
        assert await rpc.call("eth_blockNumber") == "0x10"


async def test_connections_that_the_node_closes_between_calls_do_no_harm(node: FaultyNode, client: Open) -> None:
    node.fault = faults.hangs_up_after_the_answer
    rpc = client(node.url)
    for number in range(5):
        assert await rpc.call("echo", [number]) == number


async def test_a_huge_answer_is_never_held_in_memory(node: FaultyNode, client: Open) -> None:
    rpc = client(node.url)
    await rpc.call("eth_blockNumber")
    for fault in (faults.huge, faults.huge_without_length):
        node.fault = fault
        tracemalloc.start()
        with pytest.raises(AllEndpointsFailed) as caught:
            await rpc.call("eth_blockNumber")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert str(caught.value.exceptions[0]).endswith(f"answered more than {QUICK.body_bytes} bytes")
        assert peak < 8 * 1024 * 1024


async def test_an_answer_just_as_large_as_allowed_is_read(client: Open) -> None:
    with FaultyNode(lambda method, params: "x" * params[0]) as node:
        rpc = client(node.url, limits=Limits(tries=1, body_bytes=200_000))
        envelope = 200_000 - 199_900
        assert len(await rpc.call("text", [199_900])) == 199_900
        with pytest.raises(AllEndpointsFailed):
            await rpc.call("text", [199_900 + envelope])


async def test_numbers_come_over_the_wire_exactly(client: Open) -> None:
    edges = [0, 1, 2**53 + 1, 2**63 + 1, 2**64 + 1, 2**128, 2**256 - 1]
    with FaultyNode(lambda method, params: params) as node:
        assert await client(node.url).call("echo", edges) == edges


async def test_an_error_with_an_http_status_is_the_nodes_answer(
    node: FaultyNode, good: FaultyNode, client: Open
) -> None:
    node.fault = faults.node_error(-8, "Block height out of range", 500)
    with pytest.raises(NodeError, match="Block height out of range"):
        await client(node.url, good.url).call("getblockhash", [9])
    assert (len(node.requests), good.requests) == (1, [])


async def test_a_get_reaches_the_path_below_the_url(node: FaultyNode, client: Open) -> None:
    assert await client(node.url + "/wallet/").get("/rest/block/aa.bin") == b"/wallet/rest/block/aa.bin"


async def test_a_cookie_written_anew_is_read_anew(node: FaultyNode, client: Open, tmp_path: Path) -> None:
    cookie = tmp_path / "cookie"

    def restart(secret: str) -> None:
        cookie.write_text(f"__cookie__:{secret}")
        node.fault = faults.needs("Basic " + b64encode(f"__cookie__:{secret}".encode()).decode())

    restart("first")
    rpc = client(Endpoint(url=node.url, cookie_file="cookie"))
    assert await rpc.call("echo", [1]) == 1
    restart("second")
    assert await rpc.call("echo", [2]) == 2
    assert len(node.requests) == 3
    cookie.write_text("__cookie__:wrong")
    node.fault = faults.needs("Basic other")
    with pytest.raises(AllEndpointsFailed) as caught:
        await rpc.call("echo", [3])
    assert "check username and password_file, cookie_file" in str(caught.value.exceptions[-1])


async def test_headers_and_tokens_of_files_are_sent(node: FaultyNode, client: Open, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    (tmp_path / "headers").write_text("X-Api-Key: k\n")
    rpc = client(Endpoint(url=node.url, bearer_token_file="token", headers_file="headers"))
    await rpc.call("eth_blockNumber")
    assert (node.headers[0]["Authorization"], node.headers[0]["X-Api-Key"]) == ("Bearer abc", "k")


def everything_said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + "".join(_texts(error))


def _texts(error: BaseException) -> Iterator[str]:
    yield f"{error!r} {error}"
    for hidden in (error.__cause__, error.__context__):
        if hidden is not None:
            yield from _texts(hidden)
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _texts(inner)


SECRET_FAULTS: list[Fault] = [fault for fault, _, _ in FAULTS if fault not in (faults.huge, faults.huge_without_length)]


async def test_no_failure_repeats_the_url_or_the_key(
    node: FaultyNode, client: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "url"

    async def failing() -> str:
        # A client for each fault: one that was told to wait would not ask again.
        rpc = client(Endpoint(url_file="url"), limits=Limits(timeout=0.3, deadline=1, tries=1))
        with pytest.raises(ChainError) as caught:
            await rpc.call("eth_blockNumber", check=height)
        return everything_said(caught.value)

    secret.write_text(f"{node.url}/v1/{KEY}")
    said = ""
    for fault in [*SECRET_FAULTS, faults.echoes_the_url, faults.slow]:
        node.fault = fault
        said += await failing()
    for url in (
        f"http://127.0.0.1:1/{KEY}",
        f"http://{KEY}.invalid/",
        f"https://127.0.0.1:{node.port}/{KEY}",
        f"http://u:{KEY}@127.0.0.1:1/",
        f"http://127.0.0.1:1/{KEY}\nsecond line",
    ):
        secret.write_text(url)
        said += await failing()
    assert KEY not in said + caplog.text
    assert f"127.0.0.1:{node.port}" not in said + caplog.text
    assert "quota of /v1/[hidden] is used up" in said


async def test_a_plain_server_behind_https_is_named_as_a_tls_fault(node: FaultyNode, client: Open) -> None:
    with pytest.raises(Unreachable, match="TLS failed"):
        await client(node.url.replace("http:", "https:")).on("endpoint-1").call("eth_blockNumber")


async def test_a_certificate_is_trusted_only_where_its_ca_file_is_named(client: Open, tmp_path: Path) -> None:
    _, both = self_signed(tmp_path)
    with FaultyNode(answer, certificate=both) as node:
        assert await client(Endpoint(url=node.url, ca_file="ca.pem")).call("eth_blockNumber") == "0x10"
        with pytest.raises(Unreachable, match="certificate is not trusted"):
            await client(node.url).on("endpoint-1").call("eth_blockNumber")


async def test_a_faulty_node_can_stand_before_a_real_one_and_fail_in_some_methods_only(
    good: FaultyNode, client: Open
) -> None:
    with FaultyNode(upstream=good.url) as between:
        rpc = client(between.url)
        between.fault, between.only = faults.null, frozenset({"eth_blockNumber"})
        assert await rpc.call("echo", ["0x1"]) == "0x1"
        assert await rpc.call("eth_blockNumber") is None
        assert await rpc.batch([("echo", [1]), ("echo", [2])]) == [1, 2]
        between.fault = None
        assert await rpc.call("eth_blockNumber") == "0x10"
