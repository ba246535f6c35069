"""Declared figures that no chain shows: net assets, volumes, audits, the trust. A file is used whole or not at all.

A figure that is left out is not declared: a check that needs it is UNVERIFIED, never zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from chains.core.settings import Strict
from monitor.books.text import parse_coins, parse_money, parse_signed
from monitor.books.yaml_book import YamlBook
from monitor.config.fields import Currency, Day, Symbol, Text
from monitor.reserve import Risk

_Signed = Annotated[str, AfterValidator(parse_signed)]
_Amount = Annotated[str, AfterValidator(parse_money)]
_Count = Annotated[int, Field(ge=0, le=10**12)]
_RiskName = Literal[
    "incidents_in_three_years", "system_provider_not_notified", "custodian_share_above_limit", "no_drill"
]
_FISCAL_YEARS = range(2000, 2201)
_PRODUCT = re.compile(r"[a-z][a-z0-9_]{0,31}")


def _product(value: str) -> str:
    if _PRODUCT.fullmatch(value) is None:
        raise ValueError(f"{value[:40]!r} is no kind of product: write small letters, digits and _, e.g. spot")
    return value


def _lei(value: str) -> str:
    good = len(value) == 20 and value.isascii() and value.isalnum() and value == value.upper()
    if not good or int("".join(str(int(character, 36)) for character in value)) % 97 != 1:
        raise ValueError(f"{value[:40]!r} is no LEI (ISO 17442): write its 20 letters and digits, check digits last")
    return value


def _fiscal_year(value: str) -> str:
    if not value.isascii() or not value.isdecimal() or int(value[:5]) not in _FISCAL_YEARS:
        raise ValueError(f"{value[:20]!r} is no fiscal year: write the year in which it begins, e.g. 2026")
    return value


_Product = Annotated[str, AfterValidator(_product)]
_Year = Annotated[str, AfterValidator(_fiscal_year)]


class _Figures(Strict):
    """Money in the book's currency. ``fixed_overheads``: of a year. ``issued``: tokens of the issuer outstanding."""

    net_assets: _Signed | None = None
    own_funds: _Signed | None = None
    fixed_overheads: _Amount | None = None
    trust_principal: _Amount | None = None
    customer_money: _Amount | None = None
    issued: _Amount | None = None
    deposits: _Amount | None = None
    redemption_assets: _Amount | None = None


class _Dates(Strict):
    """Last days on which something was done; ``fiscal_year_end``: of the last fiscal year that has ended."""

    last_segregation_audit: Day | None = None
    last_guarantee_audit: Day | None = None
    last_statement: Day | None = None
    last_monthly_report: Day | None = None
    last_annual_filing: Day | None = None
    fiscal_year_end: Day | None = None


class _Counts(Strict):
    """Numbers of customers or people."""

    texas_customers: _Count | None = None
    employees: _Count | None = None


class _Flags(Strict):
    """What holds or does not. ``recipients_listed``: everyone who gets an outflow alert is listed by name."""

    recipients_listed: bool | None = None


class Parties(Strict):
    """Who the report names: the entity's numbers, two people for the report, who certifies, who audits."""

    lei: Annotated[str, AfterValidator(_lei)] | None = None
    registration_number: Text | None = None
    prepared_by: Text | None = None
    approved_by: Text | None = None
    chief_executive: Text | None = None
    chief_financial: Text | None = None
    auditor: Text | None = None


class _Document(Strict):
    as_of: Text
    currency: Currency
    figures: _Figures = _Figures()
    dates: _Dates = _Dates()
    counts: _Counts = _Counts()
    flags: _Flags = _Flags()
    fiscal_year: Annotated[int, Field(ge=_FISCAL_YEARS.start, lt=_FISCAL_YEARS.stop)] | None = None
    volumes: Annotated[
        dict[_Year, Annotated[dict[_Product, _Amount], Field(max_length=100)]],
        Field(max_length=100, default={}),
    ]
    general_ledger: Annotated[dict[Symbol, Text], Field(max_length=1_000, default={})]
    risks: Annotated[dict[_RiskName, bool], Field(default={})]
    parties: Parties = Parties()


#: the names that a rule may use after "declared."
FIGURES = tuple(_Figures.model_fields)
DATES = tuple(_Dates.model_fields)
COUNTS = tuple(_Counts.model_fields)
FLAGS = tuple(_Flags.model_fields)


@dataclass(frozen=True, slots=True)
class Declared:
    """The book as values: what was not declared is not in the mappings.

    ``figures``: money in ``currency``, by a name of FIGURES. ``volumes``: by product kind, then fiscal year.
    ``general_ledger``: base units by asset, what the general ledger owes to customers at ``as_of``.
    """

    as_of: datetime
    currency: str
    figures: Mapping[str, Decimal]
    dates: Mapping[str, date]
    counts: Mapping[str, int]
    flags: Mapping[str, bool]
    fiscal_year: int | None
    volumes: Mapping[str, Mapping[int, Decimal]]
    general_ledger: Mapping[str, int]
    risks: Mapping[Risk, bool]
    parties: Parties


def read_declared(path: Path, decimals: Mapping[str, int], now: datetime) -> Declared:
    """The book. ``decimals``: by asset, of the configuration. Raises BooksError."""
    book = YamlBook(path, _Document)
    as_of, ledger = now, {}
    if book.model is not None:
        as_of = book.as_of(book.model.as_of, now)
        ledger = _general_ledger(book, book.model.general_ledger, decimals)
        for name, day in book.model.dates:
            book.past_day(("dates", name), day, now)
        _check_volumes(book, book.model)
        _check_parties(book, book.model.parties)
    whole = book.done(book.model)
    return Declared(
        as_of=as_of,
        currency=whole.currency,
        figures={name: Decimal(text) for name, text in whole.figures if text is not None},
        dates={name: day for name, day in whole.dates if day is not None},
        counts={name: count for name, count in whole.counts if count is not None},
        flags={name: holds for name, holds in whole.flags if holds is not None},
        fiscal_year=whole.fiscal_year,
        volumes=_by_product(whole.volumes),
        general_ledger=ledger,
        risks={Risk(name): holds for name, holds in whole.risks.items()},
        parties=whole.parties,
    )


def _general_ledger(
    book: YamlBook[_Document], written: Mapping[str, str], decimals: Mapping[str, int]
) -> dict[str, int]:
    units: dict[str, int] = {}
    for asset, text in written.items():
        if asset not in decimals:
            message = f"{asset} is not defined under assets of the configuration: add it there, or correct it"
            book.report(("general_ledger", asset), message)
            continue
        try:
            units[asset] = parse_coins(text, decimals[asset], asset, zero=True)
        except ValueError as error:
            book.report(("general_ledger", asset), str(error))
    return units


def _check_volumes(book: YamlBook[_Document], model: _Document) -> None:
    if not model.volumes:
        return
    if model.fiscal_year is None:
        book.report(("volumes",), "needs fiscal_year, the one that runs now: write fiscal_year: 2026")
        return
    for year in model.volumes:
        if int(year) > model.fiscal_year:
            book.report(("volumes", year), f"lies after fiscal_year {model.fiscal_year}: correct one of them")


def _check_parties(book: YamlBook[_Document], parties: Parties) -> None:
    if parties.approved_by is not None and parties.approved_by == parties.prepared_by:
        book.report(("parties", "approved_by"), "also prepared the report: name a second person")
    if parties.chief_financial is not None and parties.chief_financial == parties.chief_executive:
        book.report(("parties", "chief_financial"), "is also the chief executive: two people certify")


def _by_product(years: Mapping[str, Mapping[str, str]]) -> dict[str, dict[int, Decimal]]:
    products: dict[str, dict[int, Decimal]] = {}
    for year, amounts in years.items():
        for product, text in amounts.items():
            products.setdefault(product, {})[int(year)] = Decimal(text)
    return products
