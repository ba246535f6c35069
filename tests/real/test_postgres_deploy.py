"""The database as compose and the guides make it: two users, a rotated password, a dump that comes back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.config import load
from monitor.ledger import heads
from monitor.ledger.journal import Record, verified
from monitor.ledger.store import Commit, Ledger, commit
from monitor.signing.keys import load_or_make
from tests.conftest import CHECKOUT
from tests.real.postgres import OWNER, Server, programs

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
ROLES = CHECKOUT / "deploy" / "compose" / "roles.sql"


class Site:
    """A folder with a configuration and secrets, on a server that asks for passwords."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        (folder / "owner_password").write_text("owner's own\n")
        self.rotate("first")
        self.configure("porwatch")

    @property
    def config(self) -> Path:
        return self.folder / "porwatch.yaml"

    def configure(self, database: str) -> None:
        minimal = (CHECKOUT / "tests" / "config" / "good" / "minimal.yaml").read_text()
        lines = [line for line in minimal.splitlines() if not line.startswith("store:")]
        url = self.server.url(database, "porwatch")
        self.config.write_text(
            "\n".join([*lines, f"store: {{url: '{url}', password_file: store_password, folder: .}}"]) + "\n"
        )

    def rotate(self, password: str) -> None:
        (self.folder / "store_password").write_text(password + "\n")

    def program(self, name: str, *words: str | Path) -> str:
        done = subprocess.run(
            [programs() / name, *words], capture_output=True, text=True, timeout=60, check=False, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *words: str | Path) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    def ledger(self) -> Ledger:
        config = load(self.config)
        return Ledger(config.store_url(), password=config.store_password())


@pytest.fixture
def site(start_postgres: Callable[..., Server], tmp_path: Path) -> Site:
    server = start_postgres("-c", "fsync=off")
    found = Site(tmp_path, server)
    roles = ROLES.read_text().replace("/run/secrets", str(tmp_path))
    (tmp_path / "roles.sql").write_text(roles)
    found.program("psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", server.dsn(OWNER), "-f", tmp_path / "roles.sql")
    # Until here nobody was asked for a password: that is how the tests' server is made.
    hba = server._data / "pg_hba.conf"
    rule = "host all porwatch,porwatch_owner 127.0.0.1/32 scram-sha-256\n"
    hba.write_text(rule + hba.read_text())
    server.run(OWNER, "SELECT pg_reload_conf()")
    with pytest.raises(psycopg.OperationalError), closing(psycopg.connect(server.dsn("porwatch", "porwatch"))):
        pass
    return found


def _upgrade(site: Site) -> None:
    words = ("--apply", "--owner", "porwatch_owner", "--owner-password-file", site.folder / "owner_password")
    done = site.run("db", "upgrade", site.config, *words)
    assert done.exit_code == 0, done.output


def test_the_owner_makes_the_tables_the_other_works_in_them_and_a_rotated_password_counts(site: Site) -> None:
    refused = site.run("db", "upgrade", site.config, "--apply")
    assert refused.exit_code == 2, "the user that runs makes no table"
    _upgrade(site)
    with closing(site.ledger()) as ledger:
        with ledger.write() as connection:
            commit(connection, Commit(records=(Record("cancelled", {"id": "w-1"}),)), NOW)
        with pytest.raises(DBAPIError, match="append-only"), ledger.write() as connection:
            connection.execute(text("UPDATE journal SET kind = 'x'"))
        site.server.run(OWNER, "ALTER ROLE porwatch PASSWORD 'second'")
        site.rotate("second")
        assert site.server.terminate("porwatch") == 1
        with ledger.write() as connection:
            commit(connection, Commit(records=(Record("cancelled", {"id": "w-2"}),)), NOW)
        site.server.terminate("porwatch", "reader")
        with ledger.read() as connection:
            assert [entry.seq for entry in verified(connection)] == [1, 2]


def test_a_dump_comes_back_and_the_journal_records_it(site: Site) -> None:
    _upgrade(site)
    config = load(site.config)
    with closing(site.ledger()) as ledger, ledger.write() as connection:
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-1"}),) * 3), NOW)
        heads.seal(connection, load_or_make(config.report_key_path), NOW)
    site.program("pg_dump", "-Fc", "-d", site.server.dsn("porwatch"), "-f", site.folder / "monday.dump")
    with closing(site.ledger()) as ledger, ledger.write() as connection:
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-2"}),) * 2), NOW)
        published = heads.seal(connection, load_or_make(config.report_key_path), NOW)
    assert published is not None
    (site.folder / "head.json").write_text(json.dumps(published.to_json()))
    site.server.run(OWNER, "CREATE DATABASE again OWNER porwatch_owner TEMPLATE template0")
    site.program("pg_restore", "-d", site.server.dsn("again"), site.folder / "monday.dump")
    site.configure("again")
    done = site.run("restore", site.config, "--in-place", "--head", site.folder / "head.json", "--name", "K. Sato")
    assert done.exit_code == 0, done.output
    assert "3 records came back" in done.stdout
    assert "2 of them are LOST" in done.stderr
    with closing(site.ledger()) as ledger, ledger.read() as connection:
        *_, last = verified(connection)
    assert last.kind == "restored"
    assert last.record().body["published"] == published.to_json()
    assert site.run("journal", "verify", site.config).exit_code == 0
