"""Throw-away secp256k1 keys, made on the spot, that sign as Ethereum wallets do."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from coincurve import PrivateKey

from chains.ethereum.address import keccak, spell
from chains.ethereum.verify.messages import personal_digest

#: order of the curve (SEC 2)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True)
class Key:
    """A key made on the spot."""

    secret: PrivateKey = field(default_factory=lambda: PrivateKey(secrets.token_bytes(32)))

    @property
    def address(self) -> str:
        return spell("0x" + keccak(self.secret.public_key.format(compressed=False)[1:])[12:].hex())

    def sign(self, digest: bytes, offset: int = 27) -> bytes:
        """r, s and v over a digest."""
        raw = self.secret.sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes((raw[64] + offset,))

    def personal(self, text: str) -> str:
        """What a wallet's personal_sign gives."""
        return "0x" + self.sign(personal_digest(text.encode())).hex()


def joined(*signatures: str) -> str:
    """Signatures one after the other, as a Safe takes them."""
    return "0x" + "".join(each.removeprefix("0x") for each in signatures)


def high_s(signature: str) -> str:
    """The other spelling of the same signature, which EIP-2 forbids."""
    raw = bytes.fromhex(signature[2:])
    other = ORDER - int.from_bytes(raw[32:64], "big")
    return "0x" + (raw[:32] + other.to_bytes(32, "big") + bytes((55 - raw[64],))).hex()
