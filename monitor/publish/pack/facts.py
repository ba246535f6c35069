"""The figures of a pack, from cases alone. Pure: the same cases give the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal

from monitor.model import Case, rfc3339, utc
from monitor.publish.render import coins

_EXACT = Context(prec=400)


@dataclass(frozen=True, slots=True)
class Entity:
    """Who writes. ``registration``, ``lei``: "" where the configuration has none."""

    name: str
    registration: str
    lei: str


@dataclass(frozen=True, slots=True)
class Facts:
    """``cases`` in the order they opened, at least one; ``incident``: "" for a case that stands alone.

    ``natives``: the assets that chains issue themselves; ``decimals`` by asset.
    """

    entity: Entity
    incident: str
    cases: tuple[Case, ...]
    decimals: Mapping[str, int]
    natives: frozenset[str]

    @property
    def detected(self) -> datetime:
        """When the first of them opened: from then on it was known."""
        return min(case.opened_at for case in self.cases)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The assets that somebody issues, and who could freeze them."""
        return tuple(sorted({case.asset for case in self.cases if case.asset and case.asset not in self.natives}))


Row = dict[str, str]


def addresses(facts: Facts) -> list[Row]:
    """One row for each address that each case paid."""
    return [
        {
            "chain": case.chain or "",
            "address": paid.address,
            "asset": case.asset or "",
            "amount": _coins(case.asset, paid.units, facts.decimals),
            "units": str(paid.units),
            "known_beforehand": "yes" if paid.known else "no",
            "txid": case.txid or "",
            "case": case.id,
        }
        for case in facts.cases
        for paid in case.destinations
    ]


def transactions(facts: Facts) -> list[Row]:
    """One row for each case with a transaction: what it took from one wallet in one asset."""
    return [
        {
            "chain": case.chain or "",
            "txid": case.txid,
            "block": "" if case.block is None else str(case.block.height),
            "block_time": "" if case.block is None else rfc3339(utc(case.block.time)),
            "wallet": case.wallet or "",
            "tier": "" if case.tier is None else case.tier.value,
            "asset": case.asset or "",
            "amount": _coins(case.asset, case.units, facts.decimals),
            "units": "" if case.units is None else str(case.units),
            "fee": _coins(case.fee_asset, case.fee_units, facts.decimals),
            "left_the_chain": "yes" if case.reorged_out else "no",
            "case": case.id,
        }
        for case in facts.cases
        if case.txid is not None
    ]


def amounts(facts: Facts) -> list[Row]:
    """One row for each asset: all that left, and its value; "" where one of its cases had no price."""
    rows = []
    for asset in sorted({case.asset for case in facts.cases if case.asset and case.units is not None}):
        mine = [case for case in facts.cases if case.asset == asset and case.units is not None and case.units >= 0]
        units = sum(case.units or 0 for case in mine)
        value, currency, oldest = _value(mine)
        rows.append(
            {
                "asset": asset,
                "amount": _coins(asset, units, facts.decimals),
                "units": str(units),
                "value": value,
                "currency": currency,
                "price_as_of": oldest,
                "cases": str(len(mine)),
            }
        )
    return rows


def _value(cases: Sequence[Case]) -> tuple[str, str, str]:
    """Sum, currency and the oldest price's time; three times "" where it is not known for all of them."""
    values = [case.value for case in cases if case.value is not None]
    currencies = {value["currency"] for value in values}
    if len(values) < len(cases) or len(currencies) != 1:
        return "", "", ""
    total = Decimal(0)
    for value in values:
        total = _EXACT.add(total, Decimal(value["amount"]))
    return format(total, "f"), currencies.pop(), min(value["price_as_of"] for value in values)


def _coins(asset: str | None, units: int | None, decimals: Mapping[str, int]) -> str:
    return coins(asset, units, decimals) or ""
