"""Everything that a verdict is computed from: values that go to JSON and back without loss.

A verdict is a function of these and of nothing else, so a stranger who has them gets the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, TypeAdapter, ValidationError, with_config

from chains.core.values import BlockRef
from monitor.model import Direction, Owner, Tier, rfc3339
from monitor.reserve import FundAsset, Policy, Risk, Use

_DIGITS = 80


def _whole(value: Any) -> Any:
    """Base units are text in JSON: most readers of JSON numbers cannot hold them."""
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if not digits.isascii() or not digits.isdigit() or len(digits) > _DIGITS or value != str(int(value)):
            raise ValueError("must be a whole number of base units as text")
        return int(value)
    return value


Units = Annotated[int, BeforeValidator(_whole), PlainSerializer(str)]
Moment = Annotated[datetime, PlainSerializer(rfc3339)]
_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=False)


class BadInputs(Exception):
    """What should be the inputs of a verdict is not; says where and why."""


class Storage(StrEnum):
    """Where an amount counts. What customers own and is not cold is hot for the law, whoever keeps the keys.

    ENCUMBERED counts nowhere: it is there, and somebody else has a claim on it.
    """

    CUSTOMER_COLD = "cust_cold"
    CUSTOMER_HOT = "cust_hot"
    CUSTOMER_THIRD = "cust_third"
    CUSTOMER_STAKED = "cust_staked"
    GUARANTEE = "guarantee"
    OWN = "own"
    RESERVE = "reserve"
    ENCUMBERED = "encumbered"


#: the storage of what customers own
CUSTOMER = (Storage.CUSTOMER_COLD, Storage.CUSTOMER_HOT, Storage.CUSTOMER_THIRD, Storage.CUSTOMER_STAKED)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Provider:
    """Who runs an important system of a wallet or keeps its keys, and whether the authority has been told."""

    name: str
    status: str
    notified_on: date | None = None
    affiliate: bool = False


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Custody:
    """One wallet as the law sees it. ``encumbered``: the claim of somebody else on it, or ""."""

    wallet: str
    chain: str
    tier: Tier
    owner: Owner
    custodian: str
    staked: bool = False
    encumbered: str = ""
    provider: Provider | None = None

    @property
    def storage(self) -> Storage:
        if self.encumbered:
            return Storage.ENCUMBERED
        if self.owner is not Owner.CUSTOMER:
            return {
                Owner.HOUSE: Storage.OWN,
                Owner.GUARANTEE: Storage.GUARANTEE,
                Owner.RESERVE: Storage.RESERVE,
            }[self.owner]
        if self.staked:
            return Storage.CUSTOMER_STAKED
        if self.tier is not Tier.COLD:
            return Storage.CUSTOMER_HOT
        return Storage.CUSTOMER_COLD if self.custodian == SELF else Storage.CUSTOMER_THIRD


SELF = "self"


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Line:
    """What a wallet held of an asset, and how much of that is known by more than one endpoint's claim."""

    wallet: str
    asset: str
    units: Units
    verified: Units


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Reading:
    """What the wallets of a chain held after block ``at``; a wallet without a line held nothing.

    ``lines`` None: it could not be read, for ``reason``. ``as_of``: the time of the liabilities that
    this is for, None for the cycle's own anchor. ``assets``: what the chain carries.
    """

    chain: str
    assets: tuple[str, ...]
    at: BlockRef | None
    lines: tuple[Line, ...] | None
    reason: str = ""
    as_of: Moment | None = None


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Transit:
    """What moved above the block of a reading and not after the liabilities' time: on one side of the books only.

    OUT: out of what is owed already, and still in what was held. IN: owed already, and not yet held.
    """

    chain: str
    txid: str
    wallet: str
    asset: str
    units: Units
    direction: Direction
    reason: str
    since: Moment


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed to customers in one asset, as declared."""

    asset: str
    units: Units
    as_of: Moment


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one coin of an asset (or of a unit of another currency), a plain decimal string."""

    asset: str
    currency: str
    price: str
    as_of: Moment


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class DayPrice:
    """The closing price of one coin on one day, for means."""

    asset: str
    currency: str
    day: date
    price: str


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Stated:
    """What a custodian states that it holds. Never counts as verified."""

    custodian: str
    asset: str
    units: Units
    as_of: Moment
    owner: Owner
    tier: Tier


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Funds:
    """Money and insurance set aside against loss, as declared."""

    as_of: Moment
    assets: tuple[FundAsset, ...] = ()
    policies: tuple[Policy, ...] = ()
    uses: tuple[Use, ...] = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Declared:
    """Figures that no chain shows. What was not declared is not in the mappings.

    ``figures`` and ``volumes`` (by product, then fiscal year) in ``currency``; ``general_ledger``: base units by
    asset, what the asset register owes to customers; ``parties``: whom the report names.
    """

    as_of: Moment
    currency: str
    figures: Mapping[str, Decimal] = field(default_factory=dict)
    dates: Mapping[str, date] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    fiscal_year: int | None = None
    volumes: Mapping[str, Mapping[int, Decimal]] = field(default_factory=dict)
    general_ledger: Mapping[str, Units] = field(default_factory=dict)
    risks: Mapping[Risk, bool] = field(default_factory=dict)
    parties: Mapping[str, str] = field(default_factory=dict)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class ResidualLine:
    """Holding minus ledger of one account at an anchor; never zero (a residual)."""

    chain: str
    wallet: str
    locator: str
    asset: str
    units: Units
    height: int


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Limits:
    """How old a declaration may be, in seconds, before it is not used."""

    liabilities: int
    prices: int
    statements: int
    funds: int
    declared: int


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Facts:
    """What the configuration says that a verdict depends on.

    ``assets``: decimals by symbol. ``credits_seen``: the exchange credits a deposit as soon as it is seen,
    not once it is final. ``configured``: ids of profiles; ``profiles``: these and their successors, as JSON.
    """

    entity: str
    currency: str
    timezone: str
    assets: Mapping[str, int]
    wallets: tuple[Custody, ...]
    custodians: Mapping[str, Provider]
    limits: Limits
    credits_seen: bool = False
    concentration_percent: int | None = None
    window_dressing_percent: Decimal = Decimal(5)
    configured: tuple[str, ...] = ()
    profiles: tuple[Mapping[str, Any], ...] = ()


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Books:
    """What was declared at one moment. A book that could not be used is None, with the reason; an empty one is not."""

    liabilities: tuple[Owed, ...] | None
    liabilities_reason: str = ""
    prices: tuple[Quote, ...] = ()
    price_days: tuple[DayPrice, ...] = ()
    statements: tuple[Stated, ...] | None = ()
    statements_reason: str = ""
    funds: Funds | None = None
    funds_reason: str = "no funds are configured"
    declared: Declared | None = None
    declared_reason: str = "no declared figures are configured"


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Inputs:
    """What one cycle found, and what was declared at that moment.

    ``since``: by subject, when a check that has not passed again was first breached. ``closes``: the business
    days that have a closing verdict, in order. ``readings``: one of each
    chain for the anchor, and one more for each other time that liabilities are as of.
    """

    number: int
    kind: str
    at: Moment
    previous_hash: str
    since: Mapping[str, str]
    facts: Facts
    books: Books
    readings: tuple[Reading, ...]
    transit: tuple[Transit, ...]
    residuals: tuple[ResidualLine, ...]
    open_residual_cases: int
    uncompared: tuple[str, ...]
    begun: tuple[str, ...]
    open_cases: int
    closes: tuple[date, ...] = ()

    @property
    def anchors(self) -> dict[str, BlockRef]:
        """The final block of each chain that could be read."""
        return {r.chain: r.at for r in self.readings if r.as_of is None and r.at is not None}


@cache
def _adapter() -> TypeAdapter[Inputs]:
    """Built at first use: commands that judge nothing need not wait for it."""
    return TypeAdapter(Inputs)


@cache
def _books() -> TypeAdapter[Books]:
    return TypeAdapter(Books)


def too_old(as_of: datetime, at: datetime, seconds: int) -> bool:
    """Whether a declaration is older at ``at`` than it may be."""
    return at - as_of > timedelta(seconds=seconds)


def to_json(inputs: Inputs) -> dict[str, Any]:
    """JSON without floats; canonical once its keys are sorted."""
    found: dict[str, Any] = _plain(_adapter().dump_python(inputs))
    return found


def books_to_json(books: Books) -> dict[str, Any]:
    """The part of ``to_json`` that was declared."""
    found: dict[str, Any] = _plain(_books().dump_python(books))
    return found


def _plain(value: Any) -> Any:
    """What pydantic leaves as Python. A set has no order of its own: it is sorted."""
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else value


def from_json(text: str) -> Inputs:
    """The inverse, for hostile text. Raises BadInputs."""
    try:
        return _adapter().validate_json(text)
    except (ValidationError, RecursionError) as error:
        raise BadInputs(_first(error)) from error


def _first(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    one = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, one['loc'])) or 'the document'}: {one['msg']}"


def canonical_bytes(inputs: Inputs) -> bytes:
    """The one way to write the inputs."""
    return json.dumps(to_json(inputs), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
