"""A chain in memory that a test mines and reorganises, and whose node can be made to fail as no real one does on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chains.core.errors import BadAnswer, ChainError, Reorganised
from chains.core.testimony import Testimony, opening, seal
from chains.core.values import (
    Account,
    Block,
    BlockRef,
    Capabilities,
    Coin,
    EndpointIdentity,
    Fault,
    Heads,
    Holdings,
    Opening,
    Witness,
)
from tests.scenarios.world import ASSETS, ChainWorld

GENESIS_TIME = 1_700_000_000
BLOCK_SECONDS = 600


class FakeWatch:
    """Remembers what it was told; a chain in memory needs no index."""

    def __init__(self, locators: Iterable[str], coins: Iterable[Coin]) -> None:
        self.locators, self.coins = set(locators), {coin.id for coin in coins}

    def add(self, locators: Iterable[str]) -> None:
        self.locators.update(locators)

    def add_coins(self, coins: Iterable[Coin]) -> None:
        self.coins.update(coin.id for coin in coins)

    def replace_coins(self, coins: Iterable[Coin]) -> None:
        self.coins = {coin.id for coin in coins}

    def apply(self, block: Block) -> None:
        for transaction in block.transactions:
            for movement in transaction.movements:
                if movement.coin:
                    (self.coins.add if movement.delta > 0 else self.coins.remove)(movement.coin)


class FakeChain:
    """One chain. ``fault`` is called with the name of each request before it is answered, and may raise."""

    def __init__(self, name: str, wallets: Mapping[str, str], *, finality: int = 6) -> None:
        self.name, self.assets, self.finality = name, ASSETS[name], finality
        self.world, self.wallets = ChainWorld(name), dict(wallets)
        self.blocks: list[Block] = []
        self.branch = ""
        self.asked: list[str] = []
        self.fault: Callable[[str], None] = lambda _: None
        self.answer: Callable[[Block], Block] = lambda block: block
        self.identities = (EndpointIdentity("node-1", "right", ""),)
        self.woken = 0
        self.account_based = False
        self.agreeing: tuple[str, ...] = ("node-1",)
        self.provable: set[Account] = set()
        self.counters: dict[str, int] = {}
        self.seen_by_few: list[Witness] = []
        self.lies: list[Fault] = []
        self.banned: dict[str, str] = {}

    # -- what the test does ------------------------------------------------------------------------

    def mine(self, *specs: Mapping[str, Any], time: int | None = None) -> BlockRef:
        height = len(self.blocks)
        parent = self.blocks[-1].ref.hash if self.blocks else ""
        stamp = GENESIS_TIME + height * BLOCK_SECONDS if time is None else time
        ref = BlockRef(self.name, height, f"{height}{self.branch}", parent, stamp)
        self.blocks.append(self.world.mine(ref, specs, self.wallets))
        return ref

    def grow(self, count: int) -> None:
        for _ in range(count):
            self.mine()

    def reorganise(self, depth: int, branch: str) -> None:
        """The newest ``depth`` blocks leave the chain; what is mined from now on is on ``branch``."""
        del self.blocks[len(self.blocks) - depth :]
        self.world.rewind(len(self.blocks) - 1)
        self.branch = branch

    @property
    def head(self) -> BlockRef:
        return self.blocks[-1].ref

    def truth(self) -> dict[Account, int]:
        """What every watched account holds at the head; zeros left out."""
        held = self.world.holdings(self.wallets, self.head.height)
        return {account: units for account, units in held.items() if units}

    # -- what a node answers -----------------------------------------------------------------------

    def watch(self, locators: Iterable[str], coins: Iterable[Coin]) -> FakeWatch:
        return FakeWatch(locators, coins)

    async def identify(self) -> tuple[EndpointIdentity, ...]:
        self._ask("identify")
        return self.identities

    async def capabilities(self) -> Capabilities:
        return Capabilities("full", "none")

    async def heads(self) -> Heads:
        self._ask("heads")
        return Heads(self.head, self.blocks[max(self.head.height - self.finality, 0)].ref)

    async def header(self, height: int) -> BlockRef:
        self._ask("header")
        if height >= len(self.blocks):
            raise BadAnswer(f"no block {height}")
        return self.blocks[height].ref

    async def read(self, ref: BlockRef, watch: Any) -> Block:
        self._ask("read")
        if not self._canonical(ref):
            raise Reorganised(f"{ref.height} {ref.hash} is not on the chain")
        return self.answer(self._told(self.blocks[ref.height]))

    async def read_next(self, after: BlockRef, watch: Any) -> Block | None:
        self._ask("read_next")
        if not self._canonical(after):
            raise Reorganised(f"{after.height} {after.hash} is not on the chain")
        return self.answer(self._told(self.blocks[after.height + 1])) if after.height + 1 < len(self.blocks) else None

    async def is_canonical(self, ref: BlockRef) -> bool:
        self._ask("is_canonical")
        return self._canonical(ref)

    async def holdings(self, accounts: Sequence[Account], at: BlockRef) -> Holdings:
        self._ask(f"holdings {at.height}")
        if not self._canonical(at):
            raise Reorganised(f"{at.height} {at.hash} is not on the chain")
        held = self.world.holdings({account.locator for account in accounts}, at.height)
        locators = {account.locator for account in accounts}
        coins = tuple(coin for coin in self.world.coins_at(at.height) if coin.locator in locators)
        units = {account: held[account] for account in accounts}
        return Holdings(at, units, self.agreeing, coins if self.name == "bitcoin" else None)

    async def prove(self, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        self._ask("prove")
        held = self.world.holdings({account.locator for account in accounts}, at.height)
        return {account: held[account] for account in accounts if account in self.provable}

    async def testify(self, accounts: Sequence[Account], at: BlockRef) -> Testimony:
        self._ask(f"testify {at.height}")
        held = await self.holdings(accounts, at)
        said = [{"kind": "said", "account": [a.locator, a.asset], "units": str(u)} for a, u in held.units.items()]
        return Testimony(at, seal([opening(self.name, "fake", self.assets, len(said)), *said]))

    async def sequences(self, locators: Sequence[str], at: BlockRef) -> dict[str, int]:
        self._ask(f"sequences {at.height}")
        return {locator: self.counters[locator] for locator in locators if locator in self.counters}

    async def locate(self, account: Account, at: BlockRef) -> tuple[str, ...]:
        self._ask("locate")
        return ()

    async def witnesses(self, after: BlockRef, watch: Any) -> tuple[Witness, ...]:
        found, self.seen_by_few = tuple(self.seen_by_few), []
        return found

    def faults(self) -> tuple[Fault, ...]:
        found, self.lies = tuple(self.lies), []
        return found

    def quarantined(self) -> Mapping[str, str]:
        return self.banned

    async def open_at(self, locators: Sequence[str], at: BlockRef) -> Opening:
        self._ask("open_at")
        if not self._canonical(at):
            raise Reorganised(f"{at.height} {at.hash} is not on the chain")
        coins = self.world.coins_at(at.height)
        mine = tuple(coin for coin in coins if coin.locator in locators)
        held = self.world.holdings(locators, at.height)
        return Opening(at, {account: u for account, u in held.items() if account.asset in self.assets}, mine)

    async def last_block_before(self, time: int, final: BlockRef) -> BlockRef:
        self._ask("last_block_before")
        found = [block.ref for block in self.blocks[: final.height + 1] if block.ref.time <= time]
        if not found:
            raise BadAnswer("no block is as old")
        return found[-1]

    async def wait(self, seconds: float) -> None:
        self.woken += 1
        await asyncio.sleep(0)

    async def close(self) -> None:
        pass

    def _told(self, block: Block) -> Block:
        """What a block says of the assets that are watched for."""
        told = []
        for item in block.transactions:
            movements = tuple(m for m in item.movements if m.account.asset in self.assets)
            if movements:
                legs = tuple(leg for leg in item.legs if leg.asset in self.assets)
                told.append(replace(item, movements=movements, legs=legs))
        return replace(block, transactions=tuple(told))

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        self.fault(what)

    def _canonical(self, ref: BlockRef) -> bool:
        return ref.height < len(self.blocks) and self.blocks[ref.height].ref.hash == ref.hash


def failing(what: str, *, times: int = 1, error: type[ChainError] = BadAnswer) -> Callable[[str], None]:
    """A fault: the first ``times`` requests of this name fail."""
    left = [times]

    def fault(asked: str) -> None:
        if asked.startswith(what) and left[0] > 0:
            left[0] -= 1
            raise error(f"{what} failed")

    return fault
