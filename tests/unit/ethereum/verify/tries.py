"""Tries by py-trie, another implementation: what its roots and proofs are, ours must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rlp
from Crypto.Hash import keccak as other_keccak
from trie import HexaryTrie


def other_hash(data: bytes) -> bytes:
    return other_keccak.new(digest_bits=256, data=data).digest()


def make_trie(content: Mapping[bytes, bytes]) -> Any:
    tree = HexaryTrie({})
    for key, value in content.items():
        tree[key] = value
    return tree


def root_of_list(values: list[bytes]) -> bytes:
    return bytes(make_trie({rlp.encode(n): value for n, value in enumerate(values)}).root_hash)


def proof_of(tree: Any, key: bytes) -> list[str]:
    """As nodes answer it: a node that stands in its parent is not listed once more, as py-trie does."""
    nodes = [rlp.encode(node) for node in tree.get_proof(key)]
    return ["0x" + node.hex() for n, node in enumerate(nodes) if n == 0 or len(node) >= 32]
