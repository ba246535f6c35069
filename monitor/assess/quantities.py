"""How much of each asset is in each storage, at the cycle's anchors or at the liabilities' own time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.assess.inputs import CUSTOMER, SELF, Custody, Inputs, Owed, Reading, Stated, Storage, too_old
from monitor.model import Direction, Position, rfc3339


@dataclass(frozen=True, slots=True)
class Quantity:
    """Base units. ``verified`` are known by more than one endpoint's claim; ``stated`` stand in a statement only."""

    units: int = 0
    verified: int = 0
    stated: int = 0

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.units + other.units, self.verified + other.verified, self.stated + other.stated)


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no figure, and why."""

    reason: str


class Quantities:
    """What was held at one moment. ``as_of`` None: at the cycle's anchors; else at the liabilities' own time."""

    def __init__(self, inputs: Inputs, as_of: datetime | None = None) -> None:
        self._custody = {wallet.wallet: wallet for wallet in inputs.facts.wallets}
        self._there = {(wallet.chain, wallet.storage) for wallet in inputs.facts.wallets}
        self._held: dict[tuple[str, Storage], Quantity] = {}
        self._missing: dict[tuple[str, Storage], list[str]] = {}
        self.by_wallet: dict[tuple[str, str], Quantity] = {}
        for reading in readings(inputs, as_of):
            self._take(reading)
        books = inputs.books
        self._unread = "" if books.statements is not None else f"statements: {books.statements_reason}"
        for statement in books.statements or ():
            self._state(statement, as_of or inputs.at, inputs.facts.limits.statements)

    def _take(self, reading: Reading) -> None:
        if reading.lines is None:
            for asset in reading.assets:
                for storage in Storage:
                    if (reading.chain, storage) in self._there:
                        self._missing.setdefault((asset, storage), []).append(f"{reading.chain}: {reading.reason}")
            return
        for line in reading.lines:
            quantity = Quantity(line.units, line.verified)
            custody = self._custody.get(line.wallet)
            if custody is None:
                if line.units:
                    raise ValueError(f"{line.wallet} holds {line.asset} and is no configured wallet")
                continue
            self._add(line.asset, custody.storage, quantity)
            self.by_wallet[line.wallet, line.asset] = (
                self.by_wallet.get((line.wallet, line.asset), Quantity()) + quantity
            )

    def _state(self, statement: Stated, at: datetime, max_age: int) -> None:
        storage = Custody(
            statement.custodian, "", statement.tier, statement.owner, statement.custodian, encumbered=""
        ).storage
        if statement.custodian == SELF:
            self._missing.setdefault((statement.asset, storage), []).append("a statement of oneself is none")
        elif statement.as_of > at:
            why = f"the statement of {statement.custodian} is of {rfc3339(statement.as_of)}, after {rfc3339(at)}"
            self._missing.setdefault((statement.asset, storage), []).append(why)
        elif too_old(statement.as_of, at, max_age):
            why = f"the statement of {statement.custodian} of {rfc3339(statement.as_of)} is too old"
            self._missing.setdefault((statement.asset, storage), []).append(why)
        else:
            self._add(statement.asset, storage, Quantity(statement.units, 0, statement.units))

    def _add(self, asset: str, storage: Storage, quantity: Quantity) -> None:
        self._held[asset, storage] = self._held.get((asset, storage), Quantity()) + quantity

    def of(self, asset: str, storages: Iterable[Storage]) -> Quantity | Unknown:
        """What is held of an asset in these storages together."""
        total, reasons = Quantity(), [self._unread] if self._unread else []
        for storage in storages:
            reasons += self._missing.get((asset, storage), [])
            total += self._held.get((asset, storage), Quantity())
        return Unknown("; ".join(dict.fromkeys(reasons))) if reasons else total


class Stock:
    """What was held at each moment that a verdict asks for; each is added up once."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self._at: dict[datetime | None, Quantities] = {}

    def at(self, as_of: datetime | None = None) -> Quantities:
        """At the liabilities' own time, or at the cycle's anchors."""
        if as_of not in self._at:
            self._at[as_of] = Quantities(self.inputs, as_of)
        return self._at[as_of]


def readings(inputs: Inputs, as_of: datetime | None) -> list[Reading]:
    """One reading a chain: the one of that time where there is one, else the cycle's own."""
    found = {reading.chain: reading for reading in inputs.readings if reading.as_of is None}
    if as_of is not None:
        found |= {reading.chain: reading for reading in inputs.readings if reading.as_of == as_of}
    return list(found.values())


def in_transit(inputs: Inputs, asset: str) -> int:
    """Credited and not yet held, less debited and still held."""
    signs = {Direction.IN: 1, Direction.OUT: -1}
    return sum(signs[item.direction] * item.units for item in inputs.transit if item.asset == asset)


def owed(inputs: Inputs) -> dict[str, Owed]:
    """The liabilities by asset."""
    return {line.asset: line for line in inputs.books.liabilities or ()}


def positions(stock: Stock) -> tuple[Position, ...]:
    """Held beside owed of every asset, each at the time of its own line in the liabilities."""
    inputs = stock.inputs
    lines = owed(inputs)
    found = []
    for asset in inputs.facts.assets:
        line = lines.get(asset)
        as_of = None if line is None else line.as_of
        held = stock.at(as_of).of(asset, CUSTOMER)
        unknown = isinstance(held, Unknown)
        found.append(
            Position(
                asset=asset,
                held=None if isinstance(held, Unknown) else held.units,
                owed=None if line is None else line.units,
                in_transit=in_transit(inputs, asset),
                verified=0 if isinstance(held, Unknown) else held.verified,
                reason=held.reason if unknown and isinstance(held, Unknown) else "",
                stated=0 if isinstance(held, Unknown) else held.stated,
            )
        )
    return tuple(found)


def stale(inputs: Inputs) -> Mapping[str, str]:
    """By asset, why what is owed to customers is not known well enough to be compared."""
    if inputs.books.liabilities is None:
        return dict.fromkeys(inputs.facts.assets, f"what is owed is unknown: {inputs.books.liabilities_reason}")
    return {
        line.asset: f"the liabilities of {rfc3339(line.as_of)} are older than max_age"
        for line in inputs.books.liabilities
        if too_old(line.as_of, inputs.at, inputs.facts.limits.liabilities)
    }
