"""Which of several sets of unspent coins is false, where verified blocks can tell.

A coin that is in some sets and not in others was, by the blocks themselves, spent, or created and not
spent, or never created. The blocks are read from the one that the sets are of downwards, each by the
hash that the one above names, so that they need no trust: only work that is re-checked.

A coin older than ``JUDGED_BLOCKS`` can be shown to be invented or spent, but not to be unspent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chains.bitcoin.body import BodyReader
from chains.bitcoin.node import header_at
from chains.bitcoin.opening import Found
from chains.bitcoin.transactions import SATOSHIS_MOST
from chains.bitcoin.watch import CoinWatch
from chains.core.quorum import Lie, Panel
from chains.core.rpc import Calls
from chains.core.values import Block, BlockRef, Coin

#: A week of blocks: 1.5 GB on mainnet, minutes of reading that only a lie causes.
JUDGED_BLOCKS = 1_008
#: Older blocks in which coins are said to have been created are read one by one.
JUDGED_OLD_BLOCKS = 20

Sets = Mapping[str, tuple[Found, ...]]


@dataclass(slots=True)
class _Seen:
    """What the blocks from ``lowest`` up to the top did to the disputed coins: creations, and spending transactions."""

    lowest: int
    created: dict[str, tuple[Coin, BlockRef]] = field(default_factory=dict)
    spent: dict[str, tuple[str, BlockRef]] = field(default_factory=dict)
    old: dict[int, dict[str, Coin]] = field(default_factory=dict)

    def take(self, block: Block) -> None:
        for transaction in block.transactions:
            for each in transaction.movements:
                if each.delta > 0:
                    coin = Coin(each.coin, each.account.locator, each.account.asset, each.delta)
                    self.created[each.coin] = (coin, block.ref)
                else:
                    self.spent[each.coin] = (transaction.txid, block.ref)


class Judge:
    """Judges sets of coins after one block, with blocks of any endpoint."""

    def __init__(self, panel: Panel, bodies: BodyReader) -> None:
        self._panel = panel
        self._bodies = bodies

    async def lies(self, sets: Sets, at: BlockRef) -> dict[str, Lie]:
        """The lie of each endpoint whose set is provably not that after block ``at``."""
        claims = {name: {each.coin: each.height for each in found} for name, found in sets.items()}
        everywhere = set.intersection(*(set(coins) for coins in claims.values()))
        disputed = set().union(*claims.values()) - everywhere
        if not disputed:
            return {}
        seen = await self._look(disputed, [coins.get(coin, -1) for coin in disputed for coins in claims.values()], at)
        found: dict[str, Lie] = {}
        # Who claims what is false says more than who leaves out what is true.
        ordered = sorted(disputed, key=lambda each: (each.id, each.locator, each.units))
        for claiming in (True, False):
            for coin in ordered:
                for name in (name for name, coins in claims.items() if (coin in coins) == claiming):
                    lie = _lie(coin, claims[name].get(coin), seen, at)
                    if lie is not None:
                        found.setdefault(name, lie)
        return found

    async def _look(self, disputed: set[Coin], heights: list[int], at: BlockRef) -> _Seen:
        # Worth as much as can be: what a claimed coin is worth is in question, and no fee must come out negative.
        coins = [Coin(coin.id, coin.locator, coin.asset, SATOSHIS_MOST) for coin in disputed]
        watch = CoinWatch(self._bodies.network, {coin.locator for coin in disputed}, coins)
        claimed = {height for height in heights if height >= 0}
        bottom = max(1, at.height - JUDGED_BLOCKS + 1)
        # Without a height from anybody the creation must be looked for.
        lowest = max(bottom, min(claimed)) if claimed else bottom
        lowest = min(lowest, at.height)
        seen, block_hash = _Seen(lowest), at.hash
        for height in range(at.height, lowest - 1, -1):
            block = await self._read(block_hash, height, watch)
            seen.take(block)
            block_hash = block.ref.parent
        for height in sorted(height for height in claimed if 0 < height < lowest)[:JUDGED_OLD_BLOCKS]:
            older = _Seen(height)
            older.take(await self._read(await self._hash_at(height), height, watch))
            seen.old[height] = {name: coin for name, (coin, _) in older.created.items()}
        return seen

    async def _read(self, block_hash: str, height: int, watch: CoinWatch) -> Block:
        _, block = await self._panel.first(
            lambda calls: self._bodies.read(calls, block_hash, height, watch), f"block {height}"
        )
        return block

    async def _hash_at(self, height: int) -> str:
        async def ask(calls: Calls) -> str:
            return (await header_at(calls, self._bodies.chain, height)).hash

        return (await self._panel.agree(ask, str, f"block {height}")).value


def _lie(coin: Coin, claimed: int | None, seen: _Seen, at: BlockRef) -> Lie | None:
    """The lie of an endpoint that has ``coin`` as created at height ``claimed``, or does not have it (None)."""
    spent, created = seen.spent.get(coin.id), seen.created.get(coin.id)
    if claimed is None:
        if spent is None and created is not None and created[0] == coin:
            return _told("coin_omitted", coin, at, f"block {created[1].hash} created it, and no block since spent it")
        return None
    if spent is not None:
        return _told("coin_spent", coin, at, f"transaction {spent[0]} in block {spent[1].hash} spent it")
    if created is not None:
        if created[0] == coin:
            return None
        worth = f"{created[0].units} satoshis to {created[0].locator}"
        return _told("coin_altered", coin, at, f"block {created[1].hash} created it as {worth}")
    old = seen.old.get(claimed)
    if claimed == 0 or claimed >= seen.lowest or (old is not None and old.get(coin.id) != coin):
        return _told(
            "coin_invented", coin, at, f"no such coin was created in block {claimed}, where it is said to be from"
        )
    return None


def _told(kind: str, coin: Coin, at: BlockRef, why: str) -> Lie:
    said = "leaves out" if kind == "coin_omitted" else "holds"
    return Lie(
        kind,
        f"the unspent coins given after block {at.height} are false: the set {said} {coin.id}, but {why}",
        {
            "asked": f"scantxoutset, undone to block {at.height} {at.hash}",
            "coin": coin.id,
            "satoshis": str(coin.units),
            "owner": coin.locator,
            "refuted": why,
        },
    )
