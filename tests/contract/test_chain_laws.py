"""The laws that every chain obeys, whatever it is made of; conftest.py says what a chain brings to be tested."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from chains.core.chain import Chain, Watch
from chains.core.errors import AllEndpointsFailed, BadAnswer, ChainError, Reorganised
from chains.core.testimony import from_text, to_text
from chains.core.values import Account, Block, BlockRef
from tests.contract.conftest import ChainCase, Hand

MANY = 10_000_000


def accounts_of(chain: Chain, locators: Sequence[str]) -> list[Account]:
    return [Account(chain.name, locator, asset) for locator in locators for asset in chain.assets]


async def follow(chain: Chain, watch: Watch, after: BlockRef) -> list[Block]:
    """All blocks from ``after`` up to the head, taken over into ``watch``."""
    blocks: list[Block] = []
    while (block := await chain.read_next(after, watch)) is not None:
        watch.apply(block)
        blocks.append(block)
        after = block.ref
    return blocks


async def units(chain: Chain, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
    return dict((await chain.holdings(accounts, at)).units)


async def test_opening_and_movements_give_the_holdings_of_every_later_block(
    chain: Chain, case: ChainCase, hand: Hand
) -> None:
    one, two, never = [await hand.account() for _ in range(3)]
    await hand.pay_in(one, MANY)
    opening = await chain.open_at([one, two, never], (await chain.heads()).seen)
    assert opening.holdings[Account(chain.name, one, case.native)] == MANY
    watch = chain.watch([one, two, never], opening.coins)
    await hand.pay_in(two, 3 * MANY)
    await hand.pay_out(one, MANY // 4)
    await hand.mine(2)
    await hand.pay_out(two, MANY)

    held = dict(opening.holdings)
    blocks = await follow(chain, watch, opening.at)
    assert blocks
    for block in blocks:
        for transaction in block.transactions:
            for movement in transaction.movements:
                held[movement.account] += movement.delta
        assert await units(chain, accounts_of(chain, [one, two, never]), block.ref) == held
    assert held[Account(chain.name, one, case.native)] < MANY - MANY // 4
    assert MANY < held[Account(chain.name, two, case.native)] < 2 * MANY


async def test_every_block_read_stands_on_the_one_before(chain: Chain, hand: Hand) -> None:
    own = await hand.account()
    await hand.pay_in(own, MANY)
    await hand.mine(3)
    start = await chain.header((await chain.heads()).seen.height - 4)
    at = start
    for block in await follow(chain, chain.watch([own], ()), start):
        assert block.ref.parent == at.hash
        assert block.ref.height == at.height + 1
        assert block.ref.chain == chain.name
        assert block.ref == await chain.header(block.ref.height)
        at = block.ref
    assert at == (await chain.heads()).seen


async def test_movements_are_the_legs_seen_from_each_watched_account(chain: Chain, hand: Hand) -> None:
    own = await hand.account()
    start = (await chain.heads()).seen
    watch = chain.watch([own], ())
    await hand.pay_in(own, MANY)
    await hand.pay_out(own, MANY // 3)
    transactions = [each for block in await follow(chain, watch, start) for each in block.transactions]
    assert len(transactions) == 2
    for transaction in transactions:
        assert transaction.movements
        for asset in chain.assets:
            moved = sum(each.delta for each in transaction.movements if each.account.asset == asset)
            received = sum(leg.units for leg in transaction.legs if leg.asset == asset and leg.destination == own)
            sent = sum(leg.units for leg in transaction.legs if leg.asset == asset and leg.source == own)
            assert moved == received - sent
        assert [movement.index for movement in transaction.movements] == list(range(len(transaction.movements)))
        assert all(leg.units > 0 for leg in transaction.legs)
    incoming, outgoing = transactions
    assert incoming.signers == frozenset()
    assert outgoing.signers == {own}
    assert sum(leg.fee for leg in outgoing.legs) == 1


async def test_movements_name_watched_accounts_only(chain: Chain, hand: Hand) -> None:
    watched, unwatched = await hand.account(), await hand.account()
    start = (await chain.heads()).seen
    await hand.pay_in(watched, MANY)
    await hand.pay_in(unwatched, MANY)
    await hand.pay_out(unwatched, MANY // 2)
    blocks = await follow(chain, chain.watch([watched], ()), start)
    accounts = {each.account for block in blocks for tx in block.transactions for each in tx.movements}
    assert {account.locator for account in accounts} == {watched}
    assert accounts <= set(accounts_of(chain, [watched]))


async def test_reading_a_block_changes_nothing_and_gives_the_same_again(chain: Chain, hand: Hand) -> None:
    own = await hand.account()
    start = (await chain.heads()).seen
    await hand.pay_in(own, MANY)
    watch = chain.watch([own], ())
    first = await chain.read_next(start, watch)
    assert first is not None
    assert first == await chain.read_next(start, watch) == await chain.read(first.ref, watch)


async def test_the_head_has_no_next_block(chain: Chain) -> None:
    assert await chain.read_next((await chain.heads()).seen, chain.watch([], ())) is None


async def test_a_block_that_was_reorganised_away_is_told_from_the_new_one(chain: Chain, hand: Hand) -> None:
    own = await hand.account()
    watch = chain.watch([own], ())
    fork = (await chain.heads()).seen
    await hand.pay_in(own, MANY)
    old = await chain.read_next(fork, watch)
    assert old is not None
    assert old.transactions
    assert await chain.is_canonical(old.ref)
    depth = (await chain.heads()).seen.height - fork.height
    await hand.reorg(depth)

    assert not await chain.is_canonical(old.ref)
    assert await chain.is_canonical(fork)
    with pytest.raises(Reorganised):
        await chain.read_next(old.ref, watch)
    new = await chain.read_next(fork, watch)
    assert new is not None
    assert new.ref.parent == fork.hash
    assert new.ref.hash != old.ref.hash
    assert (await chain.heads()).seen.height >= old.ref.height
    with pytest.raises(ChainError):
        await chain.holdings(accounts_of(chain, [own]), old.ref)


async def test_an_account_that_was_never_used_holds_an_explicit_zero(chain: Chain, hand: Hand) -> None:
    accounts = accounts_of(chain, [await hand.account()])
    at = (await chain.heads()).seen
    assert await units(chain, accounts, at) == dict.fromkeys(accounts, 0)
    assert dict((await chain.open_at([accounts[0].locator], at)).holdings) == dict.fromkeys(accounts, 0)


async def test_a_testimony_shows_the_same_holdings_when_the_node_is_gone(
    chain: Chain, case: ChainCase, hand: Hand
) -> None:
    one, two, never = [await hand.account() for _ in range(3)]
    accounts = accounts_of(chain, [one, two, never])
    await hand.pay_in(one, MANY)
    earlier = (await chain.heads()).seen
    await hand.pay_in(two, 3 * MANY)
    await hand.pay_out(one, MANY // 4)
    blocks = (earlier, (await chain.heads()).seen)
    held = [await units(chain, accounts, at) for at in blocks]
    assert held[0] != held[1]
    testimonies = [await chain.testify(accounts, at) for at in blocks]
    nothing = await chain.testify([], earlier)
    await asyncio.to_thread(case.stop)
    assert case.recheck(nothing.lines).units == {}
    for at, units_then, testimony in zip(blocks, held, testimonies, strict=True):
        found = case.recheck(from_text([to_text(line) for line in testimony.lines]))
        assert (found.at, found.units) == (at, units_then)
        # One endpoint is one claim, whatever it proves.
        assert (found.proved, found.agreed) == (frozenset(), frozenset())


async def test_holdings_at_a_block_that_the_node_does_not_have_are_an_error(chain: Chain, hand: Hand) -> None:
    accounts = accounts_of(chain, [await hand.account()])
    seen = (await chain.heads()).seen
    elsewhere = replace(seen, hash=seen.hash[:-4] + ("0000" if seen.hash[-4:] != "0000" else "1111"))
    above = replace(elsewhere, height=seen.height + 5)
    for at in (elsewhere, above):
        with pytest.raises(ChainError):
            await chain.holdings(accounts, at)
    with pytest.raises((AllEndpointsFailed, BadAnswer)):
        await chain.header(seen.height + 5)


async def test_the_final_block_is_never_above_the_head(chain: Chain, hand: Hand) -> None:
    await hand.mine(3)
    heads = await chain.heads()
    assert heads.final.height <= heads.seen.height
    assert heads.final == await chain.header(heads.final.height)
    assert heads == await chain.heads()


async def test_the_last_block_before_a_time_is_the_newest_one_not_after_it(chain: Chain, hand: Hand) -> None:
    await hand.mine(5)
    final = (await chain.heads()).final
    headers = [await chain.header(height) for height in range(max(0, final.height - 15), final.height + 1)]
    for time in {headers[-1].time + 100, headers[-1].time, headers[-3].time, headers[len(headers) // 2].time}:
        expected = [each for each in headers if each.time <= time][-1]
        assert await chain.last_block_before(time, final) == expected


async def test_another_chain_is_reported_wrong_and_ours_right(chain: Chain, wrong_chain: Chain) -> None:
    assert [identity.state for identity in await chain.identify()] == ["right"]
    assert [identity.state for identity in await wrong_chain.identify()] == ["wrong"]


async def test_what_the_nodes_can_do_is_told_in_sentences(chain: Chain) -> None:
    capabilities = await chain.capabilities()
    assert capabilities.history
    assert capabilities.traces
    assert capabilities == await chain.capabilities()


async def test_an_unreachable_node_fails_every_read_and_changes_nothing(
    chain: Chain, case: ChainCase, hand: Hand
) -> None:
    own = await hand.account()
    start = (await chain.heads()).seen
    await hand.pay_in(own, MANY)
    watch = chain.watch([own], ())
    block = await chain.read_next(start, watch)
    assert block is not None
    case.stop()

    for call in (
        chain.heads,
        lambda: chain.header(1),
        lambda: chain.read(block.ref, watch),
        lambda: chain.read_next(start, watch),
        lambda: chain.is_canonical(start),
        lambda: chain.holdings(accounts_of(chain, [own]), start),
    ):
        with pytest.raises(AllEndpointsFailed):
            await call()
    assert [identity.state for identity in await chain.identify()] == ["unreachable"]
    case.start()
    assert await chain.read_next(start, watch) == block
