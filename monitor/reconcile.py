"""Set what is held beside what the ledger says. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from chains.core.values import Account, BlockRef, Coin
from monitor.model import CoinChange, Residual, Wallet


def residuals(
    holdings: Mapping[Account, int],
    ledger: Mapping[tuple[str, str], int],
    owners: Mapping[str, Wallet],
    compared: Collection[str],
    at: BlockRef,
) -> tuple[Residual, ...]:
    """Every account whose holding differs from the ledger at ``at``, by even one base unit.

    ``compared``: the locators that the ledger followed at that block; ``ledger`` by (locator, asset),
    absent meaning zero. Raises KeyError where a holding is missing: a read is whole or an error.
    """
    found = []
    for account, units in holdings.items():
        if account.locator in compared:
            difference = units - ledger.get((account.locator, account.asset), 0)
            if difference:
                wallet = owners[account.locator].name
                found.append(Residual(at.chain, wallet, account.locator, account.asset, difference, at))
    named = {(account.locator, account.asset) for account in holdings}
    missing = [key for key in ledger if key[0] in compared and key not in named]
    if missing:
        raise KeyError(f"no holding was read for {missing[0]} and {len(missing) - 1} more")
    return tuple(found)


def coin_change(
    coins: Iterable[Coin], ledger: Iterable[Coin], compared: Collection[str], at: BlockRef
) -> CoinChange | None:
    """How two sets of unspent coins of the ``compared`` locators differ; None where they are the same."""
    there = {coin.id: coin for coin in coins if coin.locator in compared}
    here = {coin.id: coin for coin in ledger if coin.locator in compared}
    if there == here:
        return None
    appeared = tuple(coin for key, coin in there.items() if here.get(key) != coin)
    vanished = tuple(coin for key, coin in here.items() if there.get(key) != coin)
    return CoinChange(at, appeared, vanished)


def gaps(sequences: Mapping[str, int], ledger: Mapping[str, int]) -> dict[str, int]:
    """By how much the chain's own counter is off what the ledger has seen, by locator; equal ones are left out.

    More means that something was signed which was never enumerated; less cannot happen on an
    honest chain, and is a gap all the same.
    """
    return {
        locator: value - ledger[locator]
        for locator, value in sequences.items()
        if locator in ledger and value != ledger[locator]
    }
