"""The public chains of a scenario: every balance and coin, moved by its transactions and by nothing of porwatch.

What a node would answer is computed here, so that a scenario can set the ledger beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.core.amounts import format_coins, parse_units
from chains.core.values import Account, Block, BlockRef, Coin, Leg, Movement, Transaction, TransactionKind

DECIMALS = {"BTC": 8, "ETH": 18, "USDT": 6}
NATIVE = {"bitcoin": "BTC", "ethereum": "ETH"}
ASSETS = {"bitcoin": ("BTC",), "ethereum": ("ETH", "USDT")}

Balances = dict[tuple[str, str], int]


def units_of(text: str) -> tuple[int, str]:
    """Base units and asset of an amount as scenarios write it: "1.5 BTC"."""
    coins, asset = text.split()
    return parse_units(coins, DECIMALS[asset]), asset


def coins_of(units: int, asset: str) -> str:
    """The inverse of ``units_of``, without trailing zeros."""
    text = format_coins(units, DECIMALS[asset])
    return f"{text.rstrip('0').rstrip('.')} {asset}" if "." in text else f"{text} {asset}"


@dataclass(slots=True)
class _Past:
    """What one block changed, so that a reorganisation can undo it."""

    height: int
    deltas: Balances
    created: list[str]
    spent: dict[str, Coin]


@dataclass(slots=True)
class ChainWorld:
    """One chain. ``balances`` by (locator, asset); ``coins`` are all unspent ones, whoever owns them."""

    name: str
    balances: Balances = field(default_factory=dict)
    coins: dict[str, Coin] = field(default_factory=dict)
    _past: list[_Past] = field(default_factory=list)

    def give(self, locator: str, amounts: Iterable[str], coin: str = "") -> None:
        """Put what a locator holds before the story begins."""
        for text in amounts:
            units, asset = units_of(text)
            self._change({}, locator, asset, units)
            if coin:
                self.coins[coin] = Coin(coin, locator, asset, units)

    def vanish(self, locator: str, text: str) -> None:
        """A change of balance that no block shows ("-5 BTC")."""
        units, asset = units_of(text)
        self._change({}, locator, asset, units)

    def mine(self, ref: BlockRef, specs: Iterable[Mapping[str, Any]], watched: Mapping[str, str]) -> Block:
        """The block at ``ref`` as a node shows it to somebody who watches these locators."""
        past = _Past(ref.height, {}, [], {})
        self._past.append(past)
        tell = self._bitcoin if self.name == "bitcoin" else self._ethereum
        told = [tell(position, spec, watched, past) for position, spec in enumerate(specs, 1)]
        return Block(ref, tuple(item for item in told if item.movements))

    def rewind(self, height: int) -> None:
        """Blocks above ``height`` never were."""
        while self._past and self._past[-1].height > height:
            past = self._past.pop()
            for key, units in past.deltas.items():
                self.balances[key] -= units
            for coin in past.created:
                self.coins.pop(coin, None)
            self.coins.update({name: coin for name, coin in past.spent.items() if name not in past.created})

    def holdings(self, locators: Iterable[str], height: int) -> dict[Account, int]:
        """What a node says that these locators held after block ``height``."""
        held = dict(self.balances)
        for past in self._past:
            if past.height > height:
                for key, units in past.deltas.items():
                    held[key] -= units
        return {
            Account(self.name, locator, asset): held.get((locator, asset), 0)
            for locator in locators
            for asset in ASSETS[self.name]
        }

    def coins_at(self, height: int) -> list[Coin]:
        """The unspent coins after block ``height``."""
        coins = dict(self.coins)
        for past in reversed(self._past):
            if past.height > height:
                coins = {name: coin for name, coin in coins.items() if name not in past.created}
                coins.update({name: coin for name, coin in past.spent.items() if name not in past.created})
        return list(coins.values())

    def _change(self, deltas: Balances, locator: str, asset: str, units: int) -> None:
        for balances in (self.balances, deltas):
            balances[locator, asset] = balances.get((locator, asset), 0) + units

    def _bitcoin(self, position: int, spec: Mapping[str, Any], watched: Mapping[str, str], past: _Past) -> Transaction:
        """``spends`` names coins, ``pays`` outputs ("customer 1.5 BTC"), ``foreign_inputs`` counts inputs of others."""
        txid = spec["id"]
        coins = [self.coins.pop(name) for name in spec.get("spends", ())]
        past.spent.update({coin.id: coin for coin in coins})
        spent = [coin for coin in coins if coin.locator in watched]
        foreign = spec.get("foreign_inputs", 0) + len(coins) - len(spent)
        outputs = [self._pay(past, f"{txid}:{n}", text) for n, text in enumerate(spec["pays"])]
        count = len(spent) + foreign
        legs = [Leg(n, coin.asset, coin.units, coin.locator, None) for n, coin in enumerate(spent)]
        legs += [Leg(count + n, coin.asset, coin.units, None, coin.locator) for n, coin in enumerate(outputs)]
        fee = sum(coin.units for coin in spent) - sum(coin.units for coin in outputs)
        if spent and not foreign and fee:
            legs.append(Leg(count + len(outputs), "BTC", fee, None, None, fee=True))
        for coin in coins:
            self._change(past.deltas, coin.locator, coin.asset, -coin.units)
        changes = [(coin, -coin.units) for coin in spent]
        changes += [(coin, coin.units) for coin in outputs if coin.locator in watched]
        return Transaction(
            txid=txid,
            position=position,
            kind=TransactionKind(spec.get("kind", "transaction")),
            movements=tuple(
                Movement(txid, n, Account(self.name, coin.locator, coin.asset), units, coin.id)
                for n, (coin, units) in enumerate(changes)
            ),
            legs=tuple(legs if spent else [leg for leg in legs if leg.destination in watched]),
            signers=frozenset(coin.locator for coin in spent),
            foreign_inputs=foreign if spent else 0,
        )

    def _pay(self, past: _Past, name: str, text: str) -> Coin:
        locator, amount = text.split(maxsplit=1)
        units, asset = units_of(amount)
        coin = Coin(name, locator, asset, units)
        self.coins[name] = coin
        past.created.append(name)
        self._change(past.deltas, locator, asset, units)
        return coin

    def _ethereum(self, position: int, spec: Mapping[str, Any], watched: Mapping[str, str], past: _Past) -> Transaction:
        """``from`` signs and pays ``fee``; ``moves``: transfers ("hot -> customer 2 ETH"); "-> x" comes from the chain."""
        kind = TransactionKind(spec.get("kind", "transaction"))
        txid = spec["id"] if kind is TransactionKind.TRANSACTION else ""
        sender = spec.get("from")
        parts: list[tuple[str | None, str | None, int, str, bool]] = []
        if "fee" in spec:
            parts.append((sender, None, *units_of(spec["fee"]), True))
        for text in spec.get("moves", ()) if not spec.get("reverted") else ():
            source, _, rest = text.partition("->")
            destination, amount = rest.split(maxsplit=1)
            parts.append((source.strip() or None, destination, *units_of(amount), False))
        ends = []
        for source, destination, units, asset, _ in parts:
            for locator, delta in ((source, -units), (destination, units)):
                if locator is not None:
                    self._change(past.deltas, locator, asset, delta)
                    if locator in watched:
                        ends.append((Account(self.name, locator, asset), delta))
        return Transaction(
            txid=txid,
            position=position,
            kind=kind,
            movements=tuple(Movement(txid, n, account, delta) for n, (account, delta) in enumerate(ends)),
            legs=tuple(
                Leg(n, asset, units, source, destination, fee)
                for n, (source, destination, units, asset, fee) in enumerate(parts)
                if source in watched or destination in watched
            ),
            signers=frozenset({sender}) & frozenset(watched) if sender else frozenset(),
            succeeded=not spec.get("reverted", False),
        )
