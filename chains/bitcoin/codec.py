"""base58check and bech32/bech32m: text to bytes and back, for addresses and descriptor checksums.

Sources: BIP-173 (bech32), BIP-350 (bech32m), BIP-380 (descriptor checksums); base58check is shared with other
chains. Every function raises ValueError with a sentence that says what is wrong.
"""

from __future__ import annotations

from functools import reduce
from operator import xor

from chains.core.base58 import decode_base58check, double_sha256, encode_base58check

__all__ = [
    "BECH32",
    "BECH32M",
    "decode_base58check",
    "decode_segwit",
    "descriptor_checksum",
    "double_sha256",
    "encode_base58check",
    "encode_segwit",
    "split_bech32",
]

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_VALUE = {character: value for value, character in enumerate(_BECH32)}
_BECH32_TO_BASE32 = str.maketrans(_BECH32, "0123456789abcdefghijklmnopqrstuv")
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
#: What the five bits that leave the register at one step change in it: a look-up for each character, not five tests.
_STEPS = tuple(
    reduce(xor, (generator for bit, generator in enumerate(_GENERATOR) if top >> bit & 1), 0) for top in range(32)
)
_BECH32_LONGEST = 90
BECH32 = 1
BECH32M = 0x2BC830A3

_DESCRIPTOR_INPUT = "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
_DESCRIPTOR_GENERATOR = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _STEPS[check >> 25]
    return check


def _expand(hrp: str) -> list[int]:
    return [ord(character) >> 5 for character in hrp] + [0] + [ord(character) & 31 for character in hrp]


def split_bech32(text: str) -> tuple[str, str, int]:
    """(prefix, data characters without checksum, checksum constant) of a bech32 or bech32m string."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it holds a character that is not printable ASCII")
    if text.lower() != text and text.upper() != text:
        raise ValueError("it mixes upper and lower case: write it all in lower case")
    text = text.lower()
    hrp, found, data = text.rpartition("1")
    if not found or not hrp or len(data) < 6 or len(text) > _BECH32_LONGEST:
        raise ValueError("it is not a prefix, a 1 and at least six more characters, 90 at most in all")
    try:
        values = [_BECH32_VALUE[character] for character in data]
    except KeyError as error:
        raise ValueError(f"{error} is no bech32 character (1, b, i and o are left out)") from None
    constant = _polymod(_expand(hrp) + values)
    if constant not in {BECH32, BECH32M}:
        raise ValueError("its checksum is wrong: a character is mistyped or missing")
    return hrp, data[:-6], constant


def _bytes_of(data: str) -> bytes:
    """The bytes that bech32 characters of five bits hold; up to four zero bits may be left over."""
    number, bits = int(data.translate(_BECH32_TO_BASE32) or "0", 32), 5 * len(data)
    left = bits % 8
    if left > 4 or number & (1 << left) - 1:
        raise ValueError("its last character holds bits that belong to no byte")
    return (number >> left).to_bytes(bits // 8, "big")


def _values_of(program: bytes) -> list[int]:
    """The five-bit values of bytes, zero bits added at the end."""
    number, count = int.from_bytes(program, "big") << -8 * len(program) % 5, (8 * len(program) + 4) // 5
    return [number >> 5 * place & 31 for place in range(count - 1, -1, -1)]


def decode_segwit(text: str) -> tuple[str, int, bytes]:
    """(prefix, witness version, witness program) of a segwit address (BIP-173 for v0, BIP-350 for v1 to v16)."""
    hrp, data, constant = split_bech32(text)
    if not data:
        raise ValueError("it holds no witness version")
    version, program = _BECH32_VALUE[data[0]], _bytes_of(data[1:])
    if version > 16:
        raise ValueError(f"its witness version {version} is above 16")
    if version == 0 and constant != BECH32:
        raise ValueError("a version 0 address must have a bech32 checksum, this is bech32m (BIP-350)")
    if version > 0 and constant != BECH32M:
        raise ValueError(f"a version {version} address must have a bech32m checksum, this is bech32 (BIP-350)")
    if not 2 <= len(program) <= 40:
        raise ValueError(f"its witness program has {len(program)} bytes; 2 to 40 are allowed")
    if version == 0 and len(program) not in {20, 32}:
        raise ValueError(f"a version 0 witness program has 20 or 32 bytes, not {len(program)}")
    return hrp, version, program


def encode_segwit(hrp: str, version: int, program: bytes) -> str:
    """The segwit address of a witness program; the inverse of ``decode_segwit``."""
    values = [version, *_values_of(program)]
    constant = BECH32 if version == 0 else BECH32M
    check = _polymod(_expand(hrp) + values + [0] * 6) ^ constant
    values += [check >> 5 * (5 - place) & 31 for place in range(6)]
    return f"{hrp}1{''.join(_BECH32[value] for value in values)}"


def descriptor_checksum(text: str) -> str:
    """The eight characters that BIP-380 appends to a descriptor after ``#``."""
    check = 1
    group: list[int] = []
    for character in text:
        place = _DESCRIPTOR_INPUT.find(character)
        if place < 0:
            raise ValueError(f"{character!r} may not stand in a descriptor")
        check = _descriptor_step(check, place & 31)
        group.append(place >> 5)
        if len(group) == 3:
            check = _descriptor_step(check, group[0] * 9 + group[1] * 3 + group[2])
            group = []
    if group:
        check = _descriptor_step(check, group[0] if len(group) == 1 else group[0] * 3 + group[1])
    for _ in range(8):
        check = _descriptor_step(check, 0)
    check ^= 1
    return "".join(_BECH32[check >> 5 * (7 - place) & 31] for place in range(8))


def _descriptor_step(check: int, value: int) -> int:
    top = check >> 35
    check = (check & 0x7FFFFFFFF) << 5 ^ value
    for bit, generator in enumerate(_DESCRIPTOR_GENERATOR):
        if top >> bit & 1:
            check ^= generator
    return check
