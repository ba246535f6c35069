"""What the reserve engine is given: frozen values, amounts in exact decimals, unknown amounts as Unknown.

A field that is None was not declared. It never stands for a number: whatever needs it counts nothing, and says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from monitor.model import Tier
from monitor.reserve.money import ONE, Exchange, Money, not_negative

#: who holds the keys where no third party does, as the configuration writes it
OWN_CUSTODY = "self"


class Risk(StrEnum):
    """Why the risk factor is above 1: a closed list."""

    INCIDENTS = "incidents_in_three_years"
    SYSTEM_PROVIDER = "system_provider_not_notified"
    CUSTODIAN_SHARE = "custodian_share_above_limit"
    NO_DRILL = "no_drill"


class Exclusion(StrEnum):
    """What a policy does not pay for. An exclusion of war that reaches attacks by states is ``state_actor``."""

    HACKING = "hacking"
    STATE_ACTOR = "state_actor"
    INSIDER = "insider"
    THIRD_PARTY_CUSTODIAN = "third_party_custodian"
    SOCIAL_ENGINEERING = "social_engineering"
    PHYSICAL_THEFT = "physical_theft"


class Basis(StrEnum):
    """What has to fall into the policy period: the claim, or what happened."""

    CLAIMS_MADE = "claims_made"
    OCCURRENCE = "occurrence"


class Payee(StrEnum):
    """Who is paid. Only ``other`` (a lender, a shareholder) keeps the money from customers."""

    CUSTOMERS = "customers"
    TRUST = "trust"
    ENTITY = "entity"
    OTHER = "other"


class FundKind(StrEnum):
    """What a part of the reserve fund is."""

    CASH = "cash"
    BOND = "bond"
    BANK_GUARANTEE = "bank_guarantee"


class Cause(StrEnum):
    """Why the reserve was used: 外部流出, 事故, anything else."""

    EXTERNAL_OUTFLOW = "external_outflow"
    ACCIDENT = "accident"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Exposure:
    """What customers hold of one asset by class, and the guarantee assets (履行保証暗号資産) of the same asset."""

    asset: str
    cold: Money
    hot: Money
    guarantee: Money
    third: Money
    other: Money

    def __post_init__(self) -> None:
        for name in ("cold", "hot", "guarantee", "third", "other"):
            not_negative(f"{self.asset} {name}", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Place:
    """One wallet with all that customers have there: what can be lost at once."""

    wallet: str
    custodian: str
    tier: Tier
    value: Money

    def __post_init__(self) -> None:
        not_negative(f"value of {self.wallet}", self.value)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a policy pays. An axis of None does not restrict it; a list on it does, an empty one to nothing."""

    tiers: frozenset[Tier] | None = None
    wallets: frozenset[str] | None = None
    custodians: frozenset[str] | None = None

    @property
    def whole(self) -> bool:
        """Whether it restricts nothing."""
        return self.tiers is None and self.wallets is None and self.custodians is None

    def covers(self, place: Place) -> bool:
        """Whether a loss at ``place`` is inside."""
        return (
            (self.tiers is None or place.tier in self.tiers)
            and (self.wallets is None or place.wallet in self.wallets)
            and (self.custodians is None or place.custodian in self.custodians)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """An insurance policy as declared. ``limit`` is per event; amounts are in ``currency``.

    ``starts`` and ``expires`` are its first and last day. ``document_sha256``: of the policy document.
    """

    name: str
    currency: str
    limit: Decimal
    insurer: str | None = None
    rating: str | None = None
    affiliate: bool | None = None
    aggregate_limit: Decimal | None = None
    aggregate_left: Decimal | None = None
    deductible: Decimal | None = None
    starts: date | None = None
    expires: date | None = None
    basis: Basis | None = None
    retroactive_date: date | None = None
    loss_payee: Payee | None = None
    scope: Scope | None = None
    exclusions: frozenset[Exclusion] | None = None
    document_sha256: str | None = None
    confirmed_on: date | None = None

    def __post_init__(self) -> None:
        for name in ("limit", "aggregate_limit", "aggregate_left", "deductible"):
            if getattr(self, name) is not None:
                not_negative(f"{name} of {self.name}", getattr(self, name))

    def covers(self, place: Place) -> bool:
        """Whether it pays for a loss at ``place``, what it excludes being taken into account."""
        if self.scope is None or self.exclusions is None:
            return False
        at_third_party = place.custodian != OWN_CUSTODY
        if at_third_party and Exclusion.THIRD_PARTY_CUSTODIAN in self.exclusions:
            return False
        return self.scope.covers(place)


@dataclass(frozen=True, slots=True)
class FundAsset:
    """A part of the reserve fund as declared, in ``currency``.

    ``haircut``: the share of a bond that does not count. ``government``: whether a state issued the bond (JGB).
    ``expires``: last day of a bank guarantee.
    """

    name: str
    kind: FundKind
    currency: str
    amount: Decimal
    segregated: bool | None = None
    own_issued: bool | None = None
    government: bool | None = None
    haircut: Decimal | None = None
    expires: date | None = None

    def __post_init__(self) -> None:
        not_negative(f"amount of {self.name}", self.amount)
        if self.haircut is not None:
            not_negative(f"haircut of {self.name}", self.haircut)
            if self.haircut > ONE:
                raise ValueError(f"haircut of {self.name}: {self.haircut} is more than the whole: write 0 to 1")


@dataclass(frozen=True, slots=True)
class Use:
    """Money taken out of the reserve on ``day``. ``approval_ref``: of the authority's approval, "" for none."""

    day: date
    amount: Decimal
    currency: str
    cause: Cause
    approval_ref: str = ""

    def __post_init__(self) -> None:
        not_negative("amount of a use", self.amount)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that one judgement rests on, besides the rules.

    ``today``: the business day. ``volumes``: by product kind, then fiscal year. ``risks``: each reason as declared;
    one that is absent is not known. ``exposures``: one an asset. ``places``: one a wallet.
    """

    today: date
    fiscal_year: int
    exchange: Exchange
    volumes: Mapping[str, Mapping[int, Money]]
    exposures: tuple[Exposure, ...]
    places: tuple[Place, ...]
    risks: Mapping[Risk, bool]
    policies: tuple[Policy, ...]
    fund: tuple[FundAsset, ...]
    uses: tuple[Use, ...]

    def __post_init__(self) -> None:
        for what, names in (
            ("exposures", [each.asset for each in self.exposures]),
            ("places", [each.wallet for each in self.places]),
            ("policies", [each.name for each in self.policies]),
            ("fund", [each.name for each in self.fund]),
        ):
            twice = [name for name, times in Counter(names).items() if times > 1]
            if twice:
                raise ValueError(f"{what}: {twice[0]} stands there twice: it would count twice")
        for product, years in self.volumes.items():
            for year, volume in years.items():
                not_negative(f"volume of {product} in {year}", volume)
