"""Keccak-256, some 35,000 times in a large block."""

from __future__ import annotations

from chains.ethereum import address

try:
    from sha3 import keccak_256  # type: ignore[import-not-found,import-untyped,unused-ignore]
except ImportError:
    # No wheel for every platform: the other implementation gives the same, several times slower.
    keccak = address.keccak
else:

    def keccak(data: bytes) -> bytes:
        """Keccak-256 as Ethereum uses it (the padding of the original submission, not of SHA3)."""
        digest: bytes = keccak_256(data).digest()
        return digest
