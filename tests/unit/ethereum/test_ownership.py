"""Proofs of control over EVM addresses without a node: one spelling of a signature, one text, one address."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.core.errors import BadAnswer
from chains.core.ownership import BadProof, ProofKind, Shown
from chains.ethereum import Settings, verify_offline
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.messages import personal_digest, safe_message_digest
from chains.ethereum.verify.owners import Safe, decode_owners, signers
from tests.keys import ORDER, Key, high_s, joined

TEXT = "porwatch proof of control\nEntity: 例"
KEY, OTHER = Key(), Key()
GOOD = KEY.personal(TEXT)
SETTINGS = Settings.model_construct()
OWNERS = [Key() for _ in range(4)]
SAFE = Safe("0x" + "5a" * 20, tuple(key.address.lower() for key in OWNERS), 3, "1.4.1", chain_bound=True)
CHAIN_ID = 1


def verify(proof: str, locator: str = KEY.address, text: str = TEXT, kind: ProofKind = ProofKind.EIP191) -> Shown:
    return verify_offline(kind, locator, text.encode(), proof, SETTINGS)


def test_a_personal_message_shows_control_of_the_address_of_its_key() -> None:
    assert verify(GOOD) == Shown(ProofKind.EIP191, KEY.address, {"signer": KEY.address.lower()})


def published(signature: str, locator: str, message: str) -> Shown:
    """As one exchange signs: the personal message is the Keccak-256 of its text."""
    return verify_offline(ProofKind.EIP191, locator, keccak(message.encode()), signature, SETTINGS)


def test_signatures_that_another_exchange_published_are_read_as_it_meant_them(shared_data: Path) -> None:
    content = json.loads((shared_data / "por_samples" / "okx_ownership_signature_vectors.json").read_text())
    # The others are of addresses that their chains spell in another way.
    vectors = [each for each in content["vectors"]["TestVerifyEvmCoinSignature"] if len(each["addr"]) == 42]
    assert len(vectors) == 8
    for each in vectors:
        assert published(each["sign"], each["addr"], each["msg"]).locator == each["addr"]


def test_bypass_contracts_that_another_exchange_claimed_by_keys_which_nothing_links_to_them(shared_data: Path) -> None:
    lines = (shared_data / "por_samples" / "okx_por_example.csv").read_text(encoding="utf-8-sig").splitlines()
    claimed = [row for row in csv.reader(lines) if row[:1] == ["ETH"] and len(row) > 9 and row[9]]
    assert claimed
    for _, _, _, contract, _, message, signature, _, _, key, *_ in claimed:
        assert published(signature, key, message).locator == key
        with pytest.raises(BadProof, match="has not signed"):
            published(signature, contract, message)


@settings(max_examples=300)
@given(st.integers(0, 65 * 8 - 1))
def test_no_bit_of_a_signature_can_be_flipped(bit: int) -> None:
    raw = bytearray(bytes.fromhex(GOOD[2:]))
    raw[bit // 8] ^= 1 << (bit % 8)
    with pytest.raises(BadProof):
        verify("0x" + raw.hex())


@given(st.data())
def test_no_bit_of_the_text_can_be_flipped(data: st.DataObject) -> None:
    raw = bytearray(TEXT.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadProof, match="another text"):
        verify_offline(ProofKind.EIP191, KEY.address, bytes(raw), GOOD, SETTINGS)


def test_bypass_a_signature_by_the_key_of_another_address() -> None:
    with pytest.raises(BadProof, match=f"by {OTHER.address.lower()}"):
        verify(OTHER.personal(TEXT))


def test_bypass_the_second_spelling_of_a_signature() -> None:
    with pytest.raises(BadProof, match="upper half"):
        verify(high_s(GOOD))


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        ("", "0x and lower-case"),
        ("0x", "65 bytes, not 0"),
        (GOOD[2:], "0x and lower-case"),
        (GOOD.upper(), "0x and lower-case"),
        ("0x" + GOOD[2:].upper(), "0x and lower-case"),
        (GOOD + "00", "longer than 65"),
        (GOOD[:-2], "65 bytes, not 64"),
        (GOOD[:-1], "0x and lower-case"),
        (" " + GOOD[:-2], "0x and lower-case"),
        (GOOD[:-2] + "00", "ends in 0"),
        (GOOD[:-2] + "01", "ends in 1"),
        (GOOD[:-2] + "1d", "ends in 29"),
        (GOOD[:-2] + "25", "ends in 37"),
        ("0x" + "00" * 64 + "1b", "no key"),
        ("0x" + "00" * 32 + "01" * 32 + "1b", "no key"),
        ("0x" + f"{ORDER:064x}" + "01" * 32 + "1b", "no key"),
        ("0x" + "ff" * 64 + "1b", "no key"),
        ("0x" + "١" * 130, "0x and lower-case"),
    ],
)
def test_what_is_no_signature_is_refused_with_the_reason(proof: str, why: str) -> None:
    with pytest.raises(BadProof, match=why):
        verify(proof)


@given(st.text(max_size=140), st.sampled_from(ProofKind))
def test_nothing_but_a_bad_proof_is_ever_raised(proof: str, kind: ProofKind) -> None:
    with pytest.raises(BadProof, match=r"\S"):
        verify(proof, kind=kind)


@pytest.mark.parametrize("kind", [kind for kind in ProofKind if kind is not ProofKind.EIP191])
def test_bypass_a_kind_that_an_evm_address_has_not_is_never_passed(kind: ProofKind) -> None:
    with pytest.raises(BadProof, match=kind.value):
        verify(GOOD, kind=kind)


def owners_sign(proof: str, safe: Safe = SAFE, text: str = TEXT) -> tuple[str, ...]:
    return signers(safe, text.encode(), proof, CHAIN_ID)


@given(st.permutations(range(4)), st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_any_order_and_any_form_of_enough_distinct_owners_is_enough(order: list[int], forms: list[int]) -> None:
    chosen = [OWNERS[n] for n in order[:3]]
    proof = joined(*(form_of(key, form) for key, form in zip(chosen, forms, strict=False)))
    assert owners_sign(proof) == tuple(key.address.lower() for key in chosen)


def form_of(key: Key, form: int, text: str = TEXT, safe: Safe = SAFE) -> str:
    """An owner's signature as a personal message, as a Safe's message, or by eth_sign over that."""
    typed = safe_message_digest(text.encode(), safe.address, CHAIN_ID)
    return [
        key.personal(text),
        "0x" + key.sign(typed).hex(),
        "0x" + key.sign(personal_digest(typed), offset=31).hex(),
    ][form]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=6))
def test_bypass_two_owners_who_repeat_themselves_are_never_three(answers: list[tuple[int, int]]) -> None:
    with pytest.raises(BadProof):
        owners_sign(joined(*(form_of(OWNERS[owner], form) for owner, form in answers)))


@given(st.integers(0, 2), st.integers(0, 65 * 8 - 1))
def test_no_bit_of_an_owners_signature_can_be_flipped(form: int, bit: int) -> None:
    raw = bytearray(bytes.fromhex(joined(*(form_of(key, form) for key in OWNERS[:3]))[2:]))
    raw[bit // 8] ^= 1 << (bit % 8)
    with pytest.raises(BadProof):
        owners_sign("0x" + raw.hex())


@pytest.mark.parametrize(
    ("safe", "why"),
    [
        (Safe(SAFE.address, SAFE.owners, 0, "1.4.1", chain_bound=True), "threshold is 0"),
        (Safe(SAFE.address, (), 1, "1.4.1", chain_bound=True), "has 0 owners"),
        (Safe(SAFE.address, SAFE.owners, 5, "1.4.1", chain_bound=True), "needs 5 signatures"),
        (Safe(SAFE.address, (*SAFE.owners[:1], *SAFE.owners[:1]), 1, "1.4.1", chain_bound=True), "twice"),
        (Safe(SAFE.address, (*SAFE.owners, SAFE.address), 1, "1.4.1", chain_bound=True), "never sign"),
        (Safe(SAFE.address, (*SAFE.owners, "0x" + "0" * 40), 1, "1.4.1", chain_bound=True), "never sign"),
        (Safe(SAFE.address, (*SAFE.owners, "0x" + "0" * 39 + "1"), 1, "1.4.1", chain_bound=True), "never sign"),
    ],
)
def test_bypass_a_safe_whose_owners_or_threshold_mean_nothing(safe: Safe, why: str) -> None:
    with pytest.raises(BadProof, match=why):
        owners_sign(joined(*(key.personal(TEXT) for key in OWNERS)), safe)


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        ("0x", "have 0 bytes"),
        (joined(*(key.personal(TEXT) for key in OWNERS[:2])), "2 owners signed, the Safe needs 3 of its 4"),
        (joined(*(key.personal(TEXT) for key in OWNERS[:3]))[:-2], "have 194 bytes"),
        (joined(*(key.personal(TEXT) for key in (*OWNERS[:3], OTHER))), "signature 4 is by no owner"),
        (joined(high_s(OWNERS[0].personal(TEXT)), *(key.personal(TEXT) for key in OWNERS[1:])), "signature 1"),
        (joined(*(form_of(key, 1, text="another") for key in OWNERS)), "over another text"),
        ("no hex", "cannot be read"),
    ],
)
def test_what_owners_did_not_sign_is_refused_with_the_reason(proof: str, why: str) -> None:
    with pytest.raises(BadProof, match=why):
        owners_sign(proof)


def test_a_message_of_a_safe_is_bound_to_that_safe_and_to_its_chain() -> None:
    digests = {
        safe_message_digest(TEXT.encode(), address, chain_id)
        for address in ("0x" + "5a" * 20, "0x" + "5b" * 20)
        for chain_id in (None, 1, 2)
    }
    assert len(digests) == 6


@pytest.mark.parametrize(
    "words",
    [
        [],
        [32],
        [64, 0],
        [32, 1],
        [32, 0, 1],
        [32, 1, 1 << 160],
        [32, 1 << 255],
    ],
)
def test_owners_that_are_no_array_of_addresses_are_a_bad_answer(words: list[int]) -> None:
    with pytest.raises(BadAnswer):
        decode_owners(b"".join(word.to_bytes(32, "big") for word in words))


def test_owners_are_read_in_their_order() -> None:
    words: list[Any] = [32, 2, 0xAB, 0xCD]
    assert decode_owners(b"".join(word.to_bytes(32, "big") for word in words)) == (
        "0x" + "0" * 38 + "ab",
        "0x" + "0" * 38 + "cd",
    )
