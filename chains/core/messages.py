"""Which scheme a signed text was made with: the signatures that proof-of-reserves files publish, offline.

Five schemes, told apart by the address and by trying what fits it:

* Bitcoin P2PKH: the message signature of Bitcoin Core (base64, 65 bytes, header 27 to 34).
* EVM: the text of EIP-191 (version 0x45), or the bare Keccak-256 of the text.
* TRON: the prefix with the length 32 and then the Keccak-256 of the text, or the text itself. TRON's own wallets
  write the true length; published files have it as here.

All are ECDSA over secp256k1 with key recovery, and the key must give the very address. A signature with its second
half above half the order is another spelling of the same (EIP-2, BIP-146) and is refused. Such a text carries no
date: it shows that somebody had the key once, not that he has it now.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import StrEnum
from hashlib import sha256

from chains.core.base58 import decode_base58check, double_sha256

#: The order of the curve (SEC 2), halved.
_HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
_SIGNATURE_BYTES = 65
_EVM = re.compile(r"(?:0[xX])?[0-9a-fA-F]{40}")
_TRON = re.compile(r"T[1-9A-HJ-NP-Za-km-z]{33}")
_P2PKH = re.compile(r"1[1-9A-HJ-NP-Za-km-z]{25,33}")
_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{130}")
_TRON_VERSION, _P2PKH_VERSION = 0x41, 0x00


class Scheme(StrEnum):
    """How the text was hashed and what the address is made of."""

    BITCOIN_P2PKH = "bitcoin-p2pkh"
    EIP191 = "eip-191"
    KECCAK = "keccak-256"
    TRON_HASHED = "tron-32-keccak-256"
    TRON_PLAIN = "tron-32-text"


class UnsupportedAddress(Exception):
    """No scheme of this module fits an address of this form: the signature was not looked at."""


class BadSignature(Exception):
    """The signature is malformed, or no scheme that fits the address makes it that address's."""


def scheme_of(address: str, message: str, signature: str) -> Scheme:
    """The scheme by which the key of ``address`` signed ``message``.

    ``signature``: base64 for Bitcoin, 65 bytes in hex (with or without ``0x``) for EVM and TRON.
    Raises UnsupportedAddress or BadSignature.
    """
    text = message.encode()
    if _EVM.fullmatch(address):
        return _recovered(bytes.fromhex(address[-40:]), _evm_digests(text), _hex_parts(signature))
    if address[:2] in {"0x", "0X"}:
        raise BadSignature(f"{address[:100]!r} is no address: it must be 20 bytes in hex")
    if _TRON.fullmatch(address):
        return _recovered(_body(address, _TRON_VERSION), _tron_digests(text), _hex_parts(signature))
    if _P2PKH.fullmatch(address):
        return _bitcoin(_body(address, _P2PKH_VERSION), text, signature)
    raise UnsupportedAddress(f"{address[:100]!r} is no P2PKH address of Bitcoin, no EVM and no TRON address")


def _evm_digests(text: bytes) -> dict[Scheme, bytes]:
    prefix = b"\x19Ethereum Signed Message:\n%d" % len(text)
    return {Scheme.EIP191: _keccak(prefix + text), Scheme.KECCAK: _keccak(text)}


def _tron_digests(text: bytes) -> dict[Scheme, bytes]:
    prefix = b"\x19TRON Signed Message:\n32"
    return {Scheme.TRON_HASHED: _keccak(prefix + _keccak(text)), Scheme.TRON_PLAIN: _keccak(prefix + text)}


def _recovered(expected: bytes, digests: dict[Scheme, bytes], parts: tuple[bytes, int]) -> Scheme:
    """The scheme whose digest gives the key with the expected last 20 bytes of its Keccak-256."""
    compact, parity = parts
    for scheme, digest in digests.items():
        key = _key(digest, compact, parity, compressed=False)
        if key is not None and _keccak(key[1:])[12:] == expected:
            return scheme
    raise BadSignature(f"it is not this address's by any of {', '.join(digests)}")


def _bitcoin(expected: bytes, text: bytes, signature: str) -> Scheme:
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature(f"it is no base64: {error}") from error
    if len(raw) != _SIGNATURE_BYTES:
        raise BadSignature(f"it has {len(raw)} bytes, not {_SIGNATURE_BYTES}")
    header, compact = raw[0] - 27, _low(raw[1:])
    if not 0 <= header < 8:
        raise BadSignature(f"its first byte is {raw[0]}; P2PKH has 27 to 34")
    digest = double_sha256(b"\x18Bitcoin Signed Message:\n" + _compact_size(len(text)) + text)
    key = _key(digest, compact, header & 3, compressed=header >= 4)
    if key is None or _hash160(key) != expected:
        raise BadSignature(f"it is not this address's by {Scheme.BITCOIN_P2PKH}")
    return Scheme.BITCOIN_P2PKH


def _body(address: str, version: int) -> bytes:
    """The 20 bytes that a base58check address of this version byte holds."""
    try:
        payload = decode_base58check(address)
    except ValueError as error:
        raise BadSignature(f"{address} is no address: {error}") from error
    if len(payload) != 21 or payload[0] != version:
        raise BadSignature(f"{address} is no address: it has {len(payload)} bytes and version {payload[0]}")
    return payload[1:]


def _hex_parts(signature: str) -> tuple[bytes, int]:
    """(64 bytes r and s, parity) of 65 bytes in hex; the last is 0 or 1, or 27 or 28 (Yellow Paper, appendix F)."""
    if not _HEX.fullmatch(signature):
        raise BadSignature(f"it is not {_SIGNATURE_BYTES} bytes in hex")
    raw = bytes.fromhex(signature[-2 * _SIGNATURE_BYTES :])
    parity = {0: 0, 1: 1, 27: 0, 28: 1}.get(raw[64])
    if parity is None:
        raise BadSignature(f"its last byte is {raw[64]}; it must be 0, 1, 27 or 28")
    return _low(raw[:64]), parity


def _low(compact: bytes) -> bytes:
    if int.from_bytes(compact[32:], "big") > _HALF_ORDER:
        raise BadSignature("its second half is above half the order of the curve: another spelling of a signature")
    return compact


def _compact_size(length: int) -> bytes:
    """Bitcoin's length prefix (CompactSize)."""
    if length < 0xFD:
        return bytes([length])
    return b"\xfd" + length.to_bytes(2, "little") if length <= 0xFFFF else b"\xfe" + length.to_bytes(4, "little")


def _key(digest: bytes, compact: bytes, parity: int, *, compressed: bool) -> bytes | None:
    """The public key that made a signature, or None where no key can have."""
    from coincurve import PublicKey  # noqa: PLC0415  most of the program never recovers a key

    try:
        key = PublicKey.from_signature_and_message(compact + bytes([parity]), digest, hasher=None)
    except ValueError:
        return None
    return key.format(compressed=compressed)


def _keccak(data: bytes) -> bytes:
    from Crypto.Hash import keccak  # noqa: PLC0415  as above

    return keccak.new(digest_bits=256, data=data).digest()


def _hash160(data: bytes) -> bytes:
    # hashlib's ripemd160 is missing where OpenSSL hides its legacy hashes.
    from Crypto.Hash import RIPEMD160  # noqa: PLC0415  as above

    return RIPEMD160.new(sha256(data).digest()).digest()
