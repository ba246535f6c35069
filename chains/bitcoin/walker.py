"""One pass over the bytes of a block: where its transactions lie, and which of them touch watched scripts or coins.

Nothing is decoded that is not needed: a watched output is found by its script, a spend by its 36-byte
outpoint (txid in wire order and output number), each by one slice and one look-up.

Bounds: every pass of every loop indexes the block at or behind the cursor, and the cursor only
grows, so a count or length that lies runs off the end at once; slices that fall short can only come
behind such a point, and the last check is that the cursor stands exactly at the end.

Source of the layout: the peer-to-peer format of Bitcoin Core, BIP-144 for witnesses.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from chains.bitcoin.codec import double_sha256
from chains.core.errors import BadAnswer

HEADER_BYTES = 80
#: MAX_BLOCK_SERIALIZED_SIZE of Bitcoin Core: no valid block is longer.
BLOCK_LONGEST = 4_000_000
#: What the input of a coinbase transaction names in place of an outpoint.
NO_OUTPOINT = bytes(32) + b"\xff\xff\xff\xff"

#: (start, end, end of the outputs, whether it has witnesses): byte offsets of one transaction.
Span = tuple[int, int, int, bool]


@dataclass(frozen=True, slots=True)
class Hit:
    """A transaction that spends watched coins or pays watched scripts; numbers count from 0 within it."""

    position: int
    txid: bytes
    spends: tuple[int, ...]
    pays: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """Where every transaction of a block lies, and those that hit."""

    spans: tuple[Span, ...]
    hits: tuple[Hit, ...]


def transaction_id(raw: bytes, span: Span) -> bytes:
    """The txid in wire order: the transaction without marker, flag and witnesses, hashed twice."""
    start, end, outputs_end, witnesses = span
    if witnesses:
        return double_sha256(raw[start : start + 4] + raw[start + 6 : outputs_end] + raw[end - 4 : end])
    return double_sha256(raw[start:end])


def walk(raw: bytes, scripts: Container[bytes], coins: Container[bytes]) -> Walk:
    """All hits of a block, in block order. Raises BadAnswer where the bytes are no whole block.

    A coin that this block creates for a watched script counts as watched from then on, so that
    receiving and spending in one block are both found. ``scripts`` and ``coins`` are only read.
    """
    if not HEADER_BYTES < len(raw) <= BLOCK_LONGEST:
        raise BadAnswer(
            f"a block of {len(raw)} bytes: more than {HEADER_BYTES} and at most {BLOCK_LONGEST} are possible"
        )
    try:
        spans, hits, end = _walk(raw, scripts, coins)
    except IndexError:
        raise BadAnswer(f"the block of {len(raw)} bytes ends inside a transaction") from None
    if end != len(raw):
        raise BadAnswer(f"the block has {len(raw)} bytes, its transactions take {end}")
    if not spans:
        raise BadAnswer("the block has no transaction")
    return Walk(tuple(spans), tuple(hits))


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """(value, offset behind it) of a compact size; the walk reads the one-byte form itself."""
    first = raw[at]
    if first < 0xFD:
        return first, at + 1
    width = 2 if first == 0xFD else 4 if first == 0xFE else 8
    return int.from_bytes(raw[at + 1 : at + 1 + width], "little"), at + 1 + width


def _walk(raw: bytes, scripts: Container[bytes], coins: Container[bytes]) -> tuple[list[Span], list[Hit], int]:  # noqa: C901, PLR0912, PLR0915
    # One function and local names only: a call for each input or output would cost more than the work itself.
    spans: list[Span] = []
    hits: list[Hit] = []
    fresh: set[bytes] = set()
    count, at = _varint(raw, HEADER_BYTES)
    for position in range(count):
        start = at
        spends: list[int] = []
        pays: list[int] = []
        witnesses = raw[at + 4] == 0
        if witnesses:
            if raw[at + 5] != 1:
                raise BadAnswer(f"transaction {position} of the block has no inputs or an unknown flag")
            at += 6
        else:
            at += 4
        inputs = raw[at]
        at += 1
        if inputs >= 0xFD:
            inputs, at = _varint(raw, at - 1)
        for number in range(inputs):
            outpoint = raw[at : at + 36]
            if outpoint in coins or (fresh and outpoint in fresh):
                spends.append(number)
            at += 36
            size = raw[at]
            if size < 0xFD:
                at += size + 5
            else:
                size, at = _varint(raw, at)
                at += size + 4
        outputs = raw[at]
        at += 1
        if outputs >= 0xFD:
            outputs, at = _varint(raw, at - 1)
        for number in range(outputs):
            at += 8
            size = raw[at]
            at += 1
            if size >= 0xFD:
                size, at = _varint(raw, at - 1)
            script_start = at
            at += size
            if raw[script_start:at] in scripts:
                pays.append(number)
        outputs_end = at
        if witnesses:
            for _ in range(inputs):
                items = raw[at]
                at += 1
                if items >= 0xFD:
                    items, at = _varint(raw, at - 1)
                for _ in range(items):
                    size = raw[at]
                    at += 1
                    if size >= 0xFD:
                        size, at = _varint(raw, at - 1)
                    at += size
        at += 4
        span = (start, at, outputs_end, witnesses)
        spans.append(span)
        if spends or pays:
            txid = transaction_id(raw, span)
            fresh.update(txid + number.to_bytes(4, "little") for number in pays)
            hits.append(Hit(position, txid, tuple(spends), tuple(pays)))
    return spans, hits, at
