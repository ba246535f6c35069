"""Watch lists that change all day: address files, database queries and the API add addresses while porwatch runs.

What is added is opened at the cursor, never a deposit. What a source drops is followed on until the
next start: a monitor must not be made to look away by editing a file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from chains.core.errors import AddressError
from monitor.config.addresses import MOST_LOCATORS, Unreadable, read_addresses
from monitor.config.models import SqlAddresses, WalletSettings
from monitor.config.resolved import Config
from monitor.config.secret import SecretError, read_secret
from monitor.health import Health
from monitor.step.observations import Added
from monitor.step.setup import Setup
from monitor.step.writer import Writer

log = logging.getLogger(__name__)

#: addresses in one request: a file or a database is the way for more
MOST_POSTED = 10_000


class Refused(ValueError):
    """Addresses that cannot be added; nothing of the request was. ``conflict``: another wallet has one of them."""

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.conflict = conflict


@dataclass(slots=True)
class WatchList:
    """``locators``: wallet by chain and locator, shared with the followers; ``grow`` tells one of new locators."""

    config: Config
    setup: Setup
    writer: Writer
    health: Health
    locators: Mapping[str, dict[str, str]]
    grow: Callable[[str, Sequence[str]], None]
    _stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    _texts: dict[str, set[str]] = field(default_factory=dict)

    async def read_sources(self) -> None:
        """Look at every address file and query once; a bad line is shown, the good ones are watched."""
        for wallet in self.config.wallet_settings.values():
            if wallet.addresses_file is not None:
                await self._read(wallet, self._file_texts)
            if wallet.addresses_sql is not None:
                await self._read(wallet, self._sql_texts)

    async def _read(self, wallet: WalletSettings, source: Callable[[WalletSettings], list[str]]) -> None:
        try:
            texts = await asyncio.to_thread(source, wallet)
            problems = await self._watch_texts(wallet, texts)
        except (OSError, Unreadable, SecretError, SQLAlchemyError) as error:
            problems = [f"{type(error).__name__}: {error}"]
        if problems:
            self.health.problem("addresses", wallet.name, "; ".join(problems[:5]))
        else:
            self.health.solved("addresses", wallet.name)

    def _file_texts(self, wallet: WalletSettings) -> list[str]:
        """The addresses of a file that changed since the last look, else none."""
        path: Path = self.config.path(wallet.addresses_file or "")
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if self._stamps.get(wallet.name) == stamp:
            return []
        found = [address for _, address in read_addresses(path)]
        self._stamps[wallet.name] = stamp
        return found

    def _sql_texts(self, wallet: WalletSettings) -> list[str]:
        source = wallet.addresses_sql
        assert isinstance(source, SqlAddresses)
        engine = create_engine(read_secret(self.config.path(source.dsn_file)))
        try:
            with engine.connect() as connection:
                rows = connection.execute(text(source.query)).fetchmany(MOST_LOCATORS + 1)
        finally:
            engine.dispose()
        if len(rows) > MOST_LOCATORS:
            raise Unreadable(0, f"the query gives more than {MOST_LOCATORS} addresses: watch fewer")
        return [str(row[0]) for row in rows]

    async def _watch_texts(self, wallet: WalletSettings, texts: Iterable[str]) -> list[str]:
        """Watch the addresses that are new; returns what is wrong with the others."""
        known = self._texts.setdefault(wallet.name, set())
        fresh = [address for address in texts if address not in known]
        problems: list[str] = []
        new: dict[str, str] = {}
        for address in fresh:
            try:
                locator = self.config.locator(wallet.chain, address)
                self._claim(wallet, locator)
            except (AddressError, Refused) as error:
                problems.append(f"{address[:100]}: {error}")
                continue
            known.add(address)
            if locator not in self.locators[wallet.chain]:
                new[locator] = wallet.name
        self._watch(wallet.chain, new)
        return problems

    def _claim(self, wallet: WalletSettings, locator: str) -> None:
        owner = self.locators[wallet.chain].get(locator, wallet.name)
        if owner != wallet.name:
            raise Refused(f"{locator} belongs to wallet {owner} already", conflict=True)

    async def add(self, name: str, addresses: Sequence[str], by: str) -> list[str]:
        """Watch addresses that somebody posted, all or none; returns their locators.

        They are remembered in the ledger. Raises KeyError for an unknown wallet, Refused otherwise.
        """
        wallet = self.config.wallet_settings[name]
        if not 0 < len(addresses) <= MOST_POSTED:
            raise Refused(f"write between 1 and {MOST_POSTED} addresses")
        locators = []
        for address in addresses:
            try:
                locators.append(self.config.locator(wallet.chain, address))
            except AddressError as error:
                raise Refused(f"{address[:100]}: {error}") from error
            self._claim(wallet, locators[-1])
        new = {locator: name for locator in locators if locator not in self.locators[wallet.chain]}
        if new:
            await self.writer.take(Added(wallet.chain, new, by))
            self._watch(wallet.chain, new)
        return locators

    def _watch(self, chain: str, new: Mapping[str, str]) -> None:
        if not new:
            return
        owners = self.setup.owners[chain]
        for locator, name in new.items():
            owners[locator] = self.setup.wallets[name]
            self.locators[chain][locator] = name
        self.grow(chain, list(new))
        log.info("addresses added", extra={"chain": chain, "count": len(new)})
