"""Files of proofs: one or many, strictly as written down, or wrong usage with a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.ownership import ProofKind
from monitor.control.handed import BODY_BYTES_MOST, PROOFS_MOST, Handed, read_handed

ONE = {"challenge": "text", "kind": "eip191", "proof": "0x00"}


def test_one_proof_or_a_list_of_them() -> None:
    expected = Handed("text", ProofKind.EIP191, "0x00")
    assert read_handed(json.dumps(ONE).encode()) == (expected,)
    assert read_handed(json.dumps([ONE, ONE]).encode()) == (expected, expected)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([], "holds 0 proofs"),
        ([ONE] * (PROOFS_MOST + 1), "1001 proofs"),
        ([ONE, {**ONE, "more": ""}], "proof 2: write"),
        ({"challenge": "text", "proof": "0x00"}, "proof 1: write"),
        ({**ONE, "proof": None}, "all of them texts"),
        ({**ONE, "kind": "EIP191"}, "'EIP191' is not known"),
        ("text", "proof 1: write"),
        (None, "proof 1: write"),
    ],
)
def test_what_is_no_proof_is_named(content: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_handed(json.dumps(content).encode())


@pytest.mark.parametrize(
    "body", [b'{"kind": "eip191", "kind": "eip1271"}', b"\xff", b"[" * 5_000, b" " * (BODY_BYTES_MOST + 1)]
)
def test_what_two_readers_could_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        read_handed(body)


@given(st.binary(max_size=200))
def test_any_other_bytes_are_wrong_usage_and_nothing_else(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_handed(body)
