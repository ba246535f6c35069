"""Watch lists that change all day: address files, database queries and the API add addresses while porwatch runs.

What is added is opened at the cursor, never a deposit. What a source drops is followed on until the
next start: a monitor must not be made to look away by editing a file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chains.core.errors import AddressError
from monitor.books import BooksError
from monitor.books.sql import Database, statement
from monitor.config.addresses import MOST_LOCATORS, Unreadable, read_addresses
from monitor.config.models import WalletSettings
from monitor.config.resolved import Config
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.store import Ledger
from monitor.step.observations import Added
from monitor.step.setup import Setup
from monitor.step.writer import Writer

log = logging.getLogger(__name__)

#: addresses in one request: a file or a database is the way for more
MOST_POSTED = 10_000
_MOST_SHOWN = 5


class Refused(ValueError):
    """Addresses that cannot be added; nothing of the request was. ``conflict``: another wallet has one of them."""

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.conflict = conflict


@dataclass(slots=True)
class _Read:
    """What one look at a source gave: the locators that its wallet has not, and a sentence for each bad line."""

    locators: dict[str, None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class WatchList:
    """``locators``: wallet by chain and locator, shared with the followers; ``grow`` tells one of new locators."""

    config: Config
    setup: Setup
    ledger: Ledger
    writer: Writer
    health: Health
    locators: Mapping[str, dict[str, str]]
    grow: Callable[[str, Sequence[str]], None]
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    _texts: dict[str, dict[str, str]] = field(default_factory=dict)
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self) -> None:
        """The first look, before anything is followed.

        What a query no longer gives is dropped; where it cannot be asked, everything that it once gave is
        followed on.
        """
        for wallet in self._wallets("addresses_sql"):
            if await self._look(wallet, "addresses_sql") is not None:
                await asyncio.to_thread(self._drop_others, wallet)
        await self.read_sources()

    async def read_sources(self) -> None:
        """Look at every address file and query once; a bad line is shown, the good ones are watched."""
        for source in ("addresses_file", "addresses_sql"):
            for wallet in self._wallets(source):
                read = await self._look(wallet, source)
                if read is None:
                    continue
                async with self._claiming:
                    problems = read.problems + self._watch_read(wallet, read)
                if problems:
                    more = len(problems) - _MOST_SHOWN
                    shown = [*problems[:_MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]
                    self.health.problem(source, wallet.name, "; ".join(shown))
                else:
                    self.health.solved(source, wallet.name)

    def _wallets(self, source: str) -> Iterator[WalletSettings]:
        return (wallet for wallet in self.config.wallet_settings.values() if getattr(wallet, source) is not None)

    async def _look(self, wallet: WalletSettings, source: str) -> _Read | None:
        """In a thread, as there may be very many. None: unchanged, or unreadable, which is shown."""
        look = self._read_file if source == "addresses_file" else self._read_sql
        try:
            return await asyncio.to_thread(look, wallet)
        except (OSError, Unreadable, BooksError) as error:
            self._stamps.pop(wallet.name, None)
            self.health.problem(source, wallet.name, f"{type(error).__name__}: {error}")
            return None

    def _read_file(self, wallet: WalletSettings) -> _Read | None:
        path = self.config.path(wallet.addresses_file or "")
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if self._stamps.get(wallet.name) == stamp:
            return None
        bad: list[str] = []
        lines = read_addresses(path, lambda error: bad.append(f"line {error.line}: {error}"))
        read = self._parse(wallet, "addresses_file", (address for _, address in lines))
        read.problems += bad
        self._stamps[wallet.name] = stamp
        return read

    def _read_sql(self, wallet: WalletSettings) -> _Read:
        source = wallet.addresses_sql
        assert source is not None
        database = Database(self.config.path(source.dsn_file))
        with database.read() as connection:
            rows = connection.execute(statement(source.query)).fetchmany(MOST_LOCATORS + 1)
        if len(rows) > MOST_LOCATORS:
            raise database.wrong(f"the query gives more than {MOST_LOCATORS} addresses: watch fewer")
        return self._parse(wallet, "addresses_sql", (str(row[0]) for row in rows))

    def _parse(self, wallet: WalletSettings, source: str, texts: Iterator[str]) -> _Read:
        """Locators of texts; those of the last look are not parsed again."""
        watched, last = self.locators[wallet.chain], self._texts.get(f"{source}/{wallet.name}", {})
        now: dict[str, str] = {}
        read = _Read()
        for address in texts:
            try:
                locator = last.get(address) or self.config.locator(wallet.chain, address)
            except AddressError as error:
                read.problems.append(f"{address[:100]}: {error}")
                continue
            now[address] = locator
            if watched.get(locator) != wallet.name:
                read.locators[locator] = None
        self._texts[f"{source}/{wallet.name}"] = now
        return read

    def _drop_others(self, wallet: WalletSettings) -> None:
        """Follow no longer what only the ledger remembers of a wallet: nobody names it any more."""
        with self.ledger.read() as connection:
            added = reader.added(connection, wallet.chain)
        given = self._texts[f"addresses_sql/{wallet.name}"].values()
        named = {*given, *added, *self.config.locators[wallet.chain]}
        mine = self.locators[wallet.chain]
        for locator in [locator for locator, name in mine.items() if name == wallet.name and locator not in named]:
            del mine[locator]
            del self.setup.owners[wallet.chain][locator]

    def _watch_read(self, wallet: WalletSettings, read: _Read) -> list[str]:
        """Watch the locators that are new; returns what is wrong with the others."""
        problems: list[str] = []
        new: dict[str, str] = {}
        for locator in read.locators:
            try:
                self._claim(wallet, locator, len(new))
            except Refused as error:
                problems.append(str(error))
            else:
                new[locator] = wallet.name
        self._watch(wallet.chain, new)
        return problems

    def _claim(self, wallet: WalletSettings, locator: str, more: int) -> None:
        """Raises Refused where another wallet has it, or where it and ``more`` others are too many for one chain."""
        locators = self.locators[wallet.chain]
        owner = locators.get(locator)
        if owner is None and len(locators) + more >= MOST_LOCATORS:
            raise Refused(f"{locator} is more than the {MOST_LOCATORS} addresses of chain {wallet.chain}: watch fewer")
        if owner not in (None, wallet.name):
            raise Refused(f"{locator} belongs to wallet {owner} already", conflict=True)

    async def add(self, name: str, addresses: Sequence[str], by: str) -> list[str]:
        """Watch addresses that somebody posted, all or none; returns their locators.

        They are remembered in the ledger. Raises KeyError for an unknown wallet, Refused otherwise.
        """
        wallet = self.config.wallet_settings[name]
        if not 0 < len(addresses) <= MOST_POSTED:
            raise Refused(f"write between 1 and {MOST_POSTED} addresses")
        locators = await asyncio.to_thread(self._posted, wallet, addresses)
        # One at a time: two requests for one address must not both believe that it is free.
        async with self._claiming:
            for number, locator in enumerate(locators):
                self._claim(wallet, locator, number)
            await self.writer.take(Added(wallet.chain, dict.fromkeys(locators, name), by))
            self._watch(wallet.chain, {one: name for one in locators if one not in self.locators[wallet.chain]})
        return locators

    def _posted(self, wallet: WalletSettings, addresses: Sequence[str]) -> list[str]:
        found = []
        for address in addresses:
            try:
                found.append(self.config.locator(wallet.chain, address))
            except AddressError as error:
                raise Refused(f"{address[:100]}: {error}") from error
        return found

    def _watch(self, chain: str, new: Mapping[str, str]) -> None:
        if not new:
            return
        self.locators[chain].update(new)
        self.grow(chain, list(new))
        log.info("addresses added", extra={"chain": chain, "count": len(new)})
