"""Which database a ledger is in."""

from __future__ import annotations

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

    def close(self) -> None: ...


def open_engines(url: URL, *, writable: bool) -> Engines:
    """The engines for a store's URL. Raises LedgerError."""
    match url.get_backend_name():
        case "sqlite":
            return Sqlite(url, writable=writable)
        case "postgresql":
            return Postgres(url, writable=writable)
        case _:
            raise LedgerError("store: write store: sqlite:///porwatch.db, or postgresql+psycopg://USER@HOST/NAME")
