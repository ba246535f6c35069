"""The watched addresses of one EVM chain, as its blocks spell them."""

from __future__ import annotations

from collections.abc import Iterable

from chains.core.values import Block, Coin


class AddressWatch:
    """A set of addresses in lower case: one look-up costs the same for ten and for a million.

    Coins are a matter of UTXO chains and are ignored here.
    """

    __slots__ = ("_lower",)

    def __init__(self, locators: Iterable[str] = ()) -> None:
        self._lower = {locator.lower() for locator in locators}

    def __contains__(self, lower: object) -> bool:
        return lower in self._lower

    def __len__(self) -> int:
        return len(self._lower)

    def add(self, locators: Iterable[str]) -> None:
        self._lower.update(locator.lower() for locator in locators)

    def add_coins(self, coins: Iterable[Coin]) -> None:
        pass

    def replace_coins(self, coins: Iterable[Coin]) -> None:
        pass

    def apply(self, block: Block) -> None:
        pass
