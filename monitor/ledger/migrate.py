"""Migrations of the ledger, by Alembic. `run` migrates SQLite itself; PostgreSQL is migrated by `db upgrade` only."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, make_url
from sqlalchemy.exc import DBAPIError

from monitor.ledger.engines import Engines, open_engines
from monitor.ledger.errors import LedgerError, refused
from monitor.ledger.postgres import assert_fit

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"
_INSUFFICIENT_PRIVILEGE = "42501"
_REMEDY = "run `porwatch db upgrade CONFIG --apply`"


def revisions() -> tuple[str, ...]:
    """Every version of the schema that this porwatch knows, oldest first."""
    return tuple(sorted(path.name[:4] for path in (_FOLDER / "versions").glob("[0-9]*.py")))


def current(connection: Connection) -> str | None:
    """The version of the schema in this database, or None where there is none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return version


def check(connection: Connection) -> None:
    """Raise LedgerError, with the remedy, where the schema is not the one this porwatch was written for."""
    found, known = current(connection), revisions()
    if found is None:
        raise LedgerError(f"store: the database holds no ledger yet: {_REMEDY}")
    if found not in known:
        raise LedgerError(f"store: the schema {found} was made by a newer porwatch: use that one")
    if found != known[-1]:
        raise LedgerError(f"store: the schema is {found}, this porwatch needs {known[-1]}: {_REMEDY}")


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest version, in the caller's transaction. Raises LedgerError for a newer one."""
    found, known = current(connection), revisions()
    if found == known[-1]:
        return
    if found is not None and found not in known:
        check(connection)
    # Alembic takes a quarter of a second to import; reading commands never need it.
    from alembic import command  # noqa: PLC0415

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def keep(engines: Engines) -> None:
    """Before an older schema is changed: have a copy of the ledger, so that the version before can go on with it."""
    with engines.reader.connect() as connection:
        found = current(connection)
    if found is not None and found in revisions()[:-1]:
        engines.keep(found)


def plan(url: str) -> str:
    """The SQL that `apply` would run, "" where there is nothing to do. Changes nothing. Raises LedgerError."""
    target = make_url(url)
    found, known = None, revisions()
    if target.get_backend_name() != "sqlite" or Path(target.database or "").exists():
        with _opened(url, writable=False) as connection:
            found = current(connection)
            if found is not None and found not in known:
                check(connection)
    if found == known[-1]:
        return ""
    from alembic import command  # noqa: PLC0415

    text = io.StringIO()
    config = _config(text)
    config.attributes["dialect"] = target.get_backend_name()
    command.upgrade(config, f"{found or 'base'}:head", sql=True)
    return text.getvalue()


def apply(url: str) -> None:
    """Bring the schema to the newest version, in one transaction. Raises LedgerError, also while a monitor runs."""
    with _opened(url, writable=True) as connection:
        if connection.dialect.name == "postgresql":
            # The time-outs guard steps; an index on a long history may take longer.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        upgrade(connection)
        check(connection)


@contextmanager
def _opened(url: str, *, writable: bool) -> Iterator[Connection]:
    engines = open_engines(make_url(url), writable=writable)
    try:
        if writable:
            keep(engines)
        with (engines.writer or engines.reader).begin() as connection:
            if connection.dialect.name == "postgresql":
                assert_fit(connection)
            yield connection
    except DBAPIError as error:
        denied = getattr(error.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE
        remedy = ": give the SQL of --plan to somebody who may" if denied else ""
        raise refused(engines.name, error, remedy) from error
    finally:
        engines.close()


def _config(output: io.StringIO | None = None) -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(_FOLDER))
    return config
