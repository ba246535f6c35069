"""How fast account proofs are verified: porwatch's verifier beside py-trie's get_from_proof.

A state trie of 20,000 accounts, built by py-trie; 500 proofs in the form in which eth_getProof answers.
Before anything is timed both must read the same accounts, find the same ones missing, and refuse the
same corrupted proofs. Goals are ratios within one run: at least 10x for the proofs of a batch, at least
8x for a proof by itself. Run alone: python -m bench.evm_proofs
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chains.core.errors import BadAnswer
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.proof import ABSENT, EMPTY_CODE, AccountState, Proofs
from chains.ethereum.verify.rlp import encode
from chains.ethereum.verify.trie import EMPTY_ROOT

ACCOUNTS, PROOFS, MISSING, CORRUPTED = 20_000, 500, 100, 200
REPEATS = 15
BATCH_GOAL, SINGLE_GOAL = 10.0, 8.0

#: An address and the nodes of its proof, as text.
Case = tuple[str, list[str]]
Verify = Callable[[str, str, Sequence[str]], AccountState]


def run() -> list[str]:
    """Lines of the result. Raises AssertionError where the two ways differ."""
    chance = random.Random(7)
    root, present, missing = _make(chance)
    _same(chance, root, present, missing)
    theirs, single, batch = _best(
        lambda: [_py_trie(root, *case) for case in present],
        lambda: [Proofs().account(root, *case) for case in present],
        lambda: list(map(Proofs().account, [root] * PROOFS, *zip(*present, strict=True))),
    )
    depth = sum(len(nodes) for _, nodes in present) / PROOFS
    size = sum(len(node) // 2 - 1 for _, nodes in present for node in nodes) / PROOFS
    about = f"{ACCOUNTS:,} accounts, {PROOFS} proofs of {depth:.1f} nodes and {size:,.0f} bytes"
    lines = [
        f"evm proofs: {about}, {MISSING} absences and {CORRUPTED} corrupted proofs: the same both ways",
        f"  py-trie {version('trie')}, CPU time, best of {REPEATS}: {theirs / PROOFS * 1e6:.0f} us a proof",
    ]
    for name, seconds, goal in (("one by one", single, SINGLE_GOAL), ("one batch", batch, BATCH_GOAL)):
        reached = "reached" if theirs / seconds >= goal else "NOT reached"
        lines.append(
            f"  porwatch, {name}: {seconds / PROOFS * 1e6:.1f} us a proof, {theirs / seconds:.1f}x; "
            f"goal at least {goal:.0f}x: {reached}"
        )
    return lines


def _make(chance: random.Random) -> tuple[str, list[Case], list[Case]]:
    """The root, proofs of accounts that are there and of some that are not."""
    from trie.hexary import HexaryTrie

    addresses = [chance.randbytes(20) for _ in range(ACCOUNTS)]
    # It ships no types.
    tree: Any = HexaryTrie({})
    with tree.squash_changes() as changes:
        for address in addresses:
            number = (chance.randrange(200), chance.randrange(2**70))
            nonce, balance = (n.to_bytes((n.bit_length() + 7) // 8, "big") for n in number)
            changes[keccak(address)] = encode([nonce, balance, EMPTY_ROOT, bytes.fromhex(EMPTY_CODE[2:])])

    def case(address: bytes) -> Case:
        return "0x" + address.hex(), ["0x" + encode(node).hex() for node in tree.get_proof(keccak(address))]

    present = [case(address) for address in chance.sample(addresses, PROOFS)]
    return "0x" + tree.root_hash.hex(), present, [case(chance.randbytes(20)) for _ in range(MISSING)]


def _py_trie(root: str, address: str, nodes: Sequence[str]) -> AccountState:
    import rlp  # type: ignore[import-untyped]
    from trie.hexary import HexaryTrie

    decoded = [rlp.decode(bytes.fromhex(node[2:])) for node in nodes]
    untyped: Any = HexaryTrie
    value = untyped.get_from_proof(bytes.fromhex(root[2:]), keccak(bytes.fromhex(address[2:])), decoded)
    if not value:
        return ABSENT
    nonce, balance, storage, code = rlp.decode(value)
    numbers = int.from_bytes(nonce, "big"), int.from_bytes(balance, "big")
    return AccountState(True, *numbers, "0x" + storage.hex(), "0x" + code.hex())


def _same(chance: random.Random, root: str, present: list[Case], missing: list[Case]) -> None:
    proofs = Proofs()
    for case in present:
        expected = _py_trie(root, *case)
        assert expected.exists
        assert Proofs().account(root, *case) == proofs.account(root, *case) == expected
    for case in missing:
        assert proofs.account(root, *case) == _py_trie(root, *case) == ABSENT
    for address, nodes in chance.sample(present, CORRUPTED):
        wrong = _corrupt(chance, nodes)
        assert _refuses(proofs.account, root, address, wrong)
        assert _refuses(_py_trie, root, address, wrong)


def _corrupt(chance: random.Random, nodes: list[str]) -> list[str]:
    """A proof with one bit flipped, or one node missing."""
    place = chance.randrange(len(nodes))
    if chance.random() < 0.2:
        return nodes[:place] + nodes[place + 1 :]
    raw = bytearray.fromhex(nodes[place][2:])
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return [*nodes[:place], "0x" + raw.hex(), *nodes[place + 1 :]]


def _refuses(verify: Verify, root: str, address: str, nodes: Sequence[str]) -> bool:
    import rlp
    from trie.exceptions import BadTrieProof, ValidationError

    try:
        verify(root, address, nodes)
    except (BadAnswer, BadTrieProof, ValidationError, rlp.DecodingError):
        return True
    return False


def _best(*acts: Callable[[], object]) -> list[float]:
    """CPU seconds of each, best of all repetitions, taken in turn so that no way has the quiet moments alone."""
    best = [float("inf")] * len(acts)
    for _ in range(REPEATS):
        for n, act in enumerate(acts):
            began = time.process_time()
            act()
            best[n] = min(best[n], time.process_time() - began)
    return best


if __name__ == "__main__":
    print("\n".join(run()))
