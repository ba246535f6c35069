"""Which part of the reserve fund counts: segregated cash and government bonds after haircut, as the regime accepts.

Assets of customers, and tokens that the exchange issued itself, never count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from monitor.reserve.money import ONE, ZERO, Exchange, Money, combine, exact
from monitor.reserve.rules import FundRules
from monitor.reserve.values import FundAsset, FundKind


class NotCounted(StrEnum):
    """Why a part of the fund counts nothing: a closed list."""

    KIND = "kind_not_accepted"
    CURRENCY = "currency_not_accepted"
    NOT_SEGREGATED = "not_segregated"
    SEGREGATION_NOT_DECLARED = "segregation_not_declared"
    OWN_ISSUED = "issued_by_the_exchange"
    ISSUER_NOT_DECLARED = "own_issued_not_declared"
    NOT_GOVERNMENT = "no_government_bond"
    GOVERNMENT_NOT_DECLARED = "government_not_declared"
    EXPIRED = "expired"
    EXPIRY_NOT_DECLARED = "expiry_not_declared"


@dataclass(frozen=True, slots=True)
class FundLine:
    """One part of the fund. ``value``: before the haircut; ``amount``: what counts, zero for each of ``reasons``."""

    asset: FundAsset
    reasons: tuple[NotCounted, ...]
    value: Money
    haircut: Decimal
    amount: Money


def not_counted(asset: FundAsset, rules: FundRules, today: date) -> tuple[NotCounted, ...]:
    """Every reason why it counts nothing. Reading this list is reading the rule."""
    bond, promise = asset.kind is FundKind.BOND, asset.kind is FundKind.BANK_GUARANTEE
    tests = (
        (NotCounted.KIND, asset.kind not in rules.kinds),
        (NotCounted.CURRENCY, rules.currencies is not None and asset.currency not in rules.currencies),
        (NotCounted.SEGREGATION_NOT_DECLARED, asset.segregated is None),
        (NotCounted.NOT_SEGREGATED, asset.segregated is False),
        (NotCounted.ISSUER_NOT_DECLARED, asset.own_issued is None),
        (NotCounted.OWN_ISSUED, asset.own_issued is True),
        (NotCounted.GOVERNMENT_NOT_DECLARED, bond and asset.government is None),
        (NotCounted.NOT_GOVERNMENT, bond and asset.government is False),
        (NotCounted.EXPIRY_NOT_DECLARED, promise and asset.expires is None),
        (NotCounted.EXPIRED, asset.expires is not None and asset.expires < today),
    )
    return tuple(reason for reason, holds in tests if holds)


@exact
def fund_line(asset: FundAsset, rules: FundRules, exchange: Exchange, today: date) -> FundLine:
    """One part of the fund worked out. Of two haircuts, the declared and the regime's, the larger counts."""
    reasons = not_counted(asset, rules, today)
    haircut = max(asset.haircut or ZERO, rules.bond_haircut if asset.kind is FundKind.BOND else ZERO)
    value = exchange.value(asset.amount, asset.currency)
    amount = ZERO if reasons else combine(lambda whole: whole * (ONE - haircut), value)
    return FundLine(asset, reasons, value, haircut, amount)
