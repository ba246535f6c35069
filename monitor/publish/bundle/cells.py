"""Values of a report's cells: exact, or null where they are not known."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from chains.core.amounts import parse_units
from monitor.assess import Inputs
from monitor.assess.figures import coins, spot
from monitor.reserve import Unknown as NoMoney
from monitor.rules.operands import EXACT, Missing
from monitor.rules.profile import plain

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,99})?")
_LONGEST = 3000


def number(text: str | None) -> str | None:
    """A decimal of a verdict; None for "unknown", a date and whatever else is no number."""
    if text is None or _DECIMAL.fullmatch(text) is None:
        return None
    return "0" if not Decimal(text) and text.startswith("-") else text


def money(amount: object) -> str | None:
    """Money as a plain decimal; None for an amount that is not known."""
    if amount is None or isinstance(amount, NoMoney | Missing):
        return None
    assert isinstance(amount, Decimal | int), type(amount)
    return plain(Decimal(amount))


def cut(text: str) -> str:
    """Free text, not longer than a cell may be; what is cut says so."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"


def units(value: int | None) -> str | None:
    """Base units as text."""
    return None if value is None else str(value)


def units_of(amount: str | None, decimals: int) -> str | None:
    """Base units of coins in a verdict; None where they are none, or finer than the asset."""
    if amount is None or number(amount) is None:
        return None
    try:
        return str(parse_units(amount, decimals))
    except ValueError:
        return None


class Prices:
    """What amounts are worth in the entity's currency at the prices of the books."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._prices = {asset: spot(inputs, asset, inputs.facts.currency) for asset in inputs.facts.assets}

    def of(self, asset: str) -> Decimal | None:
        """The price of one coin, or None."""
        price = self._prices[asset]
        return None if isinstance(price, Missing) else Decimal(price)

    def worth(self, asset: str, amount: int | None) -> Decimal | None:
        """The value of base units; nothing is worth nothing, without a price too."""
        if amount == 0:
            return Decimal(0)
        price = self.of(asset)
        if amount is None or price is None:
            return None
        return EXACT.multiply(coins(amount, self._inputs.facts.assets[asset]), price)


def total(amounts: list[Decimal | None]) -> Decimal | None:
    """The sum; None where a part is not known."""
    whole = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        whole = EXACT.add(whole, amount)
    return whole


def business_day(at: datetime, timezone: str) -> date:
    """The day that a verdict is about; one at midnight closes the day before."""
    return (at.astimezone(ZoneInfo(timezone)) - timedelta(microseconds=1)).date()


def day(text: Any) -> str | None:
    """An ISO day, or None for what is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None
