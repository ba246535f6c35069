"""Migrations make exactly the tables that the code names, and can be undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect

import monitor.ledger
from monitor.ledger.migrate import upgrade
from monitor.ledger.schema import metadata


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def test_the_migrations_make_what_the_code_names(connection: Connection) -> None:
    upgrade(connection)
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    found = inspect(connection)
    for table in metadata.sorted_tables:
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key.columns]
        assert {c["name"]: c["nullable"] for c in found.get_columns(table.name)} == {
            c.name: bool(c.nullable) for c in table.columns
        }


def test_migrating_again_changes_nothing(connection: Connection) -> None:
    upgrade(connection)
    upgrade(connection)
    assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_the_migrations_can_be_undone(connection: Connection) -> None:
    upgrade(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(monitor.ledger.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.downgrade(config, "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]
    upgrade(connection)
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []
