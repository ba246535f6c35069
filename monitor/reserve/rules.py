"""What a regime asks for: the parameters of the reserve engine. Japan, Korea and Hong Kong differ only here.

Source of the structure: FIEA art. 46-5 and the Cabinet Office Ordinance on Financial Instruments Business, art. 175
(three-year peak, build-up), and Act No. 64 of 2026 (liability reserve 責任準備金, whose ordinance is not issued: every
number for it is a placeholder until then). Each class raises ValueError with what to write instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from monitor.reserve.money import ONE, ZERO, not_negative
from monitor.reserve.values import Exclusion, FundKind, Risk

#: Beyond it a number of years, months or days is a slip.
_LONGEST_YEARS, _LONGEST_MONTHS, _LONGEST_DAYS = 50, 600, 3_660


def _share(name: str, value: Decimal) -> None:
    not_negative(name, value)
    if value > 1:
        raise ValueError(f"{name}: {value} is more than the whole: write a share from 0 to 1")


def _whole(name: str, value: int, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name}: {value!r} is not a whole number from {least} to {most}")


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares of what is held in each class that the exposure term asks for."""

    cold: Decimal
    hot: Decimal
    third: Decimal
    other: Decimal

    def __post_init__(self) -> None:
        for name in ("cold", "hot", "third", "other"):
            not_negative(f"weights.{name}", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Clamp:
    """The requirement is what was worked out, but at least ``floor`` and at most ``cap`` (None: no cap)."""

    floor: Decimal
    cap: Decimal | None

    def __post_init__(self) -> None:
        not_negative("floor", self.floor)
        if self.cap is not None:
            not_negative("cap", self.cap)
            if self.cap < self.floor:
                raise ValueError(f"cap: {self.cap} is below the floor of {self.floor}: write them the other way round")

    def amount(self, raw: Decimal) -> tuple[Decimal, str]:
        """The requirement, and what set it: floor, cap or formula."""
        if raw < self.floor:
            return self.floor, "floor"
        if self.cap is not None and raw > self.cap:
            return self.cap, "cap"
        return raw, "formula"


@dataclass(frozen=True, slots=True)
class Tiers:
    """The requirement is the amount beside the highest threshold that what was worked out reaches."""

    steps: tuple[tuple[Decimal, Decimal], ...]

    def __post_init__(self) -> None:
        if not self.steps or self.steps[0][0] != 0:
            raise ValueError("tiers: the first threshold must be 0, so that every exchange has a tier")
        for index, (threshold, amount) in enumerate(self.steps):
            not_negative(f"tiers[{index}].threshold", threshold)
            not_negative(f"tiers[{index}].amount", amount)
        for index, (before, after) in enumerate(zip(self.steps, self.steps[1:], strict=False), 1):
            if after[0] <= before[0] or after[1] < before[1]:
                raise ValueError(f"tiers[{index}]: thresholds must rise and amounts must not fall: sort the table")

    def amount(self, raw: Decimal) -> tuple[Decimal, str]:
        """The requirement, and the tier that set it, counted from 1."""
        index = max(i for i, (threshold, _) in enumerate(self.steps) if threshold <= max(ZERO, raw))
        return self.steps[index][1], f"tier {index + 1}"


@dataclass(frozen=True, slots=True)
class Accrual:
    """How the reserve is built up, with the choices that the formula leaves open.

    ``years``: the yearly share is 1/years of the terms at this year's volumes (art. 175: four).
    ``target``: it builds towards the requirement, or towards what insurance leaves of it.
    ``with_risk_factor``: whether the risk factor applies to the yearly share too.
    ``floor_years``: where set, at least floor/years is set aside each year, since the share of a small exchange
    would reach the floor only after decades; None leaves the formula alone.
    """

    years: int
    target: Literal["required", "net"]
    with_risk_factor: bool
    floor_years: int | None

    def __post_init__(self) -> None:
        _whole("accrual.years", self.years, 1, _LONGEST_YEARS)
        if self.floor_years is not None:
            _whole("accrual.floor_years", self.floor_years, 1, _LONGEST_YEARS)
        if self.target not in {"required", "net"}:
            raise ValueError(f"accrual.target: {self.target!r} is not accepted: write required or net")


@dataclass(frozen=True, slots=True)
class InsuranceRules:
    """When a policy counts.

    ``most``: κ, the largest share of the requirement that insurance may cover. ``rating_factors``: what share of a
    policy counts, by the insurer's rating; a rating that is not there counts nothing; None: ratings are not asked.
    ``disqualifying``: exclusions that make a policy worthless here. ``warn_days``: so many days before the day on
    which it stops counting. ``confirmed_within_days``: how old the last confirmation may be.
    """

    most: Decimal
    min_days_to_expiry: int
    warn_days: int
    confirmed_within_days: int
    rating_factors: Mapping[str, Decimal] | None
    disqualifying: frozenset[Exclusion]

    def __post_init__(self) -> None:
        _share("insurance.most", self.most)
        for name in ("min_days_to_expiry", "warn_days", "confirmed_within_days"):
            _whole(f"insurance.{name}", getattr(self, name), 0, _LONGEST_DAYS)
        for rating, factor in (self.rating_factors or {}).items():
            _share(f"insurance.rating_factors.{rating}", factor)


@dataclass(frozen=True, slots=True)
class FundRules:
    """What counts as the reserve fund. ``currencies`` None: any with a price. ``bond_haircut``: the least one."""

    kinds: frozenset[FundKind]
    currencies: frozenset[str] | None
    bond_haircut: Decimal

    def __post_init__(self) -> None:
        _share("fund.bond_haircut", self.bond_haircut)


@dataclass(frozen=True, slots=True)
class ReserveRules:
    """One regime.

    ``rates``: by product kind, the share of its peak volume; empty where the regime has no volume term, else every
    product that is traded stands there (0 is a rate). ``risk_additions``: what each reason adds to the risk factor ρ
    of ``risk_base``, up to ``risk_most``; a reason that is not there is not asked for.
    """

    rates: Mapping[str, Decimal]
    peak_years: int
    weights: Weights
    guarantee_offset: bool
    amount: Clamp | Tiers
    risk_additions: Mapping[Risk, Decimal]
    risk_most: Decimal
    accrual: Accrual
    insurance: InsuranceRules
    fund: FundRules
    replenish_months: int
    risk_base: Decimal = ONE

    def __post_init__(self) -> None:
        for product, rate in self.rates.items():
            _share(f"rates.{product}", rate)
        _whole("peak_years", self.peak_years, 1, _LONGEST_YEARS)
        _whole("replenish_months", self.replenish_months, 0, _LONGEST_MONTHS)
        for reason, addition in self.risk_additions.items():
            _share(f"risk_additions.{reason}", addition)
        not_negative("risk_most", self.risk_most)
        if not ONE <= self.risk_most <= 2:
            raise ValueError(f"risk_most: {self.risk_most} is outside 1 to 2")
        if self.accrual.floor_years is not None and not isinstance(self.amount, Clamp):
            raise ValueError("accrual.floor_years belongs to a floor: remove it, or write floor and cap")
