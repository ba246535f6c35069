"""The block walker against python-bitcoinlib on random blocks, on broken blocks and on real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bitcoin.core import CBlock, CTransaction
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.bitcoin.blocks import check_merkle_root, merkle_root, parse_header
from chains.bitcoin.codec import double_sha256
from chains.bitcoin.walker import NO_OUTPOINT, transaction_id, walk
from chains.core.errors import BadAnswer
from tests.unit.bitcoin.synthetic import block, coinbase, transaction

SCRIPTS = [b"\x00\x14" + bytes([number]) * 20 for number in range(6)] + [b"", b"\x51", b"\x6a" + bytes(300)]
WATCHED = frozenset(SCRIPTS[:3])


@st.composite
def random_blocks(draw: st.DrawFn) -> tuple[bytes, frozenset[bytes]]:
    """A valid block whose transactions spend foreign coins, watched coins and coins of the block itself; and the watched coins."""
    made = [coinbase(draw(st.integers(0, 10**6)), [(50, draw(st.sampled_from(SCRIPTS)))])]
    watched = set()
    for number in range(draw(st.integers(0, 6))):
        inputs = []
        for _ in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(["foreign", "watched", "block"]))
            if kind == "block":
                earlier = draw(st.sampled_from(made))
                inputs.append((earlier.GetTxid(), draw(st.integers(0, len(earlier.vout)))))
                continue
            outpoint = (
                double_sha256(draw(st.binary(min_size=2, max_size=2)) + bytes([number])),
                draw(st.integers(0, 2)),
            )
            inputs.append(outpoint)
            if kind == "watched":
                watched.add(outpoint[0] + outpoint[1].to_bytes(4, "little"))
        outputs = [
            (units, draw(st.sampled_from(SCRIPTS)))
            for units in draw(st.lists(st.integers(0, 10**15), min_size=1, max_size=4))
        ]
        witness = draw(st.lists(st.sampled_from([b"", b"x" * 72, b"y" * 400]), max_size=3))
        outputs.append((number, b"\x6a"))  # a block never holds the same transaction twice
        made.append(transaction(inputs, outputs, witness))
    return block(made), frozenset(watched)


def found_by_library(raw: bytes, coins: frozenset[bytes]) -> list[tuple[int, bytes, tuple[int, ...], tuple[int, ...]]]:
    found, known = [], set(coins)
    for position, each in enumerate(CBlock.deserialize(raw).vtx):
        spends = tuple(
            number
            for number, entry in enumerate(each.vin)
            if entry.prevout.hash + entry.prevout.n.to_bytes(4, "little") in known
        )
        pays = tuple(number for number, entry in enumerate(each.vout) if bytes(entry.scriptPubKey) in WATCHED)
        known |= {each.GetTxid() + number.to_bytes(4, "little") for number in pays}
        if spends or pays:
            found.append((position, each.GetTxid(), spends, pays))
    return found


@given(random_blocks())
@settings(max_examples=40, deadline=None)
def test_the_walker_finds_what_the_library_finds(case: tuple[bytes, frozenset[bytes]]) -> None:
    raw, coins = case
    walked = walk(raw, WATCHED, coins)
    assert [(hit.position, hit.txid, hit.spends, hit.pays) for hit in walked.hits] == found_by_library(raw, coins)
    parsed = CBlock.deserialize(raw)
    assert [raw[start:end] for start, end, _, _ in walked.spans] == [each.serialize() for each in parsed.vtx]
    assert [transaction_id(raw, span) for span in walked.spans] == [each.GetTxid() for each in parsed.vtx]
    header = parse_header(raw)
    assert (header.hash, header.parent, header.time) == (
        parsed.GetHash()[::-1].hex(),
        parsed.hashPrevBlock[::-1].hex(),
        parsed.nTime,
    )
    check_merkle_root(raw, walked.spans, header.root)


@given(random_blocks(), st.data())
@settings(max_examples=40, deadline=None)
def test_a_block_that_is_cut_or_lengthened_anywhere_is_refused(case: tuple[bytes, frozenset[bytes]], data: Any) -> None:
    raw, coins = case
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    for broken in (cut, raw + b"\0", raw + raw[80:]):
        with pytest.raises(BadAnswer):
            walk(broken, WATCHED, coins)


@given(random_blocks(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_is_refused_or_lies_in_a_witness(case: tuple[bytes, frozenset[bytes]], data: Any) -> None:
    raw, coins = case
    place = data.draw(st.integers(0, len(raw) - 1))
    changed = bytearray(raw)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        header = parse_header(bytes(changed))
        walked = walk(bytes(changed), WATCHED, coins)
        check_merkle_root(bytes(changed), walked.spans, header.root)
    except BadAnswer:
        return
    # A witness is not under the merkle root of txids; the header's other bytes are under its hash alone.
    txids = [transaction_id(bytes(changed), span) for span in walked.spans]
    assert place < 80 or txids == [each.GetTxid() for each in CBlock.deserialize(raw).vtx]
    assert place >= 80 or header.hash != parse_header(raw).hash


@pytest.mark.parametrize("count", [0xFC, 0xFD, 300])
def test_counts_and_lengths_of_more_than_one_byte_are_read(count: int) -> None:
    wide = transaction(
        [(bytes([1]) * 32, number) for number in range(count)], [(1, SCRIPTS[0])] * count, [b"w" * count]
    )
    deep = transaction([(bytes([3]) * 32, 0)], [(1, SCRIPTS[2])], [b"w"] * count)
    long = transaction(
        [(bytes([2]) * 32, 0)], [(1, b"\x4e" + (70_000).to_bytes(4, "little") + bytes(70_000)), (2, SCRIPTS[1])]
    )
    raw = block([coinbase(1), wide, deep, long])
    coin = bytes([1]) * 32 + (count - 1).to_bytes(4, "little")
    assert found_by_library(raw, frozenset({coin})) == [
        (hit.position, hit.txid, hit.spends, hit.pays) for hit in walk(raw, WATCHED, {coin}).hits
    ]


@pytest.mark.parametrize(
    "tail",
    [
        "ff" + "ff" * 8,  # 2^64 transactions
        "01" + "01000000" + "ff" + "ff" * 8,  # 2^64 inputs
        "01" + "01000000" + "01" + "00" * 36 + "ff" + "ff" * 8,  # a script of 2^64 bytes
        "01" + "01000000" + "01" + "00" * 36 + "00" + "ffffffff" + "ff" + "ff" * 8,  # 2^64 outputs
        "01" + "01000000" + "00",  # the marker without a flag
        "01" + "01000000" + "0002" + "01" + "00" * 50,  # an unknown flag
        "00",  # no transaction
    ],
)
def test_counts_that_lie_are_refused_at_once(tail: str) -> None:
    with pytest.raises(BadAnswer):
        walk(bytes(80) + bytes.fromhex(tail), WATCHED, frozenset())


def test_a_block_above_the_limit_of_the_network_is_refused() -> None:
    with pytest.raises(BadAnswer, match="at most 4000000"):
        walk(bytes(4_000_001), WATCHED, frozenset())


def test_the_coinbase_input_is_never_a_spend() -> None:
    assert [hit.spends for hit in walk(block([coinbase(1, [(5, SCRIPTS[0])])]), WATCHED, frozenset()).hits] == [()]


def test_what_a_coin_set_looks_like_does_not_matter_and_it_is_left_alone() -> None:
    first = transaction([(bytes([7]) * 32, 0)], [(9, SCRIPTS[0])])
    second = transaction([(first.GetTxid(), 0)], [(8, SCRIPTS[5])])
    coins: dict[bytes, int] = {}
    hits = walk(block([coinbase(1), first, second]), WATCHED, coins).hits
    assert [(hit.position, hit.spends, hit.pays) for hit in hits] == [(1, (), (0,)), (2, (0,), ())]
    assert coins == {}


def test_a_block_with_repeated_transactions_is_refused_though_its_root_is_right() -> None:
    """CVE-2012-2459: an odd row repeats its last hash, so a block that repeats the transaction has the same root."""
    made = [coinbase(1), *(transaction([(bytes([number]) * 32, 0)], [(1, b"\x51")]) for number in (1, 2))]
    raw, repeated = block(made), block([*made, made[-1]])
    assert parse_header(raw).root == parse_header(repeated).root
    check_merkle_root(raw, walk(raw, (), ()).spans, parse_header(raw).root)
    with pytest.raises(BadAnswer, match="twice"):
        check_merkle_root(repeated, walk(repeated, (), ()).spans, parse_header(raw).root)


def test_a_merkle_row_whose_pair_is_equal_is_refused() -> None:
    a, b, c = (bytes([number]) * 32 for number in (1, 2, 3))
    assert merkle_root([a, b, c]) == double_sha256(double_sha256(a + b) + double_sha256(c + c))
    for row in ([a, a], [a, b, c, c], [a, b, a, b], [a, b, b, c, a, b, b, c]):
        with pytest.raises(BadAnswer, match="CVE-2012-2459"):
            merkle_root(row)
    with pytest.raises(BadAnswer):
        merkle_root([])


def test_a_block_must_have_one_coinbase_and_have_it_first() -> None:
    spend = transaction([(bytes([1]) * 32, 0)], [(1, b"\x51")])
    for wrong in ([spend], [spend, coinbase(1)], [coinbase(1), coinbase(2)]):
        raw = block(wrong)
        with pytest.raises(BadAnswer, match="coinbase"):
            check_merkle_root(raw, walk(raw, (), ()).spans, parse_header(raw).root)
    assert bytes(32) + b"\xff" * 4 == NO_OUTPOINT


def test_a_transaction_that_is_not_under_the_root_is_refused() -> None:
    raw = block([coinbase(1), transaction([(bytes([1]) * 32, 0)], [(1, b"\x51")])])
    other = block([coinbase(1), transaction([(bytes([1]) * 32, 0)], [(2, b"\x51")])])
    forged = raw[:80] + other[80:]
    with pytest.raises(BadAnswer, match="merkle root"):
        check_merkle_root(forged, walk(forged, (), ()).spans, parse_header(forged).root)


def test_real_mainnet_blocks(shared_data: Path) -> None:
    folder = shared_data / "bitcoin" / "blocks"
    manifest = {entry["file"]: entry for entry in json.loads((folder / "manifest.json").read_text())}
    checked = 0
    for path in sorted(folder.glob("mainnet_*.dat")):
        raw = path.read_bytes()
        parsed = CBlock.deserialize(raw)
        header = parse_header(raw)
        facts = manifest[path.name]
        assert (header.hash, header.parent, header.time) == (facts["hash"], facts["prev"], facts["time"])
        some = [entry for each in parsed.vtx[::7] for entry in each.vout]
        scripts = {bytes(entry.scriptPubKey) for entry in some}
        coins = {
            entry.prevout.hash + entry.prevout.n.to_bytes(4, "little")
            for each in parsed.vtx[1::5]
            for entry in each.vin
        }
        walked = walk(raw, scripts, coins)
        check_merkle_root(raw, walked.spans, header.root)
        assert len(walked.spans) == len(parsed.vtx) == facts["ntx"]
        hits = {hit.position: hit for hit in walked.hits}
        assert set(range(0, len(parsed.vtx), 7)) | set(range(1, len(parsed.vtx), 5)) <= set(hits)
        for position, hit in hits.items():
            each: CTransaction = parsed.vtx[position]
            assert hit.txid == each.GetTxid()
            assert hit.pays == tuple(n for n, entry in enumerate(each.vout) if bytes(entry.scriptPubKey) in scripts)
        checked += 1
    assert checked == 4
