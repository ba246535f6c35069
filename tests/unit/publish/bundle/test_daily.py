"""The daily report: made once after each close, by the report command, in a process of its own; never missed in silence."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.config import load
from monitor.health import Health
from monitor.ledger.store import Ledger
from monitor.publish.bundle.verify import verify
from monitor.reporting import DailyReport
from tests.unit.assess.sample import NOW
from tests.unit.publish.bundle.made import CONFIG, Exchange

LOCAL = NOW.astimezone(ZoneInfo("Asia/Tokyo"))
REPORT_AT = NOW + timedelta(hours=2)
DAY = timedelta(days=1)


@dataclass
class Desk:
    """A daily report whose clock a test sets."""

    base: Path
    health: Health
    report: DailyReport
    now: datetime

    @property
    def folder(self) -> Path:
        return self.base / "reports" / f"{LOCAL.date().isoformat()}-daily"

    def look(self, now: datetime) -> str | None:
        self.now = now
        asyncio.run(self.report.run())
        return self.health.problems.get("report/")


@pytest.fixture
def desk(kept: Exchange, tmp_path: Path) -> Iterator[Desk]:
    """The exchange of these tests, closing when its close was, with its report two hours later."""
    base = tmp_path / "exchange"
    shutil.copytree(kept.base, base, ignore=shutil.ignore_patterns("report"))
    times = f'schedule: {{close: "{LOCAL:%H:%M}", report: "{LOCAL + timedelta(hours=2):%H:%M}"}}\n'
    (base / "porwatch.yaml").write_text(CONFIG + times, encoding="utf-8")
    config = load(base / "porwatch.yaml")
    health = Health(NOW, ("c",))
    with closing(Ledger(config.store_url(), writable=False)) as ledger:
        found = Desk(base, health, None, NOW)  # type: ignore[arg-type]  # the clock is the desk's own
        found.report = DailyReport(config, ledger, health, lambda: found.now)
        yield found


def test_it_is_made_once_by_the_command_and_verifies(desk: Desk) -> None:
    assert desk.look(REPORT_AT - timedelta(minutes=1)) is None
    assert not desk.folder.exists(), "it is not due before its time"
    # as a monitor that was restarted in the middle of one, hours later
    (desk.base / "reports" / f".{desk.folder.name}.half").mkdir(parents=True)
    assert desk.look(REPORT_AT + timedelta(hours=9)) is None
    assert desk.health.last_success["report", ""] == desk.now
    judged = verify(desk.folder, None)
    assert (judged.problems, judged.undetermined) == ((), ())
    made = (desk.folder / "manifest.json").stat().st_mtime_ns
    assert desk.look(REPORT_AT + timedelta(hours=10)) is None
    assert (desk.folder / "manifest.json").stat().st_mtime_ns == made


def test_a_day_without_a_close_is_a_problem_until_the_next_report(desk: Desk) -> None:
    (desk.folder).mkdir(parents=True)
    assert desk.look(REPORT_AT) is None
    problem = desk.look(REPORT_AT + DAY)
    assert problem is not None
    assert problem.startswith("there was no close at ")
    assert "that day has no report" in problem


def test_evidence_that_is_gone_is_said_in_the_words_of_the_command(desk: Desk) -> None:
    shutil.rmtree(desk.base / "evidence")
    problem = desk.look(REPORT_AT)
    assert problem is not None
    assert "was not made (exit 3)" in problem
    assert "the evidence of cycle" in problem
    assert not desk.folder.exists()


def test_before_the_first_close_nothing_is_due(desk: Desk) -> None:
    for now in (NOW - timedelta(minutes=1), REPORT_AT - timedelta(minutes=1)):
        desk.now = now
        assert desk.report.due() is None
