"""What a quorum of endpoints makes of heads, headers, blocks and balances, without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from chains.core.errors import (
    AllEndpointsFailed,
    BadAnswer,
    Disagreement,
    HistoryUnavailable,
    QuorumLost,
    Reorganised,
    Unreachable,
)
from chains.core.values import Account, Evidence
from chains.ethereum.address import canonical_address
from chains.ethereum.chain import EvmChain
from tests.unit.ethereum.shapes import FakeNode, Refusal, Tx, addr, make_block, make_chain, ref_of

COLD, STRANGER = 0xC01D, 0x57
CHAIN = [*(make_block(n) for n in range(5)), make_block(5, [Tx(COLD, STRANGER, 5)]), make_block(6)]
OURS = canonical_address(addr(COLD))
ETHER = Account("ethereum", OURS, "ETH")


def node(top: int = 6, balance: int = 100) -> FakeNode:
    made = FakeNode(*CHAIN[: top + 1])
    made.balances = {addr(COLD): balance}
    # These nodes prove nothing: what they say stands against what others say.
    made.refuse = {"eth_getProof"}
    return made


def two_of(*nodes: FakeNode, **more: Any) -> EvmChain:
    return make_chain(*nodes, quorum=2, **more)


def no_state(params: list[Any], answer: Any) -> Any:
    raise Refusal(-32000, "missing trie node 12")


async def test_the_head_is_the_newest_block_that_a_quorum_has_come_to() -> None:
    heads = await two_of(node(6), node(4), node(5), finality=0).heads()
    assert heads.seen == heads.final == ref_of(CHAIN[5])
    heads = await two_of(node(6), node(4), node(5), finality="finalized").heads()
    assert (heads.seen, heads.final) == (ref_of(CHAIN[5]), ref_of(CHAIN[3]))


async def test_at_rival_heads_the_block_below_that_they_share_is_the_head() -> None:
    one, two = node(5), node(5)
    two.put(make_block(6, fork=2, parent_fork=0))
    one.put(CHAIN[6])
    assert (await two_of(one, two, finality=0).heads()).seen == ref_of(CHAIN[5])


async def test_one_alone_says_nothing_of_the_head() -> None:
    silent = node()
    silent.down = Unreachable("gone")
    with pytest.raises(QuorumLost):
        await two_of(node(), silent).heads()
    with pytest.raises(QuorumLost):
        await two_of(node(), silent).read_next(ref_of(CHAIN[4]), two_of(node(), silent).watch([OURS], ()))


async def test_the_body_may_come_from_any_endpoint_that_knows_the_agreed_block() -> None:
    slow, one, two = node(), node(), node()
    for each in (one, two):
        each.change["eth_getBlockReceipts"] = lambda params, answer: None
    chain = two_of(one, two, slow)
    block = await chain.read_next(ref_of(CHAIN[4]), chain.watch([OURS], ()))
    assert block is not None
    assert block.ref == ref_of(CHAIN[5])


async def test_a_reorganisation_is_what_a_quorum_says() -> None:
    turned = node()
    turned.put(make_block(4, fork=1), make_block(5, fork=1))
    chain = two_of(node(), turned, node())
    watch = chain.watch([OURS], ())
    assert (await chain.read(ref_of(CHAIN[5]), watch)).ref == ref_of(CHAIN[5])
    assert await chain.is_canonical(ref_of(CHAIN[5]))
    chain = two_of(turned, turned, node())
    with pytest.raises(Reorganised):
        await chain.read_next(ref_of(CHAIN[4]), watch)


async def test_one_that_says_a_block_is_gone_is_not_believed() -> None:
    forgetful = node()
    forgetful.change["eth_getBlockByHash"] = lambda params, answer: None
    forgetful.put(make_block(5, fork=1))
    chain = two_of(forgetful, node(), node())
    assert (await chain.read(ref_of(CHAIN[5]), chain.watch([OURS], ()))).ref == ref_of(CHAIN[5])
    chain = two_of(*(forgetful for _ in range(3)))
    with pytest.raises(Reorganised):
        await chain.read(ref_of(CHAIN[5]), chain.watch([OURS], ()))


async def test_a_gone_block_that_a_quorum_still_names_is_a_failure_and_no_rewind() -> None:
    nodes = [node() for _ in range(3)]
    for each in nodes:
        each.change["eth_getBlockByHash"] = lambda params, answer: None
    chain = two_of(*nodes)
    with pytest.raises(AllEndpointsFailed):
        await chain.read(ref_of(CHAIN[5]), chain.watch([OURS], ()))


async def test_only_as_many_endpoints_are_asked_for_balances_as_must_agree() -> None:
    nodes = [node() for _ in range(3)]
    chain = two_of(*nodes)
    held = await chain.holdings([ETHER], ref_of(CHAIN[5]))
    assert (held.units, held.endpoints) == ({ETHER: 100}, ("endpoint-1", "endpoint-2"))
    assert held.evidence is Evidence.AGREED
    assert held.coins is None
    assert not nodes[2].asked


async def test_balances_that_differ_and_cannot_be_proved_need_a_quorum_of_their_own() -> None:
    chain = two_of(node(balance=1), node(balance=2), node(balance=2))
    assert (await chain.holdings([ETHER], ref_of(CHAIN[5]))).units == {ETHER: 2}
    (fault,) = chain.faults()
    assert (fault.endpoint, fault.kind) == ("endpoint-1", "balance")
    assert fault.evidence["said_by_endpoint-2"] == "2"
    assert set(chain.quarantined()) == {"endpoint-1"}
    chain = two_of(node(balance=1), node(balance=2), node(balance=3))
    with pytest.raises(Disagreement, match=f"ETH of {OURS}"):
        await chain.holdings([ETHER], ref_of(CHAIN[5]))
    chain = two_of(node(balance=1), node(balance=2))
    with pytest.raises(Disagreement):
        await chain.holdings([ETHER], ref_of(CHAIN[5]))
    assert chain.quarantined() == {}


async def test_too_few_that_still_have_the_state_are_history_and_too_few_that_answer_are_no_quorum() -> None:
    gone, silent = node(), node()
    gone.change["eth_getBalance"] = no_state
    silent.down = Unreachable("gone")
    with pytest.raises(HistoryUnavailable, match="1 have that state and 2 are needed"):
        await two_of(gone, node()).holdings([ETHER], ref_of(CHAIN[5]))
    with pytest.raises(QuorumLost):
        await two_of(silent, node()).holdings([ETHER], ref_of(CHAIN[5]))
    assert (await two_of(gone, silent, node(), node()).holdings([ETHER], ref_of(CHAIN[5]))).units == {ETHER: 100}


async def test_sequences_are_counted_by_a_quorum() -> None:
    nodes = [node() for _ in range(3)]
    for each, nonce in zip(nodes, (4, 3, 4), strict=True):
        each.nonces = {addr(COLD): nonce}
    chain = two_of(*nodes)
    assert await chain.sequences([OURS], ref_of(CHAIN[5])) == {OURS: 4}
    assert [(fault.endpoint, fault.kind) for fault in chain.faults()] == [("endpoint-2", "nonce")]
    opening = await chain.open_at([OURS], ref_of(CHAIN[5]))
    assert dict(opening.sequences) == {OURS: 4}


async def test_a_wrong_number_for_a_nonce_is_never_a_zero() -> None:
    wire = node()
    wire.change["eth_getTransactionCount"] = lambda params, answer: None
    with pytest.raises(AllEndpointsFailed) as caught:
        await make_chain(wire).sequences([OURS], ref_of(CHAIN[5]))
    assert isinstance(caught.value.exceptions[0], BadAnswer)


async def test_nothing_is_located_where_no_node_traces() -> None:
    wire = node()
    wire.refuse |= {"debug_traceBlockByHash", "trace_replayBlockTransactions"}
    assert await make_chain(wire).locate(ETHER, ref_of(CHAIN[5])) == ()
    wire.change["eth_getBlockByHash"] = lambda params, answer: (
        answer | {"transactions": [answer["transactions"][0]["hash"]]}
    )
    wire.refuse -= {"debug_traceBlockByHash"}
    pre: Any = {addr(COLD): {"balance": "0x9"}}
    post: Any = {addr(COLD): {"balance": "0x8"}}
    wire.change["debug_traceBlockByHash"] = lambda params, answer: [{"result": {"pre": pre, "post": post}}]
    txid = CHAIN[5]["block"]["transactions"][0]["hash"]
    assert await make_chain(wire).locate(ETHER, ref_of(CHAIN[5])) == (txid,)
    for before, after, changed in (
        ({"balance": "0x9"}, {"nonce": 3}, False),
        ({"balance": "0x9"}, None, True),
        ({"balance": "0x0"}, None, False),
        (None, {"balance": "0x1"}, True),
        (None, None, False),
    ):
        pre, post = ({} if each is None else {addr(COLD): each} for each in (before, after))
        found = await make_chain(wire).locate(ETHER, ref_of(CHAIN[5]))
        assert bool(found) == changed


async def test_an_endpoint_in_quarantine_for_a_lie_is_not_released_by_its_right_identity() -> None:
    chain = make_chain(node(balance=1), node(balance=2), node(balance=2), quorum=2, tokens={})
    await chain.holdings([ETHER], ref_of(CHAIN[5]))
    assert [i.state for i in await chain.identify()] == ["right"] * 3
    assert set(chain.quarantined()) == {"endpoint-1"}
