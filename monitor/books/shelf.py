"""Everything that is declared, as one cycle uses it. A book that cannot be used is unknown, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from monitor.assess import Books, DayPrice, Declared, Funds, Owed, Quote, Stated
from monitor.books.declared import read_declared
from monitor.books.errors import BooksError
from monitor.books.funds import read_funds
from monitor.books.tables import read_price_days, read_statements
from monitor.config.resolved import Config
from monitor.model import Liability, Price

_T = TypeVar("_T")


class _HasFile(Protocol):
    @property
    def file(self) -> str | None: ...


def shelf(
    config: Config,
    liabilities: Sequence[Liability] | None,
    liabilities_reason: str,
    prices: Sequence[Price],
    now: datetime,
) -> Books:
    """The last good liabilities and prices, and every other book as its file is now. Reads files."""
    books = config.books
    statements, why = _read(config, books.statements, lambda path: _stated(path, config, now))
    none_stated = books.statements is None
    funds, funds_why = _read(config, books.funds, lambda path: _funds(path, now))
    declared, declared_why = _read(config, books.declared, lambda path: _declared(path, config, now))
    return Books(
        liabilities=None if liabilities is None else tuple(Owed(x.asset, x.units, x.as_of) for x in liabilities),
        liabilities_reason=liabilities_reason,
        prices=tuple(Quote(x.asset, x.currency, x.price, x.as_of) for x in prices),
        price_days=_price_days(config, now),
        statements=() if none_stated else statements,
        statements_reason="" if none_stated else why,
        funds=funds,
        funds_reason=funds_why or ("" if funds is not None else "no funds are configured"),
        declared=declared,
        declared_reason=declared_why or ("" if declared is not None else "no declared figures are configured"),
    )


def _read(config: Config, book: _HasFile | None, read: Callable[[Path], _T]) -> tuple[_T | None, str]:
    if book is None or book.file is None:
        return None, ""
    try:
        return read(config.path(book.file)), ""
    except BooksError as error:
        return None, str(error.mistakes[0])


def _stated(path: Path, config: Config, now: datetime) -> tuple[Stated, ...]:
    rows = read_statements(path, config.decimals, now)
    return tuple(Stated(x.custodian, x.asset, x.units, x.as_of, x.owner, x.tier) for x in rows)


def _price_days(config: Config, now: datetime) -> tuple[DayPrice, ...]:
    """Means miss days where the file cannot be read: they are unknown then, and say which day is missing."""
    book = config.books.prices
    if book is None or book.history is None:
        return ()
    try:
        return read_price_days(config.path(book.history), config.decimals, now)
    except BooksError:
        return ()


def _funds(path: Path, now: datetime) -> Funds:
    book = read_funds(path, now)
    return Funds(book.as_of, book.assets, book.policies, book.uses)


def _declared(path: Path, config: Config, now: datetime) -> Declared:
    book = read_declared(path, config.decimals, now)
    return Declared(
        as_of=book.as_of,
        currency=book.currency,
        figures=book.figures,
        dates=book.dates,
        counts=book.counts,
        flags=book.flags,
        fiscal_year=book.fiscal_year,
        volumes=book.volumes,
        general_ledger=book.general_ledger,
        risks=book.risks,
        parties={name: text for name, text in book.parties if text is not None},
    )
