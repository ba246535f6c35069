"""Following a chain: every block once and in order, whatever the node, the chain or this process does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from chains.core.errors import BadAnswer, ChainError, Disagreement, Unreachable, WrongChain
from chains.core.values import Account, Block, BlockRef, EndpointIdentity
from monitor.attribute import AttributionError
from monitor.completeness import Completeness
from monitor.follow import Follower, TooDeep
from monitor.health import Health
from monitor.ledger import reader, schema
from monitor.ledger.store import CursorMoved, Ledger, rebuild
from monitor.model import utc
from monitor.step.writer import Writer
from tests.scenarios.stage import case_line, setup_of
from tests.unit.fake_chain import BLOCK_SECONDS, GENESIS_TIME, FakeChain, failing

HOT = {"chain": "bitcoin", "tier": "hot", "addresses": ["hot-1", "hot-2"]}
COLD = {"chain": "bitcoin", "tier": "cold", "addresses": ["cold-1"]}


@dataclass(slots=True)
class Rig:
    """A fake chain, a real ledger, and followers that come and go."""

    chain: FakeChain
    ledger: Ledger
    writer: Writer
    health: Health
    clock: list[datetime]
    asked_books: list[int]
    script: dict[str, Any]

    def follower(self, *, start: int | None = None, quorum: int = 1, wallets: dict[str, str] | None = None) -> Follower:
        async def before_outflow() -> None:
            self.asked_books.append(self.cursor().height)

        return Follower(
            chain=self.chain,
            wallets=self.chain.wallets if wallets is None else wallets,
            start=start,
            quorum=quorum,
            endpoints=1,
            checks=Completeness(self.chain, self.ledger, self.writer, self.health),
            write_evidence=lambda fault: f"evidence/{fault.kind}.json",
            ledger=self.ledger,
            writer=self.writer,
            health=self.health,
            before_outflow=before_outflow,
            clock=lambda: self.clock[0],
        )

    def cursor(self) -> BlockRef:
        with self.ledger.read() as connection:
            return reader.cursors(connection)[self.chain.name].at

    def held(self) -> dict[Account, int]:
        with self.ledger.read() as connection:
            rows = connection.execute(select(schema.account)).all()
        return {Account(r.chain, r.locator, r.asset): r.units for r in rows if r.units}

    def cases(self) -> list[str]:
        with self.ledger.read() as connection:
            return [case_line(case) for case in reader.cases(connection)]

    def journalled(self) -> int:
        with self.ledger.read() as connection:
            return connection.execute(select(func.count()).select_from(schema.journal)).scalar_one()

    def kinds(self) -> list[str]:
        with self.ledger.read() as connection:
            return list(connection.execute(select(schema.journal.c.kind).order_by(schema.journal.c.seq)).scalars())


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@asynccontextmanager
async def rig_on(store_url: str) -> AsyncIterator[Rig]:
    script = {"wallets": {"hot": HOT, "cold": COLD}}
    setup, watched = setup_of(script)
    chain = FakeChain("bitcoin", watched["bitcoin"])
    chain.world.give("hot-1", ["10 BTC"], "c1")
    chain.world.give("cold-1", ["50 BTC"], "c2")
    chain.grow(20)
    ledger = Ledger(store_url)
    clock = [utc(GENESIS_TIME + 100 * BLOCK_SECONDS)]
    health = Health(clock[0], ("bitcoin",))
    try:
        async with Writer(ledger, setup, health, clock=lambda: clock[0]) as writer:
            yield Rig(chain, ledger, writer, health, clock, [], script)
    finally:
        ledger.close()


@pytest.fixture
async def rig(store_url: str) -> AsyncIterator[Rig]:
    async with rig_on(store_url) as made:
        yield made


def pay(number: int) -> dict[str, Any]:
    """The hot wallet moves its coin on, and loses a little as fee."""
    coin = "c1" if number == 1 else f"t{number - 1}:0"
    left = 10_00000000 - number
    return {
        "id": f"t{number}",
        "spends": [coin],
        "pays": [f"hot-{number % 2 + 1} {left // 10**8}.{left % 10**8:08d} BTC"],
    }


THEFT = {"id": "theft", "spends": ["c2"], "pays": ["thief 49.9 BTC"]}


async def test_every_block_is_taken_once_and_in_order(rig: Rig) -> None:
    follower = rig.follower(start=5)
    for number in range(1, 6):
        rig.chain.mine(pay(number))
    await follower.catch_up()
    assert rig.cursor() == rig.chain.head
    assert rig.held() == rig.chain.truth()
    assert rig.kinds() == ["opened", *["block"] * 5]
    with rig.ledger.read() as connection:
        headers = reader.headers(connection, "bitcoin")
    assert [h.height for h in headers] == list(range(24, 3, -1))
    assert all(above.parent == below.hash for above, below in pairwise(headers))


async def test_without_a_start_the_head_is_the_first_block_to_follow(rig: Rig) -> None:
    await rig.follower().catch_up()
    assert rig.cursor() == rig.chain.head
    assert rig.kinds() == ["opened"]


async def test_a_start_above_the_next_block_waits_and_opens_nothing(rig: Rig) -> None:
    follower = rig.follower(start=21)
    with pytest.raises(BadAnswer, match="start 21 is above the head 19"):
        await follower.catch_up()
    rig.chain.mine()
    await follower.catch_up()
    assert rig.cursor() == rig.chain.head


async def test_a_long_way_is_taken_whole(rig: Rig) -> None:
    await rig.follower(start=1).catch_up()
    rig.chain.grow(200)
    await rig.follower().catch_up()
    assert rig.cursor() == rig.chain.head


@pytest.mark.parametrize("what", ["read_next", "heads", "open_at", "header", "identify"])
async def test_an_error_of_the_node_leaves_the_cursor_and_loses_nothing(rig: Rig, what: str) -> None:
    follower = rig.follower(start=5)
    rig.chain.mine(pay(1))
    rig.chain.fault = failing(what, times=3)
    for _ in range(3):
        with pytest.raises(ChainError):
            await follower.catch_up()
    await follower.catch_up()
    assert rig.cursor() == rig.chain.head
    assert rig.held() == rig.chain.truth()


async def test_an_error_in_the_middle_keeps_what_was_taken_before_it(rig: Rig) -> None:
    follower = rig.follower()
    await follower.catch_up()
    for number in range(1, 4):
        rig.chain.mine(pay(number))
    count = rig.chain.asked.count("read_next")

    def fault(what: str) -> None:
        if what == "read_next" and rig.chain.asked.count("read_next") == count + 2:
            raise Unreachable("connection refused")

    rig.chain.fault = fault
    with pytest.raises(Unreachable):
        await follower.catch_up()
    assert rig.cursor().height == 20
    await follower.catch_up()
    assert rig.held() == rig.chain.truth()


def _skip(block: Block) -> Block:
    return replace(block, ref=replace(block.ref, height=block.ref.height + 1))


def _wrong_parent(block: Block) -> Block:
    return replace(block, ref=replace(block.ref, parent="elsewhere"))


@pytest.mark.parametrize("lie", [_skip, _wrong_parent])
async def test_a_block_that_does_not_follow_the_cursor_is_refused(rig: Rig, lie: Callable[[Block], Block]) -> None:
    follower = rig.follower()
    await follower.catch_up()
    before = rig.journalled()
    rig.chain.mine(pay(1))
    rig.chain.answer = lie
    with pytest.raises(CursorMoved):
        await follower.catch_up()
    assert (rig.cursor().height, rig.journalled()) == (19, before)
    rig.chain.answer = lambda block: block
    await follower.catch_up()
    assert rig.held() == rig.chain.truth()


async def test_a_block_whose_parts_do_not_add_up_is_not_committed(rig: Rig) -> None:
    follower = rig.follower()
    await follower.catch_up()
    rig.chain.mine(pay(1))

    def half(block: Block) -> Block:
        (item,) = block.transactions
        return replace(block, transactions=(replace(item, movements=item.movements[:1]),))

    rig.chain.answer = half
    with pytest.raises(AttributionError):
        await follower.catch_up()
    assert rig.cursor().height == 19
    assert rig.held() == {Account("bitcoin", "hot-1", "BTC"): 10**9, Account("bitcoin", "cold-1", "BTC"): 5 * 10**9}


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("restart", [False, True])
async def test_a_reorganisation_is_followed_at_every_depth(rig: Rig, depth: int, restart: bool) -> None:
    follower = rig.follower(start=5)
    rig.chain.mine(THEFT)
    for number in range(1, depth + 4):
        rig.chain.mine(pay(number))
    await follower.catch_up()
    rig.chain.reorganise(depth, "b")
    rig.chain.mine({"id": "other", "pays": ["hot-1 3 BTC"]})
    rig.chain.grow(depth)
    if restart:
        follower = rig.follower()
    await follower.catch_up()
    assert rig.cursor() == rig.chain.head
    assert rig.held() == rig.chain.truth()
    assert rig.kinds().count("rewound") == 1
    assert rig.cases() == ["open unexplained_outflow cold 49.9 BTC fee 0.1 BTC + cold_without_approval"]
    if not restart:
        assert rig.health.reorg_depth["bitcoin"].sum == depth


async def test_a_chain_that_goes_back_and_forth_is_followed_each_time(rig: Rig) -> None:
    follower = rig.follower(start=5)
    for turn in range(4):
        rig.chain.mine(pay(1))
        rig.chain.mine(pay(2))
        await follower.catch_up()
        assert rig.held() == rig.chain.truth()
        rig.chain.reorganise(2, f"b{turn}")
        rig.chain.grow(1)
        await follower.catch_up()
        assert rig.held() == rig.chain.truth()


async def test_a_reorganisation_below_the_first_opening_opens_anew(rig: Rig) -> None:
    follower = rig.follower()
    await follower.catch_up()
    assert rig.cursor().height == 19
    rig.chain.reorganise(4, "b")
    rig.chain.mine(pay(1))
    rig.chain.mine({"id": "in", "pays": ["hot-2 2 BTC"]})
    rig.chain.grow(5)
    await follower.catch_up()
    assert rig.cursor() == rig.chain.head
    assert rig.held() == rig.chain.truth()
    with rig.ledger.read() as connection:
        assert {item.opened_height for item in reader.watched(connection, "bitcoin").values()} == {13}


async def test_a_reorganisation_below_the_final_block_opens_one_case_and_stops(rig: Rig) -> None:
    follower = rig.follower(start=5)
    rig.chain.mine(pay(1))
    rig.chain.grow(7)
    await follower.catch_up()
    before, held = rig.cursor(), rig.held()
    rig.chain.reorganise(8, "b")
    rig.chain.grow(20)
    for _ in range(3):
        with pytest.raises(TooDeep, match="below the final block 21"):
            await follower.catch_up()
    with pytest.raises(TooDeep):
        await rig.follower().catch_up()
    assert (rig.cursor(), rig.held()) == (before, held)
    assert rig.cases() == [f"open deep_reorg bitcoin {before.hash}"]


async def test_the_final_block_counts_from_when_it_was_seen_not_from_the_next_block(rig: Rig) -> None:
    follower = rig.follower(start=5)
    await follower.catch_up()
    with rig.ledger.read() as connection:
        assert reader.cursors(connection)["bitcoin"].final_height == 13
    rig.chain.finality = 2
    rig.clock[0] += timedelta(seconds=5)
    await follower.catch_up()
    with rig.ledger.read() as connection:
        assert reader.cursors(connection)["bitcoin"].final_height == 17


async def test_nodes_that_are_not_of_one_mind_about_the_cursor_leave_no_trace_in_the_journal(rig: Rig) -> None:
    follower = rig.follower()
    await follower.catch_up()
    before, answer = rig.journalled(), rig.chain._canonical
    # the node that is asked for the next block lags, the one that is asked for the hash does not
    rig.chain._canonical = lambda ref: rig.chain.asked[-1] != "read_next" and answer(ref)  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(Disagreement, match="block 19 19 has left the chain by one answer, not by another"):
            await follower.catch_up()
    assert rig.journalled() == before


async def test_live_blocks_are_judged_by_our_clock_and_others_by_their_own(rig: Rig) -> None:
    follower = rig.follower(start=20)
    now = rig.clock[0]
    old = rig.chain.mine(pay(1))
    await follower.catch_up()
    rig.clock[0] = now + timedelta(seconds=29)
    rig.chain.mine(pay(2))
    await follower.catch_up()
    rig.clock[0] = now + timedelta(seconds=29 + 30)
    late = rig.chain.mine(pay(3))
    await follower.catch_up()
    with rig.ledger.read() as connection:
        rows = connection.execute(select(schema.flow).where(schema.flow.c.part == "fee")).all()
    skew = timedelta(hours=2)
    assert [(row.earliest, row.latest) for row in rows] == [
        (utc(old.time) - skew, utc(old.time) + skew),
        (now + timedelta(seconds=29), now + timedelta(seconds=29)),
        (utc(late.time) - skew, utc(late.time) + skew),
    ]


async def test_the_books_are_read_before_a_block_with_an_outflow_and_only_then(rig: Rig) -> None:
    follower = rig.follower()
    await follower.catch_up()
    rig.chain.grow(2)
    rig.chain.mine({"id": "in", "pays": ["hot-2 2 BTC"]})
    await follower.catch_up()
    assert rig.asked_books == []
    rig.chain.mine(pay(1))
    await follower.catch_up()
    assert rig.asked_books == [22]  # while the cursor still stood below it


async def test_what_fails_after_the_commit_does_not_stop_the_chain_for_good(rig: Rig) -> None:
    follower = rig.follower()
    await follower.catch_up()
    fails = [True]

    def hook() -> None:
        if fails.pop() if fails else False:
            raise RuntimeError("the publisher broke")

    rig.writer.on_commit.append(hook)
    rig.chain.mine(pay(1))
    rig.chain.mine(pay(2))
    await follower._try()
    assert rig.cursor().height == 20
    assert "RuntimeError: the publisher broke" in rig.health.problems["follow/bitcoin"]
    await follower._try()
    assert rig.cursor() == rig.chain.head
    assert rig.held() == rig.chain.truth()
    assert rig.health.problems == {}


async def test_the_task_goes_on_whatever_happens_and_says_what(rig: Rig) -> None:
    follower = rig.follower()
    errors: list[Exception] = [Unreachable("refused"), ValueError("nonsense"), TooDeep("too deep")]
    seen: list[str] = []

    def fault(what: str) -> None:
        if what == "read_next":
            seen.append(rig.health.problems.get("follow/bitcoin", ""))
            if errors:
                raise errors.pop(0)

    rig.chain.fault = fault
    task = asyncio.create_task(follower.run())
    while rig.chain.woken < 6:
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen[:4] == ["", "Unreachable: refused", "ValueError: nonsense", "too deep"]
    assert rig.health.problems == {}
    assert rig.health.last_success["follow", "bitcoin"] == rig.clock[0]


async def test_an_endpoint_of_another_chain_is_a_mistake_at_start_and_does_not_count_later(rig: Rig) -> None:
    rig.chain.identities = (EndpointIdentity("a", "right", ""), EndpointIdentity("b", "wrong", "is testnet4"))
    with pytest.raises(WrongChain, match="chain bitcoin: b: is testnet4"):
        await rig.follower(quorum=1).identify(starting=True)
    await rig.follower(quorum=1).catch_up()
    with pytest.raises(BadAnswer, match="b: is testnet4"):
        await rig.follower(quorum=2).catch_up()


async def test_readiness_needs_the_quorum_and_the_beginning_of_the_way(rig: Rig) -> None:
    rig.chain.identities = (EndpointIdentity("a", "right", ""), EndpointIdentity("b", "unreachable", "refused"))
    with pytest.raises(BadAnswer, match="b: refused"):
        await rig.follower(quorum=2).catch_up()
    assert not rig.health.ready
    await rig.follower(quorum=1).catch_up()
    assert rig.health.ready


async def test_an_address_that_is_new_in_the_configuration_opens_at_the_cursor_and_is_no_deposit(rig: Rig) -> None:
    wallets = dict(rig.chain.wallets)
    del rig.chain.wallets["hot-2"]
    rig.chain.world.give("hot-2", ["7 BTC"], "c3")
    await rig.follower().catch_up()
    rig.chain.grow(3)
    rig.chain.wallets = wallets
    await rig.follower().catch_up()
    assert rig.kinds() == ["opened", "opened"]
    assert rig.held() == rig.chain.truth()
    rig.chain.mine({"id": "t", "spends": ["c3"], "pays": ["hot-1 6.9 BTC"]})
    await rig.follower().catch_up()
    assert rig.held() == rig.chain.truth()
    assert rig.cases() == []


async def test_a_new_address_is_not_forgotten_where_the_chain_moves_while_it_is_opened(rig: Rig) -> None:
    wallets = dict(rig.chain.wallets)
    del rig.chain.wallets["hot-2"]
    await rig.follower(start=10).catch_up()
    rig.chain.wallets = wallets
    asked = rig.chain._canonical
    answers = iter([False, False, True, False, False, True, True])

    def wavering(ref: BlockRef) -> bool:
        return next(answers, True) if rig.chain.asked[-1] == "is_canonical" and asked(ref) else asked(ref)

    rig.chain._canonical = wavering  # type: ignore[method-assign]
    follower = rig.follower()
    for _ in range(6):
        await follower._try()
    rig.chain.mine({"id": "in", "pays": ["hot-2 2 BTC"]})
    await follower._try()
    assert rig.held() == rig.chain.truth()
    with rig.ledger.read() as connection:
        assert "hot-2" in reader.watched(connection, "bitcoin")


async def test_what_the_configuration_drops_or_moves_is_followed_so_from_the_start(rig: Rig) -> None:
    await rig.follower().catch_up()
    await rig.follower(wallets={"hot-1": "cold"}).catch_up()
    assert rig.kinds() == ["opened", "retired", "assigned"]
    with rig.ledger.read() as connection:
        assert {k: v.wallet for k, v in reader.watched(connection, "bitcoin").items()} == {"hot-1": "cold"}
        assert reader.totals(connection)["bitcoin", "cold", "BTC"] == 10**9
    await rig.follower(wallets={"hot-1": "cold"}).catch_up()
    assert rig.kinds() == ["opened", "retired", "assigned"]


async def test_the_ledger_of_a_wild_ride_rebuilds_from_its_journal(rig: Rig) -> None:
    follower = rig.follower()
    for turn in range(5):
        rig.chain.mine(pay(1), {"id": f"in{turn}", "pays": ["hot-2 1 BTC"]})
        rig.chain.mine(pay(2))
        await follower.catch_up()
        rig.chain.reorganise(2, f"b{turn}")
        rig.chain.grow(2)
        await follower.catch_up()
    with rig.ledger.write() as connection:
        before = [connection.execute(select(t).order_by(*t.primary_key.columns)).all() for t in schema.STATE]
        rebuild(connection)
        after = [connection.execute(select(t).order_by(*t.primary_key.columns)).all() for t in schema.STATE]
    assert before == after


@pytest.fixture
async def tokens(store_url: str) -> AsyncIterator[Rig]:
    """A chain with a token, of which porwatch is at first told nothing."""
    script = {"wallets": {"eth": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot", "0xnew"]}}}
    setup, watched = setup_of(script)
    chain = FakeChain("ethereum", watched["ethereum"])
    chain.world.give("0xhot", ["10 ETH", "100 USDT"])
    chain.world.give("0xnew", ["1 ETH", "7 USDT"])
    chain.assets = ("ETH",)
    chain.grow(20)
    ledger = Ledger(store_url)
    clock = [utc(GENESIS_TIME + 100 * BLOCK_SECONDS)]
    health = Health(clock[0], ("ethereum",))
    async with Writer(ledger, setup, health, clock=lambda: clock[0]) as writer:
        yield Rig(chain, ledger, writer, health, clock, [], script)
    ledger.close()


def deposit(number: int) -> dict[str, Any]:
    return {"id": f"d{number}", "from": "0xelse", "moves": ["0xelse -> 0xhot 3 USDT", "0xelse -> 0xhot 1 ETH"]}


async def test_a_token_that_is_added_together_with_an_address_is_opened_for_every_address(tokens: Rig) -> None:
    await tokens.follower(wallets={"0xhot": "eth"}).catch_up()
    tokens.chain.mine(deposit(1))
    tokens.chain.assets = ("ETH", "USDT")
    await tokens.follower().catch_up()
    assert tokens.held() == tokens.chain.truth()
    tokens.chain.mine(deposit(2))
    await tokens.follower().catch_up()
    assert tokens.held() == tokens.chain.truth()


async def test_a_reorganisation_below_the_opening_of_a_token_opens_it_anew(tokens: Rig) -> None:
    await tokens.follower(start=10).catch_up()
    tokens.chain.mine(deposit(1))
    follower = tokens.follower()
    await follower.catch_up()
    tokens.chain.assets = ("ETH", "USDT")
    follower = tokens.follower()
    await follower.catch_up()
    tokens.chain.mine(deposit(2))
    await follower.catch_up()
    assert tokens.held() == tokens.chain.truth()
    tokens.chain.reorganise(4, "b")
    tokens.chain.mine(deposit(3))
    tokens.chain.grow(5)
    await follower.catch_up()
    assert tokens.held() == tokens.chain.truth()


async def test_a_reorganisation_does_not_bring_a_dropped_token_back(tokens: Rig) -> None:
    tokens.chain.assets = ("ETH", "USDT")
    await tokens.follower(start=10).catch_up()
    tokens.chain.mine(deposit(1))
    await tokens.follower().catch_up()
    tokens.chain.assets = ("ETH",)
    follower = tokens.follower()
    await follower.catch_up()
    tokens.chain.reorganise(2, "b")
    tokens.chain.grow(4)
    await follower.catch_up()
    assert tokens.held() == {
        account: units for account, units in tokens.chain.truth().items() if account.asset == "ETH"
    }
    with tokens.ledger.read() as connection:
        assert {asset for _, _, asset in reader.totals(connection)} == {"ETH"}
