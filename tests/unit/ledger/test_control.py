"""Challenges and proofs of control as any ledger keeps them: whole, the newest first, and the same after a rebuild."""

from __future__ import annotations

from datetime import timedelta

from monitor.ledger.control import challenge_record, control_proofs, is_answered, is_used, proof_record
from monitor.ledger.store import Commit, Ledger, commit, rebuild
from monitor.model import ControlProof
from tests.unit.control.test_challenge import NOW
from tests.unit.step.test_control import ONE, PROOF, TWO


def test_proofs_are_kept_whole_and_come_back_from_the_journal(ledger: Ledger) -> None:
    moved = ControlProof(TWO.id, "movement", PROOF.block, "0x77", "0x77", {"名": "例"}, (("bb:1", 2**255),))
    with ledger.write() as connection:
        commit(connection, Commit((challenge_record(ONE), challenge_record(TWO), proof_record(ONE, PROOF))), NOW)
    later = NOW + timedelta(microseconds=1)
    with ledger.write() as connection:
        commit(connection, Commit((proof_record(TWO, moved),)), later)
    with ledger.read() as connection:
        before = control_proofs(connection)
        assert is_answered(connection, ONE.id)
        assert is_used(connection, "ethereum", "0x77")
        assert not is_used(connection, "bitcoin", "0x77")
        assert not is_used(connection, "ethereum", "0x78")
    (status,) = before.values()
    assert (status.challenge, status.proof, status.proved_at) == (TWO, moved, later)
    with ledger.write() as connection:
        assert rebuild(connection) == 4
    with ledger.read() as connection:
        assert control_proofs(connection) == before
