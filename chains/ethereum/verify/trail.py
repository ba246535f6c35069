"""Proofs of many keys of one trie in the order of the keys, each node written once.

Keys that are next to each other share the upper nodes of their proofs, and in order of the keys every
shared node is shared with the key before: so each proof is the number of nodes it shares with the one
before, and its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from chains.core.errors import BadAnswer


class Trail:
    """The proof of the key before, from the root down."""

    def __init__(self) -> None:
        self._key = b""
        self._nodes: list[str] = []

    def write(self, nodes: Sequence[str]) -> tuple[int, list[str]]:
        """How many nodes the next proof shares with the one before, and its own."""
        shared = 0
        while shared < min(len(nodes), len(self._nodes)) and nodes[shared] == self._nodes[shared]:
            shared += 1
        self._nodes = list(nodes)
        return shared, self._nodes[shared:]

    def read(self, key: bytes, shared: int, own: Sequence[str]) -> list[str]:
        """The whole proof of the next key, which must be above the one before. Raises BadAnswer."""
        if key <= self._key:
            raise BadAnswer("stands twice, or not in the order of the hashed keys")
        if shared > len(self._nodes):
            raise BadAnswer(f"shares {shared} nodes with the proof before, which has {len(self._nodes)}")
        if own and self._nodes[shared : shared + 1] == list(own[:1]):
            raise BadAnswer("repeats a node of the proof before")
        self._key = key
        self._nodes = [*self._nodes[:shared], *own]
        return self._nodes
