"""Whether enough distinct owners of a Safe signed a text, judged without a node."""

from __future__ import annotations

from dataclasses import dataclass

from chains.core.errors import BadAnswer
from chains.core.ownership import BadProof
from chains.ethereum.address import ZERO
from chains.ethereum.verify.messages import (
    SIGNATURE_BYTES,
    personal_digest,
    safe_message_digest,
    signature,
    signature_bytes,
)

#: A Safe's own limit is the gas of a transaction; nobody has as many owners.
OWNERS_MOST = 1_000
#: Ends of the linked list in which a Safe keeps its owners.
_SENTINEL = "0x" + "0" * 39 + "1"
_PLAIN = 27
#: v of a signature that an owner made by eth_sign over the Safe's digest: 27 or 28, and 4 (Safe's own convention).
_ETH_SIGN = 31


@dataclass(frozen=True, slots=True)
class Safe:
    """A Safe as it stood at one block: addresses in lower case.

    ``release``: of its code; ``chain_bound``: whether its messages name the chain.
    """

    address: str
    owners: tuple[str, ...]
    threshold: int
    release: str
    chain_bound: bool


def decode_owners(answer: bytes) -> tuple[str, ...]:
    """What getOwners() gave (ABI: one array of addresses), in lower case. Raises BadAnswer."""
    words = [answer[at : at + 32] for at in range(0, len(answer), 32)]
    if len(answer) % 32 or len(words) < 2 or int.from_bytes(words[0], "big") != 32:
        raise BadAnswer("getOwners() gave no array of addresses")
    count = int.from_bytes(words[1], "big")
    if count != len(words) - 2 or count > OWNERS_MOST:
        raise BadAnswer(f"getOwners() gave {len(words) - 2} words for {count} owners")
    if any(any(word[:12]) for word in words[2:]):
        raise BadAnswer("getOwners() gave a word that is no address")
    return tuple("0x" + word[12:].hex() for word in words[2:])


def signers(safe: Safe, message: bytes, proof: str, chain_id: int) -> tuple[str, ...]:
    """The owners who signed ``message``, at least as many as the Safe's threshold, each once.

    ``proof``: their signatures of 65 bytes, one after the other in any order, as one hex text. Each is an
    EIP-191 signature of the text (v 27 or 28), an EIP-712 one of the Safe's message (27 or 28), or an
    eth_sign one of that message's digest (31 or 32). Raises BadProof.
    """
    _check(safe)
    try:
        raw = signature_bytes(proof, OWNERS_MOST * SIGNATURE_BYTES)
    except ValueError as error:
        raise BadProof(f"the signatures of a Safe's owners cannot be read: {error}") from error
    if not raw or len(raw) % SIGNATURE_BYTES:
        raise BadProof(f"the signatures have {len(raw)} bytes: write {SIGNATURE_BYTES} for each owner who signed")
    found: list[str] = []
    for number, at in enumerate(range(0, len(raw), SIGNATURE_BYTES), 1):
        signer = _signer(safe, message, raw[at : at + SIGNATURE_BYTES], number, chain_id)
        if signer in found:
            raise BadProof(f"signature {number} is by {signer}, who has signed already: each owner counts once")
        found.append(signer)
    if len(found) < safe.threshold:
        raise BadProof(f"{len(found)} owners signed, the Safe needs {safe.threshold} of its {len(safe.owners)}")
    return tuple(found)


def _check(safe: Safe) -> None:
    """A Safe whose owners cannot move anything, or need not, shows nothing."""
    if safe.threshold < 1:
        raise BadProof("the Safe's threshold is 0: it was never set up, and nobody's signature shows anything")
    if len(set(safe.owners)) != len(safe.owners) or {ZERO, _SENTINEL, safe.address} & set(safe.owners):
        raise BadProof("the Safe names an owner twice, or one that can never sign")
    if safe.threshold > len(safe.owners):
        raise BadProof(f"the Safe needs {safe.threshold} signatures and has {len(safe.owners)} owners")


def _signer(safe: Safe, message: bytes, raw: bytes, number: int, chain_id: int) -> str:
    one = signature(raw)
    typed = safe_message_digest(message, safe.address, chain_id if safe.chain_bound else None)
    if one.v in (_PLAIN, _PLAIN + 1):
        candidates = [one.signer(personal_digest(message)), one.signer(typed)]
    elif one.v in (_ETH_SIGN, _ETH_SIGN + 1):
        candidates = [one.signer(personal_digest(typed), offset=_ETH_SIGN)]
    else:
        raise BadProof(
            f"signature {number} ends in {one.v}: only an owner's own key counts (27, 28, 31 or 32),"
            " no contract and no hash approved on chain"
        )
    mine = [each for each in candidates if each in safe.owners]
    if not mine or mine[0] is None:
        raise BadProof(f"signature {number} is by no owner of the Safe, or over another text")
    return mine[0]
