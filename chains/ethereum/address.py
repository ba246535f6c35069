"""Addresses: EIP-55 spelling, offline.

The canonical locator is the checksummed spelling. Blocks spell addresses in lower case, so matching
happens on lower-case hex and only what matched is spelled out.
"""

from __future__ import annotations

import re
from functools import lru_cache

from chains.core.errors import AddressError

ZERO = "0x" + "0" * 40
_HEX = re.compile(r"[0-9a-fA-F]+")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_BITCOIN = re.compile(r"(bc1|tb1|bcrt1)[0-9a-z]{8,}|[123mn][1-9A-HJ-NP-Za-km-z]{25,34}")
_NAME = re.compile(r"[^\s.]+(\.[^\s.]+)+")
_SHOWN = 80


def keccak(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it (the padding of the original submission, not of SHA3)."""
    from Crypto.Hash import keccak as keccak_hash  # noqa: PLC0415  `porwatch check` without EVM wallets needs no hash

    return keccak_hash.new(digest_bits=256, data=data).digest()


def spell(lower: str) -> str:
    """The EIP-55 spelling of ``0x`` and 40 lower-case hex digits."""
    digits = lower[2:]
    digest = keccak(digits.encode()).hex()
    # A letter is a capital where the hash has a nibble of 8 or more at the same place (EIP-55).
    return "0x" + "".join(c.upper() if h >= "8" else c for c, h in zip(digits, digest, strict=False))


#: The same for ends of transfers, of which the busy ones (exchanges, tokens) return block after block.
spell_cached = lru_cache(maxsize=65_536)(spell)


def canonical_address(text: str) -> str:
    """The checksummed spelling of an address. One-case spellings are accepted, a wrong checksum is not (EIP-55).

    Raises AddressError, which says what the text is instead or how it is spelled right.
    """
    if _ADDRESS.fullmatch(text) is None:
        raise AddressError(_explain(text))
    digits = text[2:]
    right = spell(text.lower())
    if text != right and digits not in (digits.lower(), digits.upper()):
        raise AddressError(f"{text} has a wrong checksum: if this is the address you mean, write {right}")
    return right


def _explain(text: str) -> str:
    shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
    wanted = "write 0x and 40 hex digits"
    if text != text.strip():
        return f"{shown} has spaces around it: remove them"
    if text.startswith("0X") and _HEX.fullmatch(text[2:]):
        return f"{shown} begins with 0X: write 0x in lower case"
    if _HEX.fullmatch(text) and len(text) == 40:
        return f"{shown} lacks 0x: write 0x{text}"
    if text.startswith("0x") and (_HEX.fullmatch(text[2:]) or text == "0x"):
        return f"{shown} has {len(text) - 2} hex digits, an address has 40: {wanted}"
    if _BITCOIN.fullmatch(text):
        return f"{shown} is a Bitcoin address: this chain is an EVM chain, {wanted}"
    if _NAME.fullmatch(text):
        return f"{shown} is a name, and names can be pointed elsewhere: {wanted} of what it resolves to"
    return f"{shown} is not an address: {wanted}"
