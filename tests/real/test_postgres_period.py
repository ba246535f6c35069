"""A period read back from PostgreSQL is the very same as from SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.postgres import Databases
from tests.scenarios.test_period import FILES
from tests.scenarios.test_period import test_the_period_of_a_scenario as period


@pytest.fixture
def store_url(databases: Databases) -> Iterator[str]:
    with databases.one() as name:
        yield databases.server.url(name)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_period_of_a_scenario_on_postgres(file: Path, store_url: str) -> None:
    period(file, store_url)
