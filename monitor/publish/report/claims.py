"""What each customer could be paid from what is there: claims pro rata, for whoever takes over (管財人). Pure.

Asset by asset, in base units: one asset's surplus never heals another's gap. Shares are rounded down, so that no more
is promised than is there; where enough is there, everybody is paid in full and nobody more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, localcontext
from typing import Any

from chains.core.amounts import format_coins
from monitor.books.tables import Owed

Json = dict[str, Any]
_RATE_DIGITS = 12
#: digits that hold 2^256 base units times any price exactly
_PRECISION = 240


@dataclass(frozen=True, slots=True)
class Source:
    """Where the customers' balances were read: their time (RFC 3339), the file's name and its SHA-256."""

    as_of: str
    file: str
    sha256: str


def claims_block(
    source: Source,
    owed: Iterable[Owed],
    available: Mapping[str, int],
    prices: Mapping[str, Decimal],
    decimals: Mapping[str, int],
) -> Json:
    """The block ``claims`` of the report.

    ``available``: base units in customer wallets; an asset without an entry is an error, not zero. ``prices``: of one
    coin, in the report's currency; a claim without a price has no value (null). Raises ValueError for a negative
    balance, for a customer twice in one asset, and for an asset that is unknown.
    """
    balances = _checked(owed, available)
    totals: dict[str, int] = {}
    for (_, asset), units in balances.items():
        totals[asset] = totals.get(asset, 0) + units
    rows = []
    paid = dict.fromkeys(totals, 0)
    for (customer, asset), units in sorted(balances.items()):
        claim = share(units, totals[asset], available[asset])
        paid[asset] += claim
        value = _value(claim, prices.get(asset), decimals[asset])
        rows.append({"customer": customer, "asset": asset, "owed": str(units), "claim": str(claim), "value": value})
    pools = [_pool(asset, available[asset], totals[asset], paid[asset]) for asset in sorted(totals)]
    facts = {
        "as_of": source.as_of,
        "customer_file": source.file,
        "customer_sha256": source.sha256,
        "customers": len({customer for customer, _ in balances}),
    }
    return {"facts": facts, "tables": {"pools": pools, "per_customer": rows}}


def share(units: int, total: int, available: int) -> int:
    """``units`` of ``total`` paid from ``available``: in full where that is enough, else pro rata, rounded down."""
    return units if available >= total else available * units // total


def _checked(owed: Iterable[Owed], available: Mapping[str, int]) -> dict[tuple[str, str], int]:
    balances: dict[tuple[str, str], int] = {}
    for item in owed:
        if item.asset not in available:
            raise ValueError(f"{item.customer}: what is held of {item.asset} is unknown: no claim can be worked out")
        if available[item.asset] < 0:
            raise ValueError(f"{item.asset}: less than nothing is held")
        if item.units < 0:
            raise ValueError(f"{item.customer}: {item.asset} is below zero: leave such accounts out, and list them")
        if (item.customer, item.asset) in balances:
            raise ValueError(f"{item.customer}: {item.asset} stands twice in the customer file")
        balances[item.customer, item.asset] = item.units
    return balances


def _pool(asset: str, available: int, owed: int, paid: int) -> Json:
    scale = 10**_RATE_DIGITS
    rate = scale if available >= owed else available * scale // owed
    return {
        "asset": asset,
        "available": str(available),
        "owed": str(owed),
        "paid": str(paid),
        "left": str(owed - paid),
        "rate": format_coins(rate, _RATE_DIGITS),
    }


def _value(units: int, price: Decimal | None, decimals: int) -> str | None:
    if price is None:
        return None
    with localcontext(Context(prec=_PRECISION, traps=[Inexact])):
        text = f"{(Decimal(units) * price).scaleb(-decimals):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
