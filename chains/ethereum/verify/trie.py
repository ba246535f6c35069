"""The root of a Merkle Patricia trie over a list: transactions, receipts or withdrawals of a block.

Yellow Paper, appendix D. The key of a value is the RLP of its place. No trie is kept: the sorted keys
are split by their digits from the top, and every subtree is only its reference.
"""

from __future__ import annotations

from collections.abc import Sequence

from chains.ethereum.verify import rlp
from chains.ethereum.verify.hashing import keccak

#: keccak of the RLP of the empty string: the root of a trie without values.
EMPTY_ROOT = bytes.fromhex("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421")

_DIGITS = "0123456789abcdef"
_Leaf = tuple[str, bytes]


def ordered_root(values: Sequence[bytes]) -> bytes:
    """The 32-byte root of the trie that holds ``values`` (none empty) at their places."""
    if not values:
        return EMPTY_ROOT
    # A digit a half-byte, so that keys sort and split as text.
    leaves = sorted((rlp.encode_int(place).hex(), value) for place, value in enumerate(values))
    return keccak(_node(leaves, 0, len(leaves), 0))


def hex_prefix(digits: str, *, leaf: bool) -> bytes:
    """The rest of a path in half-bytes, with its parity and kind in front (Yellow Paper, appendix C)."""
    if len(digits) % 2:
        return bytes.fromhex(("3" if leaf else "1") + digits)
    return bytes.fromhex(("20" if leaf else "00") + digits)


def _node(leaves: list[_Leaf], first: int, end: int, at: int) -> bytes:
    """The node over leaves ``first`` to ``end``, whose keys are equal before digit ``at``."""
    low, value = leaves[first]
    if end - first == 1:
        return rlp.encode_list((rlp.encode_bytes(hex_prefix(low[at:], leaf=True)), rlp.encode_bytes(value)))
    high = leaves[end - 1][0]
    # Sorted: what the outermost two share, all share. No key is the beginning of another, so a digit differs.
    shared = at
    while low[shared] == high[shared]:
        shared += 1
    if shared > at:
        below = _reference(_node(leaves, first, end, shared))
        return rlp.encode_list((rlp.encode_bytes(hex_prefix(low[at:shared], leaf=False)), below))
    children = []
    for digit in _DIGITS:
        stop = first
        while stop < end and leaves[stop][0][at] == digit:
            stop += 1
        children.append(rlp.EMPTY if stop == first else _reference(_node(leaves, first, stop, at + 1)))
        first = stop
    return rlp.encode_list((*children, rlp.EMPTY))


def _reference(node: bytes) -> bytes:
    """How a parent names a node: by its hash, or by itself where that is shorter."""
    return node if len(node) < 32 else b"\xa0" + keccak(node)
