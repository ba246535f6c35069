"""base58check: bytes to text and back, with a checksum, as Bitcoin Core encodes it; TRON's addresses use it too.

Every function raises ValueError with a sentence that says what is wrong.
"""

from __future__ import annotations

from hashlib import sha256

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUE = {character: value for value, character in enumerate(_BASE58)}
#: An extended key of BIP-32 has 111 characters; nothing longer is base58check here.
_BASE58_LONGEST = 120


def double_sha256(data: bytes) -> bytes:
    """SHA-256 of SHA-256, in the order the digest comes (the chain prints it reversed)."""
    return sha256(sha256(data).digest()).digest()


def decode_base58check(text: str) -> bytes:
    """The payload (version byte first) of a base58check string."""
    if not text or len(text) > _BASE58_LONGEST:
        raise ValueError("it is empty or too long for base58")
    number = 0
    for character in text:
        value = _BASE58_VALUE.get(character)
        if value is None:
            raise ValueError(f"{character!r} is no base58 character (0, O, I and l are left out)")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) < 5 or double_sha256(data[:-4])[:4] != data[-4:]:
        raise ValueError("its checksum is wrong: a character is mistyped or missing")
    return data[:-4]


def encode_base58check(payload: bytes) -> str:
    """The base58check string of a payload that begins with its version byte."""
    data = payload + double_sha256(payload)[:4]
    number = int.from_bytes(data, "big")
    characters = []
    while number:
        number, value = divmod(number, 58)
        characters.append(_BASE58[value])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(characters))
