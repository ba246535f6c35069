"""A Merkle tree over a growing list (RFC 6962, section 2.1; proofs as RFC 9162, section 2.1, words them).

Hashes are SHA-256 and 32 bytes: a leaf's over the byte 00 and the data, a node's over the byte 01
and its two children. The tree of no leaves has the hash of nothing. A complete subtree is named by
its level (0: a leaf) and its index on that level: it holds the leaves index·2^level up to, but not
with, (index + 1)·2^level, and never changes again. Proofs are made of such subtrees, so whoever can
look them up needs no other part of the list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

#: the root of the tree of no leaves
EMPTY = sha256(b"").digest()
_BYTES = 32

#: the hash of the complete subtree at (level, index)
Lookup = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Node:
    """A complete subtree: where it stands, and its hash."""

    level: int
    index: int
    hash: bytes


@dataclass(slots=True)
class Tree:
    """A tree that grows at its right end.

    ``peaks``: the hashes of the complete subtrees that its leaves form, the largest first, one for
    each bit of ``size``; nothing else is needed to go on.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> list[Node]:
        """Put the hash of a leaf at the end; returns what is complete by it, the leaf itself first."""
        node = Node(0, self.size, leaf)
        complete = [node]
        while node.index & 1:
            node = Node(node.level + 1, node.index >> 1, node_hash(self.peaks.pop(), node.hash))
            complete.append(node)
        self.peaks.append(node.hash)
        self.size += 1
        return complete

    def root(self) -> bytes:
        """The hash of the whole tree as it stands."""
        if not self.peaks:
            return EMPTY
        *rest, root = self.peaks
        for peak in reversed(rest):
            root = node_hash(peak, root)
        return root


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf that holds ``data``."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    return sha256(b"\x01" + left + right).digest()


def resume(lookup: Lookup, size: int) -> Tree:
    """The tree of the first ``size`` leaves, from its peaks."""
    peaks, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            peaks.append(lookup(level, start >> level))
            start += 1 << level
    return Tree(size, peaks)


def inclusion(lookup: Lookup, index: int, size: int) -> tuple[bytes, ...]:
    """The proof that leaf ``index`` (from 0) is in the tree of ``size`` leaves. Raises ValueError where it is not."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path, start, count = [], 0, size
    while count > 1:
        left = _split(count)
        if index - start < left:
            path.append(_subtree(lookup, start + left, count - left))
            count = left
        else:
            path.append(_subtree(lookup, start, left))
            start, count = start + left, count - left
    return tuple(reversed(path))


def consistency(lookup: Lookup, old: int, new: int) -> tuple[bytes, ...]:
    """The proof that the first ``old`` of ``new`` leaves are still the same.

    Empty where there is nothing to show: of no leaves, or of all. Raises ValueError where new < old.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not continue one of {old}")
    if old in (0, new):
        return ()
    path, start, count, whole = [], 0, new, True
    while old - start != count:
        left = _split(count)
        if old - start <= left:
            path.append(_subtree(lookup, start + left, count - left))
            count = left
        else:
            path.append(_subtree(lookup, start, left))
            start, count, whole = start + left, count - left, False
    # The old root itself is what the proof is checked against: it is left out.
    if not whole:
        path.append(_subtree(lookup, start, count))
    return tuple(reversed(path))


def included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves the hash of a leaf under ``root`` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or any(len(item) != _BYTES for item in (leaf, *path)):
        return False
    at, last, found = index, size - 1, leaf
    for item in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(item, found)
            at, last = _skip(at, last)
        else:
            found = node_hash(found, item)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` proves that the new tree begins with the leaves of the old one (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new or any(len(item) != _BYTES for item in (old_root, new_root, *path)):
        return False
    if old in (0, new):
        return not path and old_root == (EMPTY if old == 0 else new_root) and (new > 0 or new_root == EMPTY)
    # A complete old tree is itself the first subtree of the proof.
    parts = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not parts:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    found_old = found_new = parts[0]
    for item in parts[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            found_old, found_new = node_hash(item, found_old), node_hash(item, found_new)
            at, last = _skip(at, last)
        else:
            found_new = node_hash(found_new, item)
        at, last = at >> 1, last >> 1
    return last == 0 and found_old == old_root and found_new == new_root


def _skip(at: int, last: int) -> tuple[int, int]:
    """Pass the levels on which a right edge has no sibling."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last


def _split(count: int) -> int:
    """The largest power of two below ``count``, which is 2 or more: how many leaves go to the left."""
    return 1 << (count - 1).bit_length() - 1


def _subtree(lookup: Lookup, start: int, count: int) -> bytes:
    """The hash over ``count`` leaves from ``start`` on, complete or not."""
    complete = resume(lambda level, index: lookup(level, index + (start >> level)), count)
    return complete.root()
