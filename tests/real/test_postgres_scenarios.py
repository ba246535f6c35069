"""Every scenario holds on PostgreSQL, and leaves the very same journal and state there as on SQLite."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from monitor.ledger import journal, schema
from monitor.ledger.store import Ledger
from tests.real.postgres import Databases
from tests.scenarios.stage import Stage
from tests.scenarios.test_scenarios import FILES
from tests.scenarios.test_scenarios import test_scenario as scenario


@pytest.fixture
def store_url(databases: Databases) -> Iterator[str]:
    with databases.one() as name:
        yield databases.server.url(name)


def content(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but the outbox's ids, ordered by key in Python."""
    with ledger.read() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in schema.metadata.sorted_tables
            if table is not schema.outbox and table is not schema.writer
        }
        outbox = select(*[c for c in schema.outbox.columns if c.name != "id"]).order_by(schema.outbox.c.id)
        found["outbox"] = [tuple(row) for row in connection.execute(outbox)]
        list(journal.verified(connection))
    return {name: rows if name == "outbox" else sorted(rows, key=repr) for name, rows in found.items()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_scenario_on_postgres(file: Path, store_url: str, tmp_path: Path) -> None:
    scenario(file, store_url)
    # the laws rebuilt its state: what it holds now is what the journal says, to be set beside the same story on SQLite
    script = tomllib.loads(file.read_text(encoding="utf-8"))
    stage = Stage(tmp_path, script)
    there = Ledger(store_url, writable=False)
    try:
        for step in script["step"]:
            stage.play(step)
        assert content(there) == content(stage.ledger)
    finally:
        there.close()
        stage.close()
