"""The keys of a profile file, as written."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chains.core.settings import Strict
from monitor.config.fields import Currency, Day, LongText, Text, TimeZone, WebUrl
from monitor.model import Severity
from monitor.rules.calendar import MOST_DAYS, DayUnit, Starts
from monitor.rules.marks import Verified
from monitor.rules.predicates import Kind
from monitor.rules.profile import Every, PriceBasis, Staked, Status
from monitor.rules.units import Per, Unit

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?")
_PRICE = re.compile(r"spot_close|trailing_mean_([1-9][0-9]{0,3})d")
_DEADLINE = re.compile(r"promptly|unrecorded|[1-9][0-9]{0,3}[hd]")
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: a table of a profile with more entries is no table of a law
_MOST = 200


def member(kind: type[Enum]) -> BeforeValidator:
    """Reads a word as a member of ``kind``."""
    values = [each.value for each in kind]

    def read(value: object) -> object:
        if value not in values:
            raise ValueError(f"{value!r} is not accepted: write {', '.join(values[:-1])} or {values[-1]}")
        return kind(value)

    return BeforeValidator(read)


def _verified(value: object) -> Verified:
    words = {True: Verified.TRUE, False: Verified.FALSE, "secondary": Verified.SECONDARY}
    if not isinstance(value, bool | str) or value not in words:
        raise ValueError(f"{value!r} is no mark: write true (the law was read), secondary (of it), or false (neither)")
    return words[value]


def _number(value: object) -> Decimal:
    text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
    if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no number: write a plain decimal of zero or more, e.g. 0.05")
    return Decimal(text)


def _confirmed_value(value: object) -> str:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value:
        raise ValueError("is no value: write the number, or the predicate, that is confirmed")
    return value


def _matches(pattern: re.Pattern[str], instead: str) -> AfterValidator:
    def read(value: str) -> str:
        if pattern.fullmatch(value) is None:
            raise ValueError(f"{value!r} has the wrong form: write {instead}")
        return value

    return AfterValidator(read)


Mark = Annotated[Verified, BeforeValidator(_verified)]
Number = Annotated[Decimal, BeforeValidator(_number)]
#: names of parameters, checks and declared figures: words of expressions and labels of metrics
Word = Annotated[Text, _matches(_NAME, "small letters, digits and _, beginning with a letter, 63 at most")]
Price = Annotated[Text, _matches(_PRICE, "spot_close, or trailing_mean_365d with the number of days")]
Deadline = Annotated[Text, _matches(_DEADLINE, "promptly, unrecorded, or hours or days, e.g. 1h or 14d")]
Digest = Annotated[Text, _matches(_DIGEST, "the SHA-256 of the document, 64 digits of hex in small letters")]


def _declared(value: object) -> Unit | Kind:
    words: dict[object, Unit | Kind] = {each.value: each for each in (Unit.MONEY, Unit.NUMBER, *Kind)}
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{value!r} is not accepted: write {', '.join(map(str, words))}")
    return words[value]


Declared = Annotated[Unit | Kind, BeforeValidator(_declared)]


class Confirmed(Strict):
    """A person of the entity vouches for a value that the profile marks as not verified."""

    value: Annotated[str, BeforeValidator(_confirmed_value)]
    by: Text
    on: Day
    basis: Text
    document_sha256: Digest


class ParameterEntry(Strict):
    """A number; either ``value``, or ``choices`` with the ``choice`` that holds unless an overlay chooses another."""

    unit: Annotated[Unit, member(Unit)]
    value: Number | None = None
    choices: Annotated[dict[Word, Number], Field(max_length=_MOST)] | None = None
    choice: Text | None = None
    verified: Mark
    basis: Text
    placeholder: bool = False

    @model_validator(mode="after")
    def _one_value(self) -> ParameterEntry:
        if self.unit is Unit.UNITS:
            raise ValueError("a parameter has unit number or money: units of which asset it would be nobody knows")
        if (self.value is None) == (self.choices is None) or (self.choices is None) != (self.choice is None):
            raise ValueError("needs either value, or choices and choice: write one of the two")
        if self.choices is not None and self.choice not in self.choices:
            raise ValueError(f"choice {self.choice} is none of the choices: write one of {', '.join(self.choices)}")
        _honest(self)
        return self


class ReserveEntry(Strict):
    """A number of the reserve model; its place says its unit."""

    value: Number
    verified: Mark
    basis: Text
    placeholder: bool = False

    @model_validator(mode="after")
    def _honest_placeholder(self) -> ReserveEntry:
        _honest(self)
        return self


def _honest(entry: ParameterEntry | ReserveEntry) -> None:
    if entry.placeholder and entry.verified is not Verified.FALSE:
        raise ValueError("a placeholder is no law: write verified: false, or remove placeholder")


#: the number itself, or param.NAME for one that stands under parameters
ReserveNumber = ReserveEntry | Annotated[str, _matches(re.compile(r"param\.[a-z][a-z0-9_]{0,62}"), "param.NAME")]
ReserveTable = Annotated[dict[Text, ReserveNumber], Field(max_length=_MOST)]


class HaircutTables(Strict):
    """``rating`` null: insurers' ratings are not asked."""

    rating: ReserveTable | None
    instrument: ReserveTable


class ReserveModel(Strict):
    """Every key is needed but ``risks`` (what each reason adds to ``rho``) and ``tiers`` (amount by threshold, instead
    of floor and cap); ``cap``, ``phase_in_years`` and ``replenish_months`` may be null: there is none.
    """

    rates: ReserveTable
    w_cold: ReserveNumber
    w_hot: ReserveNumber
    w_third: ReserveNumber
    guarantee_offset: bool
    floor: ReserveNumber
    cap: ReserveNumber | None
    kappa: ReserveNumber
    rho: ReserveNumber
    risks: ReserveTable = Field(default={})
    tiers: ReserveTable = Field(default={})
    phase_in_years: ReserveNumber | None
    haircuts: HaircutTables
    replenish_months: ReserveNumber | None
    min_days_to_expiry: ReserveNumber


class CureEntry(Strict):
    """How long a breach may stand."""

    n: Annotated[int, Field(ge=1, le=MOST_DAYS)]
    unit: Annotated[DayUnit, member(DayUnit)]
    starts: Annotated[Starts, member(Starts)]
    verified: Mark


class FrequencyEntry(Strict):
    """``monitor``: how often porwatch looks, where that is more often than the law asks."""

    legal: Annotated[Every, member(Every)]
    monitor: Annotated[Every | None, member(Every)] = None
    verified: Mark


class RetainEntry(Strict):
    """How long records are kept, and where, if the law says."""

    years: Annotated[int, Field(ge=1, le=100)]
    place: Text | None = None
    verified: Mark


class CheckEntry(Strict):
    """A check: ``expr`` or ``predicate``. ``stated``: a PASS may rest on what custodians state."""

    per: Annotated[Per, member(Per)]
    expr: LongText | None = None
    predicate: Text | None = None
    warn_at: LongText | None = None
    severity: Annotated[Severity, member(Severity)]
    stated: bool = False
    freq: FrequencyEntry
    basis: Text
    verified: Mark
    cure: CureEntry | None = None
    retain: RetainEntry | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> CheckEntry:
        if (self.expr is None) == (self.predicate is None):
            raise ValueError("needs either expr or predicate: write one of them")
        if self.warn_at is not None and self.expr is None:
            raise ValueError("warn_at belongs to expr: remove it")
        return self


class CheckAddition(Strict):
    """What an overlay may add to a check of the profile that it extends."""

    warn_at: LongText


class ValuationEntry(Strict):
    """In which currency, at which price, on whose clock."""

    currency: Currency
    price: Price
    tz: TimeZone
    verified: Mark

    def price_rule(self) -> tuple[PriceBasis, int]:
        """(basis, days)."""
        match = _PRICE.fullmatch(self.price)
        days = match[1] if match is not None else None
        return (PriceBasis.SPOT_CLOSE, 1) if days is None else (PriceBasis.TRAILING_MEAN, int(days))


class InsiderEntry(Strict):
    """Alerts as inside information."""

    alerts_are_material_fact: bool
    recipients_must_be_listed: bool
    verified: Mark


class NotificationEntry(Strict):
    """Whom to tell, and by when; written ``from: detected`` or ``from: classified``."""

    event: Text
    authority: Text
    deadline: Deadline
    starts: Annotated[Text, _matches(re.compile("detected|classified"), "detected or classified"), Field(alias="from")]
    template: Text
    verified: Mark


class ProfileDocument(Strict):
    """A profile file. Without ``extends`` every key is needed that has no null here in ``OPTIONAL``."""

    extends: Text | None = None
    id: Annotated[Text, _matches(re.compile(r"[a-z0-9][a-z0-9.-]{0,62}"), "small letters, digits, '.' and '-'")]
    version: Text
    title: Text
    status: Annotated[Status, member(Status)]
    effective_from: Day
    effective_latest: Day
    effective_to: Day
    supersedes: Text
    valuation: ValuationEntry
    calendar: Text
    staked_counts_as: Annotated[Staked, member(Staked)]
    source_url: WebUrl
    source_date: Day
    verified: Mark
    declared: Annotated[dict[Word, Declared], Field(max_length=_MOST)]
    parameters: Annotated[dict[Word, dict[str, Any]], Field(max_length=_MOST)]
    checks: Annotated[dict[Word, dict[str, Any]], Field(max_length=_MOST)]
    reserve: ReserveModel
    insider_channel: InsiderEntry
    notifications: Annotated[tuple[NotificationEntry, ...], Field(strict=False, max_length=_MOST)]
    confirmed: Annotated[dict[Text, Confirmed], Field(max_length=_MOST)]
    choose: Annotated[dict[Word, Text], Field(max_length=_MOST)]


#: of one profile and not of those that extend it: a file with an id of its own does not inherit them
OWN = ("version", "title", "status", "source_url", "source_date", "verified")
OWN_OPTIONAL = ("effective_from", "effective_latest", "effective_to", "supersedes")
#: needed where nothing is extended
NEEDED = ("id", *OWN, "valuation", "calendar", "staked_counts_as", "checks")


class CalendarDocument(Strict):
    """A calendar file. ``holidays``: each date with its name, between ``first`` and ``last``."""

    name: Text
    version: Text
    first: Day
    last: Day
    weekend: Annotated[tuple[Text, ...], Field(strict=False, max_length=6)]
    holidays: Annotated[dict[Text, Text], Field(max_length=2_000)]


DAYS: tuple[str, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Report = Callable[[tuple[str | int, ...], str], None]


def read_day(text: str) -> date:
    """A date of ISO 8601 text. Raises ValueError with what to write instead."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else date.fromisoformat("")
    except ValueError:
        raise ValueError(f"{text!r} is no date: write year-month-day, e.g. 2026-12-01") from None
