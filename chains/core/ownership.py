"""Proof of control: what a proof over a challenge can be, what a valid one shows, and how a bad one is refused.

Each chain package offers ``verify_offline(kind, locator, message, proof, settings) -> Shown`` for the
kinds that need no node. It raises BadProof, and nothing else, for whatever a stranger may hand in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class ProofKind(StrEnum):
    """How control is shown: BIP-322, a legacy Bitcoin message, EIP-191, EIP-1271, a Safe's owners, or a movement."""

    BIP322_SIMPLE = "bip322_simple"
    BIP322_FULL = "bip322_full"
    BIP322_FUNDS = "bip322_funds"
    BITCOIN_MESSAGE = "bitcoin_message"
    EIP191 = "eip191"
    EIP1271 = "eip1271"
    SAFE_OWNERS = "safe_owners"
    MOVEMENT = "movement"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a valid proof shows about one locator.

    ``detail``: what a reader of the report should know, by name, as text. ``funds``: outpoints
    (``<txid>:<vout>``) and their units, for a proof of funds only.
    """

    kind: ProofKind
    locator: str
    detail: Mapping[str, str]
    funds: tuple[tuple[str, int], ...] = ()


class BadProof(Exception):
    """The proof does not show control; the message says why in a plain sentence."""
