"""What nodes say of the unspent coins of accounts after one block, as lines that ``rechecking`` reads without a node.

    testimony   network and asset
    headers     the 80 bytes of the block's header and of those above it, up to the head: proof of work and depth
    holdings    the sum of every account's coins, in order of the locators
    set         a set of coins: who has exactly this one, and who of them is ours; that of the quorum first
    coins       the coins of the set before, in order of their ids: outpoint, script, satoshis, height of creation
    end         the seal

A set of coins proves nothing by itself: it is the word of the endpoints that have it. Amounts are satoshis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from chains.bitcoin import node
from chains.bitcoin.addresses import script_of
from chains.bitcoin.blocks import Header
from chains.bitcoin.holdings import CoinSet, CoinSets
from chains.bitcoin.networks import Network
from chains.bitcoin.work import PERIOD, HeaderCheck, check_linked
from chains.core.errors import ChainError, Reorganised
from chains.core.quorum import Lie, Panel
from chains.core.rpc import Calls
from chains.core.testimony import Json, Testimony, opening, seal
from chains.core.values import BlockRef

T = TypeVar("T")

#: Headers above the block that are kept as its confirmations; two weeks of them need no more.
ABOVE_MOST = PERIOD
_COINS, _ACCOUNTS = 100, 500


class Testifier:
    """Makes the testimony of one chain. ``own``: endpoints of ours by name."""

    def __init__(
        self, panel: Panel, sets: CoinSets, headers: HeaderCheck, network: Network, asset: str, own: Sequence[str]
    ) -> None:
        self._panel = panel
        self._sets = sets
        self._headers = headers
        self._network = network
        self._asset = asset
        self._own = tuple(own)

    async def testify(self, scripts: Mapping[str, str], at: BlockRef, *, final: bool) -> Testimony:
        """The testimony of ``scripts`` (hex -> locator) after block ``at``. Raises as ``CoinSets.agreed`` does."""
        own = await self._sound(at)
        sets = await self._sets.everyone(scripts, at, final=final)
        _, headers = await self._panel.first(
            lambda calls: self._above(calls, at), f"headers from block {at.height} on", [*own, *self._panel.asked]
        )
        lines: list[Json] = [
            opening(at.chain, "bitcoin", [self._asset], len(set(scripts.values()))) | {"network": self._network.name},
            {"kind": "headers", "height": at.height, "headers": [each.raw.hex() for each in headers]},
        ]
        lines += _holdings(scripts, sets[0][1])
        for names, coins in sets:
            lines += self._set(coins, names, own)
        return Testimony(at, seal(lines))

    async def _sound(self, at: BlockRef) -> list[str]:
        """Our own endpoints whose headers up to ``at`` are one chain with re-checked work."""
        sound = []
        for name in self._own:
            if name in self._panel.rpc.quarantined:
                continue
            try:
                await self._headers.check(self._panel.rpc.on(name), at)
            except ChainError as error:
                if isinstance(error, Lie):
                    self._panel.caught(name, error)
            else:
                sound.append(name)
        return sound

    async def _above(self, calls: Calls, at: BlockRef) -> list[Header]:
        """The header of ``at`` and those above it on the endpoint's chain."""
        head, _ = await node.tip(calls, None)
        found = await node.raw_headers(calls, range(at.height, min(max(head, at.height), at.height + ABOVE_MOST) + 1))
        if found[0].hash != at.hash:
            raise Reorganised(f"block {at.height} {at.hash} of {at.chain} has left the chain")
        check_linked(found, at.height, self._network)
        return found

    def _set(self, coins: CoinSet, names: Sequence[str], own: Sequence[str]) -> Iterator[Json]:
        sound = [name for name in names if name in own]
        digest = coins.name.rpartition(" ")[2]
        yield {"kind": "set", "endpoints": list(names), "own": sound, "coins": len(coins.found), "sha256": digest}
        rows = [
            [each.coin.id, script_of(each.coin.locator, self._network).hex(), str(each.coin.units), each.height]
            for each in coins.found
        ]
        for part in _parts(rows, _COINS):
            yield {"kind": "coins", "coins": list(part)}


def _holdings(scripts: Mapping[str, str], coins: CoinSet) -> Iterator[Json]:
    held = dict.fromkeys(sorted(scripts.values()), 0)
    for each in coins.found:
        held[each.coin.locator] += each.coin.units
    for part in _parts(list(held), _ACCOUNTS):
        yield {"kind": "holdings", "accounts": [[locator, str(held[locator])] for locator in part]}


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
