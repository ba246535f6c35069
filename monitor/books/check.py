"""``porwatch check``: the configuration and every book it names, without network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from monitor.books.declared import read_declared
from monitor.books.errors import BooksError
from monitor.books.feed import Bookmark, read_new
from monitor.books.funds import Places, read_funds
from monitor.books.keys import Keys, read_keys
from monitor.books.tables import read_liabilities, read_prices, read_statements
from monitor.config.loader import load
from monitor.config.mistakes import ConfigError, Mistake, in_order
from monitor.config.models import Approvals, Book, Declared
from monitor.config.resolved import Config
from monitor.config.shadow import check_shadow

#: A file of another kind has as many mistakes as lines.
_MOST_MALFORMED = 1_000


def check(path: str | Path, now: datetime | None = None) -> list[Mistake]:
    """Every mistake of a configuration and of the books it names; empty where there is none.

    The books are read only with a configuration that has no mistakes: they depend on it.
    """
    try:
        config = load(path)
    except ConfigError as error:
        return list(error.mistakes)
    at = now or datetime.now(UTC)
    return list(in_order([*check_shadow(config, str(path), at), *check_books(config, at)], str(path)))


def check_books(config: Config, now: datetime) -> list[Mistake]:
    """Every mistake in the books' files."""
    mistakes: list[Mistake] = []
    books, decimals = config.books, config.decimals
    # A custodian whose assets no supported chain shows stands only in its statements, which name whom they please.
    custodians = {wallet.custodian for wallet in config.wallets} | _stating(config, now)
    places = Places({wallet.name for wallet in config.wallets}, custodians)
    readers: tuple[tuple[str | None, Callable[[Path], object]], ...] = (
        (_file(books.liabilities), lambda file: read_liabilities(file, decimals, now)),
        (_file(books.prices), lambda file: read_prices(file, decimals, now)),
        (_file(books.statements), lambda file: read_statements(file, decimals, now)),
        (_file(books.funds), lambda file: read_funds(file, now, places)),
        (_file(books.declared), lambda file: read_declared(file, decimals, now)),
    )
    for name, read in readers:
        if name is None:
            continue
        try:
            read(config.path(name))
        except BooksError as error:
            mistakes.extend(error.mistakes)
    if books.approvals is not None:
        mistakes.extend(_approvals(books.approvals, config, now))
    return mistakes


def _stating(config: Config, now: datetime) -> set[str]:
    """Custodians that the statements name; their own mistakes are reported where they are read."""
    name = _file(config.books.statements)
    if name is None:
        return set()
    try:
        return {each.custodian for each in read_statements(config.path(name), config.decimals, now)}
    except BooksError:
        return set()


def _file(book: Book | Declared | None) -> str | None:
    return book.file if book is not None else None


def _approvals(book: Approvals, config: Config, now: datetime) -> list[Mistake]:
    try:
        keys = None if book.keys_file is None else read_keys(config.path(book.keys_file))
    except BooksError as error:
        return list(error.mistakes)
    return [] if book.file is None else _approvals_file(config.path(book.file), config, now, keys)


def _approvals_file(path: Path, config: Config, now: datetime, keys: Keys | None) -> list[Mistake]:
    mistakes: list[Mistake] = []
    bookmark, more = Bookmark(), True
    while more and len(mistakes) < _MOST_MALFORMED:
        try:
            read = read_new(path, bookmark, config, now, keys)
        except BooksError as error:
            return [*mistakes, *error.mistakes]
        mistakes.extend(Mistake(str(path), bad.line, "line", bad.reason) for bad in read.malformed)
        bookmark, more = read.bookmark, read.more and not read.restarted
    return mistakes[:_MOST_MALFORMED]


def summary(config: Config) -> str:
    """A few lines for people: whose assets, on which chains, in how many wallets."""
    tiers = Counter(str(wallet.tier) for wallet in config.wallets)
    lines = [
        f"entity: {config.entity.name} ({config.entity.currency}, {config.entity.timezone})",
        f"assets: {', '.join(config.assets)}",
    ]
    for name, settings in config.chains.items():
        wallets = [wallet for wallet in config.wallets if wallet.chain == name]
        lines.append(
            f"chain {name}: {settings.kind}, {len(settings.endpoints)} endpoints, quorum {settings.needed_quorum()},"
            f" {len(wallets)} wallets, {len(config.locators[name])} addresses"
        )
    lines.append(
        f"wallets: {len(config.wallets)} ({', '.join(f'{count} {tier}' for tier, count in sorted(tiers.items()))})"
    )
    books = [name for name in type(config.books).model_fields if getattr(config.books, name) is not None]
    lines.append(f"books: {', '.join(books) or 'none'}")
    return "\n".join(lines)
