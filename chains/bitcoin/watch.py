"""The scripts and open coins of one chain, keyed as the block walker finds them."""

from __future__ import annotations

from collections.abc import Iterable

from chains.bitcoin.addresses import script_of
from chains.bitcoin.networks import Network
from chains.core.values import Block, Coin


def outpoint_of(coin_id: str) -> bytes:
    """The 36 bytes by which an input names the coin ``<txid>:<vout>``."""
    txid, _, number = coin_id.partition(":")
    return bytes.fromhex(txid)[::-1] + int(number).to_bytes(4, "little")


def coin_id_of(txid: bytes, number: int) -> str:
    """``<txid>:<vout>`` of an output; ``txid`` in wire order."""
    return f"{txid[::-1].hex()}:{number}"


class CoinWatch:
    """``scripts``: the watched output scripts; ``coins``: our open coins by outpoint.

    Coins of value 0 are never kept: they move nothing.
    """

    __slots__ = ("_network", "coins", "scripts")

    def __init__(self, network: Network, locators: Iterable[str], coins: Iterable[Coin]) -> None:
        self._network = network
        self.scripts: set[bytes] = set()
        self.coins: dict[bytes, Coin] = {}
        self.add(locators)
        self.add_coins(coins)

    def add(self, locators: Iterable[str]) -> None:
        """Watch more locators. Raises AddressError, and adds none, where one is not of this network."""
        self.scripts.update([script_of(locator, self._network) for locator in locators])

    def add_coins(self, coins: Iterable[Coin]) -> None:
        """Watch more coins."""
        self.coins.update({outpoint_of(coin.id): coin for coin in coins})

    def replace_coins(self, coins: Iterable[Coin]) -> None:
        """Forget all coins and watch these instead (after a rewind)."""
        self.coins = {outpoint_of(coin.id): coin for coin in coins}

    def apply(self, block: Block) -> None:
        """Take over the coins that a committed block created and spent, in block order.

        Raises ValueError where a coin was spent that is not open: the block was read for another state.
        """
        for transaction in block.transactions:
            for movement in transaction.movements:
                if movement.delta > 0:
                    account = movement.account
                    self.add_coins([Coin(movement.coin, account.locator, account.asset, movement.delta)])
                elif self.coins.pop(outpoint_of(movement.coin), None) is None:
                    raise ValueError(f"{movement.coin} is spent in block {block.ref.height} but not open here")
