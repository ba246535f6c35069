"""What a published reserve file holds, and what is found in it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """What a finding is about; ``declared`` and ``computed`` of the finding hold what is said of each."""

    #: A total beside the sum of its coin lines (or of its address rows, where it has no coin lines).
    TOTAL = "total"
    #: A coin line beside the sum of its address rows.
    BALANCE = "balance"
    #: A height beside another of the same coin or the same chain; computed is null where a balance has no height.
    HEIGHT = "height"
    #: A coin line on a chain, or a total, that no address row stands behind.
    NO_ROWS = "no_rows"
    #: Address rows that no coin line and no total declares; declared is null.
    NO_LINE = "no_line"
    #: A coin line that no total counts; computed is null.
    NO_TOTAL = "no_total"
    #: An address row with a height and without a balance: the sum cannot be known; both figures are null.
    NO_BALANCE = "no_balance"
    #: The same coin line, or the same coin and address with a balance, a second time: the first and this figure.
    DUPLICATE = "duplicate"
    #: A signature that does not verify: declared is the address, computed is null.
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class CoinLine:
    """A declared holding. ``height`` None: the file writes "-", the holding is on no chain or is a total.

    ``balance`` keeps the digits as printed: their number says how far it may have been rounded.
    """

    line: int
    asset: str
    height: int | None
    balance: Decimal


@dataclass(frozen=True, slots=True)
class AddressRow:
    """An address. Without height and balance it only signs (for a contract wallet); None is the file's "-"."""

    line: int
    asset: str
    address: str
    height: int | None
    balance: Decimal | None
    message: str | None
    signature: str | None


@dataclass(frozen=True, slots=True)
class ReserveFile:
    """One published file; ``name`` as the user wrote its path."""

    name: str
    coins: tuple[CoinLine, ...]
    rows: tuple[AddressRow, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction. ``line``: the line that declares, or the row. Amounts and heights are plain decimals."""

    file: str
    line: int
    asset: str
    kind: Kind
    declared: str | None
    computed: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of address rows: each is verified, unsigned, unsupported, or has a finding of kind signature."""

    rows: int = 0
    signed: int = 0
    verified: int = 0
    unsigned: int = 0
    unsupported: int = 0


class BadFile(Exception):
    """The file cannot be read as its format; the text names file, line, what is wrong and what is expected."""


def plain(figure: Decimal) -> str:
    """A figure with all its printed digits and without an exponent."""
    return f"{figure:f}"
