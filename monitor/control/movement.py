"""Whether a movement that was followed is the one that a challenge instructed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from chains.core.ownership import BadProof, ProofKind, Shown
from chains.core.values import BlockRef
from monitor.control.challenge import Challenge
from monitor.model import utc


@dataclass(frozen=True, slots=True)
class Change:
    """By how much one account changed in a transaction; ``coin`` as in chains.core.values.Movement."""

    locator: str
    asset: str
    delta: int
    coin: str


def judge(challenge: Challenge, units: int, txid: str, at: BlockRef, changes: Sequence[Change]) -> Shown:
    """What transaction ``txid`` in final block ``at`` shows; ``units``: the instructed amount; ``changes`` in order.

    The amount must have left that address and reached the destination in one transfer, exactly; on a chain of
    coins the address must have spent one and the destination received one of just that amount.
    Raises BadProof.
    """
    instruction = challenge.instruction
    if instruction is None:
        raise BadProof("the challenge instructs no movement: it is answered with a signature")
    moment = utc(at.time)
    if at.height <= challenge.height or moment < challenge.issued_at:
        raise BadProof(f"transaction {txid} is in a block from before the challenge was issued")
    if moment >= challenge.expires_at:
        raise BadProof(f"transaction {txid} is in a block from after the challenge expired")
    mine = [each for each in changes if each.asset == instruction.asset]
    if not _from_address(mine, challenge.address):
        raise BadProof(f"transaction {txid} moves no {instruction.asset} from {challenge.address}")
    if not _transferred(mine, challenge.address, instruction.destination, units):
        wanted = f"{instruction.amount} {instruction.asset} to {instruction.destination}"
        raise BadProof(f"transaction {txid} does not move exactly {wanted}")
    detail = {"txid": txid, "amount": instruction.amount, "asset": instruction.asset, "to": instruction.destination}
    return Shown(ProofKind.MOVEMENT, challenge.address, detail)


def _from_address(changes: Sequence[Change], address: str) -> bool:
    return any(each.locator == address and each.delta < 0 for each in changes)


def _transferred(changes: Sequence[Change], address: str, destination: str, units: int) -> bool:
    if any(each.coin for each in changes):
        return any(each.locator == destination and each.delta == units for each in changes)
    ends = [(each.locator, each.delta) for each in changes]
    # Both ends of one transfer stand side by side (chains.ethereum.extract).
    return any(pair == ((address, -units), (destination, units)) for pair in pairwise(ends))
