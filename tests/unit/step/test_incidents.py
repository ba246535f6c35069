"""Incidents in the ledger: what a step decides is what is counted, and the journal alone gives the same again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from monitor.detect.changes import acted
from monitor.ledger import incidents, reader, schema
from monitor.ledger.store import Commit, Ledger, commit, rebuild
from monitor.model import Case, CaseState
from monitor.step.cases import left_open
from monitor.step.messages import written
from tests.unit.test_incidents import Night, outflow


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'porwatch.db'}")
    with ledger.write() as opened:
        yield opened
    ledger.close()


def take(connection: Connection, *cases: Case) -> tuple[Case, ...]:
    """What a step writes of the cases it changed."""
    done = written(connection, cases, ("one",))
    commit(connection, Commit(done.records, messages=done.messages), cases[0].opened_at)
    return done.cases


def close(connection: Connection, case: Case) -> tuple[Case, ...]:
    return take(connection, *left_open(connection, acted(case, "close", "K. Sato", "explained", case.opened_at)))


def rows(connection: Connection) -> dict[str, list[Any]]:
    tables = (schema.cases, schema.incident, schema.incident_key)
    return {t.name: [tuple(row) for row in connection.execute(select(t).order_by(*t.primary_key))] for t in tables}


def test_what_the_ledger_counts_is_what_the_pure_stage_counts_and_a_rebuild_gives_it_again(
    connection: Connection,
) -> None:
    night = Night()
    for number in range(60):
        chain = "bitcoin" if number % 7 == 0 else "ethereum"
        yen = None if number % 5 == 0 else f"{number}.50"
        batch = [outflow(2 * number + n, number * 300, yen, asset=f"T{number % 4}", chain=chain) for n in range(2)]
        assert take(connection, *batch) == night.commit(*batch)
    ids = list(night.standing)
    assert incidents.incidents(connection, ids) == {name: one.incident for name, one in night.standing.items()}
    before = rows(connection)
    rebuild(connection)
    assert rows(connection) == before


def test_when_every_case_is_closed_the_next_one_is_a_new_incident_that_pages(connection: Connection) -> None:
    (first,) = take(connection, outflow(1))
    (closed,) = close(connection, first)
    assert closed.incident == first.id
    (second,) = take(connection, outflow(2, 60))
    assert second.incident == second.id


def test_an_acknowledged_incident_goes_on(connection: Connection) -> None:
    (first,) = take(connection, outflow(1))
    take(connection, acted(first, "ack", "K. Sato", "looking", first.opened_at))
    (second,) = take(connection, outflow(2, 60, "1.00"))
    assert (second.incident, second.growth) == (first.id, ())


def test_closing_the_last_case_that_paged_wakes_the_oldest_that_is_open(connection: Connection) -> None:
    first, second, third = (take(connection, outflow(n, n, "100.00" if n == 1 else "1.00"))[0] for n in (1, 2, 3))
    closed, waiting = close(connection, first)
    assert (closed.id, waiting.id, waiting.growth) == (first.id, second.id, ("remains",))
    assert len(close(connection, third)) == 1, "somebody has been told"
    assert reader.case(connection, second.id) == waiting
    before = rows(connection)
    rebuild(connection)
    assert rows(connection) == before


def test_closing_a_case_that_only_joined_wakes_nobody(connection: Connection) -> None:
    take(connection, outflow(1))
    second, _ = (take(connection, outflow(n, n, "1.00"))[0] for n in (2, 3))
    assert len(close(connection, second)) == 1


def test_the_messages_of_what_pages_come_first(connection: Connection) -> None:
    cases = [outflow(n, 0, rule="residual" if n > 1 else "unexplained_outflow") for n in (3, 2, 1)]
    done = written(connection, cases, ("one", "two"))
    first = next(case for case in done.cases if case.pages)
    assert [message.case_id for message in done.messages[:2]] == [first.id, first.id]


def test_a_case_from_before_there_were_incidents_keeps_its_labels(connection: Connection) -> None:
    old = replace(outflow(1), history=(*outflow(1).history, replace(outflow(1).history[0], action="late approval")))
    (kept,) = take(connection, old)
    assert kept.incident is None
    assert connection.execute(select(schema.cases.c.pages)).scalar_one() is None


def test_incidents_are_listed_from_the_newest_on_and_their_cases_are_found(connection: Connection) -> None:
    for number in range(3):
        take(connection, *(outflow(10 * number + n, number * 7200 + n) for n in range(2)))
    newest, *rest = incidents.listed(connection, limit=10)
    assert [one.id for one in incidents.listed(connection, limit=10, after=newest.id)] == [one.id for one in rest]
    assert [case.id for case in incidents.cases_of(connection, newest.id, limit=10)] == [f"{20:016x}", f"{21:016x}"]
    assert [c.id for c in reader.cases(connection, incident=newest.id)] == [f"{20:016x}", f"{21:016x}"]
    with pytest.raises(KeyError):
        incidents.listed(connection, limit=10, after="none")
    assert newest.last_opened_at - newest.first_at == timedelta(seconds=1)
    assert {case.state for case in reader.cases(connection)} == {CaseState.OPEN}
