"""Challenges and proofs in the ledger: each serves once and in time, and the journal gives the same tables again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from chains.core.ownership import BadProof
from chains.core.values import BlockRef
from monitor.control.challenge import Challenge
from monitor.ledger import control, schema
from monitor.ledger.store import Ledger, rebuild
from monitor.model import ControlChallenge, ControlProof
from monitor.step import take
from monitor.step.observations import ControlAsked, ControlShown
from tests.scenarios.stage import Stage, moment
from tests.unit.control.test_challenge import GOOD, NOW

SCRIPT: dict[str, Any] = {
    "wallets": {"eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot"]}},
    "holds": {"0xhot": ["100 ETH"]},
}
AT = BlockRef("ethereum", GOOD.height + 10, "0x" + "3a" * 32, "0x" + "2a" * 32, int(NOW.timestamp()))
SOON = NOW + timedelta(minutes=1)


def issued(challenge: Challenge, wallet: str = "eth-hot") -> ControlChallenge:
    times = {"issued_at": challenge.issued_at, "expires_at": challenge.expires_at}
    return ControlChallenge(
        challenge.id, challenge.nonce, "ethereum", wallet, challenge.address, challenge.text, **times
    )


def with_nonce(number: int, **more: Any) -> Challenge:
    return replace(GOOD, nonce=f"{number:032x}", **more)


ONE, TWO = issued(with_nonce(1)), issued(with_nonce(2))
PROOF = ControlProof(ONE.id, "eip191", AT, "0x1234", "", {"signer": "0xhot"}, (("aa:0", 10**30),))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(tmp_path, SCRIPT)
    yield opened
    opened.close()


def do(stage: Stage, observation: Any, now: datetime = SOON) -> None:
    with stage.ledger.write() as connection:
        take(connection, stage.setup, observation, now)


def proofs(ledger: Ledger) -> dict[tuple[str, str], control.ControlStatus]:
    with ledger.read() as connection:
        return control.control_proofs(connection)


def test_a_proof_is_remembered_whole_with_its_challenge(stage: Stage) -> None:
    do(stage, ControlAsked((ONE, TWO)))
    assert proofs(stage.ledger) == {}
    do(stage, ControlShown(ONE.nonce, PROOF))
    assert proofs(stage.ledger) == {("ethereum", GOOD.address): control.ControlStatus(ONE, PROOF, SOON)}


def test_the_newest_proof_of_a_locator_counts(stage: Stage) -> None:
    do(stage, ControlAsked((ONE, TWO)))
    newer = replace(PROOF, challenge=TWO.id, kind="eip1271")
    do(stage, ControlShown(TWO.nonce, newer), SOON + timedelta(hours=1))
    do(stage, ControlShown(ONE.nonce, PROOF), SOON)
    assert proofs(stage.ledger)["ethereum", GOOD.address].proof == newer


def test_bypass_the_same_challenge_answered_twice(stage: Stage) -> None:
    do(stage, ControlAsked((ONE,)))
    do(stage, ControlShown(ONE.nonce, PROOF))
    with pytest.raises(BadProof, match="serves once"):
        do(stage, ControlShown(ONE.nonce, replace(PROOF, proof="0x5678")))
    assert proofs(stage.ledger)["ethereum", GOOD.address].proof == PROOF


def test_bypass_an_answer_that_comes_after_the_challenge_expired(stage: Stage) -> None:
    do(stage, ControlAsked((ONE,)))
    with pytest.raises(BadProof, match="expired"):
        do(stage, ControlShown(ONE.nonce, PROOF), ONE.expires_at)
    assert proofs(stage.ledger) == {}


def test_bypass_a_challenge_that_nobody_issued(stage: Stage) -> None:
    with pytest.raises(BadProof, match="not issued"):
        do(stage, ControlShown(ONE.nonce, PROOF))
    do(stage, ControlAsked((ONE, TWO)))
    with pytest.raises(BadProof, match="not issued"):
        do(stage, ControlShown(TWO.nonce, PROOF))


def test_bypass_one_movement_that_answers_two_challenges(stage: Stage) -> None:
    do(stage, ControlAsked((ONE, TWO)))
    moved = replace(PROOF, kind="movement", txid="0x77")
    do(stage, ControlShown(ONE.nonce, moved))
    with pytest.raises(BadProof, match="0x77 has served"):
        do(stage, ControlShown(TWO.nonce, replace(moved, challenge=TWO.id)))


def test_a_nonce_is_never_issued_twice(stage: Stage) -> None:
    do(stage, ControlAsked((ONE,)))
    with pytest.raises(IntegrityError):
        do(stage, ControlAsked((issued(with_nonce(1, purpose="another")),)))


def test_the_journal_gives_the_same_tables_again(stage: Stage) -> None:
    do(stage, ControlAsked((ONE, TWO)))
    do(stage, ControlShown(ONE.nonce, PROOF))
    before = rows(stage.ledger)
    assert [len(table) for table in before] == [2, 1]
    with stage.ledger.write() as connection:
        rebuild(connection)
    assert rows(stage.ledger) == before


def rows(ledger: Ledger) -> list[list[Any]]:
    with ledger.read() as connection:
        return [
            list(connection.execute(select(table).order_by(*table.primary_key.columns)))
            for table in (schema.control_challenge, schema.control_proof)
        ]


def test_only_transactions_of_blocks_are_movements(stage: Stage) -> None:
    payment = {"id": "t1", "from": "0xhot", "fee": "0.01 ETH", "moves": ["0xhot -> 0xa 5 ETH"]}
    stage.play({"at": "10:00", "block": "ethereum 101", "transactions": [payment]})
    assert moment("10:00") == stage.now
    with stage.ledger.read() as connection:
        found = control.movements_of(connection, "ethereum", "t1")
        assert control.movements_of(connection, "ethereum", "") == []
        assert control.movements_of(connection, "bitcoin", "t1") == []
    assert [(row.locator, row.asset, row.delta) for row in found] == [
        ("0xhot", "ETH", -(10**16)),
        ("0xhot", "ETH", -5 * 10**18),
    ]
