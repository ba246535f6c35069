"""Whose key signed a text: personal messages (EIP-191) and the messages of a Safe (EIP-712)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.signatures import recover

#: r, s and v of one signature, 32, 32 and 1 bytes.
SIGNATURE_BYTES = 65
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")
_PERSONAL = b"\x19Ethereum Signed Message:\n"
_TYPED = b"\x19\x01"
_DOMAIN = keccak(b"EIP712Domain(uint256 chainId,address verifyingContract)")
#: Safes before 1.3.0 did not bind their messages to the chain.
_DOMAIN_WITHOUT_CHAIN = keccak(b"EIP712Domain(address verifyingContract)")
_SAFE_MESSAGE = keccak(b"SafeMessage(bytes message)")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature as wallets write it: r, s, and the last byte v."""

    r: int
    s: int
    v: int

    def signer(self, digest: bytes, *, offset: int = 27) -> str | None:
        """The address in lower case whose key signed ``digest``; ``offset``: what v counts from. None: nobody's can."""
        return recover(digest, self.v - offset, self.r, self.s)


def signature(raw: bytes) -> Signature:
    """A signature of exactly 65 bytes."""
    if len(raw) != SIGNATURE_BYTES:
        raise ValueError(f"a signature has {SIGNATURE_BYTES} bytes, not {len(raw)}")
    return Signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big"), raw[64])


def signature_bytes(text: str, most: int) -> bytes:
    """The bytes of a proof: 0x and lower-case hex, so that each proof is written in one way. Raises ValueError."""
    if len(text) > 2 + 2 * most:
        raise ValueError(f"it is longer than {most} bytes")
    if _HEX.fullmatch(text) is None:
        raise ValueError("it must be 0x and lower-case hex digits, two a byte, nothing else")
    return bytes.fromhex(text[2:])


def personal_digest(message: bytes) -> bytes:
    """What personal_sign signs (EIP-191, version 0x45)."""
    return keccak(_PERSONAL + str(len(message)).encode() + message)


def safe_message_digest(message: bytes, safe: str, chain_id: int | None) -> bytes:
    """What the owners of a Safe sign for a text: its EIP-191 digest in a SafeMessage (EIP-712) of that very Safe.

    ``chain_id`` None: a Safe older than 1.3.0.
    """
    contract = bytes(12) + bytes.fromhex(safe[2:])
    if chain_id is None:
        domain = keccak(_DOMAIN_WITHOUT_CHAIN + contract)
    else:
        domain = keccak(_DOMAIN + chain_id.to_bytes(32, "big") + contract)
    content = keccak(_SAFE_MESSAGE + keccak(personal_digest(message)))
    return keccak(_TYPED + domain + content)
