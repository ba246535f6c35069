"""What the journal's part of the evidence proves: its records, the close's among them, are under a signed tree head."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.canonical import canonical
from monitor.ledger import tree
from monitor.ledger.heads import Head, head_problem, leaf
from monitor.ledger.journal import GENESIS, entry_hash
from monitor.publish.bundle import places
from monitor.publish.bundle.evidence import Line, Tree
from monitor.signing.folder import Problem


def problems(
    found: Tree, period: tuple[Line, ...], earlier: tuple[Line, ...], signer: bytes | None
) -> Iterator[Problem]:
    """What is wrong with the records and the head. ``signer``: who signed the manifest, where that could be read."""
    yield from _head(found.head, signer, "head")
    yield from _bodies(period, places.PERIOD)
    yield from _bodies(earlier, places.EARLIER)
    yield from _linked(found, period)
    yield from _under(found.head, earlier)
    if found.previous is not None:
        yield from _head(found.previous, None, "previous.head")
        proof = [bytes.fromhex(item) for item in found.consistency]
        roots = bytes.fromhex(found.previous.root), bytes.fromhex(found.head.root)
        if not tree.consistent(found.previous.size, roots[0], found.head.size, roots[1], proof):
            yield Problem(places.JOURNAL, "previous.proof: the head does not continue the one of the report before")


def _head(head: Head, signer: bytes | None, name: str) -> Iterator[Problem]:
    wrong = head_problem(head, () if signer is None else (signer,))
    if wrong:
        yield Problem(places.JOURNAL, f"{name}: {wrong}")


def _bodies(lines: tuple[Line, ...], path: str) -> Iterator[Problem]:
    """Each record that is shown whole has the hash that it says."""
    for number, line in enumerate(lines, 1):
        if line.body is None or line.at is None:
            continue
        if entry_hash(line.seq, line.at, line.kind, canonical(line.body), line.previous) != line.hash:
            yield Problem(path, f"line {number}: hash: record {line.seq} ({line.kind}) was changed")


def _linked(found: Tree, period: tuple[Line, ...]) -> Iterator[Problem]:
    """The records of the period are all records from its start to the head, and the tree over them has its root."""
    if found.start < 1 or len(found.peaks) != (found.start - 1).bit_count():
        yield Problem(places.JOURNAL, "peaks: are not the complete subtrees of the records before start")
        return
    grown = tree.Tree(found.start - 1, [bytes.fromhex(item) for item in found.peaks])
    last = GENESIS if found.start == 1 else ""
    for number, line in enumerate(period, 1):
        if line.seq != found.start + number - 1:
            yield Problem(places.PERIOD, f"line {number}: seq: is {line.seq} instead of {found.start + number - 1}")
            return
        if line.body is not None and last and line.previous != last:
            yield Problem(
                places.PERIOD, f"line {number}: previous: record {line.seq} does not follow the one before it"
            )
        last = line.hash
        try:
            grown.append(leaf(line.hash))
        except ValueError:
            yield Problem(places.PERIOD, f"line {number}: hash: is no hash")
            return
    if grown.size != found.head.size:
        yield Problem(places.PERIOD, f"has records up to {grown.size}, the head is over {found.head.size}")
    elif grown.root().hex() != found.head.root:
        yield Problem(places.PERIOD, "its records are not those that the tree head was signed over")


def _under(head: Head, earlier: tuple[Line, ...]) -> Iterator[Problem]:
    root = bytes.fromhex(head.root)
    for number, line in enumerate(earlier, 1):
        path = [bytes.fromhex(item) for item in line.proof]
        try:
            there = tree.included(leaf(line.hash), line.seq - 1, head.size, path, root)
        except ValueError:
            there = False
        if not there:
            yield Problem(places.EARLIER, f"line {number}: proof: record {line.seq} is not under the tree head")
