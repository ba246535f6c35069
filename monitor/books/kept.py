"""Files of books that were kept beside a verdict, read again: each as the part of its inputs that it must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from monitor.assess import Books, Declared, Funds, Inputs, Owed, Quote, Stated
from monitor.assess.inputs import books_to_json
from monitor.books.declared import read_declared
from monitor.books.errors import BooksError
from monitor.books.funds import read_funds
from monitor.books.tables import read_liabilities, read_price_days, read_prices, read_statements


def agrees(name: str, path: Path, inputs: Inputs) -> bool:
    """Whether a file says what the inputs say. It may have changed since it was read, or never have been good."""
    said = said_of(inputs.books, name)
    try:
        read = READERS[name](path, inputs)
    except BooksError:
        return said is None
    return said is not None and said == said_of(read, name)


def said_of(books: Books, name: str) -> Any:
    """One book as JSON, for a comparison field by field; None where it could not be used."""
    if getattr(books, name) is None:
        return None
    return books_to_json(books)[name]


def _liabilities(path: Path, inputs: Inputs) -> Books:
    rows = read_liabilities(path, inputs.facts.assets, inputs.at)
    return Books(liabilities=tuple(Owed(row.asset, row.units, row.as_of) for row in rows))


def _prices(path: Path, inputs: Inputs) -> Books:
    rows = read_prices(path, inputs.facts.assets, inputs.at)
    return Books(None, prices=tuple(Quote(row.asset, row.currency, row.price, row.as_of) for row in rows))


def _price_days(path: Path, inputs: Inputs) -> Books:
    return Books(None, price_days=read_price_days(path, inputs.facts.assets, inputs.at))


def _statements(path: Path, inputs: Inputs) -> Books:
    rows = read_statements(path, inputs.facts.assets, inputs.at)
    lines = (Stated(row.custodian, row.asset, row.units, row.as_of, row.owner, row.tier) for row in rows)
    return Books(None, statements=tuple(lines))


def _funds(path: Path, inputs: Inputs) -> Books:
    book = read_funds(path, inputs.at)
    return Books(None, funds=Funds(book.as_of, book.assets, book.policies, book.uses))


def _declared(path: Path, inputs: Inputs) -> Books:
    book = read_declared(path, inputs.facts.assets, inputs.at)
    same = {each.name: getattr(book, each.name) for each in fields(Declared) if each.name != "parties"}
    return Books(
        None, declared=Declared(**same, parties={name: text for name, text in book.parties if text is not None})
    )


READERS: Mapping[str, Callable[[Path, Inputs], Books]] = {
    "liabilities": _liabilities,
    "prices": _prices,
    "price_days": _price_days,
    "statements": _statements,
    "funds": _funds,
    "declared": _declared,
}
