"""What a check is computed from: an exact number or a fact for every name, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Protocol

from monitor.rules.grammar import CLASSES
from monitor.rules.predicates import Fact

#: Longer numbers than any amount, price or product of the two.
MOST_DIGITS = 400
#: Wide enough for every product and sum that fits into an expression; what would be rounded raises Inexact instead.
EXACT = Context(prec=30_000, Emin=-100_000, Emax=100_000, traps=[Inexact, InvalidOperation, Overflow])


@dataclass(frozen=True, slots=True)
class Missing:
    """Why an operand has no value: stale, not priced, not read, endpoints disagree, not declared."""

    reason: str


#: an exact value, or why there is none
Value = Decimal | int | Missing


class Operands(Protocol):
    """Where a check finds its values. Everything in one look-up is of one moment.

    ``on``: the business date in the profile's time zone.
    """

    @property
    def on(self) -> date: ...

    def number(self, name: str, asset: str | None) -> Value:
        """``name`` as it stands in an expression, e.g. L, T, A.cust_cold, E.cust_hot or declared.net_assets.

        In coins of ``asset``, or in money. Without an asset, E.CLASS is the total over all assets.
        """
        ...

    def fact(self, name: str) -> Fact | Missing:
        """declared.NAME, records, storage.CLASS (wallet -> tier) or destinations."""
        ...


@dataclass(frozen=True, slots=True)
class Figures:
    """Operands from plain tables. What is not in a table is missing; a zero must be written.

    ``held``: (asset, class) -> coins; ``owed`` and ``transit`` (into wallets less out of them): asset -> coins;
    ``prices``: asset -> money for one coin by the profile's price rule; ``figures``: declared.NAME, cover.NAME
    and reserve.NAME. ``assets``: every asset that anything is held or owed in. An asset of which a class
    holds exactly nothing needs no price there.
    """

    on: date
    assets: tuple[str, ...] = ()
    held: Mapping[tuple[str, str], Value] = field(default_factory=dict)
    owed: Mapping[str, Value] = field(default_factory=dict)
    transit: Mapping[str, Value] = field(default_factory=dict)
    prices: Mapping[str, Value] = field(default_factory=dict)
    figures: Mapping[str, Value] = field(default_factory=dict)
    facts: Mapping[str, Fact | Missing] = field(default_factory=dict)

    def number(self, name: str, asset: str | None) -> Value:
        kind, _, of_class = name.partition(".")
        if name in {"L", "T"}:
            table = self.owed if name == "L" else self.transit
            return table.get(asset or "", Missing(f"nothing is known of {name} of {asset}"))
        if kind == "A":
            return self._held(asset or "", of_class)
        if kind == "E":
            return self._total(of_class) if asset is None else self._worth(asset, of_class)
        return self.figures.get(name, Missing("nothing is declared or computed under this name"))

    def fact(self, name: str) -> Fact | Missing:
        return self.facts.get(name, Missing("nothing is declared under this name"))

    def _held(self, asset: str, of_class: str) -> Value:
        assert of_class in CLASSES, of_class
        return self.held.get((asset, of_class), Missing(f"holdings of {asset} in {of_class} are unknown"))

    def _worth(self, asset: str, of_class: str) -> Decimal | Missing:
        held = exact(f"A.{of_class}", self._held(asset, of_class))
        if isinstance(held, Missing) or held == 0:
            return held
        price = exact("price", self.prices.get(asset, Missing(f"{asset} has no price")))
        if isinstance(price, Missing):
            return price
        # A price of zero would make any amount count as nothing.
        return EXACT.multiply(held, price) if price > 0 else Missing(f"the price of {asset} is not above zero")

    def _total(self, of_class: str) -> Value:
        if not self.assets:
            return Missing("there is no list of assets")
        worth = {asset: self._worth(asset, of_class) for asset in self.assets}
        reasons = [value.reason for value in worth.values() if isinstance(value, Missing)]
        if reasons:
            return Missing("; ".join(sorted(set(reasons))))
        total = Decimal(0)
        for value in worth.values():
            assert not isinstance(value, Missing)
            total = EXACT.add(total, value)
        return total


def exact(name: str, value: Value) -> Decimal | Missing:
    """``value`` as a Decimal that a decision may rest on; anything else is missing, with the reason."""
    if isinstance(value, Missing):
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return Missing(f"is a {type(value).__name__}, not an exact number")
    number = Decimal(value)
    if not number.is_finite():
        return Missing("is no number")
    if len(number.as_tuple().digits) > MOST_DIGITS or abs(number.adjusted()) > MOST_DIGITS:
        return Missing(f"has more than {MOST_DIGITS} digits")
    if number < 0 and name.partition(".")[0] in {"L", "A", "E", "cover"}:
        return Missing("is below zero, which cannot be")
    return number
