"""The Bitcoin chain on a real node: what the node itself says is the judge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chains.bitcoin import Settings, connect, derive, parse_address
from chains.bitcoin.codec import descriptor_checksum
from chains.core.chain import Chain, Watch
from chains.core.errors import AllEndpointsFailed, Reorganised
from chains.core.values import Account, Block, BlockRef, Transaction, TransactionKind
from chains.lab.bitcoind import Bitcoind, sats
from chains.lab.process import wait_until

COIN = 100_000_000
KINDS = ("bech32", "bech32m", "p2sh-segwit", "legacy")
wallet_numbers = count()


def settings_for(node: Bitcoind, folder: Path, **keys: Any) -> Settings:
    (folder / "password").write_text(node.password)
    endpoint = {"url": node.url, "username": node.username, "password_file": "password"}
    return Settings.model_validate(
        {"kind": "bitcoin", "network": "regtest", "native": "BTC", "endpoints": [endpoint]} | keys
    )


@pytest.fixture
async def open_chain(tmp_path: Path) -> AsyncIterator[Callable[..., Chain]]:
    opened: list[Chain] = []

    def open_on(node: Bitcoind, **keys: Any) -> Chain:
        opened.append(connect("bitcoin", settings_for(node, tmp_path, **keys), {"BTC": 8}, tmp_path))
        return opened[-1]

    yield open_on
    for each in opened:
        await each.close()


def new_wallet(node: Bitcoind) -> str:
    name = f"chain-{next(wallet_numbers)}"
    node.create_wallet(name)
    return name


async def follow(chain: Chain, watch: Watch, after: BlockRef) -> list[Block]:
    blocks = []
    while (block := await chain.read_next(after, watch)) is not None:
        watch.apply(block)
        blocks.append(block)
        after = block.ref
    return blocks


def transactions(blocks: list[Block]) -> list[Transaction]:
    return [each for block in blocks for each in block.transactions]


async def held(chain: Chain, locators: list[str], at: BlockRef) -> dict[str, int]:
    found = await chain.holdings([Account("bitcoin", locator, "BTC") for locator in locators], at)
    return {account.locator: units for account, units in found.units.items()}


def fee_of(node: Bitcoind, txid: str) -> int:
    """What the node itself says a mined transaction paid."""
    return sats(node.rpc("getrawtransaction", txid, 2, node.rpc("getbestblockhash"))["fee"])


async def test_every_kind_of_address_receives_and_spends_with_change(
    bitcoind: Bitcoind, open_chain: Callable[..., Chain]
) -> None:
    wallet, stranger = new_wallet(bitcoind), new_wallet(bitcoind)
    chain = open_chain(bitcoind)
    own = [bitcoind.new_address(wallet, kind) for kind in KINDS]
    assert [parse_address(each, settings_for(bitcoind, bitcoind._folder)) for each in own] == own
    start = (await chain.heads()).seen
    watch = chain.watch(own, ())
    for address in own:
        bitcoind.fund(address, COIN)
    bitcoind.mine()
    received = transactions(await follow(chain, watch, start))
    assert sorted(each.movements[0].account.locator for each in received) == sorted(own)
    assert all(each.movements[0].delta == COIN and not each.signers for each in received)

    middle = (await chain.heads()).seen
    destination = bitcoind.new_address(stranger, "bech32m")
    for address in own:
        coins = [coin for coin in bitcoind.coins(wallet) if coin["address"] == address]
        bitcoind.spend([wallet], coins, {destination: 30_000_000, address: 69_990_000})
    bitcoind.mine()
    spent = transactions(await follow(chain, watch, middle))
    assert len(spent) == len(KINDS)
    for each in spent:
        (source,) = [leg for leg in each.legs if leg.source]
        (fee,) = [leg for leg in each.legs if leg.fee]
        assert (source.units, fee.units) == (COIN, 10_000)
        assert {leg.destination: leg.units for leg in each.legs if leg.destination} == {
            destination: 30_000_000,
            source.source: 69_990_000,
        }
        assert sum(movement.delta for movement in each.movements) == 69_990_000 - COIN
        assert each.foreign_inputs == 0
    assert await held(chain, own, (await chain.heads()).seen) == dict.fromkeys(own, 69_990_000)


async def test_two_own_wallets_and_a_customer_in_one_transaction(
    bitcoind: Bitcoind, open_chain: Callable[..., Chain]
) -> None:
    cold, hot, customer = (new_wallet(bitcoind) for _ in range(3))
    cold_address, hot_address, change = (
        bitcoind.new_address(cold),
        bitcoind.new_address(hot, "bech32m"),
        bitcoind.new_address(hot),
    )
    paid = bitcoind.new_address(customer)
    for address, units in ((cold_address, 2 * COIN), (hot_address, COIN)):
        bitcoind.fund(address, units)
    bitcoind.mine()
    chain = open_chain(bitcoind)
    start = (await chain.heads()).seen
    own = [cold_address, hot_address, change]
    opening = await chain.open_at(own, start)
    watch = chain.watch(own, opening.coins)
    coins = bitcoind.coins(cold) + bitcoind.coins(hot)
    bitcoind.spend([cold, hot], coins, {paid: 150_000_000, change: 140_000_000})
    bitcoind.mine()
    (told,) = transactions(await follow(chain, watch, start))
    assert told.signers == {cold_address, hot_address}
    assert told.foreign_inputs == 0
    assert {leg.source: leg.units for leg in told.legs if leg.source} == {cold_address: 2 * COIN, hot_address: COIN}
    assert {leg.destination: leg.units for leg in told.legs if leg.destination} == {
        paid: 150_000_000,
        change: 140_000_000,
    }
    (fee,) = [leg.units for leg in told.legs if leg.fee]
    assert fee == fee_of(bitcoind, told.txid) == 10_000_000
    assert sum(leg.units for leg in told.legs if leg.source) == sum(leg.units for leg in told.legs if not leg.source)


async def test_an_input_of_somebody_else_is_counted_and_hides_the_fee(
    bitcoind: Bitcoind, open_chain: Callable[..., Chain]
) -> None:
    own_wallet, other = new_wallet(bitcoind), new_wallet(bitcoind)
    own, foreign = bitcoind.new_address(own_wallet), bitcoind.new_address(other)
    for address in (own, foreign):
        bitcoind.fund(address, COIN)
    bitcoind.mine()
    chain = open_chain(bitcoind)
    start = (await chain.heads()).seen
    watch = chain.watch([own], (await chain.open_at([own], start)).coins)
    coins = bitcoind.coins(own_wallet) + bitcoind.coins(other)
    bitcoind.spend([own_wallet, other], coins, {bitcoind.new_address(other): 199_000_000})
    bitcoind.mine()
    (told,) = transactions(await follow(chain, watch, start))
    assert told.foreign_inputs == 1
    assert not any(leg.fee for leg in told.legs)
    assert sum(movement.delta for movement in told.movements) == -COIN


async def test_a_coin_received_and_spent_in_the_same_block(
    bitcoind: Bitcoind, open_chain: Callable[..., Chain]
) -> None:
    wallet, stranger = new_wallet(bitcoind), new_wallet(bitcoind)
    own = bitcoind.new_address(wallet)
    chain = open_chain(bitcoind)
    start = (await chain.heads()).seen
    watch = chain.watch([own], ())
    bitcoind.fund(own, COIN)
    funded = (await chain.heads()).seen
    # The wallet hears of what waits in the mempool a moment later than the mempool does.
    wait_until(lambda: bool(bitcoind.coins(wallet, 0)), "the wallet to see the payment")
    coins = bitcoind.coins(wallet, 0)
    bitcoind.spend([wallet], coins, {bitcoind.new_address(stranger): COIN - 1_000})
    bitcoind.mine()
    blocks = await follow(chain, watch, start)
    received, spent = transactions(blocks)
    assert blocks[-1].ref.parent == funded.hash
    assert received.position < spent.position
    assert received.movements[0].coin == spent.movements[0].coin
    assert received.movements[0].delta == -spent.movements[0].delta == COIN
    assert await held(chain, [own], (await chain.heads()).seen) == {own: 0}


async def test_a_block_reward_of_ours_is_a_reward(bitcoind: Bitcoind, open_chain: Callable[..., Chain]) -> None:
    own = bitcoind.new_address(new_wallet(bitcoind))
    chain = open_chain(bitcoind)
    start = (await chain.heads()).seen
    bitcoind.mine(1, to=own)
    (reward,) = transactions(await follow(chain, chain.watch([own], ()), start))
    assert reward.kind is TransactionKind.REWARD
    assert reward.movements[0].delta == (await held(chain, [own], (await chain.heads()).seen))[own] > 0


async def test_opening_at_the_tip_and_below_it_equal_the_ledger(
    fresh_bitcoind: Bitcoind, open_chain: Callable[..., Chain]
) -> None:
    """Every height of a busy chain, from the genesis block on: opening there equals following from the beginning."""
    node = fresh_bitcoind
    for name in ("own", "other"):
        node.create_wallet(name)
    own = [node.new_address("own", kind) for kind in KINDS]
    node.mine(1, to=own[0])
    node.mine(102)
    for step in range(6):
        node.send_many("miner", {own[step % 4]: COIN + step, own[(step + 1) % 4]: 5_000_000})
        if step >= 2:
            coins = [coin for coin in node.coins("own") if coin["address"] == own[step % 4]]
            total = sum(coin["sats"] for coin in coins)
            if coins:
                node.spend(["own"], coins, {node.new_address("other"): total // 2, own[(step + 2) % 4]: total // 3})
        node.mine()
    chain = open_chain(node, finality=1)
    genesis = await chain.header(0)
    watch = chain.watch(own, (await chain.open_at(own, genesis)).coins)
    sums = dict.fromkeys(own, 0)
    ledger = {0: dict(sums)}
    for block in await follow(chain, watch, genesis):
        for each in block.transactions:
            for movement in each.movements:
                sums[movement.account.locator] += movement.delta
        ledger[block.ref.height] = dict(sums)
    head = node.head()
    assert set(ledger) == set(range(head + 1))
    assert sums == {each: sats(node.rpc("scantxoutset", "start", [f"addr({each})"])["total_amount"]) for each in own}
    for height in [0, 1, 2, 60, *range(head - 6, head + 1)]:
        at = await chain.header(height)
        opening = await chain.open_at(own, at)
        assert {account.locator: units for account, units in opening.holdings.items()} == ledger[height], height
        assert sum(coin.units for coin in opening.coins) == sum(ledger[height].values())


async def test_a_reorganisation_of_three_blocks(fresh_bitcoind: Bitcoind, open_chain: Callable[..., Chain]) -> None:
    node = fresh_bitcoind
    node.create_wallet("own")
    own = node.new_address("own")
    node.mine(102)
    chain = open_chain(node)
    fork = (await chain.heads()).seen
    watch = chain.watch([own], ())
    node.fund(own, COIN)
    node.mine(3)
    old = await follow(chain, watch, fork)
    assert len(old) == 3
    assert len(transactions(old)) == 1
    node.reorg(3)
    for block in old:
        assert not await chain.is_canonical(block.ref)
        with pytest.raises(Reorganised):
            await chain.holdings([Account("bitcoin", own, "BTC")], block.ref)
        with pytest.raises(Reorganised):
            await chain.read_next(block.ref, watch)
    # A block that has left the chain is still the block of its hash.
    assert (await chain.read(old[0].ref, chain.watch([own], ()))).transactions == old[0].transactions
    watch.replace_coins(())
    new = await follow(chain, watch, fork)
    assert [block.ref.height for block in new] == [fork.height + step for step in range(1, 5)]
    assert transactions(new) == []
    node.mine()
    # The payment waited in the mempool and comes back.
    (again,) = transactions(await follow(chain, watch, new[-1].ref))
    assert again.txid == transactions(old)[0].txid


async def test_descriptors_give_the_addresses_that_the_node_derives(bitcoind: Bitcoind, tmp_path: Path) -> None:
    settings = settings_for(bitcoind, tmp_path)
    wallet = new_wallet(bitcoind)
    listed = bitcoind.descriptors(wallet)
    kinds = {each.partition("(")[0] for each in listed}
    assert {"pkh", "sh", "wpkh", "tr"} <= kinds
    for descriptor in listed:
        assert list(derive(descriptor, 0, 19, settings)) == bitcoind.rpc("deriveaddresses", descriptor, [0, 19])
    keys = [each.partition("(")[2].partition(")")[0] for each in listed if each.startswith("wpkh(")]
    bare = [key.rpartition("/0/*")[0] or key.rpartition("/1/*")[0] for key in keys]
    one, two = bare[0], bare[-1]
    for body in (
        f"wsh(multi(1,{one}/0/*,{two}/1/*))",
        f"wsh(sortedmulti(2,{one}/0/*,{two}/1/*))",
        f"sh(multi(2,{one}/0/*,{two}/1/*))",
        f"sh(wsh(sortedmulti(2,{one}/3/*,{two}/1/*)))",
        f"tr({one}/0/*,pk({two}/7/*))",
        f"tr({one}/0/*,{{pk({two}/7/*),multi_a(2,{one}/1/*,{two}/2/*)}})",
        f"wsh(and_v(v:pk({one}/0/*),older(144)))",
        f"wpkh({one}/0/7)",
    ):
        info = bitcoind.rpc("getdescriptorinfo", body)
        assert info["checksum"] == descriptor_checksum(body)
        checked = f"{body}#{info['checksum']}"
        expected = bitcoind.rpc("deriveaddresses", checked, *([[0, 9]] if "*" in body else []))
        assert list(derive(checked, 0, 9, settings)) == expected, body
    multipath = f"wpkh({one}/<4;9>/*)"
    pairs = zip(derive(f"wpkh({one}/4/*)", 0, 9, settings), derive(f"wpkh({one}/9/*)", 0, 9, settings), strict=True)
    assert derive(multipath, 0, 9, settings) == tuple(each for pair in pairs for each in pair)
    by_branch = bitcoind.rpc("deriveaddresses", f"{multipath}#{descriptor_checksum(multipath)}", [0, 9])
    assert [list(each) for each in zip(*by_branch, strict=True)] == [
        list(derive(multipath, index, index, settings)) for index in range(10)
    ]


async def test_addresses_have_the_scripts_that_the_node_gives_them(bitcoind: Bitcoind, tmp_path: Path) -> None:
    settings = settings_for(bitcoind, tmp_path)
    wallet = new_wallet(bitcoind)
    for kind in KINDS:
        address = bitcoind.new_address(wallet, kind)
        script = bitcoind.rpc("validateaddress", address)["scriptPubKey"]
        assert parse_address(f"script:{script}", settings) == parse_address(address.strip(), settings) == address


async def test_a_new_block_wakes_the_sleeper_at_once(bitcoind: Bitcoind, open_chain: Callable[..., Chain]) -> None:
    pytest.importorskip("zmq", reason="pyzmq is an optional extra")
    chain = open_chain(bitcoind, zmq=bitcoind.zmq["hashblock"])
    # The first subscription takes a moment; only then is nothing missed.
    await chain.wait(0.5)
    mined = asyncio.create_task(asyncio.to_thread(_mine_after, bitcoind, 0.2))
    begun = time.monotonic()
    woken = []
    while time.monotonic() - begun < 10 and not woken:
        waited = time.monotonic()
        await chain.wait(1.0)
        if time.monotonic() - waited < 0.9:
            woken.append(time.time())
    published = await mined
    assert woken
    assert woken[0] - published < 0.5
    assert (await chain.heads()).seen.hash == bitcoind.head_hash()


def _mine_after(node: Bitcoind, seconds: float) -> float:
    time.sleep(seconds)
    node.mine()
    return time.time()


async def test_a_publisher_that_is_not_there_harms_nothing(
    bitcoind: Bitcoind, open_chain: Callable[..., Chain]
) -> None:
    chain = open_chain(bitcoind, zmq="tcp://127.0.0.1:9")
    begun = time.monotonic()
    await chain.wait(0.2)
    assert 0.15 < time.monotonic() - begun < 5
    assert (await chain.heads()).seen.hash == bitcoind.head_hash()


async def test_a_node_that_is_down_fails_and_one_that_returns_answers(
    fresh_bitcoind: Bitcoind, open_chain: Callable[..., Chain]
) -> None:
    node = fresh_bitcoind
    node.mine(3)
    chain = open_chain(node)
    heads = await chain.heads()
    node.stop()
    with pytest.raises(AllEndpointsFailed):
        await chain.heads()
    node.start()
    assert await chain.heads() == heads


async def test_a_full_node_has_no_limits_before_and_after_its_first_payment(
    fresh_bitcoind: Bitcoind, open_chain: Callable[..., Chain]
) -> None:
    capabilities = await open_chain(fresh_bitcoind).capabilities()
    assert capabilities.limits == ()
    fresh_bitcoind.mine(101)
    fresh_bitcoind.fund(fresh_bitcoind.new_address("miner"), COIN)
    fresh_bitcoind.mine()
    assert (await open_chain(fresh_bitcoind).capabilities()).limits == ()
