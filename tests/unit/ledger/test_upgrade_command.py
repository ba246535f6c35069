"""`porwatch db upgrade`: the plan first, then the change, and never both."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.ledger.migrate import revisions
from tests.conftest import CHECKOUT


@pytest.fixture
def config(tmp_path: Path) -> Path:
    shutil.copy(CHECKOUT / "tests" / "config" / "good" / "minimal.yaml", tmp_path)
    path = tmp_path / "minimal.yaml"
    text = path.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("store:")]
    path.write_text("\n".join([*lines, "store: sqlite:///ledger.db"]) + "\n")
    return path


def objects(connection: sqlite3.Connection) -> list[str]:
    """Every table, index and trigger as it was made, but for its white space."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    return [" ".join(f"{name} {sql}".split()) for name, sql in rows]


def test_the_plan_is_what_applying_does(config: Path, tmp_path: Path) -> None:
    runner, command = CliRunner(), ["db", "upgrade", str(config)]
    planned = runner.invoke(app, [*command, "--plan"])
    assert planned.exit_code == 0
    assert not (tmp_path / "ledger.db").exists()
    with closing(sqlite3.connect(tmp_path / "by_hand.db")) as connection:
        connection.executescript(planned.stdout)
        by_hand = objects(connection)
    applied = runner.invoke(app, [*command, "--apply"])
    assert applied.exit_code == 0
    assert (applied.stdout, applied.stderr) == ("", f"the schema is {revisions()[-1]} now\n")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert objects(connection) == by_hand
    again = runner.invoke(app, [*command, "--plan"])
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", f"nothing to do: the schema is {revisions()[-1]}\n")


@pytest.mark.parametrize("words", [[], ["--plan", "--apply"]])
def test_one_of_the_two_must_be_asked_for(config: Path, words: list[str]) -> None:
    result = CliRunner().invoke(app, ["db", "upgrade", str(config), *words])
    assert result.exit_code == 2
    assert "write --plan or --apply" in result.output


def test_a_store_that_cannot_be_opened_is_named(config: Path) -> None:
    config.write_text(config.read_text().replace("ledger.db", "gone/ledger.db"))
    result = CliRunner().invoke(app, ["db", "upgrade", str(config), "--apply"])
    assert result.exit_code == 2
    assert "does not exist: create it" in result.stderr
