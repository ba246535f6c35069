"""The ledger in PostgreSQL (15 or newer), shared by instances of which one writes.

The writer has one connection, and that session holds an advisory lock for as long as it lives: no
lock can outlast its writer, no writer its lock. Its transactions are READ COMMITTED, which is
enough where nobody else writes; every one of them begins by locking the row of table ``writer`` and
comparing its epoch (monitor.ledger.store). SERIALIZABLE would add a retry for conflicts that cannot
happen. Readers see one moment: REPEATABLE READ, READ ONLY.

A pooler that gives a session's transactions to different servers (PgBouncer's transaction mode)
would take the lock away: it must not stand between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from monitor.ledger.errors import LedgerError, LedgerInUse

#: first half of the key of the advisory lock, "porw"; the second is the schema the tables are in
LOCK_CLASS = int.from_bytes(b"porw")
#: how long the session of a monitor that has just ended may still hold the lock
_LOCK_SECONDS = 5
#: no statement of ours takes so long; a server that does is no server
_STATEMENT_SECONDS = 60
#: a monitor that stands still (frozen, swapped out) keeps the lock no longer: a live one writes every second
_FROZEN_SECONDS = 60
#: pages of a long read are judged between its statements
_READER_IDLE_SECONDS = 300
_LOCK_NOT_AVAILABLE = "55P03"

_TIMEOUTS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_ALL = {
    "statement_timeout": f"{_STATEMENT_SECONDS}s",
    "lock_timeout": f"{_LOCK_SECONDS}s",
    # the server's side of the same: it drops the session of a machine that has vanished
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_WRITER = {
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    # a commit that returned survives a power cut, whatever the server's default
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": f"{_FROZEN_SECONDS}s",
    "idle_session_timeout": f"{_FROZEN_SECONDS}s",
}
_READER = {
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": f"{_READER_IDLE_SECONDS}s",
}


class Postgres:
    """Engines on one database; with ``writable`` the writer's first connection takes the lock. Raises LedgerError."""

    #: tables are made by a person who may (`porwatch db upgrade`), never at run time
    migrates_itself = False

    def __init__(self, url: URL, *, writable: bool, password: Callable[[], str] | None = None) -> None:
        self.name = f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}"
        try:
            self.reader = _engine(url, "reader", _READER, pool_size=8, max_overflow=8)
            self.writer = _engine(url, "writer", _WRITER, pool_size=1, max_overflow=0) if writable else None
        except ModuleNotFoundError as error:
            raise LedgerError("store: PostgreSQL needs psycopg: install porwatch with its extra postgres") from error
        if self.writer is not None:
            event.listen(self.writer, "connect", self._hold)
        if password is not None:
            for engine in filter(None, (self.reader, self.writer)):
                event.listen(engine, "do_connect", _with(password))

    def keep(self, schema: str) -> None:
        """Nothing: an upgrade is one transaction, and copies of a database are made by its own tools."""

    def close(self) -> None:
        """Close every connection, which gives the lock back."""
        self.reader.dispose()
        if self.writer is not None:
            self.writer.dispose()

    def _hold(self, raw: Any, _record: Any) -> None:
        """Make a new writer session the holder of the lock, or no session at all."""
        try:
            raw.autocommit = True
            raw.execute("SELECT pg_advisory_lock(%s, current_schema()::regnamespace::oid::int4)", (LOCK_CLASS,))
            raw.autocommit = False
        except BaseException as error:
            # Whatever it is: a session without the lock must never be handed out as the writer.
            raw.close()
            if getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
                message = f"store: {self.name} is in use by another porwatch: stop that one first"
                raise LedgerInUse(message) from error
            raise


def _with(password: Callable[[], str]) -> Callable[..., None]:
    """A password that is rotated counts from the next connection on: a session lives on with the old one."""

    def ask(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        parameters["password"] = password()

    return ask


def assert_fit(connection: Connection) -> None:
    """Raise LedgerError where this database cannot hold a ledger."""
    if not connection.exec_driver_sql("SELECT getdatabaseencoding() = 'UTF8'").scalar_one():
        raise LedgerError("store: the database cannot hold every text: create one with ENCODING 'UTF8'")
    if connection.exec_driver_sql("SELECT current_schema()").scalar_one() is None:
        raise LedgerError("store: no schema on the search_path of this database user: create one, or grant USAGE")


def _engine(url: URL, role: str, settings: dict[str, str], *, pool_size: int, max_overflow: int) -> Engine:
    """A pool whose sessions have these settings. What the URL itself says of time-outs and names stands."""
    options = [str(url.query.get("options", ""))]
    options += [f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in {**_ALL, **settings}.items()]
    arguments = {"application_name": f"porwatch {role}", "client_encoding": "utf8", **_TIMEOUTS}
    return create_engine(
        url,
        connect_args={
            **{name: value for name, value in arguments.items() if name not in url.query},
            "options": " ".join(options).strip(),
        },
        pool_size=pool_size,
        max_overflow=max_overflow,
        # a server that was restarted is noticed before a step begins, not in the middle of it
        pool_pre_ping=True,
        hide_parameters=True,
    )
