"""What stands behind an asset's contract: the first look is remembered, every change after it is one case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.core.values import BlockRef
from monitor.ledger import reader
from monitor.ledger.store import rebuild
from monitor.model import Case, Severity
from monitor.step.observations import ContractsSeen
from tests.scenarios.stage import Stage
from tests.unit.step.test_steps import SCRIPT, journalled

PLAIN = {"code": "aa" * 32, "implementation": "11" * 32, "decimals": "6"}
UPGRADED = PLAIN | {"implementation": "22" * 32}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(tmp_path, SCRIPT)
    yield opened
    opened.close()


def look(stage: Stage, height: int, **states: dict[str, str]) -> None:
    at = BlockRef("ethereum", height, f"0x{height:064x}", "0x" + "00" * 32, height)
    stage._take(ContractsSeen(at, states))


def cases(stage: Stage) -> list[Case]:
    with stage.ledger.read() as connection:
        return reader.cases(connection)


def test_the_first_look_is_no_case_and_the_same_again_is_no_record(stage: Stage) -> None:
    look(stage, 1, USDT=PLAIN)
    before = journalled(stage)
    look(stage, 2, USDT=PLAIN)
    assert journalled(stage) == before
    assert cases(stage) == []


def test_each_change_is_one_case_that_names_what_was_there_before(stage: Stage) -> None:
    look(stage, 1, USDT=PLAIN, ETHX=PLAIN)
    look(stage, 2, USDT=UPGRADED, ETHX=PLAIN)
    look(stage, 3, USDT=UPGRADED, ETHX=PLAIN)
    (case,) = cases(stage)
    assert (case.rule, case.severity, case.asset) == ("control_drift", Severity.CRITICAL, "USDT")
    assert case.evidence["contract"] == {"implementation": {"before": "11" * 32, "after": "22" * 32}}
    look(stage, 4, USDT=PLAIN | {"decimals": "18"})
    changes: list[Any] = [each.evidence["contract"] for each in cases(stage)]
    assert [sorted(each) for each in changes] == [["implementation"], ["decimals", "implementation"]]


def test_what_was_seen_outlives_a_rebuild_of_the_state(stage: Stage) -> None:
    look(stage, 1, USDT=PLAIN)
    look(stage, 2, USDT=UPGRADED)
    known = cases(stage)
    with stage.ledger.write() as connection:
        rebuild(connection)
    assert cases(stage) == known
    look(stage, 3, USDT=UPGRADED)
    assert cases(stage) == known
