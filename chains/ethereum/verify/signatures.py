"""Whose key made a signature: secp256k1 public key recovery, as Ethereum restricts it (EIP-2)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from chains.ethereum.verify.hashing import keccak

if TYPE_CHECKING:
    from collections.abc import Callable

#: The order of the curve (SEC 2). A signature's second half above half of it is another spelling of the same.
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF = _ORDER // 2


def recover(digest: bytes, parity: int, r: int, s: int) -> str | None:
    """The address in lower case whose key signed a 32-byte digest, or None where no key can have."""
    if parity not in (0, 1) or not 0 < r < _ORDER or not 0 < s <= _HALF:
        return None
    key = _recovery()(digest, parity, r, s)
    return None if key is None else "0x" + keccak(key)[12:].hex()


@cache
def _recovery() -> Callable[[bytes, int, int, int], bytes | None]:
    """Gives the 64 bytes of a public key: libsecp256k1 where it is installed, eth_keys' Python otherwise.

    Loaded when first needed: most of the program never recovers a key.
    """
    try:
        from coincurve import PublicKey  # noqa: PLC0415
    except ImportError:
        return _python

    def native(digest: bytes, parity: int, r: int, s: int) -> bytes | None:
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((parity,))
        try:
            return PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=False)[1:]
        except ValueError:
            return None

    return native


def _python(digest: bytes, parity: int, r: int, s: int) -> bytes | None:
    from eth_keys.backends.native.main import NativeECCBackend  # noqa: PLC0415  slow to load, and rarely needed
    from eth_keys.datatypes import Signature  # noqa: PLC0415
    from eth_keys.exceptions import BadSignature  # noqa: PLC0415

    backend = NativeECCBackend()
    try:
        return backend.ecdsa_recover(digest, Signature(vrs=(parity, r, s), backend=backend)).to_bytes()
    except BadSignature:
        return None
