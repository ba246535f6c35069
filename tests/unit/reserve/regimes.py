"""Regimes and exchanges of rules.md sections 7 and 9, in ¥bn (and ₩bn, HK$m): numbers are typed from there."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from monitor.model import Tier
from monitor.reserve import (
    Accrual,
    Basis,
    Clamp,
    Exchange,
    Exclusion,
    Exposure,
    Facts,
    FundAsset,
    FundKind,
    FundRules,
    InsuranceRules,
    Payee,
    Place,
    Policy,
    ReserveRules,
    Risk,
    Scope,
    Weights,
)

TODAY = date(2026, 11, 24)
D = Decimal
NONE = D(0)
INSURANCE = InsuranceRules(
    most=D("0.5"),
    min_days_to_expiry=90,
    warn_days=30,
    confirmed_within_days=365,
    rating_factors={"AA": D(1), "BBB": D("0.6"), "CC": D(0)},
    disqualifying=frozenset({Exclusion.HACKING, Exclusion.STATE_ACTOR}),
)
JAPAN = ReserveRules(
    rates={"spot": D("0.00008"), "margin": D("0.00001")},
    peak_years=3,
    weights=Weights(cold=D("0.015"), hot=D(1), third=D("0.02"), other=D(0)),
    guarantee_offset=True,
    amount=Clamp(D(2), D(40)),
    risk_additions={Risk.INCIDENTS: D("0.1"), Risk.NO_DRILL: D("0.1"), Risk.CUSTODIAN_SHARE: D("0.9")},
    risk_most=D(2),
    accrual=Accrual(years=4, target="required", with_risk_factor=False, floor_years=None),
    insurance=INSURANCE,
    fund=FundRules(frozenset({FundKind.CASH, FundKind.BOND}), frozenset({"JPY"}), D("0.02")),
    replenish_months=6,
)
KOREA = replace(
    JAPAN,
    rates={},
    weights=Weights(cold=NONE, hot=D("0.05"), third=NONE, other=NONE),
    guarantee_offset=False,
    amount=Clamp(D(3), None),
    risk_additions={},
    insurance=replace(INSURANCE, most=D(1)),
    fund=FundRules(frozenset({FundKind.CASH}), None, NONE),
)
HONG_KONG = replace(
    KOREA,
    weights=Weights(cold=D("0.5"), hot=D(1), third=D(1), other=D(1)),
    amount=Clamp(NONE, None),
    fund=FundRules(frozenset({FundKind.CASH, FundKind.BANK_GUARANTEE}), None, NONE),
)
NO_RISK = dict.fromkeys(Risk, False)
FULL = Policy(
    name="crime",
    currency="JPY",
    limit=D(3),
    insurer="Example Insurance",
    rating="AA",
    affiliate=False,
    aggregate_limit=D(3),
    aggregate_left=D(3),
    deductible=D("0.2"),
    starts=date(2026, 4, 1),
    expires=date(2027, 3, 31),
    basis=Basis.OCCURRENCE,
    loss_payee=Payee.CUSTOMERS,
    scope=Scope(),
    exclusions=frozenset(),
    document_sha256="0" * 64,
    confirmed_on=date(2026, 10, 1),
)


def policy(name: str, limit: str, deductible: str = "0", left: str | None = None, **terms: object) -> Policy:
    return replace(
        FULL,
        name=name,
        limit=D(limit),
        aggregate_limit=D(limit),
        aggregate_left=D(left or limit),
        deductible=D(deductible),
        **terms,
    )


def cash(amount: str, currency: str = "JPY", name: str = "account") -> FundAsset:
    return FundAsset(name, FundKind.CASH, currency, D(amount), segregated=True, own_issued=False)


def held(cold: str = "0", hot: str = "0", guarantee: str = "0", third: str = "0", asset: str = "BTC") -> Exposure:
    return Exposure(asset, D(cold), D(hot), D(guarantee), D(third), NONE)


def place(name: str, value: str, custodian: str = "self", tier: Tier = Tier.COLD) -> Place:
    return Place(name, custodian, tier, D(value))


def flat(volume: str) -> dict[int, Decimal]:
    return dict.fromkeys((2026, 2025, 2024), D(volume))


def facts(*exposures: Exposure, spot: str = "0", margin: str = "0", **others: object) -> Facts:
    """An exchange in yen without policies, fund, uses and risks, but for what is said."""
    base = Facts(
        today=TODAY,
        fiscal_year=2026,
        exchange=Exchange("JPY", {}),
        volumes={"spot": flat(spot), "margin": flat(margin)},
        exposures=exposures,
        places=(),
        risks=NO_RISK,
        policies=(),
        fund=(),
        uses=(),
    )
    return replace(base, **others)
