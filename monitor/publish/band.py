"""Magnitudes for channels that must not carry exact amounts: a power of ten below and one above."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal


def band(amount: Decimal) -> str:
    """``10^4 to 10^5`` for 37500: the lower end belongs to it, the upper one does not. ``0`` for nothing.

    ``amount``: not negative, exact; nothing is rounded.
    """
    if not amount:
        return "0"
    exponent = amount.adjusted()
    return f"10^{exponent} to 10^{exponent + 1}"


def coins_band(asset: str, units: int, decimals: Mapping[str, int]) -> str:
    """The band of an amount in whole coins; an asset without known decimals has none."""
    if asset not in decimals:
        return f"an unknown amount of {asset}"
    return f"{band(Decimal(abs(units)).scaleb(-decimals[asset]))} {asset}"
