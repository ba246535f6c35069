from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import ethereum
from chains.core.errors import AllEndpointsFailed, BadAnswer, HistoryUnavailable, NodeError, RateLimited, Reorganised
from chains.core.settings import Endpoint
from chains.core.values import Account, Block, Capabilities, Coin
from chains.ethereum.address import canonical_address
from chains.ethereum.nodes import is_pruned, lacks_method, translate
from tests.unit.ethereum.shapes import FakeNode, Refusal, Tx, addr, make_block, make_chain, ref_of, settings

HASHES = "verify: hashes: headers and blocks are not computed again"
CHAIN = [make_block(n) for n in range(7)]
PEOPLE = [canonical_address(addr(n)) for n in range(1, 4)]


def node(**more: Any) -> FakeNode:
    return FakeNode(*CHAIN, **more)


async def test_heads_follow_the_finality_that_is_configured() -> None:
    for finality, height in (("finalized", 4), ("safe", 6), (0, 6), (2, 4), (100, 0)):
        heads = await make_chain(node(), finality=finality).heads()
        assert heads.seen == ref_of(CHAIN[6])
        assert heads.final == ref_of(CHAIN[height])


async def test_a_node_without_the_tag_says_what_to_configure() -> None:
    wire = node()
    wire.change["eth_getBlockByNumber"] = lambda params, answer: None if params[0] == "finalized" else answer
    with pytest.raises(AllEndpointsFailed) as caught:
        await make_chain(wire).heads()
    assert "write finality as a number of blocks" in str(caught.value.exceptions[0])


async def test_a_final_block_above_the_head_is_a_bad_answer() -> None:
    wire = node()
    wire.change["eth_getBlockByNumber"] = lambda p, a: CHAIN[2]["block"] if p[0] == "latest" else CHAIN[3]["block"]
    with pytest.raises(AllEndpointsFailed) as caught:
        await make_chain(wire).heads()
    assert "above its head" in str(caught.value.exceptions[0])


async def test_a_header_that_does_not_exist_is_a_bad_answer() -> None:
    chain = make_chain(node())
    assert await chain.header(3) == ref_of(CHAIN[3])
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain.header(7)
    assert isinstance(caught.value.exceptions[0], BadAnswer)
    with pytest.raises(ValueError, match="negative"):
        await chain.header(-1)
    wire = node()
    wire.change["eth_getBlockByNumber"] = lambda params, answer: CHAIN[4]["block"]
    with pytest.raises(AllEndpointsFailed) as caught:
        await make_chain(wire).header(3)
    assert "was asked for block 3 and answered 4" in str(caught.value.exceptions[0])


async def test_assets_are_the_native_one_first() -> None:
    chain = make_chain(node())
    assert (chain.name, chain.assets) == ("ethereum", ("ETH", "USDT"))


@given(st.integers(990, 1_100), st.integers(0, 6))
async def test_the_last_block_before_a_time_is_the_newest_that_is_not_later(time: int, final: int) -> None:
    chain = make_chain(node())
    early = [ref_of(made) for made in CHAIN[: final + 1] if ref_of(made).time <= time]
    if early:
        assert await chain.last_block_before(time, ref_of(CHAIN[final])) == early[-1]
    else:
        with pytest.raises(HistoryUnavailable, match="began at 1000"):
            await chain.last_block_before(time, ref_of(CHAIN[final]))


async def test_equal_times_give_the_newest_of_them() -> None:
    made = [make_block(n, time=1_000 + n // 3) for n in range(9)]
    chain = make_chain(FakeNode(*made))
    assert await chain.last_block_before(1_001, ref_of(made[8])) == ref_of(made[5])


async def test_holdings_are_total_in_units_of_the_asset_and_pinned_to_the_block() -> None:
    wire = node()
    wire.balances = {addr(1): 5, addr(2): 2**200}
    seen: list[Any] = []

    def look(params: list[Any], answer: Any) -> Any:
        seen.append(params[1])
        return answer

    wire.change["eth_getBalance"] = look
    chain = make_chain(wire, decimals={"ETH": 18, "USDT": 9}, tokens={"USDT": {"contract": addr(9), "decimals": 6}})
    opening = await chain.open_at(PEOPLE, ref_of(CHAIN[5]))
    assert opening.at == ref_of(CHAIN[5])
    assert opening.coins == ()
    assert opening.holdings == {
        Account("ethereum", person, asset): units * scale
        for person, units in zip(PEOPLE, (5, 2**200, 0), strict=True)
        for asset, scale in (("ETH", 1), ("USDT", 1_000))
    }
    assert seen == [{"blockHash": ref_of(CHAIN[5]).hash, "requireCanonical": True}] * 3


async def test_holding_nothing_asks_nobody() -> None:
    wire = node()
    assert (await make_chain(wire).holdings([], ref_of(CHAIN[5]))).units == {}
    assert not wire.asked


async def test_more_accounts_than_one_part_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chains.ethereum.balances._PART", 2)
    wire = node()
    wire.balances = {addr(1): 5, addr(3): 7}
    accounts = [Account("ethereum", person, "ETH") for person in PEOPLE]
    held = (await make_chain(wire).holdings(accounts, ref_of(CHAIN[5]))).units
    assert list(held.values()) == [5, 0, 7]


@pytest.mark.parametrize(
    ("method", "answer", "says"),
    [
        ("eth_getBalance", None, "balance of"),
        ("eth_getBalance", "", "balance of"),
        ("eth_getBalance", "0x", "balance of"),
        ("eth_getBalance", "5", "balance of"),
        ("eth_getBalance", 5, "balance of"),
        ("eth_call", "0x", "USDT: there is no token at"),
        ("eth_call", "0x0", "balanceOf"),
        ("eth_call", "0x" + "00" * 31, "31 bytes"),
        ("eth_call", "0x" + "00" * 64, "64 bytes"),
        ("eth_call", None, "balanceOf"),
    ],
)
async def test_a_balance_that_is_no_number_is_never_a_zero(method: str, answer: object, says: str) -> None:
    wire = node()
    wire.change[method] = lambda params, _: answer
    with pytest.raises(AllEndpointsFailed) as caught:
        await make_chain(wire).open_at(PEOPLE, ref_of(CHAIN[5]))
    (cause,) = caught.value.exceptions
    assert isinstance(cause, BadAnswer)
    assert says in str(cause)


async def test_dropped_state_is_history_unavailable_unless_another_endpoint_has_it() -> None:
    def pruned(params: list[Any], answer: Any) -> Any:
        raise Refusal(-32000, "missing trie node 1234 (path ) state 0xabcd is not available")

    full, archive = node(), node()
    full.change["eth_getBalance"] = pruned
    accounts = [Account("ethereum", PEOPLE[0], "ETH")]
    with pytest.raises(HistoryUnavailable):
        await make_chain(full).holdings(accounts, ref_of(CHAIN[1]))
    assert (await make_chain(full, archive).holdings(accounts, ref_of(CHAIN[1]))).units == {accounts[0]: 0}


async def test_holdings_at_a_block_that_left_the_chain_are_a_reorganisation() -> None:
    accounts = [Account("ethereum", PEOPLE[0], "ETH")]
    with pytest.raises(Reorganised):
        await make_chain(node()).holdings(accounts, ref_of(make_block(5, fork=1)))


async def test_a_node_that_contradicts_itself_about_a_block_is_no_reorganisation() -> None:
    def lost(params: list[Any], answer: Any) -> Any:
        raise Refusal(-32001, "Resource not found")

    wire = node()
    wire.change["eth_getBalance"] = lost
    with pytest.raises(AllEndpointsFailed) as caught:
        await make_chain(wire).holdings([Account("ethereum", PEOPLE[0], "ETH")], ref_of(CHAIN[5]))
    assert isinstance(caught.value.exceptions[0], BadAnswer)


async def test_a_foreign_account_is_a_mistake_of_the_caller() -> None:
    chain = make_chain(node())
    for account in (Account("bitcoin", PEOPLE[0], "ETH"), Account("ethereum", PEOPLE[0], "DAI")):
        with pytest.raises(ValueError, match="does not hold"):
            await chain.holdings([account], ref_of(CHAIN[5]))


async def test_identity_tells_right_wrong_and_unreachable_apart_and_quarantines_the_wrong() -> None:
    right, wrong, silent = node(), node(chain_id=137), node()
    silent.down = BadAnswer("nonsense")
    chain = make_chain(right, wrong, silent, tokens={})
    found = await chain.identify()
    assert [i.state for i in found] == ["right", "wrong", "unreachable"]
    assert found[1].detail == "serves chain id 137, 1 is configured"
    assert set(chain._rpc.quarantined) == {"endpoint-2"}
    wrong.chain_id = 1
    assert [i.state for i in await chain.identify()][1] == "right"
    assert chain._rpc.quarantined == {}


async def test_capabilities_are_probed_once_and_name_what_is_missing() -> None:
    full = make_block(7, [Tx(1, 2, 3)])
    rich, poor = node(), node()
    for wire in (rich, poor):
        wire.put(full)
    chain = make_chain(rich)
    assert await chain.capabilities() == Capabilities("archive", "debug_traceBlockByHash", (HASHES,))
    assert (await make_chain(rich, verify="full").capabilities()).limits == ()
    rich.asked.clear()
    await chain.capabilities()
    assert not rich.asked

    def pruned(params: list[Any], answer: Any) -> Any:
        raise Refusal(-32000, "missing trie node")

    poor.refuse = {"debug_traceBlockByHash", "trace_block", "eth_getBlockReceipts", "eth_getProof"}
    poor.change["eth_getBalance"] = pruned
    found = await make_chain(poor).capabilities()
    assert (found.history, found.traces) == ("recent", "none")
    assert [limit.split(" ", 1)[0] for limit in found.limits] == ["verify:", *["endpoint-1"] * 4]
    poor.refuse = {"debug_traceBlockByHash"}
    assert (await make_chain(poor).capabilities()).traces == "trace_block"
    poor.change["trace_block"] = lambda params, answer: []
    assert (await make_chain(poor).capabilities()).traces == "trace_block"
    poor.down = BadAnswer("nonsense")
    with pytest.raises(AllEndpointsFailed):
        await make_chain(poor).capabilities()


@pytest.mark.parametrize(
    ("code", "text", "lacks", "pruned", "limited"),
    [
        (-32601, "Method not found", True, False, False),
        (-32601, "the method debug_traceBlockByHash does not exist/is not available", True, False, False),
        (-32600, "debug_traceBlockByHash is not available on the Free tier", True, False, False),
        (-32000, "unsupported method: trace_block", True, False, False),
        (-32000, "tracer not found", True, False, False),
        (-32000, "header not found", False, False, False),
        (-32000, "block not found", False, False, False),
        (-32000, "missing trie node 00ff (path ) <nil>", False, True, False),
        (-32000, "required historical state unavailable (reexec=128)", False, True, False),
        (4444, "pruned history unavailable", False, True, False),
        (-32000, "state at block #12 is pruned", False, True, False),
        (-32000, "World state unavailable", False, True, False),
        (-32000, "No state available for block 0x12", False, True, False),
        (-32000, "historical state 12ab is not available", False, True, False),
        (3, "execution reverted", False, False, False),
        (429, "whatever", False, False, True),
        (-32005, "daily request rate exceeded, rate limit", False, False, True),
        (-32000, "Too Many Requests", False, False, True),
        (-32005, "query returned more than 10000 results", False, False, False),
    ],
)
def test_refusals_are_told_apart(code: int, text: str, lacks: bool, pruned: bool, limited: bool) -> None:
    error = NodeError(code, text)
    assert (lacks_method(error), is_pruned(error)) == (lacks, pruned)
    assert isinstance(translate(error), RateLimited) == limited


def test_a_watch_knows_addresses_and_no_coins() -> None:
    watch = make_chain(node()).watch(PEOPLE, ())
    watch.add_coins([Coin("x:0", PEOPLE[0], "ETH", 1)])
    watch.replace_coins([])
    watch.apply(Block(ref_of(CHAIN[1]), ()))
    assert len(watch) == 3
    assert PEOPLE[0].lower() in watch
    assert None not in watch


async def test_a_package_opens_a_chain_without_a_connection(tmp_path: Path) -> None:
    chain = ethereum.connect("ethereum", settings(), {"ETH": 18, "USDT": 6}, tmp_path)
    assert chain.assets == ("ETH", "USDT")
    await chain.close()
    with pytest.raises(TypeError, match="EVM"):
        ethereum.connect("ethereum", Endpoint(url="http://node.invalid"), {}, tmp_path)
