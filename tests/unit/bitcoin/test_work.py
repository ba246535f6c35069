"""Proof of work: compact targets, retargets of the real chain, and headers that were never mined."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.bitcoin.blocks import Header, parse_header
from chains.bitcoin.networks import NETWORKS
from chains.bitcoin.work import PERIOD, bits_of, check_difficulty, check_linked, check_work, target_of
from chains.core.quorum import Lie
from tests.unit.bitcoin.synthetic import block, coinbase, mined

MAINNET, TESTNET4, SIGNET, REGTEST = (NETWORKS[name] for name in ("mainnet", "testnet4", "signet", "regtest"))
GENESIS = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f61"
    "7fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)
EASIEST = 0x1D00FFFF


def header(bits: int, time: int = 0) -> Header:
    return Header(b"", "00" * 32, "00" * 32, b"", time, bits)


@pytest.mark.parametrize(
    ("bits", "target"),
    [
        (0x00000000, 0),
        (0x00123456, 0),
        (0x01003456, 0),
        (0x01123456, 0x12),
        (0x02123456, 0x1234),
        (0x03123456, 0x123456),
        (0x04123456, 0x12345600),
        (0x05009234, 0x92340000),
        (0x20123456, 0x123456 << 232),
        (0x1D00FFFF, 0xFFFF << 208),
        (0x04923456, 0),
        (0x01FEDCBA, 0),
    ],
)
def test_compact_targets_are_read_as_core_reads_them(bits: int, target: int) -> None:
    assert target_of(bits) == target


@given(st.integers(1, (1 << 256) - 1))
def test_the_compact_form_cuts_off_and_never_adds(target: int) -> None:
    kept = target_of(bits_of(target))
    assert kept <= target < kept + (1 << max(0, target.bit_length() - 15))
    assert bits_of(kept) == bits_of(target)


@pytest.mark.parametrize(
    ("network", "bits"), [(MAINNET, 0x1D00FFFF), (TESTNET4, 0x1D00FFFF), (SIGNET, 0x1E0377AE), (REGTEST, 0x207FFFFF)]
)
def test_the_easiest_target_of_each_network_is_its_genesis_block_s(network: object, bits: int) -> None:
    assert bits_of(network.limit) == bits  # type: ignore[attr-defined]


# First and last time of a period, its target, and the one after it: retargets of mainnet, the third with the first
# time moved so that the factor of four is reached.
RETARGETS = [
    (1261130161, 1262152739, 0x1D00FFFF, 0x1D00D86A),
    (1231006505, 1233061996, 0x1D00FFFF, 0x1D00FFFF),
    (1263163443, 1269211443, 0x1C387F6F, 0x1D00E1FD),
    (1279008237, 1279297671, 0x1C05A3F4, 0x1C0168FD),
]


@pytest.mark.parametrize(("first", "last", "old", "new"), RETARGETS)
def test_a_retarget_is_the_one_that_the_times_give(first: int, last: int, old: int, new: int) -> None:
    parent, height = header(old, last), 16 * PERIOD
    period = (header(old, first), parent)
    check_difficulty(header(new), parent, height, MAINNET, period)
    check_difficulty(header(new), parent, height, MAINNET)
    for wrong in (new - 1, new + 1):
        with pytest.raises(Lie, match="not the retargeted one"):
            check_difficulty(header(wrong), parent, height, MAINNET, period)
    # Testnet4 begins with another block's target.
    check_difficulty(header(EASIEST), parent, height, TESTNET4, period)


def test_without_the_times_a_retarget_stays_within_a_factor_of_four() -> None:
    parent = header(0x1C05A3F4)
    for new in (0x1C0168FD, 0x1C168FD0, 0x1C05A3F4):
        check_difficulty(header(new), parent, PERIOD, MAINNET)
    for new in (0x1C0168FC, 0x1C168FD1, EASIEST, 0, 0x04923456):
        with pytest.raises(Lie, match="further than a factor of 4"):
            check_difficulty(header(new), parent, PERIOD, MAINNET)


def test_between_retargets_the_target_is_the_parents() -> None:
    parent = header(0x1C05A3F4, 1_000)
    for height in (1, 2015, 2017, 840_001):
        for network in (MAINNET, SIGNET, TESTNET4):
            check_difficulty(header(0x1C05A3F4, 1_600), parent, height, network)
            with pytest.raises(Lie, match="not that of its parent"):
                check_difficulty(header(EASIEST, 1_600), parent, height, network)
        for network in (MAINNET, SIGNET):
            with pytest.raises(Lie):
                check_difficulty(header(EASIEST, 9_999), parent, height, network)
        check_difficulty(header(EASIEST, 2_201), parent, height, TESTNET4)
        with pytest.raises(Lie):
            check_difficulty(header(EASIEST, 2_200), parent, height, TESTNET4)
        check_difficulty(header(0x1C05A3F4), header(EASIEST), height, TESTNET4)
        check_difficulty(header(0x207FFFFF), header(EASIEST), height, REGTEST)


def test_work_is_a_hash_below_a_target_within_the_limit() -> None:
    check_work(parse_header(GENESIS), MAINNET)
    missed = parse_header(GENESIS[:-1] + b"\x00")
    with pytest.raises(Lie, match="does not reach its target") as caught:
        check_work(missed, MAINNET)
    assert caught.value.kind == "proof_of_work"
    assert caught.value.evidence["header"] == missed.raw.hex()
    easy = parse_header(block([coinbase(1)]))
    check_work(easy, REGTEST)
    for network in (MAINNET, SIGNET, TESTNET4):
        with pytest.raises(Lie, match="easier than"):
            check_work(easy, network)
    # Negative, zero and overflowing targets are reached by no hash, or are too easy.
    for bits in (0, 0x04923456, 0xFF123456):
        with pytest.raises(Lie):
            check_work(replace(easy, bits=bits), REGTEST)
    with pytest.raises(Lie):
        check_work(parse_header(mined(block([coinbase(1)]), well=False)), REGTEST)


def test_the_first_headers_of_mainnet_are_one_chain(shared_data: Path) -> None:
    lines = (shared_data / "bitcoin" / "mainnet_headers_1_11.txt").read_text().split()
    headers = [parse_header(GENESIS), *(parse_header(bytes.fromhex(line)) for line in lines)]
    check_linked(headers, 0, MAINNET)
    assert headers[0].hash == MAINNET.genesis
    with pytest.raises(Lie, match="block 4 does not stand on"):
        check_linked([*headers[:4], *headers[5:]], 0, MAINNET)
    with pytest.raises(Lie, match="does not reach"):
        check_linked([*headers[:-1], parse_header(headers[-1].raw[:-1] + b"\x01")], 0, MAINNET)


def test_real_blocks_have_their_work(shared_data: Path) -> None:
    for path in sorted((shared_data / "bitcoin" / "blocks").glob("*.dat")):
        check_work(parse_header(path.read_bytes()[:80]), MAINNET)


def test_every_retarget_of_mainnet_is_within_a_factor_of_four(shared_data: Path) -> None:
    periods = json.loads((shared_data / "bitcoin" / "blocks" / "electrum_mainnet_checkpoints.json").read_text())
    targets = [bits_of(target) for _, target in periods if target]
    assert len(targets) > 300
    for old, new in pairwise(targets):
        check_difficulty(header(new), header(old), PERIOD, MAINNET)


def test_a_retarget_among_the_headers_is_checked_exactly() -> None:
    """Two periods of headers that nobody mined: links and targets are checked all the same."""
    chain = [header(0x1D00FFFF, 1231006505 + 100 * number) for number in range(PERIOD)]
    low = replace(chain[-1], bits=0x1C3FFFC0)
    checked = []

    class Work:
        """Counts instead of hashing."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chains.bitcoin.work.check_work", lambda *_: checked.append(Work))
        check_linked([*chain, low], 0, MAINNET)
        with pytest.raises(Lie, match="retargeted"):
            check_linked([*chain, replace(low, bits=0x1D00FFFF)], 0, MAINNET)
    assert len(checked) == 2 * (PERIOD + 1)
