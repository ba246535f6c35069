"""Legacy messages: the header byte names the address's own type, and the key gives exactly its script."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from chains.bitcoin.ownership import verify_offline
from chains.bitcoin.ownership.signatures import ORDER
from chains.core.ownership import BadProof, ProofKind, Shown
from tests.unit.bitcoin.ownership.signing import (
    address,
    key,
    legacy,
    p2pkh_script,
    p2sh_script,
    p2tr,
    p2wpkh_script,
    public,
    settings,
)

A = key(21)
MESSAGE = b"porwatch challenge: message"
SETTINGS = settings()
#: first header byte → (script of the key, name of its template)
TYPES = {
    27: (p2pkh_script(A, compressed=False), "p2pkh"),
    31: (p2pkh_script(A), "p2pkh"),
    35: (p2sh_script(p2wpkh_script(A)), "p2sh-p2wpkh"),
    39: (p2wpkh_script(A), "p2wpkh"),
}


def verify(script: bytes, proof: str, message: bytes = MESSAGE) -> Shown:
    return verify_offline(ProofKind.BITCOIN_MESSAGE, address(script), message, proof, SETTINGS)


@pytest.mark.parametrize("claimed", TYPES)
@pytest.mark.parametrize("first", TYPES)
def test_a_header_shows_the_address_of_its_own_type_and_no_other_of_the_same_key(first: int, claimed: int) -> None:
    script, template = TYPES[claimed]
    proof = legacy(A, MESSAGE, first)
    if first == claimed:
        shown = verify(script, proof)
        assert (shown.locator, shown.detail["script"]) == (address(script), template)
        assert shown.detail["signers"] == public(A, compressed=first > 27).hex()
    else:
        with pytest.raises(BadProof, match="not one of this address"):
            verify(script, proof)


def test_taproot_has_no_legacy_message() -> None:
    for first in TYPES:
        with pytest.raises(BadProof, match="not one of this address"):
            verify(p2tr(A)[0], legacy(A, MESSAGE, first))


def test_the_signature_of_another_key_is_refused() -> None:
    for first, (script, _) in TYPES.items():
        with pytest.raises(BadProof, match="not one of this address"):
            verify(script, legacy(key(22), MESSAGE, first))


@pytest.mark.parametrize("first", TYPES)
@effort(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_bit_of_a_message_or_its_signature_can_be_flipped(first: int, data: st.DataObject) -> None:
    script, _ = TYPES[first]
    proof = legacy(A, MESSAGE, first)
    raw, message = bytearray(base64.b64decode(proof)), bytearray(MESSAGE)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadProof):
        verify(script, base64.b64encode(raw).decode())
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    message[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadProof):
        verify(script, proof, bytes(message))


@effort(max_examples=40, deadline=None)
@given(message=st.binary(max_size=7_000), number=st.integers(0, 1000))
def test_any_message_of_any_key_is_read_back(message: bytes, number: int) -> None:
    script = p2pkh_script(key(number))
    assert verify(script, legacy(key(number), message), message).locator == address(script)


@pytest.mark.parametrize("header", [0, 26, 43, 63, 255])
def test_a_header_that_no_type_has_is_refused(header: int) -> None:
    raw = base64.b64decode(legacy(A, MESSAGE))
    with pytest.raises(BadProof, match="27 to 42"):
        verify(TYPES[31][0], base64.b64encode(bytes([header]) + raw[1:]).decode())


@pytest.mark.parametrize("body", [bytes(64), b"\xff" * 64, ORDER.to_bytes(32, "big") * 2, b"\1" * 32 + bytes(32)])
def test_numbers_that_no_signature_has_are_refused(body: bytes) -> None:
    for recovery in range(4):
        with pytest.raises(BadProof, match="no public key"):
            verify(TYPES[31][0], base64.b64encode(bytes([31 + recovery]) + body).decode())


def test_a_high_s_passes_as_it_does_at_a_node() -> None:
    raw = base64.b64decode(legacy(A, MESSAGE))
    high = (ORDER - int.from_bytes(raw[33:], "big")).to_bytes(32, "big")
    twin = bytes([31 + (raw[0] - 31 ^ 1)]) + raw[1:33] + high
    assert verify(TYPES[31][0], base64.b64encode(twin).decode()).locator == address(TYPES[31][0])


def test_another_length_is_refused() -> None:
    raw = base64.b64decode(legacy(A, MESSAGE))
    for wrong in (raw[:64], raw + b"\0", b"\0"):
        with pytest.raises(BadProof, match="65 bytes"):
            verify(TYPES[31][0], base64.b64encode(wrong).decode())
