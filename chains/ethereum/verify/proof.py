"""Merkle Patricia proofs of the state (EIP-1186): what an account or a storage slot holds, or that it does not exist.

The trie is that of the Yellow Paper, appendix D, with keys of 32 bytes, hashed ("secure" tries). A proof is
the list of nodes from the root down. Whoever has the root from a header that is agreed and re-hashed needs
no trust in who gives the proof.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.core.errors import BadAnswer
from chains.ethereum.verify import rlp
from chains.ethereum.verify.fields import raw_bytes
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.trie import EMPTY_ROOT

EMPTY_CODE = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
_EMPTY_STORAGE = "0x" + EMPTY_ROOT.hex()

#: Half-bytes of a key, so also the deepest that a trie can be.
_DIGITS = 64
_ENDED = -1
#: A leaf: 33 bytes of path and an account of at most 110; a branch has 532. Nothing larger can be a node.
_NODE_BYTES = 1024
#: An account without anything: a prefix of two bytes, two empty strings, two hashes with theirs.
_ACCOUNT_BYTES = 2 + 2 + 2 * 33
#: A branch whose every child is a hash: its prefix, its size, and where its children's prefixes stand.
_FULL, _FULL_SIZE, _PREFIXES = b"\xf9\x02\x11", 532, b"\xa0" * 16
_DIGIT = {digit: n for n, digit in enumerate("0123456789abcdef")}
#: Where the hash of a child stands in a full branch.
_CHILD = {digit: len(_FULL) + 33 * n + 1 for digit, n in _DIGIT.items()}
#: Any other branch whose children are hashes or nothing, after its prefix. Without a value: keys are all of
#: one length, so none ends within the trie.
_BRANCH = re.compile(rb"(\x80|\xa0.{32})" * 16 + rb"(\x80)", re.DOTALL)

#: A full branch as it is; any other node as its items.
_Items = tuple[bytes, ...]
_Node = bytes | _Items


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the state trie holds of an account. ``balance`` is in wei; roots and hashes are lower-case 0x text.

    An account that is proved not to exist has ``exists`` False and is as empty as a new one.
    """

    exists: bool
    nonce: int
    balance: int
    storage_root: str
    code_hash: str


ABSENT = AccountState(False, 0, 0, _EMPTY_STORAGE, EMPTY_CODE)


class Proofs:
    """Verifies proofs of one batch.

    Upper nodes are the same in every proof of a trie. Each is hashed and read once, then recognised by its
    text: it is kept under its hash, and only the very text that hashed to it is taken for it.
    """

    def __init__(self, remembered: int = 100_000) -> None:
        """``remembered``: nodes kept at most, some 2 KB each."""
        self._remembered = remembered
        self._nodes: dict[bytes, tuple[str, _Node]] = {}

    def account(self, state_root: str, address: str, nodes: Sequence[Any]) -> AccountState:
        """An account at a state root, ABSENT where the proof shows that there is none.

        ``nodes``: ``accountProof`` of eth_getProof. Raises BadAnswer unless the proof is whole and exact.
        """
        key = keccak(raw_bytes(address, "address", 20))
        value = self.value(raw_bytes(state_root, "stateRoot", 32), key, nodes)
        return ABSENT if value is None else _account(value)

    def storage(self, storage_root: str, slot: int, nodes: Sequence[Any]) -> int:
        """The word in a storage slot, 0 where the proof shows that none is there.

        ``nodes``: ``proof`` of an entry of ``storageProof``. Raises BadAnswer as ``account`` does.
        """
        key = keccak(slot.to_bytes(32, "big"))
        value = self.value(raw_bytes(storage_root, "storageHash", 32), key, nodes)
        if value is None:
            return 0
        word = rlp.integer(value)
        if not 0 < word < 1 << 256:
            raise BadAnswer(f"a storage slot of {len(value)} bytes cannot be in a trie")
        return word

    def value(self, root: bytes, key: bytes, nodes: Sequence[Any]) -> bytes | None:
        """What the trie of a root holds under a 32-byte key; None where the proof shows that there is nothing."""
        if not isinstance(nodes, list | tuple) or len(nodes) > _DIGITS + 1:
            raise BadAnswer(f"a proof must be a list of at most {_DIGITS + 1} nodes")
        if root == EMPTY_ROOT and list(nodes) in ([], ["0x80"]):
            return None
        path, at, expected = key.hex(), 0, root
        for n, text in enumerate(nodes):
            known = self._nodes.get(expected)
            node = known[1] if known is not None and known[0] == text else self._open(expected, text, n)
            if isinstance(node, bytes):
                if at == _DIGITS:
                    raise BadAnswer("the proof is deeper than its key is long")
                place = _CHILD[path[at]]
                expected, at = node[place : place + 32], at + 1
                continue
            # A node shorter than a hash stands in its parent itself, so there may be several here.
            below: _Node = node
            while isinstance(below, tuple):
                below, at = _step(below, path, at)
            if at == _ENDED:
                if n != len(nodes) - 1:
                    raise BadAnswer(f"the proof goes on after node {n}, which already ends it")
                return below or None
            expected = below
        raise BadAnswer("the proof ends above what it should prove")

    def _open(self, expected: bytes, text: Any, n: int) -> _Node:
        if isinstance(text, str) and len(text) > 2 + 2 * _NODE_BYTES:
            raise BadAnswer(f"node {n} of the proof has {len(text) // 2 - 1} bytes, more than any node can have")
        raw = raw_bytes(text, f"node {n} of the proof")
        if keccak(raw) != expected:
            raise BadAnswer(f"node {n} of the proof hashes to 0x{keccak(raw).hex()}, not to 0x{expected.hex()}")
        full = len(raw) == _FULL_SIZE and raw[:3] == _FULL and raw[3:-1:33] == _PREFIXES and raw[-1] == 0x80
        node: _Node = raw if full else _items(raw)
        if len(self._nodes) < self._remembered:
            self._nodes[expected] = (text, node)
        return node


def _items(raw: bytes) -> _Items:
    branch = _BRANCH.fullmatch(raw, rlp.body(raw))
    if branch is not None:
        return branch.groups()
    node = tuple(rlp.items(raw))
    if len(node) == 17:
        if node[16] != rlp.EMPTY:
            raise BadAnswer("a branch of the proof holds a value, which no key of 32 bytes can reach")
    elif len(node) != 2:
        raise BadAnswer(f"a node of the proof has {len(node)} items, not 2 or 17")
    return node


def _step(node: _Items, path: str, at: int) -> tuple[_Node, int]:
    """One node further: the next hash or embedded node, and how many digits are used.

    With _ENDED in their place: the value, or nothing (empty) where the trie has none under this key.
    """
    if len(node) == 17:
        if at == _DIGITS:
            raise BadAnswer("the proof is deeper than its key is long")
        child = node[_DIGIT[path[at]]]
        return (b"", _ENDED) if child == rlp.EMPTY else (_reference(child), at + 1)
    digits, leaf = _path(node[0])
    if leaf:
        if path[at:] != digits:
            # Another key's leaf stands where this key would be.
            if len(digits) != _DIGITS - at:
                raise BadAnswer("a leaf of the proof ends at another depth than its keys")
            return b"", _ENDED
        value = rlp.payload(node[1])
        if not value:
            raise BadAnswer("a leaf of the proof is empty")
        return value, _ENDED
    if not digits or at + len(digits) >= _DIGITS:
        raise BadAnswer("an extension of the proof leads nowhere")
    if not path.startswith(digits, at):
        return b"", _ENDED
    return _reference(node[1]), at + len(digits)


def _path(item: bytes) -> tuple[str, bool]:
    """The digits of a leaf or an extension (hex-prefix, Yellow Paper, appendix C), and whether it is a leaf."""
    text = rlp.payload(item).hex()
    kind = text[:1]
    if kind in ("1", "3"):
        return text[1:], kind == "3"
    if text[:2] in ("00", "20"):
        return text[2:], kind == "2"
    raise BadAnswer("a path of the proof has no valid prefix")


def _reference(item: bytes) -> _Node:
    if len(item) == 33 and item[0] == 0xA0:
        return item[1:]
    if item[:1] >= b"\xc0" and len(item) < 32:
        return _items(item)
    raise BadAnswer("a node of the proof names its child neither by hash nor by itself")


def _account(value: bytes) -> AccountState:
    """The four fields of an account: two numbers, then two hashes, so that the ends of all are known."""
    size = len(value)
    if size < _ACCOUNT_BYTES or value[:2] != bytes((0xF8, size - 2)) or value[2] > 0x88:
        raise BadAnswer("a leaf of the state trie holds no account")
    if not value[-66] == value[-33] == 0xA0:
        raise BadAnswer("an account in the trie has a root or a hash that is not 32 bytes long")
    balance_at = 3 + max(0, value[2] - 0x80)
    nonce, balance = rlp.integer(value[2:balance_at]), rlp.integer(value[balance_at:-66])
    if balance >= 1 << 256:
        raise BadAnswer("an account in the trie has a balance that is too large")
    return AccountState(True, nonce, balance, "0x" + value[-65:-33].hex(), "0x" + value[-32:].hex())
