"""Ceremonies in the ledger: journalled, rebuilt, and beside the cases of cold wallets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from monitor.detect import Announcement
from monitor.ledger import ceremonies, journal, reader, schema
from monitor.ledger.store import rebuild
from monitor.step import Outcome, take
from monitor.step.observations import CeremonyAnnounced, CeremonyCancelled, CeremonyConfirmed, Observation
from tests.scenarios.stage import Stage

SCRIPT: dict[str, Any] = {
    "wallets": {"eth-cold": {"chain": "ethereum", "tier": "cold", "addresses": ["0xcold"]}},
    "holds": {"0xcold": ["1000 ETH"]},
}
PAYMENT = {"id": "t1", "from": "0xcold", "fee": "0.01 ETH", "moves": ["0xcold -> 0xa 300 ETH"]}
HOUR = timedelta(hours=1)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(tmp_path, SCRIPT)
    yield opened
    opened.close()


def step(stage: Stage, observation: Observation, minutes: float = 0) -> Outcome:
    with stage.ledger.write() as connection:
        return take(connection, stage.setup, observation, stage.now + timedelta(minutes=minutes))


def around_now(stage: Stage) -> Announcement:
    """Announced an hour ago for the hours around now."""
    return Announcement("key rotation", ("eth-cold",), stage.now - HOUR / 2, stage.now + HOUR)


def announced(stage: Stage) -> str:
    outcome = step(stage, CeremonyAnnounced(around_now(stage), "Sato", "sato"), minutes=-60)
    assert outcome.ceremony is not None
    return outcome.ceremony.id


def state(stage: Stage) -> list[Any]:
    with stage.ledger.read() as connection:
        return list(connection.execute(select(schema.ceremony).order_by(schema.ceremony.c.id)))


def test_every_word_is_journalled_and_a_rebuild_gives_the_same(stage: Stage) -> None:
    key = announced(stage)
    step(stage, CeremonyConfirmed(key, "Tanaka", "tanaka"), minutes=-59)
    step(stage, CeremonyCancelled(key, "Suzuki", "rain"), minutes=1)
    with stage.ledger.read() as connection:
        kinds = [entry.kind for entry in journal.entries(connection) if entry.kind.startswith("ceremony")]
        found = ceremonies.ceremony(connection, key)
        assert ceremonies.of_wallet(connection, "eth-cold", 5) == [found]
        assert ceremonies.of_wallet(connection, "ETH-COLD", 5) == []
    assert kinds == ["ceremony_announced", "ceremony_confirmed", "ceremony_cancelled"]
    assert found is not None
    assert found.announced.at == stage.now - HOUR
    assert (found.confirmed and found.confirmed.user, found.cancelled and found.cancelled.name) == ("tanaka", "Suzuki")
    assert found.cancel_reason == "rain"
    before = state(stage)
    with stage.ledger.write() as connection:
        rebuild(connection)
    assert state(stage) == before
    assert len(before) == 1


def test_the_same_announcement_again_is_the_same_ceremony(stage: Stage) -> None:
    key = announced(stage)
    assert announced(stage) == key
    assert len(state(stage)) == 1


def test_what_is_refused_changes_nothing(stage: Stage) -> None:
    key = announced(stage)
    before = state(stage)
    with pytest.raises(ValueError, match="a second person confirms it"):
        step(stage, CeremonyConfirmed(key, "ＳＡＴＯ"), minutes=-59)
    with pytest.raises(KeyError):
        step(stage, CeremonyConfirmed("0" * 16, "Tanaka"))
    with pytest.raises(KeyError):
        step(stage, CeremonyCancelled("0" * 16, "Tanaka", "rain"))
    assert state(stage) == before


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_theft_inside_a_ceremony_pages_all_the_same_and_says_where_it_lies(stage: Stage, confirmed: bool) -> None:
    key = announced(stage)
    if confirmed:
        step(stage, CeremonyConfirmed(key, "Tanaka"), minutes=-59)
    stage.play({"block": "ethereum 101", "transactions": [PAYMENT]})
    with stage.ledger.read() as connection:
        (case,) = reader.cases(connection)
    assert case.rules == ("unexplained_outflow", "cold_without_approval")
    assert case.evidence["ceremony"] == {
        "inside": confirmed,
        "id": key,
        "text": f"inside ceremony {key} announced by Sato, confirmed by Tanaka"
        if confirmed
        else f"outside ceremony {key}: announced by Sato, confirmed by nobody",
    }


def test_an_approved_payment_outside_every_window_is_a_case_where_one_is_required(stage: Stage) -> None:
    stage.setup.ceremonies_required = frozenset({"eth-cold"})
    stage.play({"approve": [{"id": "w-1", "amount": "300 ETH", "to": "0xa"}]})
    stage.play({"block": "ethereum 101", "transactions": [PAYMENT]})
    with stage.ledger.read() as connection:
        (case,) = reader.cases(connection)
    assert (case.rule, case.units) == ("outside_window", 300 * 10**18)
