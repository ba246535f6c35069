"""Challenges and proofs of control in the ledger: rows from records, and questions about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from chains.core.values import BlockRef
from monitor.ledger import schema
from monitor.ledger.encode import Json, block_from_json, block_to_json, canonical, moment, parse
from monitor.ledger.journal import Record
from monitor.model import ControlChallenge, ControlProof, rfc3339

_IN_ONE_QUERY = 500


@dataclass(frozen=True, slots=True)
class ControlStatus:
    """The newest accepted proof of control of a locator, with the challenge that it answered."""

    challenge: ControlChallenge
    proof: ControlProof
    proved_at: datetime


def challenge_record(issued: ControlChallenge) -> Record:
    """The journal's record of an issued challenge."""
    body: Json = {
        "id": issued.id,
        "nonce": issued.nonce,
        "chain": issued.chain,
        "wallet": issued.wallet,
        "locator": issued.locator,
        "text": issued.text,
        "issued_at": rfc3339(issued.issued_at),
        "expires_at": rfc3339(issued.expires_at),
    }
    return Record("control_challenge", body)


def proof_record(issued: ControlChallenge, proof: ControlProof) -> Record:
    """The journal's record of an accepted proof."""
    body: Json = {
        "challenge": proof.challenge,
        "kind": proof.kind,
        "chain": issued.chain,
        "wallet": issued.wallet,
        "locator": issued.locator,
        "block": block_to_json(proof.block),
        "proof": proof.proof,
        "sha256": proof.digest,
        "txid": proof.txid,
        "detail": dict(proof.detail),
        "funds": [[coin, str(units)] for coin, units in proof.funds],
    }
    return Record("control_proof", body)


def apply_challenge(connection: Connection, body: Json, _at: datetime) -> None:
    """A challenge was issued."""
    times = {name: moment(body[name]) for name in ("issued_at", "expires_at")}
    connection.execute(insert(schema.control_challenge).values(**{**body, **times}))


def apply_proof(connection: Connection, body: Json, at: datetime) -> None:
    """A proof was accepted; the journal's own time is when."""
    block = block_from_json(body["block"])
    connection.execute(
        insert(schema.control_proof).values(
            challenge=body["challenge"],
            kind=body["kind"],
            chain=body["chain"],
            block_height=block.height,
            block_hash=block.hash,
            block_parent=block.parent,
            block_time=block.time,
            proved_at=at,
            proof=body["proof"],
            digest=body["sha256"],
            txid=body["txid"],
            detail=canonical(body["detail"]),
            funds=canonical(body["funds"]),
        )
    )


def control_challenge(connection: Connection, nonce: str) -> ControlChallenge | None:
    """The challenge with this nonce, or None where none was issued here."""
    table = schema.control_challenge
    row = connection.execute(select(table).where(table.c.nonce == nonce)).first()
    return None if row is None else _challenge(row)


def is_answered(connection: Connection, challenge_id: str) -> bool:
    """Whether a proof has used this challenge up."""
    columns = schema.control_proof.c
    return connection.execute(select(columns.challenge).where(columns.challenge == challenge_id)).first() is not None


def is_used(connection: Connection, chain: str, txid: str) -> bool:
    """Whether this transaction has served as a proof already."""
    columns = schema.control_proof.c
    query = select(columns.challenge).where(columns.chain == chain, columns.txid == txid)
    return connection.execute(query.limit(1)).first() is not None


def control_proofs(connection: Connection) -> dict[tuple[str, str], ControlStatus]:
    """The newest accepted proof of every locator that has one, by (chain, locator): its kind, block and date."""
    challenges, proofs = schema.control_challenge, schema.control_proof
    rows = connection.execute(
        select(challenges, proofs)
        .join(proofs, proofs.c.challenge == challenges.c.id)
        .order_by(proofs.c.proved_at, proofs.c.challenge)
    )
    return {(row[2], row[4]): _status(row) for row in rows}


def proofs_of(connection: Connection, chain: str, locators: Collection[str]) -> dict[str, ControlStatus]:
    """The newest accepted proof of each of these locators that has one."""
    challenges, proofs = schema.control_challenge, schema.control_proof
    found: dict[str, ControlStatus] = {}
    ordered = sorted(locators)
    for start in range(0, len(ordered), _IN_ONE_QUERY):
        some = ordered[start : start + _IN_ONE_QUERY]
        rows = connection.execute(
            select(challenges, proofs)
            .join(proofs, proofs.c.challenge == challenges.c.id)
            .where(challenges.c.chain == chain, challenges.c.locator.in_(some))
            .order_by(proofs.c.proved_at, proofs.c.challenge)
        )
        found.update({row[4]: _status(row) for row in rows})
    return found


def shown_of(connection: Connection, chain: str, wallet: str) -> int:
    """How many followed locators of a wallet have an accepted proof, however old."""
    challenges, proofs, followed = schema.control_challenge.c, schema.control_proof, schema.watched.c
    mine = (followed.chain == challenges.chain) & (followed.locator == challenges.locator)
    query = (
        select(func.count(challenges.locator.distinct()))
        .select_from(schema.control_challenge)
        .join(proofs, proofs.c.challenge == challenges.id)
        .join(schema.watched, mine)
        .where(challenges.chain == chain, followed.wallet == wallet)
    )
    return connection.execute(query).scalar_one()


def movements_of(connection: Connection, chain: str, txid: str) -> list[Any]:
    """Rows of table movement of one transaction, in order; what was booked as a residual is no transaction's."""
    columns = schema.movement.c
    query = select(schema.movement).where(
        columns.chain == chain, columns.txid == txid, columns.kind == "transaction", columns.txid != ""
    )
    return list(connection.execute(query.order_by(columns.height, columns.ordinal, columns.idx)))


def _challenge(row: Any) -> ControlChallenge:
    return ControlChallenge(**{name: getattr(row, name) for name in ControlChallenge.__slots__})


def _status(row: Any) -> ControlStatus:
    places = {name: place for place, name in enumerate(schema.control_challenge.c.keys())}
    challenge = ControlChallenge(**{name: row[places[name]] for name in ControlChallenge.__slots__})
    block = BlockRef(challenge.chain, row.block_height, row.block_hash, row.block_parent, row.block_time)
    funds = tuple((coin, int(units)) for coin, units in parse(row.funds))
    proof = ControlProof(challenge.id, row.kind, block, row.proof, row.txid, parse(row.detail), funds)
    return ControlStatus(challenge, proof, row.proved_at)
