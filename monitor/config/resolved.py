"""The configuration as the monitor uses it: checked, with every address as a locator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from chains.core.registry import open_kind
from chains.core.settings import ChainSettings
from monitor.config.models import (
    Alertmanager,
    Asset,
    Books,
    Custodian,
    Deadman,
    Entity,
    Halt,
    Policy,
    Reports,
    Retention,
    Schedule,
    Signing,
    Store,
    WalletSettings,
    Web,
)
from monitor.config.secret import KeptSecret, read_secret, secrets_in
from monitor.model import Wallet

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration without mistakes.

    ``file`` is absolute. ``wallets`` are in configured order, ``wallet_settings`` hold their keys as
    written. ``locators``: chain -> canonical locator -> name of the wallet that has it; every chain
    is there. ``allow``: the destinations of policy.allow as locators, per tier ("cold" or "hot") and
    chain: an address that several chains can read is in each of them. ``raw``: the
    file's bytes. ``written``: the line of every key that stands in the file, those inside of lists left out.
    """

    file: Path
    raw: bytes = field(repr=False)
    written: Mapping[tuple[str, ...], int]
    entity: Entity
    store: Store
    web: Web
    profiles: tuple[str, ...]
    alertmanagers: tuple[Alertmanager, ...]
    deadman: Deadman
    halt: Halt | None
    assets: Mapping[str, Asset]
    chains: Mapping[str, ChainSettings]
    wallets: tuple[Wallet, ...]
    wallet_settings: Mapping[str, WalletSettings]
    locators: Mapping[str, Mapping[str, str]]
    allow: Mapping[str, Mapping[str, frozenset[str]]]
    custodians: Mapping[str, Custodian]
    books: Books
    policy: Policy
    shadow_until: date | None
    schedule: Schedule
    reports: Reports
    retention: Retention
    signing: Signing

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, in hex."""
        return sha256(self.raw).hexdigest()

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.parent

    @property
    def decimals(self) -> dict[str, int]:
        """Decimals by asset."""
        return {name: asset.decimals for name, asset in self.assets.items()}

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the business day."""
        return ZoneInfo(self.entity.timezone)

    @property
    def shadow_end(self) -> datetime | None:
        """When the day ``shadow_until`` begins in the entity's time zone, in UTC; None without that key."""
        if self.shadow_until is None:
            return None
        return datetime.combine(self.shadow_until, time(), self.zone).astimezone(UTC)

    @property
    def store_path(self) -> Path | None:
        """The SQLite file, or None where the ledger is in PostgreSQL."""
        url = self.store.url
        return self.path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None

    @property
    def state_folder(self) -> Path:
        """Where files of porwatch's own are kept: store.folder, else beside the SQLite file or the configuration."""
        if self.store.folder is not None:
            return self.path(self.store.folder)
        return self.base if self.store_path is None else self.store_path.parent

    @property
    def closes_path(self) -> Path:
        """Where the evidence of closes is kept."""
        return self.state_folder / "evidence" / "closes"

    @property
    def report_key_path(self) -> Path:
        """The report key: the configured file, or the one in the state folder."""
        if self.signing.key_file is not None:
            return self.path(self.signing.key_file)
        return self.state_folder / "report.key"

    @property
    def reports_path(self) -> Path:
        """The folder of the daily reports."""
        return (self.base if self.store_path is None else self.store_path.parent) / self.reports.folder

    def path(self, name: str) -> Path:
        """A path of the configuration, made absolute."""
        return self.base / name

    def store_url(self, owner: str | None = None, owner_password: Path | None = None) -> str:
        """The URL of the ledger for SQLAlchemy, its password included: never shown. Raises SecretError.

        ``owner``: another database user, whose password is in ``owner_password``.
        """
        if self.store_path is not None:
            return f"{_SQLITE}{self.store_path}"
        parts = urlsplit(self.store.url)
        user, _, host = parts.netloc.rpartition("@")
        file = None if self.store.password_file is None else self.path(self.store.password_file)
        if owner is not None:
            user, file = quote(owner, safe=""), owner_password
        if file is not None:
            user = f"{user}:{quote(read_secret(file), safe='')}"
        return urlunsplit(parts._replace(netloc=f"{user}@{host}" if user else host))

    def store_password(self) -> KeptSecret | None:
        """The password of the ledger's database as it is at each use; None where it has none. Raises SecretError."""
        name = self.store.password_file
        return None if name is None else KeptSecret(self.path(name))

    def secrets(self) -> tuple[str, ...]:
        """The secrets of every file that the configuration names, to keep them out of logs."""
        parts = (self.store, self.deadman, self.halt, self.books, self.chains, self.wallet_settings)
        return tuple(secret for part in parts for secret in secrets_in(part, self.base))

    def locator(self, chain: str, address: str) -> str:
        """The canonical locator of an address on a configured chain. Raises AddressError."""
        settings = self.chains[chain]
        return open_kind(settings.kind).parse_address(address, settings)
