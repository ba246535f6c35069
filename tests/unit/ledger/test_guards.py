"""What keeps a ledger whole: an append-only journal, one writer at a time, a schema that fits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Delete, Update, create_engine, delete, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from monitor.ledger import migrate, schema
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger, LedgerError, TakenOver, commit
from tests.unit.ledger.conftest import FIRST

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


@pytest.fixture
def first_schema(empty_url: str) -> str:
    """A database with the schema as it was at first."""
    from alembic import command

    engine = create_engine(empty_url)
    with engine.begin() as connection:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    return empty_url


@pytest.mark.parametrize("change", [update(schema.journal).values(body="{}"), delete(schema.journal)])
def test_the_journal_can_only_be_added_to(ledger: Ledger, change: Update | Delete) -> None:
    with ledger.write() as connection:
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-1"}),)), NOW)
    with pytest.raises(IntegrityError, match="the journal is append-only"), ledger.write() as connection:
        connection.execute(change)
    with ledger.read() as connection:
        assert len(connection.execute(select(schema.journal.c.seq)).all()) == 1


def _epoch(connection: Connection) -> int:
    return int(connection.execute(select(schema.writer.c.epoch)).scalar_one())


def test_each_opening_to_write_raises_the_epoch_and_reading_does_not(url: str) -> None:
    seen = []
    for writable in (True, False, True):
        ledger = Ledger(url, writable=writable)
        with ledger.read() as connection:
            seen.append(_epoch(connection))
        ledger.close()
    assert seen == [seen[0], seen[0], seen[0] + 1]


def test_a_writer_that_was_taken_over_writes_nothing_more(ledger: Ledger) -> None:
    with ledger.write() as connection:
        commit(connection, Commit(advance=FIRST), NOW)
    with ledger.write() as connection:
        connection.execute(update(schema.writer).values(epoch=schema.writer.c.epoch + 1))
    for _ in range(2):
        with pytest.raises(TakenOver, match="was taken over by another porwatch"), ledger.write() as connection:
            connection.execute(insert(schema.total).values(chain="c", wallet="w", asset="A", units=1))
    with ledger.read() as connection:
        assert connection.execute(select(schema.total)).all() == []


def test_the_versions_are_those_of_the_migrations() -> None:
    script = ScriptDirectory(str(migrate._FOLDER))
    assert list(migrate.revisions()) == [item.revision for item in script.walk_revisions()][::-1]
    assert script.get_heads() == [migrate.revisions()[-1]]


def test_a_ledger_made_by_a_newer_porwatch_is_left_alone(url: str) -> None:
    Ledger(url).close()
    execute(url, "UPDATE alembic_version SET version_num = '9999'")
    for attempt in (Ledger, lambda at: Ledger(at, writable=False), migrate.apply, migrate.plan):
        with pytest.raises(LedgerError, match="the schema 9999 was made by a newer porwatch"):
            attempt(url)


def test_a_reader_of_an_old_schema_says_how_to_bring_it_up(first_schema: str) -> None:
    with pytest.raises(LedgerError, match=r"the schema is 0001, this porwatch needs \d{4}: run `porwatch db upgrade"):
        Ledger(first_schema, writable=False)


def test_the_plan_is_sql_and_changes_nothing(first_schema: str) -> None:
    before = tables(first_schema)
    text = migrate.plan(first_schema)
    assert "CREATE TABLE writer" in text
    assert "CREATE TABLE journal" not in text
    assert text.startswith("BEGIN;")
    assert text.rstrip().endswith("COMMIT;")
    assert tables(first_schema) == before
    assert migrate.plan(first_schema) == text


def test_applying_makes_what_was_planned_and_again_nothing(empty_url: str) -> None:
    assert "CREATE TABLE journal" in migrate.plan(empty_url)
    migrate.apply(empty_url)
    assert tables(empty_url) == {*schema.metadata.tables, "alembic_version"}
    assert migrate.plan(empty_url) == ""
    migrate.apply(empty_url)
    Ledger(empty_url).close()


def test_nothing_is_applied_beside_a_running_monitor(url: str, ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="is in use by another porwatch: stop that one first"):
        migrate.apply(url)


def test_an_upgrade_that_fails_changes_nothing(first_schema: str) -> None:
    execute(first_schema, "CREATE TABLE writer (x INTEGER)")
    before = tables(first_schema)
    with pytest.raises(LedgerError, match="already exists"):
        migrate.apply(first_schema)
    assert tables(first_schema) == before
    with pytest.raises(LedgerError, match="the schema is 0001"):
        Ledger(first_schema, writable=False)


def test_a_plan_for_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    assert "CREATE TABLE journal" in migrate.plan(f"sqlite:///{tmp_path / 'none.db'}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("writable", [True, False])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, writable: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)
    with pytest.raises(LedgerError, match=r"notes\.txt: file is not a database"):
        Ledger(f"sqlite:///{path}", writable=writable)
