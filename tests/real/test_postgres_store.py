"""What the ledger promises on PostgreSQL in particular: exact values, one writer, sessions that may end, no DDL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, StatementError

from chains.lab.process import free_port
from monitor.ledger import access, journal, migrate, postgres, reader, schema
from monitor.ledger.access import CaseRead
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger, LedgerError, LedgerInUse, Message, TakenOver, commit
from tests.real.postgres import OWNER, Databases, Server
from tests.unit.ledger.conftest import FIRST, block, onto
from tests.unit.ledger.test_exact_integers import VALUES

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def name(databases: Databases) -> Iterator[str]:
    with databases.one() as made:
        yield made


@pytest.fixture
def url(databases: Databases, name: str) -> str:
    return databases.server.url(name)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    yield opened
    opened.close()


def put(ledger: Ledger, *changes: Commit) -> None:
    with ledger.write() as connection:
        for change in changes:
            commit(connection, change, NOW)


def kinds(ledger: Ledger) -> list[str]:
    with ledger.read() as connection:
        return [entry.kind for entry in journal.verified(connection)]


def test_units_come_back_as_they_went_in(databases: Databases, name: str, ledger: Ledger) -> None:
    rows = [{"chain": "c", "wallet": str(n), "asset": "A", "units": units} for n, units in enumerate(VALUES)]
    with ledger.write() as connection:
        connection.execute(insert(schema.total), rows)
    with ledger.read() as connection:
        held = reader.totals(connection)
    assert [held["c", str(n), "A"] for n in range(len(VALUES))] == VALUES
    assert all(type(units) is int for units in held.values())
    there = databases.server.run(name, "SELECT units::text FROM total")
    assert sorted(text for (text,) in there) == sorted(map(str, VALUES))


@pytest.mark.parametrize("units", [10**78 - 1, -(10**78) + 1])
def test_the_largest_units_fit_and_one_more_is_refused_before_it_gets_there(ledger: Ledger, units: int) -> None:
    row = {"chain": "c", "wallet": "w", "asset": "A"}
    with ledger.write() as connection:
        connection.execute(insert(schema.total).values(**row, units=units))
    with pytest.raises(StatementError, match="not base units"), ledger.write() as connection:
        connection.execute(update(schema.total).values(units=units * 10))
    with ledger.read() as connection:
        assert reader.totals(connection) == {("c", "w", "A"): units}


def test_whole_numbers_have_64_bits_and_times_do_not_end_in_2038(ledger: Ledger) -> None:
    far = block(2**62)
    put(ledger, Commit(advance=FIRST))
    with ledger.write() as connection:
        connection.execute(update(schema.cursor).values(height=far.height, time=2**32))
    with ledger.read() as connection:
        at = reader.cursors(connection)["c"].at
    assert (at.height, at.time) == (2**62, 2**32)


def test_every_text_of_a_table_is_ordered_by_its_bytes(databases: Databases, name: str) -> None:
    query = """
        SELECT table_name, column_name, collation_name FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
    """
    assert databases.server.run(name, query) == []


def test_a_reader_sees_one_moment(url: str, ledger: Ledger) -> None:
    put(ledger, Commit(advance=FIRST))
    with ledger.read() as connection:
        assert reader.cursors(connection)["c"].at == block(100)
        put(ledger, Commit(advance=onto(101)))
        assert reader.cursors(connection)["c"].at == block(100)
        with pytest.raises(DBAPIError, match="read-only"):
            connection.execute(schema.cursor.delete())
    with ledger.read() as connection:
        assert reader.cursors(connection)["c"].at == block(101)


def test_no_session_waits_for_ever_and_every_commit_is_durable(ledger: Ledger) -> None:
    with ledger.write() as connection:
        told = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "idle_session_timeout",
                "synchronous_commit",
                "transaction_isolation",
            )
        }
    assert told == {
        "statement_timeout": "1min",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "1min",
        "idle_session_timeout": "1min",
        "synchronous_commit": "on",
        "transaction_isolation": "read committed",
    }


# -- sessions that end -----------------------------------------------------------------------------


def test_a_session_that_ended_between_two_steps_is_replaced_without_a_word(
    databases: Databases, name: str, ledger: Ledger
) -> None:
    put(ledger, Commit(advance=FIRST))
    assert databases.server.terminate(name) == 1
    assert databases.server.terminate(name, "reader") <= 1
    put(ledger, Commit(advance=onto(101)))
    with ledger.read() as connection:
        assert reader.cursors(connection)["c"].at == block(101)
    with pytest.raises(LedgerInUse):
        Ledger(databases.server.url(name))


def test_a_session_that_ends_in_the_middle_of_a_step_leaves_nothing_of_it(
    databases: Databases, name: str, ledger: Ledger
) -> None:
    put(ledger, Commit(advance=FIRST))
    change = Commit((Record("cancelled", {"id": "w-1"}),), onto(101), messages=(Message("pager", "case", "{}"),))

    def attempt() -> None:
        with ledger.write() as connection:
            commit(connection, change, NOW)
            assert databases.server.terminate(name) == 1

    with pytest.raises(OperationalError):
        attempt()
    assert kinds(ledger) == []
    put(ledger, change)
    assert kinds(ledger) == ["cancelled"]
    with ledger.read() as connection:
        assert len(reader.next_messages(connection, "pager", 10)) == 1


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_a_server_that_comes_back_has_every_commit_that_returned(
    start_postgres: Callable[..., Server], how: str
) -> None:
    server = start_postgres()
    name = Databases(server).migrated()
    ledger = Ledger(server.url(name))
    put(ledger, Commit(advance=FIRST))
    for height in range(101, 111):
        put(ledger, Commit((Record("cancelled", {"id": str(height)}),), onto(height)))
    if how == "crash":
        server.crash()
    else:
        server.stop()
    with pytest.raises(OperationalError):
        put(ledger, Commit(advance=onto(111)))
    server.start()
    assert len(kinds(ledger)) == 10
    put(ledger, Commit(advance=onto(111)))
    with ledger.read() as connection:
        assert reader.cursors(connection)["c"].at == block(111)
    ledger.close()


def test_a_leader_that_stood_still_in_a_step_commits_nothing_after_a_take_over(
    databases: Databases, name: str, url: str, ledger: Ledger
) -> None:
    put(ledger, Commit(advance=FIRST))
    successors = []

    def attempt() -> None:
        with ledger.write() as connection:
            commit(connection, Commit(advance=onto(101)), NOW)
            databases.server.terminate(name)
            successors.append(Ledger(url))
            put(successors[0], Commit(advance=onto(101, branch="b")))

    with pytest.raises(OperationalError):
        attempt()
    with pytest.raises(TakenOver, match="was taken over by another porwatch: this one ends"):
        put(ledger, Commit(advance=onto(101)))
    successors[0].close()
    # the successor has gone, the lock is free again: what the old one knows is old all the same
    with pytest.raises(TakenOver):
        put(ledger, Commit(advance=onto(101)))
    with ledger.read() as connection:
        assert reader.cursors(connection)["c"].at == block(101, "b")


def test_the_epoch_cannot_be_raised_under_a_step(databases: Databases, name: str, ledger: Ledger) -> None:
    with ledger.write() as connection, psycopg.connect(databases.server.dsn(name)) as other:
        commit(connection, Commit(advance=FIRST), NOW)
        other.execute("SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("UPDATE writer SET epoch = epoch + 1")
    databases.server.run(name, "UPDATE writer SET epoch = epoch + 1")
    with pytest.raises(TakenOver):
        put(ledger, Commit(advance=onto(101)))


def test_two_ledgers_in_two_schemas_of_one_database_do_not_meet(databases: Databases) -> None:
    with databases.one(databases.empty) as name:
        urls = []
        for tenant in ("one", "two"):
            databases.server.run(name, sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(tenant)))
            urls.append(f"{databases.server.url(name)}?options=-c%20search_path%3D{tenant}")
            migrate.apply(urls[-1])
        ledgers = [Ledger(url) for url in urls]
        put(ledgers[0], Commit(advance=FIRST))
        with ledgers[1].read() as connection:
            assert reader.cursors(connection) == {}
        for ledger in ledgers:
            ledger.close()


def test_a_leader_that_stands_still_loses_the_lock_after_a_while(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for setting in ("idle_session_timeout", "idle_in_transaction_session_timeout"):
        monkeypatch.setitem(postgres._WRITER, setting, "500ms")
    frozen = Ledger(url)
    time.sleep(1)
    successor = Ledger(url)
    with pytest.raises(TakenOver):
        put(frozen, Commit(advance=FIRST))
    put(successor, Commit(advance=FIRST))
    frozen.close()
    successor.close()


# -- the schema belongs to somebody else -----------------------------------------------------------


@pytest.fixture
def operator(databases: Databases, name: str) -> Iterator[str]:
    """A database user with the rights that docs/how-to/postgresql.md gives, and no more."""
    user = f"{name}_run"
    server = databases.server
    for statement in (
        "CREATE ROLE {} LOGIN",
        "GRANT USAGE ON SCHEMA public TO {}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
        "REVOKE UPDATE, DELETE ON journal FROM {}",
        "REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {}",
    ):
        server.run(name, sql.SQL(statement).format(sql.Identifier(user)))  # type: ignore[arg-type]
    yield server.url(name, user)
    server.run(name, sql.SQL("DROP OWNED BY {}").format(sql.Identifier(user)))
    server.run(name, sql.SQL("DROP ROLE {}").format(sql.Identifier(user)))


def test_a_user_who_may_make_no_table_runs_the_ledger(operator: str) -> None:
    ledger = Ledger(operator)
    put(ledger, Commit((Record("cancelled", {"id": "w-1"}),), FIRST, messages=(Message("pager", "case", "{}"),)))
    put(ledger, Commit(advance=onto(101), sent=(1,)))
    assert kinds(ledger) == ["cancelled"]
    for statement in ("UPDATE journal SET body = ''", "DELETE FROM journal", "CREATE TABLE other (x int)"):
        with pytest.raises(ProgrammingError, match="permission denied"), ledger.write() as connection:
            connection.exec_driver_sql(statement)
    ledger.close()


def test_whoever_owns_the_journal_cannot_empty_it_by_accident(databases: Databases, name: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only: TRUNCATE refused"):
        databases.server.run(name, "TRUNCATE journal")


def test_without_a_schema_nothing_is_made_and_the_command_is_named(databases: Databases) -> None:
    with databases.one(databases.empty) as name:
        for writable in (True, False):
            with pytest.raises(LedgerError, match="no ledger yet: run `porwatch db upgrade CONFIG --apply`"):
                Ledger(databases.server.url(name), writable=writable)
        assert databases.server.run(name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_an_old_schema_is_refused_for_writing_too(databases: Databases, name: str) -> None:
    databases.server.run(name, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(LedgerError, match="the schema is 0001, this porwatch needs"):
        Ledger(databases.server.url(name))


def test_the_plan_can_be_run_by_somebody_else(databases: Databases) -> None:
    with databases.one(databases.empty) as name:
        url = databases.server.url(name)
        with psycopg.connect(databases.server.dsn(name), autocommit=True) as connection:
            connection.execute(migrate.plan(url))  # type: ignore[arg-type]
        assert migrate.plan(url) == ""
        Ledger(url).close()


def test_an_upgrade_without_the_right_says_who_may(databases: Databases) -> None:
    with databases.one(databases.empty) as name:
        user = f"{name}_run"
        databases.server.run(name, sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(user)))
        with pytest.raises(LedgerError, match=r"permission denied.*give the SQL of --plan to somebody who may"):
            migrate.apply(databases.server.url(name, user))
        databases.server.run(name, sql.SQL("DROP ROLE {}").format(sql.Identifier(user)))


# -- what cannot be opened -------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_named_and_the_password_is_not() -> None:
    with pytest.raises(LedgerError, match="Connection refused") as caught:
        Ledger(f"postgresql+psycopg://porwatch:hunter2@127.0.0.1:{free_port()}/porwatch")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_is_not_there_is_named(databases: Databases) -> None:
    with pytest.raises(LedgerError, match='database "nowhere" does not exist'):
        Ledger(databases.server.url("nowhere"))


def test_a_database_that_cannot_hold_every_text_is_refused(databases: Databases) -> None:
    databases.server.run(
        OWNER, "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    with databases.one(lambda: "ascii") as name:
        for attempt in (migrate.plan, migrate.apply):
            with pytest.raises(LedgerError, match="cannot hold every text: create one with ENCODING 'UTF8'"):
                attempt(databases.server.url(name))


def test_a_cases_page_is_ordered_alike_on_both_engines(ledger: Ledger) -> None:
    ids = ["a", "B", "_", "é", "ä", "Z", "-", "1", "金"]
    row = {"rule": "r", "severity": "critical", "state": "open", "opened_at": NOW, "body": "{}"}
    with ledger.write() as connection:
        connection.execute(insert(schema.cases), [{"id": one, **row} for one in ids])
        found = connection.execute(select(schema.cases.c.id).order_by(schema.cases.c.opened_at, schema.cases.c.id))
        assert list(found.scalars()) == sorted(ids, key=str.encode)
        after = connection.execute(select(schema.cases.c.id).where(schema.cases.c.id > "_"))
        assert set(after.scalars()) == {one for one in ids if one.encode() > b"_"}


def test_who_read_a_case_is_written_once_an_hour_and_never_changed(ledger: Ledger) -> None:
    read = CaseRead("vera", "password", "viewer", "10.0.0.1", "c0ffee", NOW, NOW)
    for _ in range(2):
        with ledger.write() as connection:
            access.note(connection, [read, replace(read, name="rei")])
    with ledger.read() as connection:
        assert [each.name for _, each in access.reads(connection)] == ["rei", "vera"]
    with pytest.raises(DBAPIError, match="never changed"), ledger.write() as connection:
        connection.execute(update(schema.case_read).values(name="nobody"))
