"""Evidence is kept for as long as the law of the configured profiles asks, and its end stays in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor import ledger_commands
from monitor.config import load
from monitor.config.resolved import Config
from monitor.ledger import heads
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger, commit
from monitor.profiles.files import shipped_names
from monitor.retention import CLASSES, _end, _table, check_retention, periods, plan, prune
from tests.unit.config.test_loader import BASE

NOW = datetime(2040, 1, 1, tzinfo=UTC)
TODAY = date(2040, 1, 1)
FILES = {
    "inputs.json": "in",
    "books/liabilities.csv": "owed",
    "accounts/bitcoin.jsonl": "held",
    "chains/bitcoin.jsonl": "said",
}
OVERLAY = "extends: jp-psa-2020\n"


def configured(folder: Path, **extra: Any) -> Config:
    file = folder / "porwatch.yaml"
    file.write_text(yaml.safe_dump({**BASE, **extra}, sort_keys=False), encoding="utf-8")
    return load(file)


def keep(ledger: Ledger, config: Config, day: str, number: int) -> Path:
    """The evidence of one close as the monitor leaves it: the folder, then the record."""
    folder = config.closes_path / f"{day}-{number}"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    digests = {name: sha256(text.encode()).hexdigest() for name, text in FILES.items()}
    with ledger.write() as connection:
        body = {"cycle": number, "folder": folder.name, "files": digests}
        commit(connection, Commit((Record("evidence", body),)), NOW)
    return folder


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'porwatch.db'}")
    yield ledger
    ledger.close()


def states(ledger: Ledger, config: Config, today: date = TODAY) -> dict[tuple[str, str], str]:
    with ledger.read() as connection:
        return {(part.folder, part.record_class): part.state for part in plan(connection, config, today)}


def end(ledger: Ledger, config: Config, today: date = TODAY) -> None:
    with ledger.read() as connection:
        parts = plan(connection, config, today)
    prune(ledger, config, parts, NOW)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("profiles", "ledger_years", "daily_years", "source"),
    [
        ([], None, None, ""),
        (["us-genius"], None, None, ""),
        (["jp-psa-2020"], 10, 5, "jp-psa-2020"),
        (["sg-psr", "jp-psa-2020"], 10, 5, "jp-psa-2020"),
        (["own.yaml"], 10, 5, "jp-psa-2020"),
    ],
)
def test_the_longest_period_of_all_profiles_counts_and_without_one_all_is_kept(
    profiles: list[str], ledger_years: int | None, daily_years: int | None, source: str, tmp_path: Path
) -> None:
    (tmp_path / "own.yaml").write_text(OVERLAY)
    found = periods(configured(tmp_path, profiles=profiles))
    assert (found["customer_ledger"].years, found["customer_ledger"].source) == (ledger_years, source)
    assert found["daily_record"].years == daily_years


def test_japan_asks_for_ten_seven_and_five_years_in_japan(tmp_path: Path) -> None:
    found = periods(configured(tmp_path, profiles=["jp-psa-2020"]))
    assert {name: (period.years, period.place) for name, period in found.items()} == {
        "customer_ledger": (10, "in Japan"),
        "books_item_4": (7, "in Japan"),
        "daily_record": (5, "in Japan"),
        "incident_report": (None, ""),
    }


def test_a_configured_period_may_be_longer_than_the_laws_and_never_shorter(tmp_path: Path) -> None:
    longer = configured(tmp_path, profiles=["jp-psa-2020"], retention={"daily_record": 8})
    assert check_retention(longer) == []
    assert periods(longer)["daily_record"].years == 8
    shorter = configured(tmp_path, profiles=["jp-psa-2020"], retention={"customer_ledger": 9})
    (mistake,) = check_retention(shorter)
    assert mistake.key == "retention.customer_ledger"
    assert "jp-psa-2020 asks for 10 years: write 10 or more" in mistake.message


def test_each_class_of_a_close_ends_in_its_own_year_and_the_journal_says_what_went(
    ledger: Ledger, tmp_path: Path
) -> None:
    config = configured(tmp_path, profiles=["jp-psa-2020"])
    old, new = keep(ledger, config, "2026-11-24", 1), keep(ledger, config, "2036-11-24", 2)
    day = date(2031, 11, 24)
    assert set(states(ledger, config, date(2031, 11, 23)).values()) == {"kept"}
    end(ledger, config, day)
    assert files(old) == {"inputs.json", "books/liabilities.csv"}
    assert states(ledger, config, day)[old.name, "daily_record"] == "pruned"
    end(ledger, config, date(2036, 11, 24))
    assert not old.exists()
    assert files(new) == set(FILES)
    with ledger.read() as connection:
        kinds = [entry.record() for entry in heads.journal.verified(connection)]
    gone = [record.body for record in kinds if record.kind == "pruned"]
    assert [(body["folder"], body["class"], body["years"], body["source"]) for body in gone] == [
        (old.name, "daily_record", 5, "jp-psa-2020"),
        (old.name, "customer_ledger", 10, "jp-psa-2020"),
    ]
    assert {**gone[0]["files"], **gone[1]["files"]} == kinds[0].body["files"]


def test_without_any_period_nothing_ever_goes(ledger: Ledger, tmp_path: Path) -> None:
    config = configured(tmp_path)
    folder = keep(ledger, config, "2026-11-24", 1)
    end(ledger, config, date(2999, 1, 1))
    assert files(folder) == set(FILES)


@pytest.mark.parametrize("wrong", ["changed", "deleted"])
def test_evidence_that_is_not_what_was_journalled_is_never_deleted(ledger: Ledger, wrong: str, tmp_path: Path) -> None:
    config = configured(tmp_path, profiles=["jp-psa-2020"])
    folder = keep(ledger, config, "2026-11-24", 1)
    if wrong == "changed":
        (folder / "accounts" / "bitcoin.jsonl").write_text("less")
    else:
        (folder / "accounts" / "bitcoin.jsonl").unlink()
    left = files(folder)
    end(ledger, config)
    expected = {"changed": "differs", "deleted": "missing"}[wrong]
    assert states(ledger, config)[folder.name, "daily_record"] == expected
    assert files(folder) == left - {"inputs.json", "books/liabilities.csv"}


def test_a_crash_between_the_record_and_the_deletion_is_made_good_without_a_second_record(
    ledger: Ledger, tmp_path: Path
) -> None:
    config = configured(tmp_path, profiles=["jp-psa-2020"])
    folder = keep(ledger, config, "2026-11-24", 1)
    end(ledger, config)
    again = config.closes_path / folder.name
    for name in ("accounts/bitcoin.jsonl",):
        (again / name).parent.mkdir(parents=True)
        (again / name).write_text(FILES[name])
    assert states(ledger, config)[folder.name, "daily_record"] == "due"
    end(ledger, config)
    assert not folder.exists()
    with ledger.read() as connection:
        kinds = [entry.kind for entry in heads.journal.verified(connection)]
    assert kinds == ["evidence", "pruned", "pruned"]


def test_the_command_shows_what_is_due_applies_it_and_finds_what_is_missing(
    ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path, profiles=["jp-psa-2020"])
    keep(ledger, config, "2001-01-01", 1)
    kept = keep(ledger, config, "2026-11-24", 2)
    ledger.close()
    assert ledger_commands.retention(config.file, "csv", apply=False) == 0
    out, err = capsys.readouterr()
    assert "2001-01-01,1,customer_ledger,2,2011-01-01,due" in out
    assert "daily_record: 5 years, in Japan (jp-psa-2020)" in err
    assert ledger_commands.retention(config.file, "csv", apply=True) == 0
    assert "2001-01-01,1,customer_ledger,2,2011-01-01,pruned" in capsys.readouterr().out
    (kept / "inputs.json").unlink()
    assert ledger_commands.retention(config.file, "csv", apply=False) == 1
    assert "2026-11-24,2,customer_ledger,2,2036-11-24,missing" in capsys.readouterr().out


def test_the_shipped_periods_are_of_shipped_profiles_and_of_known_classes() -> None:
    table = _table()
    assert set(table) <= set(shipped_names("profiles"))
    for lines in table.values():
        assert set(lines) <= set(CLASSES)
        for line in lines.values():
            assert set(line) == {"years", "place", "verified"}
            assert isinstance(line["years"], int)
            assert line["verified"] in {True, False, "secondary"}


@given(day=st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1)), years=st.integers(1, 100))
def test_a_period_ends_no_day_early(day: date, years: int) -> None:
    until = _end(day, years)
    assert until is not None
    assert (until.year, until.month, until.day) >= (day.year + years, day.month, day.day)
    assert (until - day).days <= 366 * years + 1
