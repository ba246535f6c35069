"""The rules of one jurisdiction in values, as a profile file states them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from monitor.model import Severity
from monitor.rules.calendar import Calendar, Cure
from monitor.rules.grammar import Comparison
from monitor.rules.marks import Confirmation, Parameter, Verified
from monitor.rules.predicates import Kind, Predicate
from monitor.rules.units import Per, Unit


class Status(StrEnum):
    """Whether the rules are law: in force, passed with a later start, proposed, or numbers of this project."""

    IN_FORCE = "in_force"
    ENACTED_PENDING = "enacted_pending"
    PENDING = "pending"
    PLACEHOLDER = "placeholder"


class Staked(StrEnum):
    """As what staked assets of customers count."""

    COLD = "cold"
    HOT = "hot"
    NEITHER = "neither"


class PriceBasis(StrEnum):
    """Spot price at the close of the local day, or the mean of the closes of a number of days."""

    SPOT_CLOSE = "spot_close"
    TRAILING_MEAN = "trailing_mean"


@dataclass(frozen=True, slots=True)
class Valuation:
    """``days``: of the trailing mean; 1 for a spot close. ``timezone``: a name of the tz database."""

    currency: str
    basis: PriceBasis
    days: int
    timezone: str
    verified: Verified


class Every(StrEnum):
    """How often the law wants a check to hold."""

    CONTINUOUS = "continuous"
    BLOCK = "block"
    MOVEMENT = "movement"
    DAILY = "daily"
    BUSINESS_DAY = "business_day"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"


@dataclass(frozen=True, slots=True)
class Frequency:
    """``legal``: what the law asks; ``monitor``: how often porwatch looks. Printed, never decisive."""

    legal: Every
    monitor: Every
    verified: Verified


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the records of a check are kept; ``place`` "" where the law names none."""

    years: int
    place: str
    verified: Verified


@dataclass(frozen=True, slots=True)
class Rule:
    """One check of a profile. ``warn_at``: an internal limit inside the law's, with the same left side and relation.

    ``stated``: a PASS may rest on custodians' statements. ``confirmed``: of a predicate, which has no parameter
    that could be confirmed instead.
    """

    id: str
    per: Per
    condition: Comparison | Predicate
    severity: Severity
    frequency: Frequency
    basis: str
    verified: Verified
    warn_at: Comparison | None = None
    cure: Cure | None = None
    retention: Retention | None = None
    confirmed: Confirmation | None = None
    stated: bool = False


@dataclass(frozen=True, slots=True)
class Haircuts:
    """Shares from 0 to 1 that count; what is not listed does not count.

    ``rating``: of a policy, by its insurer's rating; None where ratings are not asked. ``instrument``: of money
    set aside, by kind.
    """

    rating: Mapping[str, Parameter] | None
    instrument: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class ReserveRules:
    """The numbers of the reserve model (a liability reserve, or compensation cover with other weights).

    ``rates``: money per money of yearly volume, by product. ``cap`` and ``phase_in_years`` None: there is none.
    ``risks``: what each reason adds to ``rho``. ``tiers``: the amount by threshold (text), instead of floor and
    cap where there are any. ``guarantee_offset``: whether guarantee assets lower the hot exposure, asset by asset.
    """

    rates: Mapping[str, Parameter]
    w_cold: Parameter
    w_hot: Parameter
    w_third: Parameter
    guarantee_offset: bool
    floor: Parameter
    cap: Parameter | None
    kappa: Parameter
    rho: Parameter
    risks: Mapping[str, Parameter]
    tiers: Mapping[str, Parameter]
    phase_in_years: Parameter | None
    haircuts: Haircuts
    replenish_months: Parameter | None
    min_days_to_expiry: Parameter

    def parameters(self) -> dict[str, Parameter]:
        """Every parameter of the model by its name."""
        single = (
            *(self.w_cold, self.w_hot, self.w_third, self.floor, self.cap, self.kappa, self.rho),
            *(self.phase_in_years, self.replenish_months, self.min_days_to_expiry),
        )
        tables = (self.rates, self.risks, self.tiers, self.haircuts.rating or {}, self.haircuts.instrument)
        listed = [each for each in single if each is not None]
        return {each.name: each for each in (*listed, *(entry for table in tables for entry in table.values()))}


@dataclass(frozen=True, slots=True)
class InsiderChannel:
    """Whether alerts are inside information, and whether everyone who gets one must be listed by name."""

    alerts_are_material_fact: bool
    recipients_must_be_listed: bool
    verified: Verified


@dataclass(frozen=True, slots=True)
class Notification:
    """Whom to tell, and by when.

    ``deadline``: a duration (1h, 14d), "promptly", or "unrecorded"; ``starts``: detected or classified.
    """

    event: str
    authority: str
    deadline: str
    starts: str
    template: str
    verified: Verified


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: ``kind`` is profile, base or calendar."""

    kind: str
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that a profile says.

    ``effective_latest``: the last day on which it can start, where that day is not set yet.
    ``declared``: names under declared.… with the unit of a figure, or what else they are.
    ``supersedes``: the id of the profile that ends when this one starts, or "".
    """

    id: str
    version: str
    title: str
    status: Status
    effective_from: date | None
    effective_latest: date | None
    effective_to: date | None
    supersedes: str
    valuation: Valuation
    calendar: Calendar
    staked_counts_as: Staked
    source_url: str
    source_date: date
    verified: Verified
    declared: Mapping[str, Unit | Kind]
    parameters: Mapping[str, Parameter]
    rules: tuple[Rule, ...]
    reserve: ReserveRules | None
    insider_channel: InsiderChannel | None
    notifications: tuple[Notification, ...]
    sources: tuple[Source, ...] = field(default=())

    def rule(self, rule_id: str) -> Rule:
        """The rule of an id. Raises KeyError."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)

    def starts(self) -> date | None:
        """The day from which it applies; None where the law sets none, and it has always applied."""
        return self.effective_from or self.effective_latest

    def applies(self, on: date) -> bool:
        """Whether it is in force on a day of its own time zone; a day that is not yet set is its latest."""
        begins, ends = self.starts(), self.effective_to
        begun = begins <= on if begins is not None else self.status is Status.IN_FORCE
        return begun and (ends is None or on <= ends)


class Superseded(Exception):
    """Profiles that supersede each other in a circle, or two that supersede the same one."""


def in_force(profiles: Mapping[str, Profile], profile_id: str, on: date) -> Profile:
    """The profile that stands for ``profile_id`` on a day: itself, or the last successor that has started.

    ``profiles``: by id. Raises Superseded.
    """
    current, seen = profiles[profile_id], {profile_id}
    while True:
        heirs = [each for each in profiles.values() if each.supersedes == current.id]
        if len(heirs) > 1:
            raise Superseded(f"{' and '.join(heir.id for heir in heirs)} both supersede {current.id}: keep one")
        if heirs and heirs[0].id in seen:
            raise Superseded(f"{' and '.join(sorted(seen))} supersede each other: remove one supersedes")
        if not heirs or not heirs[0].applies(on):
            return current
        current = heirs[0]
        seen.add(current.id)


def plain(number: Decimal) -> str:
    """A plain decimal string without exponent, zeros at the end removed."""
    text = format(number, "f") if number else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text
