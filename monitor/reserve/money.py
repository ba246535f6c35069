"""Money in exact decimals that may be unknown. Unknown is never zero: it travels to every result that needs it.

All amounts are in the valuation currency unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import (
    ROUND_CEILING,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import wraps
from typing import ParamSpec, TypeAlias, TypeVar

from monitor.model import Price

_P = ParamSpec("_P")
_R = TypeVar("_R")

ZERO = Decimal(0)
ONE = Decimal(1)
#: The longest product here has six factors of at most 120 digits: what does not fit is an error, never a rounding.
_DIGITS = 2_000
_TRAPS = [Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation]
_EXACT = Context(prec=_DIGITS, traps=_TRAPS)
_UPWARDS = Context(prec=_DIGITS, rounding=ROUND_CEILING, traps=[InvalidOperation, DivisionByZero, Overflow])
#: digits after the point of a quotient
_QUOTIENT_DIGITS = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Unknown:
    """An amount that is not known, and the operands that are missing for it, sorted."""

    operands: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.operands:
            raise ValueError("an unknown amount names what is missing: write at least one operand")


Money: TypeAlias = Decimal | Unknown


def not_negative(name: str, amount: Money) -> None:
    """Raises ValueError for anything but a finite decimal of zero or more, or Unknown: nothing is netted."""
    # The type first: a float or a bool would be compared happily.
    if isinstance(amount, Unknown):
        return
    if type(amount) is not Decimal or not amount.is_finite() or amount < 0:
        raise ValueError(f"{name}: {amount!r} is not a decimal of zero or more: write e.g. 0.015")


def exact(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Runs ``function`` in a context that raises instead of rounding."""

    @wraps(function)
    def inside(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with localcontext(_EXACT):
            return function(*args, **kwargs)

    return inside


def missing(amounts: Iterable[Money]) -> tuple[str, ...]:
    """Every operand that is missing for any of ``amounts``, once, sorted."""
    return tuple(sorted({name for amount in amounts if isinstance(amount, Unknown) for name in amount.operands}))


def combine(function: Callable[..., Decimal], *amounts: Money) -> Money:
    """``function`` of the amounts, or Unknown with all that is missing."""
    names = missing(amounts)
    return Unknown(names) if names else function(*amounts)


def total(amounts: Iterable[Money]) -> Money:
    """The sum; of nothing, zero."""
    return combine(lambda *parts: sum(parts, ZERO), *amounts)


def weighted(weight: Decimal, amount: Money) -> Money:
    """``weight · amount``. A weight of zero takes the term out of the rule, so nothing is missing for it."""
    return ZERO if weight == 0 else combine(lambda value: weight * value, amount)


def share_up(amount: Decimal, parts: int) -> Decimal:
    """``amount / parts``, rounded up at the 12th digit after the point: what is set aside is never too little."""
    return _UPWARDS.quantize(_UPWARDS.divide(amount, Decimal(parts)), _QUOTIENT_DIGITS)


@dataclass(frozen=True, slots=True)
class Exchange:
    """``prices``: what one unit of another currency is worth in ``currency``, for those prices that may be used."""

    currency: str
    prices: Mapping[str, Decimal]

    @classmethod
    def of(cls, currency: str, prices: Iterable[Price], oldest: datetime) -> Exchange:
        """From declared prices in ``currency``; those before ``oldest`` are left out, so that they are missing."""
        usable = (each for each in prices if each.currency == currency and each.as_of >= oldest)
        return cls(currency, {each.asset: Decimal(each.price) for each in usable})

    def value(self, amount: Decimal, currency: str) -> Money:
        """``amount`` of ``currency`` in the valuation currency, exactly; Unknown without a price."""
        if currency == self.currency:
            return amount
        price = self.prices.get(currency)
        return Unknown((f"price of {currency} in {self.currency}",)) if price is None else amount * price
