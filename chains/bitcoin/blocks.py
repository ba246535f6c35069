"""Block headers and merkle roots: the checks that bind a block's bytes to its hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.bitcoin.codec import double_sha256
from chains.bitcoin.walker import HEADER_BYTES, NO_OUTPOINT, Span, transaction_id
from chains.core.errors import BadAnswer
from chains.core.quorum import Lie


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of an 80-byte header that porwatch uses; hashes as the chain prints them, ``time`` in Unix seconds.

    ``bits`` is the target that its hash must not exceed, in the compact form (nBits).
    """

    raw: bytes
    hash: str
    parent: str
    root: bytes
    time: int
    bits: int


def parse_header(raw: bytes) -> Header:
    """The header at the beginning of ``raw``, with its hash computed from its bytes."""
    if len(raw) < HEADER_BYTES:
        raise BadAnswer(f"a block header has {HEADER_BYTES} bytes, not {len(raw)}")
    raw = raw[:HEADER_BYTES]
    return Header(
        raw=raw,
        hash=double_sha256(raw)[::-1].hex(),
        parent=raw[35:3:-1].hex(),
        root=raw[36:68],
        time=int.from_bytes(raw[68:72], "little"),
        bits=int.from_bytes(raw[72:76], "little"),
    )


def header_with_hash(value: str, block_hash: str, asked: str = "getblockheader") -> Header:
    """The header at the beginning of hex bytes. Raises Lie where it has another hash than it was asked for by."""
    found = parse_header(bytes.fromhex(value))
    if found.hash != block_hash:
        raise Lie(
            "header_hash",
            f"the header given for block {block_hash} has the hash {found.hash}",
            {
                "asked": f"{asked} {block_hash}",
                "answered": value,
                "refuted": f"the double SHA-256 of the first {HEADER_BYTES} bytes is {found.hash}",
            },
        )
    return found


def merkle_root(txids: Sequence[bytes]) -> bytes:
    """The merkle root of txids in wire order.

    Raises BadAnswer where two equal hashes meet as a pair: such a list has the same root as a
    shorter one (CVE-2012-2459), so the root would not say which transactions the block has.
    """
    if not txids:
        raise BadAnswer("a block without transactions has no merkle root")
    row = list(txids)
    while len(row) > 1:
        left, right = row[::2], row[1::2]
        if any(map(bytes.__eq__, left, right)):
            raise BadAnswer("the block repeats transactions in a way that keeps its merkle root (CVE-2012-2459)")
        if len(left) > len(right):
            right.append(left[-1])
        row = [double_sha256(first + second) for first, second in zip(left, right, strict=True)]
    return row[0]


def check_merkle_root(raw: bytes, spans: Sequence[Span], root: bytes) -> None:
    """Raises BadAnswer unless the transactions at ``spans`` are those that the header commits to.

    The first must be a coinbase and the others none: 64-byte inner nodes of the merkle tree that
    pose as transactions (CVE-2017-12842) would have to fake its 36 fixed bytes.
    """
    txids = [transaction_id(raw, span) for span in spans]
    if len(set(txids)) != len(txids):
        raise BadAnswer("the block holds one transaction twice")
    if merkle_root(txids) != root:
        raise BadAnswer("the transactions do not give the merkle root of the block's header")
    coinbases = [position for position, span in enumerate(spans) if is_coinbase(raw, span)]
    if coinbases != [0]:
        raise BadAnswer("the first transaction of the block, and only the first, must be its coinbase")


def is_coinbase(raw: bytes, span: Span) -> bool:
    """Whether the first input of the transaction names no outpoint."""
    inputs = span[0] + (6 if span[3] else 4)
    return raw[inputs] == 1 and raw[inputs + 1 : inputs + 37] == NO_OUTPOINT
