"""Challenges, proofs and refusals as people and programs get them; one form for the commands and the API."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

from chains.core.errors import AllEndpointsFailed
from chains.core.ownership import BadProof
from monitor.control.challenge import parse
from monitor.control.handed import Handed
from monitor.model import ControlChallenge, ControlProof, rfc3339

Row = dict[str, Any]


def challenge_row(issued: ControlChallenge) -> Row:
    """An issued challenge; ``challenge`` is the text to be signed, byte for byte."""
    return {
        "wallet": issued.wallet,
        "chain": issued.chain,
        "address": issued.locator,
        "expires_at": rfc3339(issued.expires_at),
        "challenge": issued.text,
    }


def shown_row(handed: Handed, proof: ControlProof) -> Row:
    """A proof that was accepted: what it shows, and after which block."""
    block = {"height": proof.block.height, "hash": proof.block.hash}
    funds = [{"coin": coin, "units": str(units)} for coin, units in proof.funds]
    return _row(handed, "shown", "", block, dict(proof.detail), funds)


def refused_row(handed: Handed, error: BadProof) -> Row:
    """A proof that shows nothing, and why."""
    return _row(handed, "bad", str(error), None, {}, [])


def undetermined_row(handed: Handed, error: Exception) -> Row:
    """A proof of which nothing can be said yet, and what is missing."""
    return _row(handed, "undetermined", "; ".join(causes(error)), None, {}, [])


def causes(error: Exception) -> list[str]:
    """What an error says: of a group, each cause once."""
    inner = error.exceptions if isinstance(error, AllEndpointsFailed) else (error,)
    return list(dict.fromkeys(str(each) for each in inner))


def _row(
    handed: Handed,
    result: Literal["shown", "bad", "undetermined"],
    reason: str,
    block: Row | None,
    detail: dict[str, str],
    funds: list[Row],
) -> Row:
    address = None
    with suppress(BadProof):
        address = parse(handed.challenge).address
    return {
        "kind": handed.kind.value,
        "address": address,
        "result": result,
        "reason": reason,
        "block": block,
        "detail": detail,
        "funds": funds,
    }
