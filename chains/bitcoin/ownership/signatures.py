"""Signatures, those of scripts read as strictly as relay rules read them.

Sources: BIP-66 (strict DER), BIP-146 (low S), BIP-340 (Schnorr), SEC 1 4.1.6 (key recovery). Raises BadProof.
"""

from __future__ import annotations

from chains.bitcoin.ownership.digests import SIGHASH_ALL, SIGHASH_DEFAULT
from chains.core.ownership import BadProof

#: The order of the curve secp256k1.
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ONLY_ALL = "a proof must be signed with SIGHASH_ALL, so that it commits to everything"


def is_key(key: bytes, *, compressed_only: bool) -> bool:
    """Whether the bytes have the form of a public key; the hybrid form of OpenSSL is refused."""
    if len(key) == 33:
        return key[0] in {2, 3}
    return not compressed_only and len(key) == 65 and key[0] == 4


def check_ecdsa(signature: bytes, key: bytes, digest: bytes) -> bool:
    """Whether a script's signature (DER and the sighash byte) over ``digest`` is of ``key``, whose form is checked."""
    from coincurve import PublicKey  # noqa: PLC0415  loads the curve library

    if not signature:
        raise BadProof("a signature is empty")
    if signature[-1] != SIGHASH_ALL:
        raise BadProof(f"a signature has the sighash byte {signature[-1]:#04x}: {_ONLY_ALL} (0x01)")
    r, s = _strict_der(signature[:-1])
    if not 0 < r < ORDER or not 0 < s < ORDER:
        raise BadProof("a signature has a number outside the order of the curve")
    if s > ORDER // 2:
        raise BadProof("a signature has a high S (BIP-146): anyone could have made it from another one")
    try:
        point = PublicKey(key)
    except ValueError as error:
        raise BadProof(f"the public key {key.hex()} is no point of the curve") from error
    return point.verify(signature[:-1], digest, hasher=None)


def _strict_der(data: bytes) -> tuple[int, int]:
    """(r, s) of a signature in the one form of BIP-66."""
    if not 8 <= len(data) <= 72 or data[0] != 0x30 or data[1] != len(data) - 2:
        raise BadProof("a signature is not strict DER (BIP-66)")
    place, numbers = 2, []
    for _ in range(2):
        size = data[place + 1] if place + 2 <= len(data) else 0
        body = data[place + 2 : place + 2 + size]
        padded = len(body) > 1 and body[0] == 0 and not body[1] & 0x80
        if not size or data[place] != 2 or len(body) != size or body[0] & 0x80 or padded:
            raise BadProof("a signature is not strict DER (BIP-66)")
        numbers.append(int.from_bytes(body, "big"))
        place += 2 + size
    if place != len(data):
        raise BadProof("a signature is not strict DER (BIP-66)")
    return numbers[0], numbers[1]


def split_schnorr(signature: bytes) -> tuple[bytes, int]:
    """(the 64 bytes of BIP-340, the sighash) of a taproot signature."""
    if len(signature) == 64:
        return signature, SIGHASH_DEFAULT
    if len(signature) == 65 and signature[-1] == SIGHASH_ALL:
        return signature[:64], SIGHASH_ALL
    if len(signature) == 65:
        raise BadProof(f"a signature has the sighash byte {signature[-1]:#04x}: {_ONLY_ALL} or SIGHASH_DEFAULT")
    raise BadProof(f"a taproot signature has 64 or 65 bytes, not {len(signature)}")


def check_schnorr(signature: bytes, key: bytes, digest: bytes) -> bool:
    """Whether the 64 bytes of a Schnorr signature over ``digest`` are of the x-only ``key``."""
    from coincurve import PublicKeyXOnly  # noqa: PLC0415  loads the curve library

    try:
        return PublicKeyXOnly(key).verify(signature, digest)
    except ValueError as error:
        raise BadProof(f"the public key {key.hex()} is no point of the curve") from error


def tweaked(key: bytes, tweak: bytes) -> tuple[bytes, int]:
    """(x, parity of y) of the x-only ``key`` plus ``tweak`` times the generator (BIP-341)."""
    from coincurve import PublicKeyXOnly  # noqa: PLC0415  loads the curve library

    try:
        point = PublicKeyXOnly(key)
        point.tweak_add(tweak)
    except ValueError as error:
        raise BadProof(f"the internal key {key.hex()} is no point of the curve") from error
    return point.format(), int(point.parity)


def recover(compact: bytes, recovery: int, digest: bytes, *, compressed: bool) -> bytes:
    """The public key whose signature (32 bytes r, 32 bytes s) over ``digest`` this is; s may be high."""
    from coincurve import PublicKey  # noqa: PLC0415  loads the curve library

    try:
        key = PublicKey.from_signature_and_message(compact + bytes([recovery]), digest, hasher=None)
    except ValueError as error:
        raise BadProof("no public key can be recovered from the signature") from error
    return key.format(compressed=compressed)
