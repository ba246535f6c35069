"""Books in a database (SQLite or PostgreSQL): read only, with a time-out, every value exactly as text."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.books.errors import BooksError
from monitor.config.mistakes import Mistake
from monitor.config.secret import SecretError, read_secret
from monitor.model import rfc3339

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, TextClause

#: no page of ours takes so long; blocks with an outflow wait for it
STATEMENT_SECONDS = 10
#: rows of a whole table: one row an asset and currency
MOST_ROWS = 100_000
_CONNECT_SECONDS = 5
#: steps of SQLite's machine between two looks at the clock
_SQLITE_STEPS = 10_000
_LONGEST_REASON = 300


class Database:
    """One database that a book is in; ``dsn_file`` holds its URL. Opened for each reading: it may be restarted."""

    def __init__(self, dsn_file: Path) -> None:
        self.dsn_file = dsn_file

    def wrong(self, why: str) -> BooksError:
        """An error about this book."""
        return BooksError([Mistake(str(self.dsn_file), 1, "sql", why)])

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that cannot write. Raises BooksError, which never shows the URL."""
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError  # noqa: PLC0415  `check` needs no database

        try:
            engine = self._engine()
        except SecretError as error:
            raise self.wrong(str(error)) from error
        except (ArgumentError, ModuleNotFoundError, ValueError) as error:
            # Without the cause: it would quote the URL.
            del error
            raise self.wrong(
                "holds no URL that can be used: write sqlite:///FILE, or postgresql+psycopg://… (extra postgres)"
            ) from None
        try:
            with engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
            raise self.wrong(f"cannot be read: {reason[0][:_LONGEST_REASON]}") from error
        finally:
            engine.dispose()

    def _engine(self) -> Engine:
        from sqlalchemy import NullPool, create_engine, make_url  # noqa: PLC0415  `check` needs no database

        url = make_url(read_secret(self.dsn_file))
        match url.get_backend_name():
            case "sqlite":
                if not url.database or url.query:
                    raise ValueError("no file")
                return _sqlite(self.dsn_file.parent / url.database)
            case "postgresql":
                options = f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_SECONDS}s"
                given = url.query.get("options", "")
                arguments = {"connect_timeout": _CONNECT_SECONDS, "options": f"{given} {options}".strip()}
                return create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
            case _:
                raise ValueError("another database")


def _sqlite(path: Path) -> Engine:
    """``mode=ro``: a wrong path is an error, never a new and empty database."""
    from sqlalchemy import NullPool, create_engine, event  # noqa: PLC0415  `check` needs no database

    url = f"sqlite:///file:{path}?mode=ro&uri=true"
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": _CONNECT_SECONDS})

    @event.listens_for(engine, "connect")
    def _limit(raw: Any, _record: Any) -> None:
        raw.execute("PRAGMA query_only=ON")
        until = time.monotonic() + STATEMENT_SECONDS
        raw.set_progress_handler(lambda: int(time.monotonic() > until), _SQLITE_STEPS)

    return engine


def statement(query: str, before: str = "", after: str = "") -> TextClause:
    """A configured query: its colons are its own, no parameters. ``before`` and ``after`` stand around it."""
    from sqlalchemy import text  # noqa: PLC0415  `check` needs no database

    own = query.strip().rstrip(";").replace(":", "\\:")
    return text(f"{before}{own}{after}")


def exact(value: Any, column: str) -> str | None:
    """A value as text, without loss; None for NULL. Raises ValueError naming the column.

    Zeros at the end of a NUMERIC say how its column is declared, nothing of the amount: they are left out.
    """
    match value:
        case None | str():
            return value
        case bool():
            raise ValueError(f"column {column} is a truth value: cast it to text")
        case int():
            return str(value)
        case Decimal() if value.is_finite():
            plain = format(value, "f")
            return re.sub(r"\.?0+$", "", plain) if "." in plain else plain
        case float():
            raise ValueError(f"column {column} is a floating-point number, which is not exact: cast it to text")
        case datetime() if value.tzinfo is not None:
            return rfc3339(value)
        case datetime():
            raise ValueError(f"column {column} is a time without an offset: use timestamptz, or RFC 3339 text")
        case _:
            raise ValueError(f"column {column} has type {type(value).__name__}: cast it to text")


def table(database: Database, query: str, header: tuple[str, ...]) -> list[tuple[int, Mapping[str, str]]]:
    """(row number, cells by column) of a whole table. Raises BooksError."""
    with database.read() as connection:
        result = connection.execute(statement(query))
        names = [name.lower() for name in result.keys()]  # noqa: SIM118  a result is no mapping
        if sorted(names) != sorted(header):
            raise database.wrong(f"the query has the columns {', '.join(names)[:200]}: write {', '.join(header)}")
        rows = result.fetchmany(MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        raise database.wrong(f"the query gives more than {MOST_ROWS} rows: write one row an asset")
    out: list[tuple[int, Mapping[str, str]]] = []
    for number, row in enumerate(rows, 1):
        try:
            cells = {name: exact(value, name) for name, value in zip(names, row, strict=True)}
        except ValueError as error:
            raise database.wrong(f"row {number}: {error}") from error
        empty = [name for name, cell in cells.items() if cell is None]
        if empty:
            raise database.wrong(f"row {number}: {', '.join(empty)} is NULL: write every value")
        out.append((number, {name: cell for name, cell in cells.items() if cell is not None}))
    return out
