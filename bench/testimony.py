"""How long 100,000 accounts of a testimony take to be re-checked without a node, and how much memory.

A state trie of 400,000 accounts, of which 100,000 are ours; their proofs in the lines that a close writes.
Re-checked is the file: text, seal, header, every node, every number. What one would use instead is py-trie's
get_from_proof on each account's own proof, timed on a sample; both must find the same. Goals: at least 3x less
CPU an account, text and seal included, and at most 150 MB: what is found is kept, the proofs are not.
Run alone: python -m bench.testimony
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chains.core.testimony import from_text, opening, seal, to_text
from chains.ethereum import Settings, recheck
from chains.ethereum.address import spell
from chains.ethereum.verify import rlp
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.header import header_hash
from chains.ethereum.verify.proof import EMPTY_CODE
from chains.ethereum.verify.trail import Trail
from chains.ethereum.verify.trie import EMPTY_ROOT, hex_prefix

ACCOUNTS, OURS, SAMPLE = 400_000, 100_000, 500
CPU_GOAL, MEMORY_GOAL = 3.0, 150
NAMES = ["endpoint-1", "endpoint-2"]
SETTINGS = Settings.model_validate(
    {
        "kind": "evm",
        "chain_id": 1,
        "native": "ETH",
        "endpoints": [{"url": f"http://127.0.0.1:{port}"} for port in (1, 2)],
    }
)

Leaf = tuple[str, bytes]


def run() -> list[str]:
    """Lines of the result. Raises AssertionError where the two ways differ."""
    chance = random.Random(11)
    held = {chance.randbytes(20): chance.randrange(2**70) for _ in range(ACCOUNTS)}
    trie = Trie({keccak(address): account(units) for address, units in held.items()})
    ours = chance.sample(sorted(held), OURS)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "testimony.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(to_text(line) + "\n" for line in seal(lines(trie, ours, held)))
        size = path.stat().st_size / 1e6
        command = [sys.executable, "-m", "bench.testimony", str(path)]
        said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    seconds, memory, total = said.stdout.split()
    assert int(total) == sum(held[address] for address in ours)
    theirs = _py_trie(trie, chance.sample(ours, SAMPLE), held)
    each = float(seconds) / OURS
    faster = f"goal at least {CPU_GOAL:.0f}x: {'reached' if theirs / each >= CPU_GOAL else 'NOT reached'}"
    smaller = f"goal at most {MEMORY_GOAL} MB: {'reached' if float(memory) <= MEMORY_GOAL else 'NOT reached'}"
    return [
        f"testimony: {OURS:,} accounts of {ACCOUNTS:,}, {size:,.0f} MB of lines, re-checked in {float(seconds):.1f} s",
        f"  py-trie {version('trie')}, CPU time of {SAMPLE} proofs: {theirs * 1e6:.0f} us an account",
        f"  porwatch, text and seal included: {each * 1e6:.0f} us an account, {theirs / each:.1f}x; {faster}",
        f"  memory at most {float(memory):,.0f} MB; {smaller}",
    ]


class Trie:
    """A trie over many keys at once; ``nodes``: by hash."""

    def __init__(self, content: dict[bytes, bytes]) -> None:
        self.nodes: dict[bytes, bytes] = {}
        leaves = sorted((key.hex(), value) for key, value in content.items())
        self.root = self._hash(self._node(leaves, 0, len(leaves), 0))

    def proof(self, key: bytes) -> list[str]:
        """The nodes from the root down to a key that is there."""
        path, at, found, expected = key.hex(), 0, [], self.root
        while True:
            raw = self.nodes[expected]
            found.append("0x" + raw.hex())
            items = rlp.items(raw)
            if len(items) == 17:
                expected, at = items[int(path[at], 16)][1:], at + 1
                continue
            digits = rlp.payload(items[0]).hex()
            if digits[0] in "23":
                return found
            expected, at = items[1][1:], at + len(digits) - (1 if digits[0] == "1" else 2)

    def _node(self, leaves: Sequence[Leaf], first: int, end: int, at: int) -> bytes:
        low, value = leaves[first]
        if end - first == 1:
            return rlp.encode_list((rlp.encode_bytes(hex_prefix(low[at:], leaf=True)), rlp.encode_bytes(value)))
        high, shared = leaves[end - 1][0], at
        while low[shared] == high[shared]:
            shared += 1
        if shared > at:
            below = b"\xa0" + self._hash(self._node(leaves, first, end, shared))
            return rlp.encode_list((rlp.encode_bytes(hex_prefix(low[at:shared], leaf=False)), below))
        children = []
        for digit in "0123456789abcdef":
            stop = first
            while stop < end and leaves[stop][0][at] == digit:
                stop += 1
            children.append(
                rlp.EMPTY if stop == first else b"\xa0" + self._hash(self._node(leaves, first, stop, at + 1))
            )
            first = stop
        return rlp.encode_list((*children, rlp.EMPTY))

    def _hash(self, node: bytes) -> bytes:
        found = keccak(node)
        self.nodes[found] = node
        return found


def account(units: int) -> bytes:
    """An account without code, of one transaction (RLP)."""
    code = bytes.fromhex(EMPTY_CODE[2:])
    return rlp.encode_list((rlp.encode_int(1), rlp.encode_int(units), b"\xa0" + EMPTY_ROOT, b"\xa0" + code))


def lines(trie: Trie, ours: Sequence[bytes], held: dict[bytes, int], chain: str = "bench") -> Iterator[dict[str, Any]]:
    """The testimony of these accounts, line by line, not sealed yet."""
    zeros, numbers = "0x" + "00" * 32, ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
    hashes = ("parentHash", "sha3Uncles", "transactionsRoot", "receiptsRoot", "mixHash")
    fields = dict.fromkeys(hashes, zeros) | dict.fromkeys(numbers, "0x1") | {"stateRoot": "0x" + trie.root.hex()}
    fields |= {"miner": "0x" + "00" * 20, "logsBloom": "0x" + "00" * 256, "extraData": "0x", "nonce": "0x" + "00" * 8}
    yield opening(chain, "evm", ["ETH"], len(ours)) | {"chain_id": "1", "zeros": [0]}
    head = {"kind": "header", "hash": header_hash(fields), "recomputed": True, "fields": fields, "endpoints": NAMES}
    yield head
    trail = Trail()
    for address in sorted(ours, key=keccak):
        shared, own = trail.write(trie.proof(keccak(address)))
        line = {"kind": "account", "account": spell("0x" + address.hex()), "units": str(held[address]), "nonce": "1"}
        yield line | {"shared": shared, "nodes": own}


def _py_trie(trie: Trie, sample: Sequence[bytes], held: dict[bytes, int]) -> float:
    """CPU seconds an account."""
    import rlp as other  # type: ignore[import-untyped]
    from trie.hexary import HexaryTrie

    untyped: Any = HexaryTrie
    cases = [(address, trie.proof(keccak(address))) for address in sample]
    began, total = time.process_time(), 0
    for address, nodes in cases:
        decoded = [other.decode(bytes.fromhex(node[2:])) for node in nodes]
        value = untyped.get_from_proof(trie.root, keccak(address), decoded)
        total += int.from_bytes(other.decode(value)[1], "big")
    seconds = time.process_time() - began
    assert total == sum(held[address] for address in sample)
    return seconds / len(sample)


def _recheck(path: str) -> str:
    """CPU seconds, MB at most, and the sum found, of one re-check in a process of its own."""
    with Path(path).open("rb") as file:
        began = time.process_time()
        found = recheck("bench", from_text(file), SETTINGS)
        seconds = time.process_time() - began
    assert len(found.proved) == OURS
    status = Path("/proc/self/status").read_text(encoding="ascii")
    memory = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000  # type: ignore[index]
    return f"{seconds} {memory} {sum(found.units.values())}"


if __name__ == "__main__":
    print(_recheck(sys.argv[1]) if len(sys.argv) > 1 else "\n".join(run()))
