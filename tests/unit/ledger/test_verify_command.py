"""`porwatch journal verify`: the chain and its signed heads, and who signed them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from monitor.__main__ import app
from monitor.config import load
from monitor.ledger import heads
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger, commit
from monitor.signing.keys import load_or_make
from tests.conftest import CHECKOUT

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "minimal.yaml"
    text = (CHECKOUT / "tests" / "config" / "good" / "minimal.yaml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("store:")]
    path.write_text("\n".join([*lines, "store: sqlite:///ledger.db"]) + "\n")
    return path


def write(config: Path, count: int, *, seal: bool) -> None:
    ledger = Ledger(load(config).store_url())
    with ledger.write() as connection:
        commit(connection, Commit(records=(Record("cancelled", {"id": "w-1"}),) * count), NOW)
        if seal:
            heads.seal(connection, load_or_make(load(config).report_key_path), NOW)
    ledger.close()


def verify(config: Path) -> Result:
    return CliRunner().invoke(app, ["journal", "verify", str(config)])


def test_a_journal_without_heads_says_so(config: Path) -> None:
    write(config, 2, seal=False)
    done = verify(config)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].startswith("2 records, unbroken; head ")
    assert done.stdout.splitlines()[1] == "no tree head yet"


def test_heads_are_counted_and_their_signer_is_named(config: Path, tmp_path: Path) -> None:
    write(config, 2, seal=True)
    write(config, 3, seal=True)
    key = load_or_make(tmp_path / "report.key")
    done = verify(config)
    assert done.exit_code == 0
    last = f"2 tree heads, the last over 5 records at 2026-11-24T10:00:00Z; signed by {key.fingerprint}"
    assert done.stdout.splitlines()[1] == last
    for name in ("report.key", "report.key.pub"):
        (tmp_path / name).unlink()
    assert verify(config).stdout.splitlines()[1] == f"{last}, signer not checked"


def test_a_changed_head_is_a_finding(config: Path, tmp_path: Path) -> None:
    write(config, 2, seal=True)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("DROP TRIGGER tree_head_no_update")
        connection.execute("UPDATE tree_head SET at = at + 1")
    done = verify(config)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "tree head over 2 records has a wrong signature\n")


def test_a_key_that_took_the_place_of_the_signers_is_a_finding_until_the_former_is_named(
    config: Path, tmp_path: Path
) -> None:
    write(config, 2, seal=True)
    (tmp_path / "report.key").unlink()
    (tmp_path / "report.key.pub").rename(tmp_path / "kept")
    write(config, 1, seal=True)
    done = verify(config)
    assert done.exit_code == 1
    assert "tree head over 2 records is signed by another key" in done.stderr
    (tmp_path / "kept").rename(tmp_path / "report.key.former.pub")
    assert verify(config).exit_code == 0


def test_a_key_that_others_may_read_is_wrong(config: Path, tmp_path: Path) -> None:
    write(config, 1, seal=True)
    (tmp_path / "report.key.pub").unlink()
    (tmp_path / "report.key").chmod(0o644)
    done = verify(config)
    assert done.exit_code == 2
    assert "others may read or change it" in done.stderr
