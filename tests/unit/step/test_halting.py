"""Requests to halt withdrawals: written with the case, once, within limits, and never where nobody asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chains.core.values import Witness
from monitor.detect import Halting
from monitor.ledger import reader
from monitor.ledger.encode import parse
from monitor.ledger.journal import entries
from monitor.ledger.store import rebuild
from monitor.model import Case, Severity
from monitor.step import take
from monitor.step.observations import BlockSeen, HaltAnswered, HaltWithdrawn, Witnessed
from tests.scenarios.stage import Stage, moment

SCRIPT: dict[str, Any] = {
    "wallets": {"eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]}},
    "holds": {"0xhot": ["100000 ETH"]},
}
ALWAYS = Halting(frozenset({"unexplained_outflow"}), Severity.CRITICAL, False, 2, False)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(tmp_path, SCRIPT)
    opened.setup.halting = ALWAYS
    yield opened
    opened.close()


def steal(stage: Stage, name: str, at: str = "10:00", amount: int = 5000) -> Case:
    """A theft in a block of its own: the case that it opened."""
    height = stage.cursor("ethereum").height + 1
    moves = [f"0xhot -> 0xthief {amount} ETH"]
    payment = {"id": name, "from": "0xhot", "fee": "0 ETH", "moves": moves}
    stage.play({"at": at, "block": f"ethereum {height}", "transactions": [payment]})
    (case,) = stage.outcome.cases
    return case


def waiting(stage: Stage) -> list[tuple[int, str, str]]:
    with stage.ledger.read() as connection:
        return reader.next_messages(connection, "halt", 100)


def stored(stage: Stage, case_id: str) -> Case:
    with stage.ledger.read() as connection:
        found = reader.case(connection, case_id)
    assert found is not None
    return found


def journalled(stage: Stage) -> list[str]:
    with stage.ledger.read() as connection:
        return [parse(entry.body)["state"] for entry in entries(connection) if entry.kind == "halt"]


def give(stage: Stage, observation: Any, at: datetime) -> None:
    with stage.ledger.write() as connection:
        stage.outcome = take(connection, stage.setup, observation, at)


def test_a_theft_asks_for_a_halt_in_the_transaction_of_its_case(stage: Stage) -> None:
    case = steal(stage, "t1")
    ((_, case_id, payload),) = waiting(stage)
    assert case_id == case.id
    body = parse(payload)
    assert body == {
        "version": 1,
        "case_id": case.id,
        "entity": "Example",
        "rule": "unexplained_outflow",
        "rules": ["unexplained_outflow"],
        "severity": "critical",
        "confirmed": True,
        "chain": "ethereum",
        "wallet": "eth-hot",
        "tier": "hot",
        "asset": "ETH",
        "amount": "5000.000000000000000000",
        "txid": "t1",
        "opened_at": "2026-11-24T10:00:00Z",
        "requested_at": "2026-11-24T10:00:00Z",
    }
    assert stored(stage, case.id) == case
    assert [event.action for event in case.history] == ["opened", "halt requested"]
    assert case.evidence["halt"] == {"state": "requested", "requested_at": "2026-11-24T10:00:00Z"}
    assert journalled(stage) == ["requested"]


def test_without_the_section_nothing_is_ever_asked(stage: Stage) -> None:
    stage.setup.halting = None
    assert "halt" not in steal(stage, "t1").evidence
    assert waiting(stage) == []
    assert journalled(stage) == []


@pytest.mark.parametrize(
    "halting",
    [
        replace(ALWAYS, rules=frozenset({"residual"})),
        replace(ALWAYS, rules=frozenset({"altered_approval"}), minimum=Severity.INFO),
    ],
    ids=["another rule", "another rule of any severity"],
)
def test_a_rule_that_is_not_named_asks_for_nothing(stage: Stage, halting: Halting) -> None:
    stage.setup.halting = halting
    steal(stage, "t1")
    assert waiting(stage) == []


def test_a_case_below_the_least_severity_asks_for_nothing(stage: Stage) -> None:
    stage.setup.halting = replace(ALWAYS, rules=frozenset({"residual"}))
    stage.play({"at": "10:00", "measure": "provisional"})
    stage.play({"at": "10:01", "vanish": ["0xhot 3 ETH"]})
    stage.play({"at": "10:02", "measure": "provisional"})
    (case,) = stage.outcome.cases
    assert (case.rule, case.severity) == ("residual", Severity.WARNING)
    assert waiting(stage) == []
    stage.play({"at": "10:03", "block": "ethereum 101"})
    stage.play({"at": "10:03", "vanish": ["0xhot -7 ETH"]})
    stage.play({"at": "10:04", "measure": "provisional"})
    assert [case_id for _, case_id, _ in waiting(stage)] == [stage.outcome.cases[0].id]


def test_what_may_wait_for_its_approval_asks_only_when_it_comes_due(stage: Stage) -> None:
    case = steal(stage, "t1", amount=5)
    assert case.state == "pending"
    assert waiting(stage) == []
    stage.play({"at": "10:02", "due": True})
    assert [case_id for _, case_id, _ in waiting(stage)] == [case.id]


def test_a_dry_run_is_recorded_and_sends_nothing(stage: Stage) -> None:
    stage.setup.halting = replace(ALWAYS, dry_run=True)
    case = steal(stage, "t1")
    assert waiting(stage) == []
    assert journalled(stage) == ["dry_run"]
    assert case.history[-1].note == "dry run: it would have been requested"
    assert case.evidence["halt"] == {"state": "dry_run", "requested_at": None}


@pytest.mark.parametrize("dry_run", [False, True])
def test_beyond_the_limit_of_an_hour_a_case_says_so_and_pages_as_ever(stage: Stage, dry_run: bool) -> None:
    stage.setup.halting = replace(ALWAYS, dry_run=dry_run)
    steal(stage, "t1", "10:00")
    steal(stage, "t2", "10:30")
    limited = steal(stage, "t3", "10:59")
    assert limited.evidence["halt"] == {"state": "limited", "requested_at": None}
    assert limited.history[-1].note == "the limit of 2 requests an hour is reached"
    with stage.ledger.read() as connection:
        assert reader.pending_messages(connection)["pager"].count == 3
    steal(stage, "t4", "11:01")
    made = "dry_run" if dry_run else "requested"
    assert journalled(stage) == [made, made, "limited", made]
    assert len(waiting(stage)) == (0 if dry_run else 3)


def test_thefts_of_one_block_share_the_limit(stage: Stage) -> None:
    stage.setup.halting = replace(ALWAYS, limit_per_hour=1)
    payments = [
        {"id": f"t{n}", "from": "0xhot", "fee": "0 ETH", "moves": [f"0xhot -> 0x{n} 5000 ETH"]} for n in range(3)
    ]
    stage.play({"at": "10:00", "block": "ethereum 101", "transactions": payments})
    assert journalled(stage) == ["requested", "limited", "limited"]
    assert len(waiting(stage)) == 1


def test_a_case_asks_once_whatever_happens_to_it_later(stage: Stage) -> None:
    case = steal(stage, "t1")
    stage.play({"at": "10:10", "approve": [{"id": "w", "amount": "5000 ETH", "to": "0xthief", "from": "09:00"}]})
    stage.play({"at": "10:11", "rewind": "ethereum 100"})
    steal(stage, "t1", "10:12")
    assert stored(stage, case.id).rules == ("unexplained_outflow", "late_approval")
    assert len(waiting(stage)) == 1


def test_what_was_open_before_halts_were_configured_asks_for_nothing(stage: Stage) -> None:
    stage.setup.halting = None
    case = steal(stage, "t1")
    stage.setup.halting = ALWAYS
    stage.play({"at": "10:10", "approve": [{"id": "w", "amount": "5000 ETH", "to": "0xthief", "from": "09:00"}]})
    assert "late_approval" in stored(stage, case.id).rules
    assert waiting(stage) == []


def witnessed(stage: Stage) -> tuple[BlockSeen, Case]:
    """A theft that one endpoint of two shows: the block for when the quorum shows it, and the case."""
    seen: list[BlockSeen] = []
    whole = stage._take
    stage._take = seen.append  # type: ignore[method-assign, assignment, return-value]
    payment = {"id": "t1", "from": "0xhot", "fee": "0 ETH", "moves": ["0xhot -> 0xthief 5000 ETH"]}
    stage.play({"at": "10:00", "block": "ethereum 101", "transactions": [payment]})
    stage._take = whole  # type: ignore[method-assign]
    give(stage, Witnessed(Witness(seen[0].block, ("node-1",), 2), seen[0].noticed), moment("10:00"))
    return seen[0], stage.outcome.cases[0]


def test_a_lone_witness_asks_for_nothing_until_the_quorum_confirms_it(stage: Stage) -> None:
    block, case = witnessed(stage)
    assert case.evidence["unconfirmed"] is True
    assert waiting(stage) == []
    give(stage, block, moment("10:01"))
    ((_, case_id, payload),) = waiting(stage)
    assert case_id == case.id
    assert parse(payload)["confirmed"] is True
    assert parse(payload)["requested_at"] == "2026-11-24T10:01:00Z"


def test_a_lone_witness_asks_at_once_where_that_is_configured_and_not_again(stage: Stage) -> None:
    stage.setup.halting = replace(ALWAYS, lone_witness=True)
    block, _ = witnessed(stage)
    ((_, _, payload),) = waiting(stage)
    assert parse(payload)["confirmed"] is False
    give(stage, block, moment("10:01"))
    assert len(waiting(stage)) == 1


def test_the_endpoints_answer_contains_the_case_once(stage: Stage) -> None:
    case = steal(stage, "t1")
    ((row, _, _),) = waiting(stage)
    at = moment("10:00") + timedelta(milliseconds=12_345, microseconds=999)
    give(stage, HaltAnswered(row, case.id, at, "endpoint"), moment("10:01"))
    assert waiting(stage) == []
    found = stored(stage, case.id)
    assert found.evidence["halt"] == {
        "state": "contained",
        "requested_at": "2026-11-24T10:00:00Z",
        "contained_at": "2026-11-24T10:00:12.345999Z",
        "said_by": "endpoint",
        "time_to_halt_ms": 12_345,
    }
    assert (found.state, found.history[-1].action, found.history[-1].by) == ("open", "contained", "endpoint")
    give(stage, HaltAnswered(row, case.id, moment("10:05"), "porwatch"), moment("10:06"))
    assert stored(stage, case.id) == found
    assert journalled(stage) == ["requested", "contained"]


def test_withdrawals_that_were_halted_before_took_no_time(stage: Stage) -> None:
    case = steal(stage, "t1")
    ((row, _, _),) = waiting(stage)
    give(stage, HaltAnswered(row, case.id, moment("09:00"), "endpoint"), moment("10:01"))
    halt = stored(stage, case.id).evidence["halt"]
    assert isinstance(halt, dict)
    assert (halt["contained_at"], halt["time_to_halt_ms"]) == ("2026-11-24T09:00:00Z", 0)


def test_a_withdrawn_request_is_gone_and_the_history_says_why(stage: Stage) -> None:
    case = steal(stage, "t1")
    ((row, _, _),) = waiting(stage)
    give(stage, HaltWithdrawn(row, case.id, "the case is closed"), moment("10:01"))
    assert waiting(stage) == []
    assert stored(stage, case.id).history[-1].note == "the case is closed"
    assert journalled(stage) == ["requested", "withdrawn"]


def test_the_state_is_rebuilt_from_the_journal_as_it_was(stage: Stage) -> None:
    case = steal(stage, "t1")
    ((row, _, _),) = waiting(stage)
    give(stage, HaltAnswered(row, case.id, moment("10:00"), "porwatch"), moment("10:01"))
    before = stored(stage, case.id)
    with stage.ledger.write() as connection:
        rebuild(connection)
    assert stored(stage, case.id) == before
