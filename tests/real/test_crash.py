"""SIGKILL at any moment, two hundred times: nothing is lost, nothing is told twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tools.crashtest.lives import CHECKOUT, Kind, plan
from tools.crashtest.receiver import Pager
from tools.crashtest.stages import VARIABLE, Page, Stage

KILLS = 200


def alert(ends_at: str, case_id: str = "c1", **labels: str) -> dict[str, object]:
    return {"labels": {"case_id": case_id, **labels}, "endsAt": f"1970-01-01T00:{ends_at}Z"}


def test_the_pager_counts_an_alert_that_is_said_again_as_the_same_page() -> None:
    pager = Pager()
    pager.take([alert("05:00")], 0)
    pager.take([alert("06:00")], 60)
    pager.take([alert("06:00", "c2")], 60)
    assert pager.pages == Counter({"c1": 1, "c2": 1})
    assert sorted(pager.firing(100)) == ["c1", "c2"]


@pytest.mark.parametrize("then", [[alert("01:00"), alert("09:00")], [alert("09:00")]], ids=["resolved", "expired"])
def test_the_pager_counts_an_alert_that_begins_again_as_another_page(then: list[dict[str, object]]) -> None:
    pager = Pager()
    pager.take([alert("05:00")], 0)
    for number, item in enumerate(then):
        pager.take([item], 301 + number)
    assert pager.pages["c1"] == 2


def test_the_pager_counts_another_set_of_labels_of_the_same_case_as_another_page() -> None:
    pager = Pager()
    pager.take([alert("05:00", severity="warning")], 0)
    pager.take([alert("05:00", severity="critical")], 1)
    assert pager.pages["c1"] == 2


def test_a_plan_is_its_seeds_half_of_each_kind_and_uniform() -> None:
    made = plan(1000, "1")
    assert made == plan(1000, "1") != plan(1000, "2")
    assert Counter(item.kind for item in made) == {Kind.EXEC: 500, Kind.FORK: 500}
    tenths = Counter(int(item.fraction * 10) for item in made)
    assert set(tenths) == set(range(10))
    assert min(tenths.values()) > 60


def test_a_page_keeps_what_a_dead_process_was_doing(tmp_path: Path) -> None:
    page = Page.made(tmp_path / "stages")
    page.begin()
    assert page.active() == {Stage.STARTING}
    life = """
import os, signal
from tools.crashtest.stages import Page, Stage
page = Page.given()
page.set(Stage.STARTING, active=False)
with page.inside(Stage.CYCLE):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, VARIABLE: str(tmp_path / "stages")}
    done = subprocess.run([sys.executable, "-c", life], env=environment, check=False, cwd=CHECKOUT)
    assert done.returncode == -9
    assert page.active() == {Stage.CYCLE}
    page.set(Stage.CYCLE, active=False)
    assert page.active() == {Stage.IDLE}


@pytest.mark.timeout(1200)
@pytest.mark.component("anvil", "bitcoind")
def test_two_hundred_kills_lose_nothing_and_tell_nothing_twice(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.crashtest", "-n", str(KILLS), "--lanes", "2", "--folder", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
