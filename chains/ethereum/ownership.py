"""Proof of control over an address of an EVM chain, judged without a node."""

from __future__ import annotations

from chains.core.ownership import BadProof, ProofKind, Shown
from chains.ethereum.verify.messages import SIGNATURE_BYTES, personal_digest, signature, signature_bytes

#: Kinds that are judged by what stands on the chain; see chains.ethereum.control.
ONLINE = frozenset({ProofKind.EIP1271, ProofKind.SAFE_OWNERS})


def verify_offline(kind: ProofKind, locator: str, message: bytes, proof: str) -> Shown:
    """A personal_sign signature (EIP-191, version 0x45) of ``message`` by the key of ``locator``.

    ``proof``: 0x and the 65 bytes r, s, v in lower-case hex, v 27 or 28, s in the lower half (EIP-2): each
    signature has one spelling. Raises BadProof, and nothing else, also for a kind that is none of this.
    """
    if kind in ONLINE:
        raise BadProof(f"{kind.value} is judged by what stands on the chain: it needs a node")
    if kind is not ProofKind.EIP191:
        raise BadProof(f"{kind.value} shows nothing about an EVM address: use eip191, eip1271 or safe_owners")
    try:
        one = signature(signature_bytes(proof, SIGNATURE_BYTES))
    except ValueError as error:
        raise BadProof(f"the signature cannot be read: {error}") from error
    if one.v not in (27, 28):
        raise BadProof(f"the signature ends in {one.v}: write it with v 27 or 28, as personal_sign does")
    signer = one.signer(personal_digest(message))
    if signer is None:
        raise BadProof("the signature is one that no key can have made: r or s is out of range, or s in the upper half")
    if signer != locator.lower():
        raise BadProof(f"the signature is by {signer}, or over another text: {locator} has not signed this challenge")
    return Shown(kind, locator, {"signer": signer})
