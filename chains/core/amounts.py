"""The one door between decimal strings and base units."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
#: 2^256 has 78 digits; with 36 decimals beside them nothing real is longer.
_LONGEST = 120


def parse_units(text: str, decimals: int) -> int:
    """Base units of a plain decimal string of coins, exactly.

    Raises ValueError for anything but a plain decimal ("1.5": no exponent, sign "+", space,
    separator or leading zero) and for more decimals than the asset has: nothing is rounded.
    """
    if not isinstance(text, str):
        raise TypeError(f"an amount must be a string of coins, not {type(text).__name__}")
    if len(text) > _LONGEST or _DECIMAL.fullmatch(text) is None:
        raise ValueError(f"{text[:_LONGEST]!r} is not a plain decimal amount: write e.g. '1.50'")
    whole, _, fraction = text.partition(".")
    if len(fraction) > decimals and fraction[decimals:].strip("0"):
        raise ValueError(f"{text!r} has more than {decimals} decimals")
    digits = whole.removeprefix("-") + fraction[:decimals].ljust(decimals, "0")
    return -int(digits) if whole.startswith("-") else int(digits)


def format_coins(units: int, decimals: int) -> str:
    """Coins as a plain decimal string with all ``decimals``; the inverse of ``parse_units``."""
    if type(units) is not int:
        raise TypeError(f"units must be an int, not {type(units).__name__}")
    digits = str(abs(units)).rjust(decimals + 1, "0")
    sign = "-" if units < 0 else ""
    if decimals == 0:
        return f"{sign}{digits}"
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"
