"""Opening at a block: a scan at the tip, and the blocks above undone."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from bitcoin.core import CBlock

from chains.bitcoin import opening
from chains.bitcoin.addresses import locator_of
from chains.bitcoin.blocks import parse_header
from chains.bitcoin.networks import NETWORKS
from chains.core.errors import AllEndpointsFailed, BadAnswer, HistoryUnavailable, Reorganised, Unreachable
from chains.core.values import Account, BlockRef
from tests.unit.bitcoin.fake_node import FakeNode, Refusal, chain_on
from tests.unit.bitcoin.synthetic import transaction

SCRIPTS = [b"\x00\x14" + bytes([number]) * 20 for number in range(5)]
LOCATORS = [locator_of(script, NETWORKS["regtest"]) for script in SCRIPTS]


def ref_of(node: FakeNode, height: int) -> BlockRef:
    header = parse_header(node.blocks[height])
    return BlockRef("bitcoin", height, header.hash, header.parent, header.time)


def busy_node(seed: int, blocks: int = 12) -> tuple[FakeNode, list[dict[str, int]]]:
    """A chain of random payments among SCRIPTS, coins of the same block included; and what each locator held at each height."""
    chance, node = random.Random(seed), FakeNode()
    open_coins: dict[tuple[bytes, int], tuple[int, bytes]] = {}
    held = [dict.fromkeys(LOCATORS, 0)]
    for _ in range(blocks):
        made = []
        for _ in range(chance.randrange(4)):
            spent = chance.sample(sorted(open_coins), min(len(open_coins), chance.randrange(1, 3)))
            if not spent:
                continue
            worth = sum(open_coins.pop(each)[0] for each in spent)
            first = chance.randrange(worth + 1)
            outs = [(first, chance.choice(SCRIPTS)), (worth - first, chance.choice([*SCRIPTS, b"\x51"]))]
            made.append(transaction(spent, outs))
            open_coins |= {(made[-1].GetTxid(), number): out for number, out in enumerate(outs) if out[0]}
        node.mine(*made, reward=chance.choice(SCRIPTS))
        reward = CBlock.deserialize(node.blocks[-1]).vtx[0]
        open_coins[reward.GetTxid(), 0] = (reward.vout[0].nValue, bytes(reward.vout[0].scriptPubKey))
        held.append(
            {
                locator: sum(units for units, script in open_coins.values() if script == SCRIPTS[place])
                for place, locator in enumerate(LOCATORS)
            }
        )
    return node, held


@pytest.mark.parametrize("seed", range(8))
async def test_holdings_at_every_height_are_those_of_the_ledger(seed: int) -> None:
    node, held = busy_node(seed)
    chain = chain_on(node)
    for height in range(len(node.blocks)):
        found = await chain.open_at(LOCATORS, ref_of(node, height))
        assert {account.locator: units for account, units in found.holdings.items()} == held[height]
        assert sum(coin.units for coin in found.coins) == sum(held[height].values())
        accounts = [Account("bitcoin", locator, "BTC") for locator in LOCATORS[:2]]
        holdings = await chain.holdings(accounts, ref_of(node, height))
        assert holdings.units == {each: held[height][each.locator] for each in accounts}
        assert holdings.coins == tuple(each for each in found.coins if each.locator in LOCATORS[:2])
        assert (holdings.at, holdings.endpoints) == (ref_of(node, height), ("node-0",))


async def test_movements_from_an_opening_give_every_later_holding() -> None:
    node, held = busy_node(3)
    chain = chain_on(node)
    start = await chain.open_at(LOCATORS, ref_of(node, 2))
    watch, at, sums = chain.watch(LOCATORS, start.coins), start.at, dict(held[2])
    while (block := await chain.read_next(at, watch)) is not None:
        watch.apply(block)
        at = block.ref
        for each in block.transactions:
            for movement in each.movements:
                sums[movement.account.locator] += movement.delta
        assert sums == held[at.height]
    assert at.height == len(node.blocks) - 1


async def test_many_scripts_are_scanned_in_parts_and_a_tip_that_moves_between_them_is_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "SCRIPTS_PER_SCAN", 2)
    node, held = busy_node(1)
    height = len(node.blocks) - 3
    at, scan = ref_of(node, height), node.rpc_scantxoutset

    def moving(*params: Any) -> Any:
        answer = scan(*params)
        node.mine(reward=SCRIPTS[0])
        return answer

    node.lies["scantxoutset"] = moving
    found = await chain_on(node).open_at(LOCATORS, at)
    assert {account.locator: units for account, units in found.holdings.items()} == held[height]
    assert node.calls.count("scantxoutset") == 3


async def test_a_scan_on_a_branch_that_is_left_is_begun_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SCRIPTS_PER_SCAN", 3)
    node, held = busy_node(2)
    height = len(node.blocks) - 4
    scan, moved = node.rpc_scantxoutset, []

    def moving(*params: Any) -> Any:
        answer = scan(*params)
        if not moved:
            moved.append(True)
            node.reorg(2)
            for _ in range(3):
                node.mine()
        return answer

    node.lies["scantxoutset"] = moving
    found = await chain_on(node).open_at(LOCATORS, ref_of(node, height))
    assert {account.locator: units for account, units in found.holdings.items()} == held[height]
    assert node.calls.count("scantxoutset") == 4


async def test_a_block_that_leaves_the_chain_under_the_scan_is_reorganised() -> None:
    node, _ = busy_node(2)
    at, scan = ref_of(node, len(node.blocks) - 2), node.rpc_scantxoutset

    def moving(*params: Any) -> Any:
        node.reorg(3)
        for _ in range(5):
            node.mine()
        return scan(*params)

    node.lies["scantxoutset"] = moving
    with pytest.raises(Reorganised):
        await chain_on(node).open_at(LOCATORS, at)


async def test_a_block_that_did_not_move_is_not_scanned_again_nor_for_fewer_scripts() -> None:
    node, held = busy_node(1)
    chain = chain_on(node)

    async def scans(locators: list[str], height: int) -> int:
        node.calls.clear()
        opening = await chain.open_at(locators, ref_of(node, height))
        assert {account.locator: units for account, units in opening.holdings.items()} == {
            each: held[height][each] for each in locators
        }
        return node.calls.count("scantxoutset")

    assert await scans(LOCATORS[:3], 9) == 1
    assert await scans(LOCATORS[:3], 9) == 0
    assert await scans(LOCATORS[1:2], 9) == 0
    assert await scans(LOCATORS, 9) == 1
    assert await scans(LOCATORS, 10) == 1
    assert await scans(LOCATORS[2:], 9) == 0
    assert await scans(LOCATORS, 11) == 1
    # Two blocks are kept.
    assert await scans(LOCATORS, 9) == 1


async def test_a_block_that_left_the_chain_is_not_answered_from_memory() -> None:
    node, _ = busy_node(1)
    chain, at = chain_on(node), ref_of(node, 12)
    await chain.open_at(LOCATORS, at)
    node.reorg(1)
    node.mine()
    with pytest.raises(Reorganised):
        await chain.open_at(LOCATORS, at)


async def test_scripts_that_nobody_can_spend_hold_nothing() -> None:
    node, _ = busy_node(1)
    node.mine(transaction([next(iter(node._outputs()))], [(50, b"\x6a\x01\x00")]))
    node.mine()
    opening = await chain_on(node).open_at(["script:6a0100", *LOCATORS[:1]], ref_of(node, 13))
    assert opening.holdings[Account("bitcoin", "script:6a0100", "BTC")] == 0


async def test_nothing_is_scanned_for_the_genesis_block_or_for_no_accounts() -> None:
    node, _ = busy_node(1)
    chain = chain_on(node)
    assert set((await chain.open_at(LOCATORS, ref_of(node, 0))).holdings.values()) == {0}
    assert (await chain.open_at([], ref_of(node, 5))).coins == ()
    assert "scantxoutset" not in node.calls


async def test_blocks_that_left_the_chain_or_are_not_there_yet_are_refused() -> None:
    node, _ = busy_node(1)
    chain = chain_on(node)
    old = ref_of(node, 12)
    node.reorg(2)
    node.mine()
    with pytest.raises(Reorganised):
        await chain.open_at(LOCATORS, old)
    node.mine()
    with pytest.raises(Reorganised):
        await chain.open_at(LOCATORS, old)
    with pytest.raises(AllEndpointsFailed):
        await chain.open_at(LOCATORS, BlockRef("bitcoin", 99, "ab" * 32, "cd" * 32, 0))
    assert "scantxoutset" not in node.calls


async def test_a_node_without_prevouts_opens_at_the_head_only() -> None:
    node, _ = busy_node(4)
    node.mine(transaction([next(iter(node._outputs()))], [(50, b"\x51")]))

    def without(block_hash: str, verbosity: int) -> Any:
        answer = node.rpc_getblock(block_hash, verbosity)
        if verbosity == 3:
            for each in answer["tx"]:
                for entry in each["vin"]:
                    entry.pop("prevout", None)
        return answer

    node.lies["getblock"] = without
    chain = chain_on(node)
    await chain.open_at(LOCATORS, ref_of(node, 13))
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain.open_at(LOCATORS, ref_of(node, 12))
    assert caught.group_contains(HistoryUnavailable, match="only start = the head or start = 0 is possible")


async def test_a_block_too_far_below_is_refused_before_the_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    node, _ = busy_node(1)
    chain = chain_on(node)
    at = ref_of(node, 2)
    with pytest.raises(HistoryUnavailable, match="set start nearer to the head, or to 0"):
        await opening.coins_after(chain.rpc.on("node-0"), {SCRIPTS[0].hex(): LOCATORS[0]}, at, "BTC", undo_most=9)
    assert "scantxoutset" not in node.calls
    await opening.coins_after(chain.rpc.on("node-0"), {SCRIPTS[0].hex(): LOCATORS[0]}, at, "BTC", undo_most=10)


async def test_another_scan_is_waited_for_and_at_last_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SCAN_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(opening, "SCAN_WAIT_SECONDS", 0.01)
    node, held = busy_node(1)
    chain, scan, refusals = chain_on(node), node.rpc_scantxoutset, [3]

    def busy(*params: Any) -> Any:
        refusals[0] -= 1
        if refusals[0] >= 0:
            raise Refusal(-8, 'Scan already in progress, use action "abort" or "status"')
        return scan(*params)

    node.lies["scantxoutset"] = busy
    found = await chain.open_at(LOCATORS, ref_of(node, 12))
    assert {account.locator: units for account, units in found.holdings.items()} == held[12]
    refusals[0] = 10_000
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain_on(node).open_at(LOCATORS, ref_of(node, 12))
    assert caught.group_contains(Unreachable, match="scantxoutset abort")


async def test_a_scan_that_is_given_up_is_ended_on_the_node() -> None:
    node, _ = busy_node(1)
    asked: list[str] = []

    async def never(path: str, body: bytes | None, timeout: float) -> Any:
        if b"scantxoutset" not in (body or b""):
            return await send(path, body, timeout)
        asked.append(json.loads(body or b"")["params"][0])
        if asked[-1] == "start":
            started.set()
            await asyncio.Event().wait()
        return await send(path, (body or b"").replace(b"scantxoutset", b"ping"), timeout)

    started, send, node.send = asyncio.Event(), node.send, never  # type: ignore[method-assign]
    reading = asyncio.create_task(chain_on(node).open_at(LOCATORS, ref_of(node, 5)))
    await started.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert asked == ["start", "abort"]


@pytest.mark.parametrize("change", [{"tx": []}, {"tx": None}, {"tx": [{"txid": "ab" * 32, "vin": [], "vout": []}]}])
async def test_a_block_with_prevouts_that_is_not_the_one_asked_for_is_refused(change: dict[str, Any]) -> None:
    node, _ = busy_node(6)
    node.lies["getblock"] = lambda *params: node.rpc_getblock(*params) | change
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain_on(node).open_at(LOCATORS, ref_of(node, 3))
    assert caught.group_contains(BadAnswer)


WRONG_SCANS = {
    "not finished": {"success": False},
    "a sum that differs": {"total_amount": 1.5},
    "a foreign script": {
        "unspents": [{"txid": "ab" * 32, "vout": 0, "scriptPubKey": "51", "amount": 1}],
        "total_amount": 1,
    },
    "a fraction of a satoshi": {
        "unspents": [{"txid": "ab" * 32, "vout": 0, "scriptPubKey": SCRIPTS[0].hex(), "amount": 0.123456789}],
        "total_amount": 0.123456789,
    },
    "one coin twice": {
        "unspents": [{"txid": "ab" * 32, "vout": 0, "scriptPubKey": SCRIPTS[0].hex(), "amount": 1}] * 2,
        "total_amount": 2,
    },
    "a coin the blocks do not know": {
        "unspents": [{"txid": "ab" * 32, "vout": 0, "scriptPubKey": SCRIPTS[0].hex(), "amount": 1}],
        "total_amount": 1,
    },
    "no txid": {
        "unspents": [{"txid": "ab", "vout": 0, "scriptPubKey": SCRIPTS[0].hex(), "amount": 1}],
        "total_amount": 1,
    },
    "null": None,
}


@pytest.mark.parametrize("wrong", WRONG_SCANS)
async def test_a_scan_that_cannot_be_true_is_refused(wrong: str) -> None:
    node, _ = busy_node(5)
    scan, change = node.rpc_scantxoutset, WRONG_SCANS[wrong]
    node.lies["scantxoutset"] = lambda *params: None if change is None else scan(*params) | change
    with pytest.raises(AllEndpointsFailed) as caught:
        await chain_on(node).open_at(LOCATORS, ref_of(node, 1))
    assert caught.group_contains(BadAnswer)


async def test_accounts_of_another_chain_or_asset_are_a_programming_error() -> None:
    node, _ = busy_node(1)
    for account in (Account("litecoin", LOCATORS[0], "BTC"), Account("bitcoin", LOCATORS[0], "USDT")):
        with pytest.raises(ValueError, match="is no account of bitcoin"):
            await chain_on(node).holdings([account], ref_of(node, 1))
