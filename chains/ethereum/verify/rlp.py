"""Recursive Length Prefix, Ethereum's serialisation (Yellow Paper, appendix B), in its one canonical form.

An *item* is one value in its encoded form, prefix included: 0x80-0xbf begins a string, 0xc0-0xff a list,
and a single byte below 0x80 stands for itself. What is not canonical is refused: two spellings of one
value would be two hashes.
"""

from __future__ import annotations

from collections.abc import Iterable

from chains.core.errors import BadAnswer

EMPTY = b"\x80"
EMPTY_LIST = b"\xc0"
#: Lists within lists; the deepest of the protocol (an access list in a transaction) has four.
_DEPTH = 16
#: Longest string or list with its length in the first byte.
_SHORT = 55

Tree = bytes | list["Tree"]


def encode_bytes(data: bytes) -> bytes:
    """The item of a string."""
    size = len(data)
    if size == 1 and data[0] < 0x80:
        return data
    return _prefix(size, 0x80) + data


def encode_int(number: int) -> bytes:
    """The item of a number: big-endian without leading zeros, zero as the empty string."""
    if 0 < number < 0x80:
        return bytes((number,))
    return encode_bytes(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def encode_list(items: Iterable[bytes]) -> bytes:
    """The item of a list of items."""
    body = b"".join(items)
    return _prefix(len(body), 0xC0) + body


def encode(tree: Tree) -> bytes:
    """The item of strings in nested lists."""
    return encode_bytes(tree) if isinstance(tree, bytes) else encode_list(map(encode, tree))


def decode(item: bytes) -> Tree:
    """Strings in nested lists. Raises BadAnswer unless ``item`` is exactly one canonical item."""
    return _decode(item, _DEPTH)


def _decode(item: bytes, depth: int) -> Tree:
    if item[:1] < b"\xc0":
        return payload(item)
    if not depth:
        raise BadAnswer(f"RLP lists nest deeper than {_DEPTH}")
    return [_decode(inner, depth - 1) for inner in items(item)]


def body(item: bytes) -> int:
    """Where the items of a list begin. Raises BadAnswer unless ``item`` is a list of exactly its size."""
    if item[:1] < b"\xc0":
        raise BadAnswer("RLP has a string where a list must be" if item else "RLP is empty")
    return _head(item)


def items(item: bytes) -> list[bytes]:
    """The items of a list, themselves not opened. Raises BadAnswer unless ``item`` is exactly one canonical list."""
    at, end = body(item), len(item)
    found = []
    while at < end:
        first = item[at]
        # The two most frequent forms first: a single byte or the empty string, and a hash.
        if first <= 0x80:
            stop = at + 1
        elif first == 0xA0:
            stop = at + 33
        else:
            stop = _measure(item, at)[1]
        if stop > end:
            raise BadAnswer("RLP ends within an item")
        found.append(item[at:stop])
        at = stop
    return found


def payload(item: bytes) -> bytes:
    """The bytes of a string's item. Raises BadAnswer unless it is exactly one canonical string."""
    size = len(item) - 1
    # Most are of this form; the rest of the function says what is wrong with others.
    if 1 < size <= _SHORT and item[0] == 0x80 + size:
        return item[1:]
    if size < 0:
        raise BadAnswer("RLP is empty")
    if item[0] >= 0xC0:
        raise BadAnswer("RLP has a list where a string must be")
    return item[_head(item) :]


def integer(item: bytes) -> int:
    """The number of an item. Raises BadAnswer unless it is one canonical string without leading zeros."""
    if len(item) == 1 and 0 < item[0] <= 0x80:
        return item[0] & 0x7F
    data = payload(item)
    if data[:1] == b"\x00":
        raise BadAnswer("RLP has a number with leading zeros")
    return int.from_bytes(data, "big")


def _head(item: bytes) -> int:
    head, end = _measure(item, 0)
    if end != len(item):
        raise BadAnswer(f"RLP has {len(item)} bytes where {end} were announced")
    return head


def _measure(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the item at ``at`` begins and where it must end (perhaps beyond the data)."""
    first = data[at]
    if first < 0x80:
        return at, at + 1
    size = first - (0x80 if first < 0xC0 else 0xC0)
    if size <= _SHORT:
        if first == 0x81 and data[at + 1 : at + 2] < b"\x80":
            raise BadAnswer("RLP spells a single byte with a prefix")
        return at + 1, at + 1 + size
    head = at + 1 + size - _SHORT
    length = data[at + 1 : head]
    size = int.from_bytes(length, "big")
    if size <= _SHORT or length[0] == 0:
        raise BadAnswer("RLP spells a length longer than needed")
    return head, head + size


def _prefix(size: int, base: int) -> bytes:
    if size <= _SHORT:
        return bytes((base + size,))
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((base + _SHORT + len(length),)) + length
