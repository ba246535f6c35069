"""The auditor's draw: wallets, accounts and movements by a seed that the auditor names, for any past business day.

Whoever has the same list and the seed draws the same: each item is ranked by SHA-256 over the seed, a line feed and
the item's canonical JSON; the lowest are drawn, without replacement. Nobody can choose what is drawn without the seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from monitor.canonical import Json, canonical
from monitor.publish.bundle.evidence import Account


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of each are drawn; where there are fewer, all of them are."""

    wallets: int = 10
    accounts: int = 25
    movements: int = 25


def draw(items: Iterable[Json], seed: str, size: int) -> list[Json]:
    """``size`` of the items, in the order of drawing. The same items in any order give the same draw."""
    texts = {canonical(item): item for item in items}
    ranked = sorted((sha256(f"{seed}\n{text}".encode()).digest(), text) for text in texts)
    return [texts[text] for _, text in ranked[:size]]


def list_hash(items: Sequence[Json]) -> str:
    """SHA-256 over the whole list drawn from, so that the auditor can see that it was not changed afterwards."""
    return sha256("\n".join(sorted(canonical(item) for item in items)).encode()).hexdigest()


def account_items(chain: str, accounts: Iterable[Account]) -> list[Json]:
    """The accounts of one chain as items: what is held is no part of them, so that a draw cannot be steered by it."""
    return [{"chain": chain, "address": each.locator, "asset": each.asset, "wallet": each.wallet} for each in accounts]
