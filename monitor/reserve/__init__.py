"""The reserve against loss (責任準備金): what is required, what counts, what one large loss would leave uncovered."""

from __future__ import annotations

from monitor.reserve.fund import FundLine, NotCounted
from monitor.reserve.insurance import Eligible, Ineligible
from monitor.reserve.money import Exchange, Money, Unknown
from monitor.reserve.replenish import Replenishment, TopUp, UseLine, may_use
from monitor.reserve.requirement import ExposureLine, Reserve, VolumeLine, judge
from monitor.reserve.rules import Accrual, Clamp, FundRules, InsuranceRules, ReserveRules, Tiers, Weights
from monitor.reserve.stress import Stress, StressLine
from monitor.reserve.values import (
    OWN_CUSTODY,
    Basis,
    Cause,
    Exclusion,
    Exposure,
    Facts,
    FundAsset,
    FundKind,
    Payee,
    Place,
    Policy,
    Risk,
    Scope,
    Use,
)

__all__ = [
    "OWN_CUSTODY",
    "Accrual",
    "Basis",
    "Cause",
    "Clamp",
    "Eligible",
    "Exchange",
    "Exclusion",
    "Exposure",
    "ExposureLine",
    "Facts",
    "FundAsset",
    "FundKind",
    "FundLine",
    "FundRules",
    "Ineligible",
    "InsuranceRules",
    "Money",
    "NotCounted",
    "Payee",
    "Place",
    "Policy",
    "Replenishment",
    "Reserve",
    "ReserveRules",
    "Risk",
    "Scope",
    "Stress",
    "StressLine",
    "Tiers",
    "TopUp",
    "Unknown",
    "Use",
    "UseLine",
    "VolumeLine",
    "Weights",
    "judge",
    "may_use",
]
