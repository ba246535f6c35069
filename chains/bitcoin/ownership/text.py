"""From the text of a proof to its bytes, read strictly: one proof has one spelling.

Every function raises BadProof for whatever a stranger may hand in.
"""

from __future__ import annotations

import base64
import re

from chains.core.ownership import BadProof

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def from_base64(text: str, longest: int) -> bytes:
    """The bytes of standard base64 (RFC 4648 section 4) in its one canonical spelling: padded, nothing around it."""
    if not text:
        raise BadProof("the proof is empty: write the base64 text that the wallet gave")
    if len(text) > longest:
        raise BadProof(f"the proof has {len(text)} characters; {longest} is the most that is read")
    if _BASE64.fullmatch(text) is None:
        raise BadProof("the proof is no base64: only A-Z a-z 0-9 + / and = at the end, on one line, without spaces")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise BadProof(f"the proof is no base64: {error}") from error
    if base64.b64encode(data).decode() != text:
        raise BadProof("the proof is no canonical base64: its last character holds bits that belong to no byte")
    return data


class Reader:
    """Reads the network serialisation of Bitcoin from the front; ``what`` names the thing read, for messages."""

    __slots__ = ("_data", "_place", "what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._place = 0
        self.what = what

    def left(self) -> int:
        """How many bytes are still unread."""
        return len(self._data) - self._place

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise BadProof(f"{self.what} ends too early: {count} bytes were announced and {self.left()} are left")
        start, self._place = self._place, self._place + count
        return self._data[start : self._place]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def compact(self) -> int:
        """A CompactSize in its shortest form."""
        first = self.number(1)
        if first < 0xFD:
            return first
        size = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
        value = self.number(size)
        if value < {2: 0xFD, 4: 1 << 16, 8: 1 << 32}[size]:
            raise BadProof(f"{self.what} writes the length {value} longer than it must")
        return value

    def string(self) -> bytes:
        """A byte string with its length before it."""
        return self.take(self.compact())

    def items(self, most: int) -> tuple[bytes, ...]:
        """A vector of byte strings."""
        count = self.compact()
        if count > most:
            raise BadProof(f"{self.what} lists {count} elements; {most} is the most that is read")
        return tuple(self.string() for _ in range(count))

    def end(self) -> None:
        """Nothing may follow."""
        if self.left():
            raise BadProof(f"{self.left()} bytes follow after the end of {self.what}")


def compact(value: int) -> bytes:
    """The CompactSize of a number."""
    if value < 0xFD:
        return bytes([value])
    mark, size = (0xFD, 2) if value < 1 << 16 else (0xFE, 4) if value < 1 << 32 else (0xFF, 8)
    return bytes([mark]) + value.to_bytes(size, "little")


def counted(data: bytes) -> bytes:
    """A byte string with its length before it."""
    return compact(len(data)) + data
