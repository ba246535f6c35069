"""Three nodes, one of which lies, lags, is pruned or talks nonsense: in each position, for each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bitcoin.core import CBlock

from chains.bitcoin import judge
from chains.bitcoin.addresses import locator_of
from chains.bitcoin.blocks import parse_header
from chains.bitcoin.networks import NETWORKS
from chains.bitcoin.reader import BitcoinChain
from chains.core.errors import AllEndpointsFailed, Disagreement, HistoryUnavailable, QuorumLost, Reorganised
from chains.core.values import Account, BlockRef, Evidence
from tests.unit.bitcoin.fake_node import FakeNode, Refusal, chain_on, coins
from tests.unit.bitcoin.synthetic import block, coinbase, mined, transaction

OURS, STRANGER = b"\x00\x14" + b"\x01" * 20, b"\x00\x14" + b"\x02" * 20
ADDRESS = locator_of(OURS, NETWORKS["regtest"])
ACCOUNT = Account("bitcoin", ADDRESS, "BTC")
PLACES = [0, 1, 2]
HEAD = 14


def ref_of(node: FakeNode, height: int) -> BlockRef:
    header = parse_header(node.blocks[height])
    return BlockRef("bitcoin", height, header.hash, header.parent, header.time)


def trio() -> list[FakeNode]:
    """Three nodes of one chain: block 3 pays us 500 and 70, block 5 spends the 500 into 300 for us."""
    nodes = [FakeNode() for _ in range(3)]
    first = nodes[0]
    for _ in range(2):
        first.mine()
    paid = transaction([(b"\x07" * 32, 0)], [(500, OURS), (70, OURS)])
    first.mine(paid)
    first.mine()
    first.mine(transaction([(paid.GetTxid(), 0)], [(300, OURS), (190, STRANGER)]))
    while len(first.blocks) <= HEAD:
        first.mine()
    for other in nodes[1:]:
        other.blocks = list(first.blocks)
    return nodes


async def units(chain: BitcoinChain, at: BlockRef) -> int:
    return (await chain.holdings([ACCOUNT], at)).units[ACCOUNT]


def nothing(*_: object) -> None:
    return None


def refuse(code: int, text: str) -> Callable[..., Any]:
    def handler(*_: object) -> None:
        raise Refusal(code, text)

    return handler


def sibling(node: FakeNode, height: int, *, well: bool = True) -> bytes:
    """Another block on the parent of the one at ``height``, spending our 70."""
    (paid,) = CBlock.deserialize(node.blocks[3]).vtx[1:]
    theft = transaction([(paid.GetTxid(), 1)], [(70, STRANGER)])
    parent = bytes.fromhex(node.hash(height - 1))[::-1]
    return mined(block([coinbase(777), theft], parent), well=well)


# The block on top


def another_block(liar: FakeNode) -> None:
    liar.lies["getblock"] = lambda *_: sibling(liar, 6).hex()


def other_transactions(liar: FakeNode) -> None:
    liar.lies["getblock"] = lambda wanted, _: liar.rpc_getblock(wanted, 0)[:160] + liar.blocks[3].hex()[160:]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("lie", "kind"), [(another_block, "header_hash"), (other_transactions, "merkle_root")])
async def test_who_gives_false_bytes_for_a_block_is_caught_and_the_others_are_believed(
    place: int, lie: Callable[[FakeNode], None], kind: str
) -> None:
    nodes = trio()
    chain = chain_on(*nodes)
    watch = chain.watch([ADDRESS], (await chain.open_at([ADDRESS], ref_of(nodes[0], 4))).coins)
    # The liar is among the first two to answer, and is asked for the bytes first.
    nodes[place - 1].seconds = 0.02
    for other in {*PLACES} - {place}:
        chain._panel.failed(f"node-{other}")
    lie(nodes[place])
    found = await chain.read_next(ref_of(nodes[0], 4), watch)
    assert found is not None
    assert found.ref == ref_of(nodes[0], 5)
    assert [each.delta for each in found.transactions[0].movements] == [-500, 300]
    (fault,) = chain.faults()
    assert (fault.endpoint, fault.kind) == (f"node-{place}", kind)
    assert "SHA-256" in fault.evidence["refuted"] or kind == "merkle_root"
    assert set(chain.quarantined()) == {f"node-{place}"}
    nodes[place].calls.clear()
    assert await chain.read_next(found.ref, watch) is not None
    assert nodes[place].calls == []
    assert chain.faults() == ()


async def test_the_only_endpoint_is_asked_on_and_believed_when_it_tells_the_truth_again() -> None:
    node, *_ = trio()
    chain = chain_on(node)
    watch, at = chain.watch([ADDRESS], ()), ref_of(node, 4)
    for lie in (another_block, other_transactions):
        for _ in range(3):
            lie(node)
            with pytest.raises(AllEndpointsFailed):
                await chain.read_next(at, watch)
    assert [each.kind for each in chain.faults()] == ["header_hash", "merkle_root"], "each lie once"
    assert chain.quarantined() == {}
    node.lies.clear()
    found = await chain.read_next(at, watch)
    assert found is not None
    assert found.ref == ref_of(node, 5)


NONSENSE = {
    "null": lambda node: dict.fromkeys(
        ("getblock", "getblockhash", "getblockheader", "getbestblockhash", "scantxoutset"), nothing
    ),
    "pruned": lambda node: {"getblock": refuse(-1, "Block not available (pruned data)")},
    "starting": lambda node: dict.fromkeys(
        ("getblock", "getblockhash", "getblockheader", "getbestblockhash", "scantxoutset"), refuse(-28, "Loading")
    ),
    "no scan": lambda node: {"scantxoutset": refuse(-32601, "Method not found")},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nonsense", [*NONSENSE, "lagging", "down", "stale scan"])
async def test_who_knows_nothing_counts_for_nothing_and_is_no_liar(place: int, nonsense: str) -> None:
    nodes = trio()
    odd = nodes[place]
    if nonsense == "lagging":
        odd.blocks = odd.blocks[:3]
    elif nonsense == "down":
        odd.down = True
    elif nonsense == "stale scan":
        behind = FakeNode()
        behind.blocks = odd.blocks[:3]
        odd.lies["scantxoutset"] = behind.rpc_scantxoutset
    else:
        odd.lies |= NONSENSE[nonsense](odd)
    chain = chain_on(*nodes)
    good = nodes[(place + 1) % 3]
    heads = await chain.heads()
    assert heads.seen == ref_of(good, HEAD)
    assert heads.final == ref_of(good, HEAD - 5)
    for height in (6, 7, 8):
        at = ref_of(good, height)
        assert await chain.is_canonical(at)
        assert await chain.header(height) == at
        found = await chain.read_next(at, chain.watch([ADDRESS], ()))
        assert found is not None
        assert found.ref == ref_of(good, height + 1)
        holdings = await chain.holdings([ACCOUNT], at)
        assert holdings.units == {ACCOUNT: 370}
        assert holdings.evidence is Evidence.AGREED
        assert len(holdings.endpoints) == 2
    assert chain.faults() == ()
    assert chain.quarantined() == {}


async def test_a_lagging_or_pruned_node_alone_is_an_error_and_never_a_zero() -> None:
    node, *_ = trio()
    at = ref_of(node, HEAD - 2)
    lagging, pruned, stale = FakeNode(), FakeNode(), FakeNode()
    lagging.blocks = node.blocks[:6]
    pruned.blocks = stale.blocks = list(node.blocks)
    pruned.lies["getblock"] = refuse(-1, "Block not available (pruned data)")
    stale.lies["scantxoutset"] = lagging.rpc_scantxoutset
    for odd in (lagging, pruned, stale):
        with pytest.raises(AllEndpointsFailed) as caught:
            await chain_on(odd).holdings([ACCOUNT], at)
        assert caught.group_contains(HistoryUnavailable)


@pytest.mark.parametrize("place", PLACES)
async def test_a_block_that_one_of_three_shows_is_a_witness_once_and_the_quorum_goes_on(place: int) -> None:
    nodes = trio()
    nodes[place].blocks = [*nodes[place].blocks[:HEAD], sibling(nodes[place], HEAD)]
    at = ref_of(nodes[place - 1], HEAD - 1)
    chain = chain_on(*nodes)
    opening = await chain.open_at([ADDRESS], ref_of(nodes[0], 6))
    watch = chain.watch([ADDRESS], opening.coins)
    # Two that have nothing above yet leave the third alone with its block.
    for node in nodes:
        if node is not nodes[place]:
            node.blocks = node.blocks[:HEAD]
            node.seconds = 0.02
    assert await chain.read_next(at, watch) is None
    (witness,) = await chain.witnesses(at, watch)
    assert witness.endpoints == (f"node-{place}",)
    assert witness.needed == 2
    assert [each.delta for each in witness.block.transactions[0].movements] == [-70]
    await chain.read_next(at, watch)
    assert await chain.witnesses(at, watch) == ()
    assert chain.quarantined() == {}


@pytest.mark.parametrize("place", PLACES)
async def test_a_witness_without_work_is_a_liar(place: int) -> None:
    nodes = trio()
    at = ref_of(nodes[0], HEAD - 1)
    for node in nodes:
        node.blocks = node.blocks[:HEAD]
    forged = sibling(nodes[place], HEAD, well=False)
    nodes[place].blocks.append(forged)
    # All are heard before a quorum of three has it.
    chain = chain_on(*nodes, quorum=3)
    watch = chain.watch([ADDRESS], ())
    assert await chain.read_next(at, watch) is None
    assert await chain.witnesses(at, watch) == ()
    (fault,) = chain.faults()
    assert (fault.endpoint, fault.kind) == (f"node-{place}", "proof_of_work")
    assert fault.evidence["header"] == forged[:80].hex()
    assert set(chain.quarantined()) == {f"node-{place}"}
    with pytest.raises(QuorumLost):
        await chain.read_next(at, watch)


async def test_a_majority_of_forgers_without_work_is_no_majority() -> None:
    nodes = trio()
    at = ref_of(nodes[0], HEAD - 1)
    forged = sibling(nodes[0], HEAD, well=False)
    for node in nodes[:2]:
        node.blocks = [*node.blocks[:HEAD], forged]
    nodes[2].blocks = nodes[2].blocks[:HEAD]
    chain = chain_on(*nodes)
    with pytest.raises((QuorumLost, AllEndpointsFailed)):
        await chain.read_next(at, chain.watch([], ()))
    assert {each.kind for each in chain.faults()} == {"proof_of_work"}
    assert set(chain.quarantined()) == {"node-0", "node-1"}


# Three answers, one alive


async def test_three_blocks_or_three_sets_of_coins_fail_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = trio()
    for number, node in enumerate(nodes):
        parent = bytes.fromhex(node.hash(HEAD - 1))[::-1]
        node.blocks = [*node.blocks[:HEAD], block([coinbase(900 + number)], parent)]
    chain = chain_on(*nodes)
    watch = chain.watch([ADDRESS], ())
    at = ref_of(nodes[0], HEAD - 1)
    with pytest.raises(Disagreement):
        await chain.read_next(at, watch)
    assert len(await chain.witnesses(at, watch)) == 3
    assert (await chain.heads()).seen == at
    with pytest.raises(Disagreement):
        await chain.header(HEAD)
    # And nothing shows which set is false: the coins are older than what is judged.
    monkeypatch.setattr(judge, "JUDGED_BLOCKS", 1)
    for number, node in enumerate(nodes[1:]):
        leave_out(node, number)
    with pytest.raises(Disagreement, match="coins after block 9"):
        await chain.holdings([ACCOUNT], ref_of(nodes[0], 9))
    assert chain.quarantined() == {}


@pytest.mark.parametrize("alive", PLACES)
async def test_one_alive_is_no_quorum_for_anything(alive: int) -> None:
    nodes = trio()
    chain = chain_on(*nodes)
    for number, node in enumerate(nodes):
        node.down = number != alive
    at, watch = ref_of(nodes[0], 6), chain.watch([ADDRESS], ())
    for call in (
        chain.heads,
        lambda: chain.header(6),
        lambda: chain.is_canonical(at),
        lambda: chain.read_next(at, watch),
        lambda: chain.holdings([ACCOUNT], at),
        lambda: chain.open_at([ADDRESS], at),
        lambda: chain.prove([ACCOUNT], at),
        lambda: chain.last_block_before(at.time, ref_of(nodes[0], 8)),
    ):
        with pytest.raises(QuorumLost, match="1 of 3 endpoints answered, 2 are needed"):
            await call()
    # What it shows on top is a witness all the same.
    (witness,) = await chain.witnesses(at, watch)
    assert witness.endpoints == (f"node-{alive}",)


# Coins


def scan_with(node: FakeNode, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Scans of this node list what ``change`` makes of the true list."""
    true = node.rpc_scantxoutset

    def scan(*params: Any) -> Any:
        answer = true(*params)
        listed = change(answer["unspents"])
        total = coins(sum(round(each["amount"] * 10**8) for each in listed))
        return answer | {"unspents": listed, "total_amount": total}

    node.lies["scantxoutset"] = scan


def leave_out(node: FakeNode, number: int = 0) -> None:
    scan_with(node, lambda listed: [each for place, each in enumerate(listed) if place != number])


def invent(node: FakeNode, **keys: Any) -> None:
    made = {"txid": "ab" * 32, "vout": 0, "scriptPubKey": OURS.hex(), "amount": coins(999), "height": 4} | keys
    scan_with(node, lambda listed: [*listed, made])


def keep_spent(node: FakeNode) -> None:
    """The 500 of block 3, which block 5 spent."""
    paid = CBlock.deserialize(node.blocks[3]).vtx[1]
    invent(node, txid=paid.GetTxid()[::-1].hex(), amount=coins(500), height=3)


def alter(node: FakeNode) -> None:
    scan_with(node, lambda listed: [each | {"amount": each["amount"] * 2} for each in listed])


COIN_LIES: dict[str, Callable[[FakeNode], None]] = {
    "coin_omitted": leave_out,
    "coin_invented": invent,
    "coin_spent": keep_spent,
    "coin_altered": alter,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", COIN_LIES)
async def test_who_lies_about_coins_is_shown_by_the_blocks_in_any_position(place: int, kind: str) -> None:
    nodes = trio()
    COIN_LIES[kind](nodes[place])
    chain = chain_on(*nodes)
    # Two of three are asked for each block, and not always the same two.
    for height in (7, 8, 9):
        holdings = await chain.holdings([ACCOUNT], ref_of(nodes[0], height))
        assert holdings.units == {ACCOUNT: 370}
        assert f"node-{place}" not in holdings.endpoints
        assert holdings.evidence is Evidence.AGREED
    (fault,) = chain.faults()
    assert (fault.chain, fault.endpoint, fault.kind) == ("bitcoin", f"node-{place}", kind)
    assert fault.evidence["refuted"]
    assert set(chain.quarantined()) == {f"node-{place}"}


async def test_of_two_that_differ_the_liar_is_shown_and_the_other_is_no_quorum() -> None:
    nodes = trio()[:2]
    leave_out(nodes[0])
    chain = chain_on(*nodes)
    with pytest.raises(QuorumLost):
        await chain.holdings([ACCOUNT], ref_of(nodes[0], 9))
    assert [(each.endpoint, each.kind) for each in chain.faults()] == [("node-0", "coin_omitted")]


@pytest.mark.parametrize("place", PLACES)
async def test_coins_too_old_to_judge_are_for_the_quorum_to_decide(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "JUDGED_BLOCKS", 1)
    nodes = trio()
    leave_out(nodes[place])
    chain = chain_on(*nodes)
    for height in (9, 10, 11):
        assert await units(chain, ref_of(nodes[0], height)) == 370
    # Nobody knows yet that these blocks are final: whoever differs may be on another branch.
    assert chain.quarantined() == {}
    chain = chain_on(*nodes)
    assert (await chain.heads()).final.height == 9
    for height in (7, 8, 9):
        assert await units(chain, ref_of(nodes[0], height)) == 370
    (fault,) = chain.faults()
    assert (fault.endpoint, fault.kind) == (f"node-{place}", "coins")
    assert fault.evidence["missing_here"]


async def test_an_old_coin_that_its_block_does_not_have_is_invented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "JUDGED_BLOCKS", 2)
    nodes = trio()[:2]
    invent(nodes[1])
    chain = chain_on(*nodes)
    with pytest.raises(QuorumLost):
        await units(chain, ref_of(nodes[0], 9))
    assert [(each.endpoint, each.kind) for each in chain.faults()] == [("node-1", "coin_invented")]


async def test_a_coin_said_to_be_from_nowhere_is_looked_for_in_all_that_is_judged() -> None:
    nodes = trio()[:2]
    invent(nodes[1], height=-1)
    chain = chain_on(*nodes)
    # All nine blocks down to the first lie within what is judged.
    with pytest.raises((QuorumLost, Disagreement)):
        await units(chain, ref_of(nodes[0], 9))
    assert await units(chain_on(nodes[0]), ref_of(nodes[0], 9)) == 370


async def test_a_scan_that_contradicts_its_own_blocks_is_a_lie() -> None:
    nodes = trio()
    nodes[0].mine(transaction([(b"\x08" * 32, 0)], [(40, OURS)]))
    for other in nodes[1:]:
        other.blocks = list(nodes[0].blocks)
    scan_with(nodes[0], lambda listed: [each for each in listed if round(each["amount"] * 10**8) != 40])
    chain = chain_on(*nodes)
    for height in (9, 10, 11):
        assert await units(chain, ref_of(nodes[0], height)) == 370
    assert [(each.endpoint, each.kind) for each in chain.faults()] == [("node-0", "coins")]


# Proofs, identity


async def test_proofs_come_from_our_own_endpoint_only() -> None:
    nodes = trio()
    at = ref_of(nodes[0], 9)
    assert await chain_on(*nodes).prove([ACCOUNT], at) == {}
    chain = chain_on(*nodes, own=[1])
    assert await chain.prove([ACCOUNT], at) == {ACCOUNT: 370}
    assert [node.calls.count("scantxoutset") for node in nodes] == [0, 1, 0]
    # The scan for holdings serves the proof, and headers are asked for once.
    nodes[1].calls.clear()
    holdings = await chain.holdings([ACCOUNT], at)
    assert "node-1" in holdings.endpoints
    assert await chain.prove([ACCOUNT], at) == {ACCOUNT: 370}
    assert nodes[1].calls.count("scantxoutset") == 0
    assert nodes[1].calls.count("getblockheader") == 0
    later = ref_of(nodes[0], 11)
    assert await chain.prove([ACCOUNT], later) == {ACCOUNT: 370}
    # Block 9, known to be good, and the two above it; one more where the blocks are undone from the head down.
    assert nodes[1].calls.count("getblockheader") < 9


async def test_an_own_endpoint_with_a_false_header_proves_nothing() -> None:
    nodes = trio()
    forged = mined(nodes[0].blocks[6], well=False)
    true = nodes[0].rpc_getblockheader

    def header(wanted: str, verbose: bool) -> Any:
        return forged[:80].hex() if not verbose and wanted == parse_header(forged).hash else true(wanted, verbose)

    nodes[0].lies["getblockheader"] = header
    hashes = nodes[0].rpc_getblockhash
    nodes[0].lies["getblockhash"] = lambda height: parse_header(forged).hash if height == 6 else hashes(height)
    chain = chain_on(*nodes, own=[0])
    with pytest.raises(AllEndpointsFailed):
        await chain.prove([ACCOUNT], ref_of(nodes[1], 9))
    (fault,) = chain.faults()
    assert (fault.endpoint, fault.kind) == ("node-0", "proof_of_work")
    assert await units(chain, ref_of(nodes[1], 9)) == 370


@pytest.mark.parametrize("place", PLACES)
async def test_another_block_at_a_final_height_is_quarantined_until_it_is_right_again(place: int) -> None:
    nodes = trio()
    true = nodes[place].blocks
    nodes[place].blocks = [
        *true[:8],
        *(block([coinbase(height)], bytes.fromhex(parse_header(true[7]).hash)[::-1]) for height in range(1)),
    ]
    while len(nodes[place].blocks) <= HEAD:
        nodes[place].mine(time=1_800_000_000)
    chain = chain_on(*nodes)
    good = nodes[place - 1]
    await chain.heads()
    at = ref_of(good, 9)
    await chain.prove([ACCOUNT], at)
    (fault,) = chain.faults()
    assert (fault.endpoint, fault.kind) == (f"node-{place}", "final_block")
    assert set(chain.quarantined()) == {f"node-{place}"}
    with pytest.raises(Reorganised):
        await chain.prove([ACCOUNT], ref_of(nodes[place], 9))
    nodes[place].blocks = list(true)
    await chain.prove([ACCOUNT], at)
    assert chain.quarantined() == {}


@pytest.mark.parametrize("place", PLACES)
async def test_an_endpoint_of_another_chain_is_not_asked_until_it_serves_ours_again(place: int) -> None:
    nodes = trio()
    chain = chain_on(*nodes)
    nodes[place].lies["getblockhash"] = lambda _: NETWORKS["signet"].genesis
    assert [each.state for each in await chain.identify()].count("wrong") == 1
    await chain.identify()
    (fault,) = chain.faults()
    assert (fault.endpoint, fault.kind) == (f"node-{place}", "genesis")
    assert "Bitcoin signet" in chain.quarantined()[f"node-{place}"]
    assert (await chain.heads()).seen == ref_of(nodes[0], HEAD)
    # Silence, or nonsense, is neither a sign of another chain nor one of ours.
    nodes[place].lies["getblockhash"] = nothing
    await chain.identify()
    nodes[place].down = True
    await chain.identify()
    assert set(chain.quarantined()) == {f"node-{place}"}
    nodes[place].down = False
    del nodes[place].lies["getblockhash"]
    await chain.identify()
    assert chain.quarantined() == {}


async def test_a_liar_stays_out_whatever_genesis_it_shows() -> None:
    nodes = trio()
    leave_out(nodes[0])
    chain = chain_on(*nodes)
    await units(chain, ref_of(nodes[0], 9))
    await chain.identify()
    await chain.prove([ACCOUNT], ref_of(nodes[0], 9))
    assert set(chain.quarantined()) == {"node-0"}


# What single blocks say


async def test_an_account_s_transactions_are_found_in_a_block() -> None:
    nodes = trio()
    chain = chain_on(*nodes)
    (paid,) = CBlock.deserialize(nodes[0].blocks[3]).vtx[1:]
    (spent,) = CBlock.deserialize(nodes[0].blocks[5]).vtx[1:]
    assert await chain.locate(ACCOUNT, ref_of(nodes[0], 3)) == (paid.GetTxid()[::-1].hex(),)
    assert await chain.locate(ACCOUNT, ref_of(nodes[0], 5)) == (spent.GetTxid()[::-1].hex(),)
    assert await chain.locate(ACCOUNT, ref_of(nodes[0], 6)) == ()
    for node in nodes:
        node.lies["getblock"] = refuse(-1, "Block not available (pruned data)")
    assert await chain.locate(ACCOUNT, ref_of(nodes[0], 3)) == ()
    nodes[0].down = True
    with pytest.raises(AllEndpointsFailed):
        await chain.locate(ACCOUNT, ref_of(nodes[0], 3))


async def test_a_utxo_chain_has_no_counters_and_no_balances_of_single_accounts() -> None:
    chain = chain_on(FakeNode())
    assert await chain.sequences([ADDRESS], ref_of(FakeNode(), 0)) == {}
    assert not chain.account_based


async def test_heads_stand_where_a_quorum_stands() -> None:
    nodes = trio()
    chain = chain_on(*nodes)
    assert (await chain.heads()).seen.height == HEAD
    nodes[2].blocks = nodes[2].blocks[:5]
    assert (await chain.heads()).seen.height == HEAD
    nodes[1].mine(time=1_700_000_900)
    assert (await chain.heads()).seen.height == HEAD
    nodes[0].blocks = list(nodes[1].blocks)
    assert (await chain.heads()).seen == ref_of(nodes[1], HEAD + 1)
    # One that tells of blocks nobody else has moves nothing.
    nodes[0].lies["getblockheader"] = lambda wanted, verbose: (
        {"hash": wanted, "height": 10**6, "confirmations": 1} if verbose else nodes[1].rpc_getblockheader(wanted, False)
    )
    nodes[0].lies["getbestblockhash"] = lambda: "cd" * 32
    nodes[2].blocks = list(nodes[1].blocks)
    assert (await chain.heads()).seen == ref_of(nodes[1], HEAD + 1)
