"""Books in CSV: liabilities, prices and statements. A file is used whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from monitor.assess import DayPrice
from monitor.books.currencies import CURRENCIES
from monitor.books.errors import BooksError
from monitor.books.sql import Database, table
from monitor.books.text import BUSINESS_DAY, parse_coins, parse_currency, parse_day, parse_name, parse_past, parse_price
from monitor.config.mistakes import Mistake
from monitor.model import Liability, Owner, Price, Tier

LARGEST_BYTES = 16 * 1024 * 1024
#: Every bad line is reported, but a file of another kind needs no million mistakes.
MOST_MISTAKES = 1_000
LIABILITIES_HEADER = ("asset", "amount", "as_of")
PRICES_HEADER = ("asset", "currency", "price", "as_of")
PRICE_DAYS_HEADER = ("asset", "currency", "day", "price")
STATEMENTS_HEADER = ("custodian", "asset", "amount", "as_of", "owner", "tier")
CUSTOMERS_HEADER = ("account", "asset", "amount")
#: a row for each customer and asset, where every other book has one for each asset
LARGEST_CUSTOMERS_BYTES = 512 * 1024 * 1024

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Statement:
    """What a custodian states that it holds of an asset, at ``as_of``; ``units`` are base units."""

    custodian: str
    asset: str
    units: int
    as_of: datetime
    owner: Owner
    tier: Tier


@dataclass(frozen=True, slots=True)
class Queried:
    """A book that is the result of a query."""

    database: Database
    query: str


def read_liabilities(path: Path | Queried, decimals: Mapping[str, int], now: datetime) -> tuple[Liability, ...]:
    """What is owed, one row an asset. ``decimals``: by asset, of the configuration. Raises BooksError."""

    def row(cells: _Row) -> Liability:
        return Liability(cells.asset(decimals), cells.units(decimals), cells.as_of(now))

    return _read(path, LIABILITIES_HEADER, ("asset",), row)


def read_prices(path: Path | Queried, decimals: Mapping[str, int], now: datetime) -> tuple[Price, ...]:
    """What one coin is worth, one row for each asset and currency. Raises BooksError.

    The asset may also be a currency (ISO 4217): what one unit of it is worth, for funds and policies held in it.
    """

    def row(cells: _Row) -> Price:
        currency = cells.read("currency", parse_currency)
        return Price(cells.priced(decimals, currency), currency, cells.read("price", parse_price), cells.as_of(now))

    return _read(path, PRICES_HEADER, ("asset", "currency"), row)


def read_price_days(path: Path, decimals: Mapping[str, int], now: datetime) -> tuple[DayPrice, ...]:
    """Closing prices, one row for each asset, currency and day that is over or runs now. Raises BooksError."""

    def row(cells: _Row) -> DayPrice:
        currency = cells.read("currency", parse_currency)
        day = cells.read("day", lambda text: parse_day(text, now))
        return DayPrice(cells.asset(decimals), currency, day, cells.read("price", parse_price))

    return _read(path, PRICE_DAYS_HEADER, ("asset", "currency", "day"), row)


def read_statements(path: Path, decimals: Mapping[str, int], now: datetime) -> tuple[Statement, ...]:
    """What custodians state, one row for each custodian, asset, owner and tier. Raises BooksError."""

    def row(cells: _Row) -> Statement:
        return Statement(
            cells.read("custodian", parse_name),
            cells.asset(decimals),
            cells.units(decimals),
            cells.as_of(now),
            cells.read("owner", Owner),
            cells.read("tier", Tier),
        )

    return _read(path, STATEMENTS_HEADER, ("custodian", "asset", "owner", "tier"), row)


@dataclass(frozen=True, slots=True)
class Owed:
    """What one customer is owed in one asset, in base units, ≥ 0."""

    customer: str
    asset: str
    units: int


def read_customers(path: Path, decimals: Mapping[str, int]) -> tuple[Owed, ...]:
    """What each customer is owed, one row for each account and asset. Raises BooksError."""

    def row(cells: _Row) -> Owed:
        return Owed(cells.read("account", parse_name), cells.asset(decimals), cells.units(decimals))

    return _read(path, CUSTOMERS_HEADER, ("account", "asset"), row, LARGEST_CUSTOMERS_BYTES)


class _BadCell(Exception):
    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class _Row:
    """The cells of one row by column; every reader raises _BadCell."""

    cells: Mapping[str, str]

    def read(self, column: str, parse: Callable[[str], _T]) -> _T:
        try:
            return parse(self.cells[column])
        except ValueError as error:
            choices = ", ".join(parse) if isinstance(parse, type) and issubclass(parse, Owner | Tier) else ""
            raise _BadCell(
                column, f"{self.cells[column]!r}: write one of {choices}" if choices else str(error)
            ) from error

    def asset(self, known: Mapping[str, int]) -> str:
        asset = self.cells["asset"]
        if asset not in known:
            raise _BadCell(
                "asset", f"{asset!r} is not defined under assets of the configuration: add it there, or correct it"
            )
        return asset

    def priced(self, known: Mapping[str, int], currency: str) -> str:
        """As ``asset``, or another currency than the one it is priced in."""
        asset = self.cells["asset"]
        if asset in known or asset not in CURRENCIES:
            return self.asset(known)
        if asset == currency:
            raise _BadCell("asset", f"a {asset} is worth one {asset}: remove the line")
        return asset

    def units(self, decimals: Mapping[str, int]) -> int:
        asset = self.asset(decimals)
        return self.read("amount", lambda text: parse_coins(text, decimals[asset], asset, zero=True))

    def as_of(self, now: datetime) -> datetime:
        return self.read("as_of", lambda text: parse_past(text, now, BUSINESS_DAY))


def _read(
    source: Path | Queried,
    header: tuple[str, ...],
    unique: tuple[str, ...],
    parse: Callable[[_Row], _T],
    largest: int = LARGEST_BYTES,
) -> tuple[_T, ...]:
    """Every row parsed; ``unique`` columns together may not repeat; ``largest``: bytes of a file."""
    out: list[_T] = []
    mistakes: list[Mistake] = []
    seen: dict[tuple[str, ...], int] = {}
    rows: Iterable[tuple[int, Mapping[str, str]]]
    if isinstance(source, Queried):
        path, rows = source.database.dsn_file, table(source.database, source.query, header)
    else:
        path, rows = source, _rows(source, header, mistakes, largest)
    for line, cells in rows:
        try:
            out.append(parse(_Row(cells)))
        except _BadCell as bad:
            mistakes.append(Mistake(str(path), line, bad.column, str(bad)))
        key = tuple(cells[column] for column in unique)
        first = seen.setdefault(key, line)
        if first != line:
            what = " ".join(key)
            mistakes.append(Mistake(str(path), line, unique[0], f"{what} is on line {first} already: keep one row"))
    if not seen and not mistakes:
        mistakes.append(
            Mistake(str(path), 1, "file", "has no rows: write one for every asset, with 0 where it is nothing")
        )
    if mistakes:
        raise BooksError(mistakes[:MOST_MISTAKES])
    return tuple(out)


def _rows(
    path: Path, header: tuple[str, ...], mistakes: list[Mistake], largest: int
) -> list[tuple[int, dict[str, str]]]:
    """(line, cells by column) of every row of the right width; the others go to ``mistakes``. Empty lines are none."""
    out: list[tuple[int, dict[str, str]]] = []
    reader = csv.reader(io.StringIO(read_text(path, largest), newline=""), strict=True)
    wanted = ",".join(header)
    try:
        first = next(reader, None)
        if first is None or tuple(first) != header:
            found = "the file is empty" if first is None else f"the first line is {','.join(first)[:200]!r}"
            mistakes.append(Mistake(str(path), 1, "header", f"{found}: the first line must be {wanted}"))
            return []
        for cells in reader:
            if len(cells) == len(header):
                out.append((reader.line_num, dict(zip(header, cells, strict=True))))
            elif cells:
                message = f"has {len(cells)} columns instead of {len(header)}: write {wanted}"
                mistakes.append(Mistake(str(path), reader.line_num, "line", message))
    except csv.Error as error:
        mistakes.append(Mistake(str(path), reader.line_num, "line", f"is not CSV ({error}): check quotes and commas"))
    return out


def read_text(path: Path, largest: int = LARGEST_BYTES) -> str:
    """A whole book as text; a byte order mark is dropped. Raises BooksError: unreadable, too large, not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(largest + 1)
    except OSError as error:
        raise BooksError([Mistake(str(path), 1, "file", f"cannot be read ({error.strerror}): create it")]) from error
    if len(raw) > largest:
        raise BooksError([Mistake(str(path), 1, "file", f"is larger than {largest} bytes: write one row an asset")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BooksError([Mistake(str(path), line, "file", "is not UTF-8: save it as UTF-8")]) from error
