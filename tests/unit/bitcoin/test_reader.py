"""The reader on nodes in memory that fall behind, reorganise, lie or say no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chains.bitcoin import connect
from chains.bitcoin.addresses import locator_of
from chains.bitcoin.blocks import parse_header
from chains.bitcoin.networks import NETWORKS
from chains.core.errors import AllEndpointsFailed, BadAnswer, HistoryUnavailable, NodeError, Reorganised, Unreachable
from chains.core.values import BlockRef
from tests.unit.bitcoin.fake_node import FakeNode, Refusal, chain_on, settings_of
from tests.unit.bitcoin.synthetic import block, coinbase, transaction

OURS = b"\x00\x14" + b"\x01" * 20
ADDRESS = locator_of(OURS, NETWORKS["regtest"])


@pytest.fixture
def node() -> FakeNode:
    made = FakeNode()
    for _ in range(9):
        made.mine()
    return made


def ref_of(node: FakeNode, height: int) -> BlockRef:
    header = parse_header(node.blocks[height])
    return BlockRef("bitcoin", height, header.hash, header.parent, header.time)


@pytest.mark.parametrize(("finality", "final"), [(1, 9), (2, 8), (6, 4), (10, 0), (100, 0)])
async def test_final_is_the_newest_block_with_the_wanted_confirmations(
    node: FakeNode, finality: int, final: int
) -> None:
    heads = await chain_on(node, finality=finality).heads()
    assert heads.seen == ref_of(node, 9)
    assert heads.final == ref_of(node, final)
    # Confirmations count the block itself: height 4 of head 9 has 6.
    assert heads.seen.height - heads.final.height + 1 <= finality


async def test_an_unchanged_head_costs_one_call(node: FakeNode) -> None:
    chain = chain_on(node)
    heads = await chain.heads()
    node.calls.clear()
    assert await chain.heads() is heads
    assert node.calls == ["getbestblockhash"]
    node.mine()
    assert (await chain.heads()).seen == ref_of(node, 10)


async def test_a_head_that_keeps_moving_is_one_that_was_there(node: FakeNode) -> None:
    best = node.rpc_getbestblockhash

    def moving() -> str:
        node.mine()
        return best()

    node.lies["getbestblockhash"] = moving
    heads = await chain_on(node).heads()
    assert heads.seen == ref_of(node, heads.seen.height)
    assert heads.final == ref_of(node, heads.seen.height - 5)


async def test_a_head_that_is_reorganised_while_it_is_read_is_not_taken(node: FakeNode) -> None:
    header = node.rpc_getblockheader

    def moving(block_hash: str, verbose: bool) -> object:
        answer = header(block_hash, verbose)
        if not verbose:
            node.reorg(3)
            for _ in range(4):
                node.mine()
        return answer

    node.lies["getblockheader"] = moving
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain_on(node).heads()
    assert caught.group_contains(Unreachable, match="changed while it was read")


async def test_the_next_block_takes_two_exchanges_and_stands_on_the_last(node: FakeNode) -> None:
    node.mine(transaction([(b"\x07" * 32, 0)], [(500, OURS)]))
    chain = chain_on(node)
    node.calls.clear()
    found = await chain.read_next(ref_of(node, 9), chain.watch([ADDRESS], ()))
    assert node.calls == ["getblockhash", "getblockhash", "getblock"]
    assert found is not None
    assert found.ref == ref_of(node, 10)
    assert [each.movements[0].delta for each in found.transactions] == [500]
    assert await chain.read_next(ref_of(node, 10), chain.watch([ADDRESS], ())) is None


async def test_a_reorganised_cursor_is_told_from_a_node_that_is_behind(node: FakeNode) -> None:
    chain = chain_on(node)
    watch = chain.watch([], ())
    left = ref_of(node, 9)
    node.reorg(3)
    # Shorter than before, but the node knows what it left.
    with pytest.raises(Reorganised):
        await chain.read_next(left, watch)
    assert not await chain.is_canonical(left)
    for _ in range(4):
        node.mine()
    with pytest.raises(Reorganised):
        await chain.read_next(left, watch)
    # A node that never saw the block and is not that high cannot say.
    unknown = replace(left, height=50, hash="ab" * 32)
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain.read_next(unknown, watch)
    assert caught.group_contains(HistoryUnavailable)
    with pytest.raises(AllEndpointsFailed):
        await chain.is_canonical(unknown)


async def test_a_block_that_no_node_knows_is_reorganised_one_that_some_know_is_read(node: FakeNode) -> None:
    behind, ahead = FakeNode(), node
    chain = chain_on(behind, ahead)
    watch = chain.watch([], ())
    assert (await chain.read(ref_of(ahead, 5), watch)).ref == ref_of(ahead, 5)
    with pytest.raises(Reorganised, match="no endpoint of bitcoin knows block"):
        await chain.read(replace(ref_of(ahead, 5), hash="ab" * 32), watch)
    behind.down = True
    with pytest.raises(AllEndpointsFailed):
        await chain.read(replace(ref_of(ahead, 5), hash="ab" * 32), watch)


async def test_the_next_endpoint_is_asked_where_one_is_down_or_lies(node: FakeNode) -> None:
    liar, down = FakeNode(), FakeNode()
    down.down = True
    liar.blocks = list(node.blocks)
    liar.lies["getblock"] = lambda block_hash, _: node.rpc_getblock(block_hash, 0)[:-2]
    chain = chain_on(down, liar, node)
    found = await chain.read_next(ref_of(node, 4), chain.watch([], ()))
    assert found is not None
    assert found.ref == ref_of(node, 5)


LIES = {
    "a sibling": lambda node: lambda *_: block([coinbase(77)], bytes.fromhex(node.hash(4))[::-1]).hex(),
    "another block": lambda node: lambda *_: node.blocks[3].hex(),
    "null": lambda node: lambda *_: None,
    "not hex": lambda node: lambda *_: "zz",
    "a number": lambda node: lambda *_: 7,
    "a header only": lambda node: lambda block_hash, _: node.rpc_getblock(block_hash, 0)[:160],
    "a cut block": lambda node: lambda block_hash, _: node.rpc_getblock(block_hash, 0)[:-10],
    "a longer block": lambda node: lambda block_hash, _: node.rpc_getblock(block_hash, 0) + "00",
    "another transaction": lambda node: (
        lambda block_hash, _: node.rpc_getblock(block_hash, 0)[:160] + node.blocks[3].hex()[160:]
    ),
}


@pytest.mark.parametrize("lie", LIES)
async def test_nonsense_for_a_block_is_a_bad_answer(node: FakeNode, lie: str) -> None:
    chain = chain_on(node)
    node.lies["getblock"] = LIES[lie](node)
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain.read(ref_of(node, 5), chain.watch([], ()))
    assert caught.group_contains(BadAnswer)


async def test_a_block_on_another_parent_than_said_is_refused(node: FakeNode) -> None:
    chain = chain_on(node)
    with pytest.raises(AllEndpointsFailed, match="every endpoint failed"):
        await chain.read(replace(ref_of(node, 5), parent="00" * 32), chain.watch([], ()))


async def test_null_for_a_header_or_hash_is_a_bad_answer(node: FakeNode) -> None:
    chain = chain_on(node)
    for method in ("getblockhash", "getblockheader"):
        node.lies[method] = lambda *_: None
        with pytest.raises(AllEndpointsFailed) as caught:
            await chain.header(3)
        assert caught.group_contains(BadAnswer)
        del node.lies[method]


async def test_errors_of_the_node_are_read_as_what_they_mean(node: FakeNode) -> None:
    chain = chain_on(node)

    def refuse(code: int, text: str) -> Callable[..., None]:
        def handler(*_: object) -> None:
            raise Refusal(code, text)

        return handler

    for code, text, kind in (
        (-28, "Loading block index…", Unreachable),
        (-1, "Block not available (pruned data)", HistoryUnavailable),
    ):
        node.lies["getblock"] = refuse(code, text)
        with pytest.raises(AllEndpointsFailed) as caught:
            await chain.read(ref_of(node, 5), chain.watch([], ()))
        assert caught.group_contains(kind)


async def test_a_node_that_says_no_is_left_for_the_next(node: FakeNode) -> None:
    odd = FakeNode()

    def refuse(*_: object) -> None:
        raise Refusal(-1, "no")

    for method in ("getblock", "getblockhash", "getblockheader", "getbestblockhash"):
        odd.lies[method] = refuse
    chain = chain_on(odd, node, quorum=1)
    assert (await chain.heads()).seen == ref_of(node, 9)
    assert (await chain.header(4)) == ref_of(node, 4)
    for call in (
        chain_on(odd).heads,
        lambda: chain_on(odd).header(4),
        lambda: chain_on(odd).is_canonical(ref_of(node, 4)),
    ):
        with pytest.raises(AllEndpointsFailed) as caught:
            await call()
        assert caught.group_contains(NodeError)


@pytest.mark.parametrize("change", [{"height": -1}, {"height": None}, {"height": True}, {"hash": "ab" * 32}])
async def test_a_head_at_no_height_is_a_bad_answer(node: FakeNode, change: dict[str, object]) -> None:
    true = node.rpc_getblockheader
    node.lies["getblockheader"] = lambda each, verbose: true(each, verbose) | change if verbose else true(each, verbose)
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain_on(node).heads()
    assert caught.group_contains(BadAnswer)


async def test_a_header_of_another_block_is_a_bad_answer(node: FakeNode) -> None:
    node.lies["getblockheader"] = lambda *_: node.blocks[2][:80].hex()
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain_on(node).header(3)
    assert caught.group_contains(BadAnswer)
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain_on(node).last_block_before(1_700_000_005, ref_of(node, 9))
    assert caught.group_contains(BadAnswer)


async def test_the_height_above_the_head_is_unavailable_not_empty(node: FakeNode) -> None:
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain_on(node).header(10)
    assert caught.group_contains(HistoryUnavailable)


async def test_identity_names_what_an_endpoint_serves(node: FakeNode) -> None:
    evm, signet, down, right = FakeNode(), FakeNode(), FakeNode(), FakeNode()
    down.down = True

    def no_such_method(*_: object) -> None:
        raise Refusal(-32601, "the method does not exist")

    evm.lies["getblockhash"] = no_such_method
    signet.lies["getblockhash"] = lambda _: NETWORKS["signet"].genesis
    node.lies["getblockhash"] = lambda _: "ab" * 32
    identities = await chain_on(evm, signet, down, node, right).identify()
    assert [each.state for each in identities] == ["wrong", "wrong", "unreachable", "wrong", "right"]
    assert "serves Bitcoin signet, not Bitcoin regtest" in identities[1].detail
    assert "ab" * 32 in identities[3].detail
    assert identities[4].detail == "bip122:0f9188f13cb7b2c71f2a335e3a4fc328"


@pytest.mark.parametrize(
    "times", [[10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120], [10, 50, 40, 60, 45, 90, 70, 95, 80, 120, 85, 100]]
)
async def test_the_last_block_before_a_time_though_times_may_fall(times: list[int]) -> None:
    node = FakeNode()
    for time in times:
        node.mine(time=1_700_000_000 + time)
    chain = chain_on(node)
    headers = [ref_of(node, height) for height in range(len(node.blocks))]
    for final in (headers[-1], headers[6]):
        for time in range(1_700_000_000, 1_700_000_130, 5):
            expected = [each for each in headers[: final.height + 1] if each.time <= time][-1]
            assert await chain.last_block_before(time, final) == expected
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain.last_block_before(1_200_000_000, headers[-1])
    assert caught.group_contains(HistoryUnavailable)


async def test_a_node_without_prevouts_says_so_in_its_limits(node: FakeNode) -> None:
    assert (await chain_on(node).capabilities()).limits == ()
    node.lies["help"] = lambda _: "getblock blockhash ( verbosity )"
    assert any("only start = the head or start = 0" in each for each in (await chain_on(node).capabilities()).limits)
    node.lies["getblockchaininfo"] = lambda: {"bestblockhash": node.hash(-1), "pruned": True, "pruneheight": 4}
    assert any("no blocks below 4" in each for each in (await chain_on(node).capabilities()).limits)


def test_a_chain_counts_in_satoshis() -> None:
    with pytest.raises(ValueError, match="decimals: 8"):
        connect("bitcoin", settings_of(), {"BTC": 18}, Path())
    chain = connect("bitcoin", settings_of(), {"BTC": 8}, Path())
    assert (chain.name, chain.assets) == ("bitcoin", ("BTC",))


async def test_another_chains_watch_is_a_programming_error(node: FakeNode) -> None:
    chain = chain_on(node)
    with pytest.raises(TypeError, match="watch that this chain made"):
        await chain.read(ref_of(node, 1), object())  # type: ignore[arg-type]
