"""Funds: money and insurance set aside against loss, declared in YAML. A file is used whole or not at all.

Only what cannot be meant is a mistake here. A policy that has expired, or whose exclusions are not declared, is a true
statement: the reserve engine counts it as nothing and says why.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from chains.core.settings import Strict
from monitor.books.text import parse_money, parse_price, parse_sha256, parse_share
from monitor.books.yaml_book import YamlBook
from monitor.config.fields import Currency, Day, Text
from monitor.config.mistakes import Path as KeyPath
from monitor.model import Tier
from monitor.reserve import Basis, Cause, Exclusion, FundAsset, FundKind, Payee, Policy, Scope, Use

#: Every policy is set beside every wallet at each judgement; a tower of insurance has a dozen layers.
MOST_POLICIES = 100
Amount = Annotated[str, AfterValidator(parse_price)]
AmountOrZero = Annotated[str, AfterValidator(parse_money)]
Names = Annotated[tuple[Text, ...], Field(strict=False, max_length=10_000)]


class ScopeTerms(Strict):
    """Where a policy pays: ``all``, or axes; one that is left out does not restrict it."""

    tiers: Annotated[tuple[Literal["cold", "warm", "hot"], ...], Field(strict=False)] | None = None
    wallets: Names | None = None
    custodians: Names | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if value == "all":
            return {}
        if not isinstance(value, dict) or all(axis is None for axis in value.values()):
            raise ValueError("is no scope: write all, or a mapping of tiers, wallets or custodians")
        return value


class PolicyTerms(Strict):
    """What the policy document says. A key that is left out is not declared, and most of them are needed to count."""

    insurer: Text | None = None
    rating: Text | None = None
    affiliate: bool | None = None
    aggregate_limit: Amount | None = None
    aggregate_left: AmountOrZero | None = None
    deductible: AmountOrZero | None = None
    starts: Day | None = None
    basis: Literal["claims_made", "occurrence"] | None = None
    retroactive_date: Day | None = None
    loss_payee: Literal["customers", "trust", "entity", "other"] | None = None
    scope: ScopeTerms | None = None
    exclusions: (
        Annotated[
            tuple[
                Literal[
                    "hacking", "state_actor", "insider", "third_party_custodian", "social_engineering", "physical_theft"
                ],
                ...,
            ],
            Field(strict=False, max_length=100),
        ]
        | None
    ) = None
    document_sha256: Annotated[str, AfterValidator(parse_sha256)] | None = None
    confirmed_on: Day | None = None


class Fund(Strict):
    """``amount``: a decimal string in ``currency``, above zero; of insurance, the limit per event.

    ``expires``: last day of a policy or of a bank guarantee. ``haircut``: a share from 0 to 1, as text.
    """

    name: Text
    kind: Literal["cash", "bond", "bank_guarantee", "insurance"]
    currency: Currency
    amount: Amount
    expires: Day | None = None
    segregated: bool | None = None
    own_issued: bool | None = None
    government: bool | None = None
    haircut: Annotated[str, AfterValidator(parse_share)] | None = None
    policy: PolicyTerms | None = None


class FundUse(Strict):
    """Money taken out of the reserve."""

    date: Day
    amount: Amount
    currency: Currency
    cause: Literal["external_outflow", "accident", "other"]
    approval_ref: Text | None = None


class Funds(Strict):
    """Every fund, at one time, and every use; ``as_of`` is RFC 3339 text."""

    as_of: Text
    funds: Annotated[tuple[Fund, ...], Field(strict=False, max_length=1_000)]
    uses: Annotated[tuple[FundUse, ...], Field(strict=False, max_length=10_000)] = ()


@dataclass(frozen=True, slots=True)
class DeclaredFunds:
    """The whole book as values of the reserve engine."""

    as_of: datetime
    assets: tuple[FundAsset, ...]
    policies: tuple[Policy, ...]
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """The wallets and custodians that a policy may name."""

    wallets: Collection[str]
    custodians: Collection[str]


def read_funds(path: Path, now: datetime, places: Places | None = None) -> DeclaredFunds:
    """The book. ``places``: of the configuration, where scopes are to be checked against it. Raises BooksError."""
    book = YamlBook(path, Funds)
    as_of = now
    if book.model is not None:
        as_of = book.as_of(book.model.as_of, now)
        names: dict[str, int] = {}
        for index, fund in enumerate(book.model.funds):
            first = names.setdefault(fund.name, index)
            if first != index:
                book.report(("funds", index, "name"), f"{fund.name} is also funds[{first}]: choose another name")
            _check_kind(fund, index, book)
            if fund.policy is not None:
                _check_policy(fund, fund.policy, ("funds", index, "policy"), book, now)
                _check_scope(fund.policy, ("funds", index, "policy", "scope"), book, places)
        if sum(fund.kind == "insurance" for fund in book.model.funds) > MOST_POLICIES:
            book.report(("funds",), f"has more than {MOST_POLICIES} policies: leave out those that have expired")
        for index, use in enumerate(book.model.uses):
            book.past_day(("uses", index, "date"), use.date, now)
    whole = book.done(book.model)
    assets = tuple(_asset(fund) for fund in whole.funds if fund.kind != "insurance")
    policies = tuple(_policy(fund) for fund in whole.funds if fund.kind == "insurance")
    return DeclaredFunds(as_of, assets, policies, tuple(_use(use) for use in whole.uses))


#: keys that only some kinds have
_BELONGS = {
    "segregated": ("cash", "bond", "bank_guarantee"),
    "own_issued": ("cash", "bond", "bank_guarantee"),
    "government": ("bond",),
    "haircut": ("bond",),
    "policy": ("insurance",),
}


def _check_kind(fund: Fund, index: int, book: YamlBook[Funds]) -> None:
    for key, kinds in _BELONGS.items():
        if getattr(fund, key) is not None and fund.kind not in kinds:
            book.report(("funds", index, key), f"{key} belongs to {' and '.join(kinds)}: remove it, or correct kind")


def _check_policy(fund: Fund, terms: PolicyTerms, key: KeyPath, book: YamlBook[Funds], now: datetime) -> None:
    limit, left = terms.aggregate_limit, terms.aggregate_left
    if limit is not None and left is not None and Decimal(left) > Decimal(limit):
        book.report(
            (*key, "aggregate_left"), f"{left} is more than the aggregate limit of {limit}: correct one of them"
        )
    if terms.starts is not None and fund.expires is not None and terms.starts > fund.expires:
        book.report((*key, "starts"), f"{terms.starts} is after the last day {fund.expires}: correct one of them")
    if terms.retroactive_date is not None and terms.basis != "claims_made":
        book.report((*key, "retroactive_date"), "belongs to basis: claims_made: remove it, or write that basis")
    book.past_day((*key, "confirmed_on"), terms.confirmed_on, now)


def _check_scope(terms: PolicyTerms, key: KeyPath, book: YamlBook[Funds], places: Places | None) -> None:
    """A slip in a name would silently make a policy worthless."""
    if places is None or terms.scope is None:
        return
    for axis, known in (("wallets", places.wallets), ("custodians", places.custodians)):
        for index, name in enumerate(getattr(terms.scope, axis) or ()):
            if name not in known:
                what = f"{name} is no {axis.removesuffix('s')} of the configuration: correct it, or remove it"
                book.report((*key, axis, index), what)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _asset(fund: Fund) -> FundAsset:
    return FundAsset(
        name=fund.name,
        kind=FundKind(fund.kind),
        currency=fund.currency,
        amount=Decimal(fund.amount),
        segregated=fund.segregated,
        own_issued=fund.own_issued,
        government=fund.government,
        haircut=_decimal(fund.haircut),
        expires=fund.expires,
    )


def _policy(fund: Fund) -> Policy:
    terms = fund.policy or PolicyTerms()
    return Policy(
        name=fund.name,
        currency=fund.currency,
        limit=Decimal(fund.amount),
        insurer=terms.insurer,
        rating=terms.rating,
        affiliate=terms.affiliate,
        aggregate_limit=_decimal(terms.aggregate_limit),
        aggregate_left=_decimal(terms.aggregate_left),
        deductible=_decimal(terms.deductible),
        starts=terms.starts,
        expires=fund.expires,
        basis=None if terms.basis is None else Basis(terms.basis),
        retroactive_date=terms.retroactive_date,
        loss_payee=None if terms.loss_payee is None else Payee(terms.loss_payee),
        scope=_scope(terms.scope),
        exclusions=None if terms.exclusions is None else frozenset(map(Exclusion, terms.exclusions)),
        document_sha256=terms.document_sha256,
        confirmed_on=terms.confirmed_on,
    )


def _scope(terms: ScopeTerms | None) -> Scope | None:
    if terms is None:
        return None
    return Scope(
        None if terms.tiers is None else frozenset(map(Tier, terms.tiers)),
        None if terms.wallets is None else frozenset(terms.wallets),
        None if terms.custodians is None else frozenset(terms.custodians),
    )


def _use(use: FundUse) -> Use:
    return Use(use.date, Decimal(use.amount), use.currency, Cause(use.cause), use.approval_ref or "")
