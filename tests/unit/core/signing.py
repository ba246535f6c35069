"""Signs texts as the five published schemes do, with throw-away keys."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from hashlib import sha256

from coincurve import PrivateKey
from Crypto.Hash import RIPEMD160, keccak

from chains.core.base58 import double_sha256, encode_base58check
from chains.core.messages import Scheme


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


@dataclass(frozen=True, slots=True)
class Signer:
    """A key made for one test."""

    key: PrivateKey
    compressed: bool = True

    def address(self, scheme: Scheme) -> str:
        if scheme is Scheme.BITCOIN_P2PKH:
            public = self.key.public_key.format(compressed=self.compressed)
            return encode_base58check(b"\0" + RIPEMD160.new(sha256(public).digest()).digest())
        body = keccak256(self.key.public_key.format(compressed=False)[1:])[12:]
        return "0x" + body.hex() if scheme in {Scheme.EIP191, Scheme.KECCAK} else encode_base58check(b"\x41" + body)

    def sign(self, scheme: Scheme, message: str, *, last: int = 27) -> str:
        """``last``: what is added to the parity, 0 or 27, in hex signatures."""
        raw = self.key.sign_recoverable(digest(scheme, message.encode()), hasher=None)
        if scheme is Scheme.BITCOIN_P2PKH:
            header = 27 + raw[64] + (4 if self.compressed else 0)
            return base64.b64encode(bytes([header]) + raw[:64]).decode()
        return "0x" + (raw[:64] + bytes([raw[64] + last])).hex()


def digest(scheme: Scheme, text: bytes) -> bytes:
    if scheme is Scheme.BITCOIN_P2PKH:
        assert len(text) < 0xFD, "longer texts have a length prefix of three bytes: a vector is needed for them"
        return double_sha256(b"\x18Bitcoin Signed Message:\n" + bytes([len(text)]) + text)
    return keccak256(
        {
            Scheme.EIP191: b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text,
            Scheme.KECCAK: text,
            Scheme.TRON_HASHED: b"\x19TRON Signed Message:\n32" + keccak256(text),
            Scheme.TRON_PLAIN: b"\x19TRON Signed Message:\n32" + text,
        }[scheme]
    )


def signer(secret: int = 1, *, compressed: bool = True) -> Signer:
    return Signer(PrivateKey(secret.to_bytes(32, "big")), compressed)
