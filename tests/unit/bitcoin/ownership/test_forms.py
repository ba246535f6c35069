"""How a proof may be written: one spelling, one transaction, limits on everything, and BadProof for all else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from chains.bitcoin import verify_offline as verify_by_package
from chains.bitcoin.ownership import MESSAGE_LONGEST, coins_named, verify_funds, verify_offline
from chains.bitcoin.ownership.bip322 import to_sign
from chains.bitcoin.ownership.text import Reader, compact
from chains.bitcoin.ownership.transaction import Input, Output, Virtual
from chains.core.ownership import BadProof, ProofKind
from tests.unit.bitcoin.ownership.signing import (
    address,
    full,
    full_text,
    key,
    legacy,
    p2pkh,
    p2tr,
    p2wpkh,
    settings,
    signed_by,
    simple,
    wire,
)

A = key(11)
MESSAGE = b"porwatch challenge: forms"
SETTINGS = settings()
SCRIPT, SPEND = p2wpkh(A)
LOCATOR = address(SCRIPT)
SIMPLE, FULL = simple(SCRIPT, SPEND, MESSAGE), full(SCRIPT, SPEND, MESSAGE)
OFFLINE = (ProofKind.BIP322_SIMPLE, ProofKind.BIP322_FULL, ProofKind.BITCOIN_MESSAGE)


def refuse(kind: ProofKind, proof: str, why: str, locator: str = LOCATOR, message: bytes = MESSAGE) -> None:
    with pytest.raises(BadProof, match=why):
        verify_offline(kind, locator, message, proof, SETTINGS)


def test_the_prefix_may_be_left_out_but_never_be_that_of_another_kind() -> None:
    for kind, proof in ((ProofKind.BIP322_SIMPLE, SIMPLE), (ProofKind.BIP322_FULL, FULL)):
        for text in (proof, proof[3:]):
            assert verify_offline(kind, LOCATOR, MESSAGE, text, SETTINGS).kind is kind
    refuse(ProofKind.BIP322_SIMPLE, FULL, "begins with ful")
    refuse(ProofKind.BIP322_FULL, SIMPLE, "begins with smp")
    refuse(ProofKind.BIP322_FULL, "pof" + FULL[3:], "begins with pof")
    refuse(ProofKind.BIP322_SIMPLE, "SMP" + SIMPLE[3:], "base64|ends too early|elements")
    refuse(ProofKind.BIP322_SIMPLE, "smp" + SIMPLE, "base64|ends too early|elements")


@pytest.mark.parametrize("kind", OFFLINE)
def test_base64_has_one_spelling(kind: ProofKind) -> None:
    script, _ = p2pkh(A)
    message = kind is ProofKind.BITCOIN_MESSAGE
    proof = {ProofKind.BIP322_SIMPLE: SIMPLE[3:], ProofKind.BIP322_FULL: FULL[3:]}.get(kind, legacy(A, MESSAGE))
    locator = address(script) if message else LOCATOR
    assert verify_offline(kind, locator, MESSAGE, proof, SETTINGS).locator == locator
    spelled = [
        f" {proof}",
        f"{proof}\n",
        f"{proof[:8]}\n{proof[8:]}",
        f"{proof}=",
        f"{proof}A",
        f"{proof}====",
        f"é{proof}",
    ]
    spelled += [f"{proof}\0", proof[:-1], "", "=", "===="]
    for text in spelled:
        refuse(kind, text, "base64|empty|ends too early|follow after|characters|65 bytes", locator)


def test_unused_bits_at_the_end_of_base64_are_zero() -> None:
    script, _ = p2pkh(A)
    proof = legacy(A, MESSAGE)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert proof.endswith("=")
    twin = proof[:-2] + alphabet[alphabet.index(proof[-2]) | 1] + "="
    assert base64.b64decode(twin) == base64.b64decode(proof)
    refuse(ProofKind.BITCOIN_MESSAGE, twin, "canonical", address(script))


def test_bytes_after_the_end_and_lengths_written_too_long_are_refused() -> None:
    raw = base64.b64decode(SIMPLE[3:])
    refuse(ProofKind.BIP322_SIMPLE, base64.b64encode(raw + b"\0").decode(), "1 bytes follow")
    refuse(ProofKind.BIP322_SIMPLE, base64.b64encode(b"\xfd\2\0" + raw[1:]).decode(), "longer than it must")
    refuse(ProofKind.BIP322_SIMPLE, base64.b64encode(raw[:-1]).decode(), "ends too early")
    refuse(ProofKind.BIP322_SIMPLE, base64.b64encode(b"\xff" * 9).decode(), "lists 18446744073709551615 elements")
    raw = base64.b64decode(FULL[3:])
    refuse(ProofKind.BIP322_FULL, base64.b64encode(raw + b"\0").decode(), "1 bytes follow")
    refuse(ProofKind.BIP322_FULL, base64.b64encode(raw[:4] + b"\0\2" + raw[6:]).decode(), "no inputs")
    refuse(ProofKind.BIP322_FULL, base64.b64encode(raw[:4] + b"\xff" * 9).decode(), "inputs; 1000 is the most")


@given(value=st.integers(0, (1 << 64) - 1))
def test_a_length_is_read_as_it_is_written(value: int) -> None:
    reader = Reader(compact(value), "a length")
    assert reader.compact() == value
    reader.end()


def test_huge_proofs_and_messages_are_refused_before_they_are_read() -> None:
    for kind in OFFLINE:
        refuse(kind, "A" * 3_000_000, "is the most that is read")
    refuse(ProofKind.BIP322_SIMPLE, SIMPLE, "is the most that is read", message=b"a" * (MESSAGE_LONGEST + 1))
    long = b"a" * MESSAGE_LONGEST
    assert verify_offline(ProofKind.BIP322_SIMPLE, LOCATOR, long, simple(SCRIPT, SPEND, long), SETTINGS)
    with pytest.raises(BadProof, match="is the most that is read"):
        coins_named("A" * 3_000_000)


def test_a_transaction_that_announces_witnesses_and_has_none_is_refused() -> None:
    script, spend = p2pkh(A)
    raw = base64.b64decode(full(script, spend, MESSAGE)[3:])
    superfluous = raw[:4] + b"\0\1" + raw[4:-4] + b"\0" + raw[-4:]
    refuse(ProofKind.BIP322_FULL, base64.b64encode(superfluous).decode(), "has none", address(script))


def test_timelocks_are_told_and_are_part_of_what_is_signed() -> None:
    proof = full(SCRIPT, SPEND, MESSAGE, version=2, lock_time=900_000, sequence=144)
    shown = verify_offline(ProofKind.BIP322_FULL, LOCATOR, MESSAGE, proof, SETTINGS)
    assert (shown.detail["lock_time"], shown.detail["sequence"]) == ("900000", "144")
    raw = base64.b64decode(proof[3:])
    refuse(ProofKind.BIP322_FULL, base64.b64encode(raw[:-4] + bytes(4)).decode(), "not one of this address")


@pytest.mark.parametrize("version", [1, 3, 0xFFFFFFFF])
def test_a_version_that_the_standard_does_not_know_is_not_verifiable(version: int) -> None:
    refuse(ProofKind.BIP322_FULL, full(SCRIPT, SPEND, MESSAGE, version=version), "not verifiable: .* version")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tx: replace(tx, outputs=(Output(1, b"\x6a"),)), id="pays something"),
        pytest.param(lambda tx: replace(tx, outputs=(Output(0, b"\x6a\x00"),)), id="another script"),
        pytest.param(lambda tx: replace(tx, outputs=(Output(0, SCRIPT),)), id="pays somebody"),
        pytest.param(lambda tx: replace(tx, outputs=tx.outputs * 2), id="two outputs"),
        pytest.param(lambda tx: replace(tx, outputs=()), id="no output"),
        pytest.param(lambda tx: replace(tx, inputs=(replace(tx.inputs[0], vout=1),)), id="another output spent"),
        pytest.param(lambda tx: replace(tx, inputs=(replace(tx.inputs[0], txid=bytes(32)),)), id="nothing spent"),
    ],
)
def test_a_transaction_of_another_form_is_refused_though_its_signature_is_right(
    change: Callable[[Virtual], Virtual],
) -> None:
    tx = signed_by(change(to_sign(SCRIPT, MESSAGE)), [Output(0, SCRIPT)], [SPEND])
    refuse(ProofKind.BIP322_FULL, full_text(tx), "one output|has 2 outputs|another message or of another address")


def test_a_real_payment_of_the_owner_is_no_proof() -> None:
    """A signature that the chain shows to everybody cannot be borrowed."""
    payment = Virtual(2, (Input(b"\7" * 32, 0, 0xFFFFFFFD),), (Output(90_000, p2tr(key(12))[0]),), 0)
    paid = signed_by(payment, [Output(100_000, SCRIPT)], [SPEND])
    refuse(ProofKind.BIP322_FULL, full_text(paid), "one output")


def test_an_address_of_another_network_is_refused() -> None:
    for kind, proof in zip(OFFLINE, (SIMPLE, FULL, legacy(A, MESSAGE)), strict=True):
        with pytest.raises(BadProof, match="this chain is mainnet"):
            verify_offline(kind, LOCATOR, MESSAGE, proof, settings("mainnet"))
        refuse(kind, proof, "mainnet address", "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l")
        refuse(kind, proof, "EVM", "0x" + "1" * 40)
        refuse(kind, proof, "checksum", LOCATOR[:-1] + ("q" if LOCATOR[-1] != "q" else "p"))


def test_a_locator_in_another_spelling_is_told_in_its_own() -> None:
    for text in (LOCATOR.upper(), f"script:{SCRIPT.hex()}"):
        assert verify_offline(ProofKind.BIP322_SIMPLE, text, MESSAGE, SIMPLE, SETTINGS).locator == LOCATOR


@pytest.mark.parametrize("kind", sorted(set(ProofKind) - set(OFFLINE) - {ProofKind.BIP322_FUNDS}))
def test_proofs_of_other_chains_are_refused_by_name(kind: ProofKind) -> None:
    refuse(kind, SIMPLE, f"the kind {kind} cannot be given")


def test_the_package_verifies_by_the_same_function() -> None:
    assert verify_by_package(ProofKind.BIP322_SIMPLE, LOCATOR, MESSAGE, SIMPLE, SETTINGS).locator == LOCATOR
    with pytest.raises(BadProof):
        verify_by_package(ProofKind.BIP322_SIMPLE, LOCATOR, b"another", SIMPLE, SETTINGS)


def unknown(txid: str, vout: int) -> tuple[bytes, int]:
    raise BadProof(f"{txid}:{vout} is not unspent")


@effort(max_examples=300, deadline=None)
@given(
    raw=st.binary(max_size=300),
    prefix=st.sampled_from(["", "smp", "ful", "pof"]),
    magic=st.sampled_from([b"", b"psbt\xff\1\0"]),
)
def test_whatever_bytes_come_the_answer_is_bad_proof(raw: bytes, prefix: str, magic: bytes) -> None:
    proof = prefix + base64.b64encode(magic + raw).decode()
    for kind in ProofKind:
        with pytest.raises(BadProof):
            verify_offline(kind, LOCATOR, MESSAGE, proof, SETTINGS)
    with pytest.raises(BadProof):
        verify_funds(LOCATOR, MESSAGE, proof, SETTINGS, unknown)


@effort(max_examples=200, deadline=None)
@given(text=st.text(max_size=100), locator=st.text(max_size=60))
def test_whatever_text_comes_the_answer_is_bad_proof(text: str, locator: str) -> None:
    for kind in ProofKind:
        with pytest.raises(BadProof):
            verify_offline(kind, LOCATOR, MESSAGE, text, SETTINGS)
        with pytest.raises(BadProof):
            verify_offline(kind, locator, MESSAGE, SIMPLE, SETTINGS)


@effort(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_full_proof_that_is_cut_or_stretched_anywhere_is_refused(data: st.DataObject) -> None:
    raw = wire(signed_by(to_sign(SCRIPT, MESSAGE), [Output(0, SCRIPT)], [SPEND]))
    place = data.draw(st.integers(0, len(raw) - 1))
    cut, stretched = (
        raw[:place] + raw[place + 1 :],
        raw[:place] + data.draw(st.binary(min_size=1, max_size=4)) + raw[place:],
    )
    for changed in (cut, stretched):
        with pytest.raises(BadProof):
            verify_offline(ProofKind.BIP322_FULL, LOCATOR, MESSAGE, base64.b64encode(changed).decode(), SETTINGS)
