"""Steps about proof of control: challenges issued, and each answered once, in time."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from chains.core.ownership import BadProof
from monitor.control.challenge import check_time, parse
from monitor.ledger import control
from monitor.ledger.store import Commit
from monitor.step.observations import ControlAsked, ControlShown


def asked(observation: ControlAsked) -> Commit:
    """Remember what is asked of whom."""
    return Commit(records=tuple(control.challenge_record(each) for each in observation.challenges))


def shown(connection: Connection, observation: ControlShown, now: datetime) -> Commit:
    """Accept a proof that was verified. Two may have come at once: what only the ledger knows is judged here.

    Raises BadProof where the challenge was never issued, is answered already or has expired, or where the
    transaction has served before.
    """
    proof = observation.proof
    issued = control.control_challenge(connection, observation.nonce)
    if issued is None or issued.id != proof.challenge:
        raise BadProof("the challenge was not issued by this porwatch")
    check_time(parse(issued.text), now)
    if control.is_answered(connection, issued.id):
        raise BadProof("the challenge was answered already: each serves once, ask for a new one")
    if proof.txid and control.is_used(connection, issued.chain, proof.txid):
        raise BadProof(f"transaction {proof.txid} has served as a proof already: each serves once")
    return Commit(records=(control.proof_record(issued, proof),))
