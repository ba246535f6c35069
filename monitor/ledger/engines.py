"""Which database a ledger is in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlalchemy import URL, Engine

from monitor.ledger.errors import LedgerError
from monitor.ledger.postgres import Postgres
from monitor.ledger.sqlite import Sqlite


class Engines(Protocol):
    """Connections to one ledger. ``writer`` has exactly one connection, and the lock; None where it is only read."""

    name: str
    migrates_itself: bool
    reader: Engine
    writer: Engine | None

    def keep(self, schema: str) -> None: ...

    def close(self) -> None: ...


def open_engines(url: URL, *, writable: bool, password: Callable[[], str] | None = None) -> Engines:
    """The engines for a store's URL. ``password``: asked for at each new connection. Raises LedgerError."""
    match url.get_backend_name():
        case "sqlite":
            return Sqlite(url, writable=writable)
        case "postgresql":
            return Postgres(url, writable=writable, password=password)
        case _:
            raise LedgerError("store: write store: sqlite:///porwatch.db, or postgresql+psycopg://USER@HOST/NAME")
