"""Every test of the ledger on SQLite holds on PostgreSQL as well."""

from __future__ import annotations

import inspect as python
from collections.abc import Iterator
from types import ModuleType

import pytest
from sqlalchemy import Connection, create_engine

from monitor.ledger.store import Ledger
from tests.real.postgres import Databases
from tests.unit.ledger import (
    test_control,
    test_guards,
    test_heads,
    test_history,
    test_journal,
    test_listing,
    test_migrations,
    test_store,
)

SQLITE_ONLY = {
    "test_a_reader_without_a_ledger_is_told_what_to_do": "there is no file to be missing",
    "test_a_missing_folder_is_named": "there is no folder",
    "test_another_database_is_refused_with_what_to_write": "asks neither engine",
    "test_a_commit_survives_a_power_cut_once_it_returned": "asks SQLite how it writes; test_postgres_faults kills a server",
    "test_a_plan_for_a_file_that_is_not_there_makes_none": "there is no file",
    "test_a_file_that_is_no_database_is_named": "there is no file",
    "test_what_is_declared_and_followed_is_found_by_an_index": "asks SQLite for its plan",
}


def portable(module: ModuleType) -> dict[str, object]:
    """The tests and fixtures of a module, without those that are about SQLite."""
    return {
        name: value
        for name, value in vars(module).items()
        if name not in SQLITE_ONLY and (name.startswith("test_") or name in {"filled", "first_schema", "key", "story"})
    }


MODULES = (test_control, test_guards, test_heads, test_history, test_journal, test_listing, test_migrations, test_store)
for _module in MODULES:
    globals().update(portable(_module))


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    with databases.one() as name:
        yield databases.server.url(name)


@pytest.fixture
def empty_url(databases: Databases) -> Iterator[str]:
    with databases.one(databases.empty) as name:
        yield databases.server.url(name)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = Ledger(url)
    yield opened
    opened.close()


@pytest.fixture
def connection(empty_url: str) -> Iterator[Connection]:
    engine = create_engine(empty_url)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def test_only_tests_that_exist_are_left_out() -> None:
    names = {name for module in MODULES for name in vars(module)}
    assert set(SQLITE_ONLY) <= names
    repeated = [m for m in MODULES for n in MODULES if m is not n and set(portable(m)) & set(portable(n))]
    assert not repeated
    assert all(
        python.isfunction(value) for module in MODULES for value in portable(module).values() if value in vars(module)
    )
