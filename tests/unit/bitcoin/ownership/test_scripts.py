"""Which scripts show control, by whom, and each way to claim an address without its keys."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from chains.bitcoin.ownership import verify_offline
from chains.bitcoin.ownership.bip322 import to_sign
from chains.bitcoin.ownership.digests import Signed, leaf_hash
from chains.bitcoin.ownership.signatures import ORDER
from chains.bitcoin.ownership.transaction import Input, Output
from chains.core.ownership import BadProof, ProofKind, Shown
from tests.unit.bitcoin.ownership.signing import (
    Spend,
    address,
    ecdsa,
    full,
    full_text,
    key,
    legacy,
    multisig,
    p2pkh,
    p2pkh_script,
    p2sh_multisig,
    p2sh_script,
    p2tr,
    p2tr_leaf,
    p2tr_secret,
    p2wpkh,
    p2wpkh_script,
    p2wsh,
    p2wsh_script,
    public,
    push,
    settings,
    signed_by,
    simple,
    witness_bytes,
    xonly,
)

A, B, C = key(1), key(2), key(3)
TWO_OF_THREE = multisig(2, [A, B, C])
MESSAGE = b"porwatch challenge: example"
SETTINGS = settings()
CHECKSIG = push(public(A)) + b"\xac"

#: name → (script and how it is spent, threshold, signers)
TEMPLATES: dict[str, tuple[tuple[bytes, Spend], str, list[bytes]]] = {
    "p2pkh": (p2pkh(A), "1 of 1", [public(A)]),
    "p2wpkh": (p2wpkh(A), "1 of 1", [public(A)]),
    "p2sh-p2wpkh": (p2wpkh(A, wrapped=True), "1 of 1", [public(A)]),
    "p2tr-key": (p2tr(A), "1 of 1", [xonly(p2tr_secret(A))]),
    "p2tr-leaf": (p2tr_leaf(A, B), "1 of 1", [xonly(B)]),
    "p2wsh-checksig": (p2wsh(CHECKSIG, [A]), "1 of 1", [public(A)]),
    "p2wsh-multisig": (p2wsh(TWO_OF_THREE, [A, C]), "2 of 3", [public(A), public(C)]),
    "p2sh-p2wsh-multisig": (p2wsh(TWO_OF_THREE, [B, C], wrapped=True), "2 of 3", [public(B), public(C)]),
    "p2sh-multisig": (p2sh_multisig(TWO_OF_THREE, [A, B]), "2 of 3", [public(A), public(B)]),
}
SIMPLE = sorted(set(TEMPLATES) - {"p2pkh", "p2sh-multisig"})


def verify(kind: ProofKind, script: bytes, proof: str, message: bytes = MESSAGE) -> Shown:
    return verify_offline(kind, address(script), message, proof, SETTINGS)


def refuse(kind: ProofKind, script: bytes, proof: str, why: str, message: bytes = MESSAGE) -> None:
    with pytest.raises(BadProof, match=why):
        verify(kind, script, proof, message)


def refuse_simple(script: bytes, witness: list[bytes], why: str) -> None:
    proof = "smp" + base64.b64encode(witness_bytes(witness)).decode()
    refuse(ProofKind.BIP322_SIMPLE, script, proof, why)


def segwit_digest(script: bytes, code: bytes) -> bytes:
    return Signed(to_sign(script, MESSAGE), [Output(0, script)]).segwit(0, code)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_full_proof_shows_the_script_its_threshold_and_who_signed(template: str) -> None:
    (script, spend), threshold, signers = TEMPLATES[template]
    shown = verify(ProofKind.BIP322_FULL, script, full(script, spend, MESSAGE))
    assert (shown.kind, shown.locator) == (ProofKind.BIP322_FULL, address(script))
    assert (shown.detail["script"], shown.detail["threshold"]) == (template, threshold)
    assert shown.detail["signers"].split() == [each.hex() for each in signers]


@pytest.mark.parametrize("template", SIMPLE)
def test_a_simple_proof_of_segwit_shows_the_same(template: str) -> None:
    (script, spend), threshold, _ = TEMPLATES[template]
    shown = verify(ProofKind.BIP322_SIMPLE, script, simple(script, spend, MESSAGE))
    assert (shown.detail["script"], shown.detail["threshold"]) == (template, threshold)


@pytest.mark.parametrize("template", ["p2pkh", "p2sh-multisig"])
def test_an_address_without_segwit_has_no_simple_proof(template: str) -> None:
    (script, spend), _, _ = TEMPLATES[template]
    with pytest.raises(BadProof):
        verify(ProofKind.BIP322_SIMPLE, script, simple(script, spend, MESSAGE))


@pytest.mark.parametrize("template", TEMPLATES)
@effort(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bit_of_a_full_proof_can_be_flipped(template: str, data: st.DataObject) -> None:
    (script, spend), _, _ = TEMPLATES[template]
    raw = bytearray(base64.b64decode(full(script, spend, MESSAGE)[3:]))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadProof):
        verify(ProofKind.BIP322_FULL, script, "ful" + base64.b64encode(raw).decode())


@pytest.mark.parametrize("template", SIMPLE)
@effort(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bit_of_a_simple_proof_or_of_its_message_can_be_flipped(template: str, data: st.DataObject) -> None:
    (script, spend), _, _ = TEMPLATES[template]
    proof = simple(script, spend, MESSAGE)
    raw, message = bytearray(base64.b64decode(proof[3:])), bytearray(MESSAGE)
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadProof):
        verify(ProofKind.BIP322_SIMPLE, script, "smp" + base64.b64encode(raw).decode())
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    message[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadProof):
        verify(ProofKind.BIP322_SIMPLE, script, proof, bytes(message))


@pytest.mark.parametrize("claimed", TEMPLATES)
@pytest.mark.parametrize("proven", TEMPLATES)
def test_a_proof_of_one_address_shows_no_other(claimed: str, proven: str) -> None:
    (script, spend), _, _ = TEMPLATES[proven]
    other = TEMPLATES[claimed][0][0]
    proof = full(script, spend, MESSAGE)
    if claimed == proven:
        assert verify(ProofKind.BIP322_FULL, other, proof).locator == address(script)
    else:
        refuse(ProofKind.BIP322_FULL, other, proof, "another message or of another address")


def test_one_key_that_signs_twice_is_not_two_of_three() -> None:
    for spender in (p2wsh(TWO_OF_THREE, [A, A]), p2wsh(TWO_OF_THREE, [C, C]), p2sh_multisig(TWO_OF_THREE, [B, B])):
        script, spend = spender
        refuse(ProofKind.BIP322_FULL, script, full(script, spend, MESSAGE), "signature 2 of 2 is of no further key")


def test_fewer_signatures_than_the_threshold_or_more_are_refused() -> None:
    for signers in ([A], [], [A, B, C]):
        script, spend = p2wsh(TWO_OF_THREE, signers)
        refuse(ProofKind.BIP322_FULL, script, full(script, spend, MESSAGE), "needs 2 signatures of its 3 keys")


def test_signatures_in_another_order_than_the_keys_or_of_a_stranger_are_refused() -> None:
    for signers in ([C, A], [A, key(9)], [key(9), B]):
        script, spend = p2wsh(TWO_OF_THREE, signers)
        refuse(ProofKind.BIP322_FULL, script, full(script, spend, MESSAGE), "is of no further key")


def test_a_script_that_names_one_secret_twice_is_no_multisig() -> None:
    negated = b"\x02" if public(A)[0] == 3 else b"\x03"
    twins = bytes([0x52]) + push(public(A)) + push(negated + public(A)[1:]) + b"\x52\xae"
    for script in (multisig(2, [A, A]), multisig(1, [A, B, A]), twins):
        output, spend = p2wsh(script, [A, A])
        refuse(ProofKind.BIP322_FULL, output, full(output, spend, MESSAGE), "names a key twice")


def test_a_multisig_that_needs_nobody_is_not_understood() -> None:
    for none in (b"\0", b"\x50"):
        nobody = none + push(public(A)) + b"\x51\xae"
        refuse_simple(p2wsh_script(nobody), [b"", nobody], "not verifiable")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(b"\x51", id="OP_TRUE"),
        pytest.param(b"\x51\x02\x4e\x73", id="pay to anchor"),
        pytest.param(b"\x52\x20" + bytes(32), id="witness version 2"),
        pytest.param(b"\x60\x02\x01\x02", id="witness version 16"),
        pytest.param(b"\x51\x21" + bytes(33), id="version 1 of another length"),
        pytest.param(b"\x6a", id="OP_RETURN"),
        pytest.param(CHECKSIG, id="pay to public key"),
        pytest.param(TWO_OF_THREE, id="bare multisig"),
    ],
)
def test_a_script_that_anyone_satisfies_or_nobody_understands_shows_nothing(script: bytes) -> None:
    tx = to_sign(script, MESSAGE)
    for witness in ((), (b"\1",)):
        anyone = replace(tx, inputs=(replace(tx.inputs[0], witness=witness),))
        refuse(ProofKind.BIP322_FULL, script, full_text(anyone), "not verifiable|witness is empty")
    refuse_simple(script, [b"\1"], "not verifiable")


def test_scripts_inside_p2wsh_that_need_no_key_are_refused() -> None:
    for script in (b"\x51", b"\x75\x51", b"\x63" + CHECKSIG + b"\x67\x51\x68", CHECKSIG + b"\x75\x51"):
        refuse_simple(p2wsh_script(script), [b"\1", script], "not verifiable")
        refuse_simple(p2sh_script(p2wsh_script(script)), [b"\1", script], "not verifiable")


def test_a_redeem_script_that_needs_no_key_is_refused() -> None:
    for redeem in (b"\x51", b"\x75\x51", push(public(A)) + b"\xac"):
        script = p2sh_script(redeem)
        tx = to_sign(script, MESSAGE)
        for witness in ((), (b"\1",)):
            anyone = replace(tx.inputs[0], script=b"\1\x7f" + push(redeem), witness=witness)
            with pytest.raises(BadProof):
                verify(ProofKind.BIP322_FULL, script, full_text(replace(tx, inputs=(anyone,))))


def test_a_taproot_leaf_that_needs_no_key_is_not_understood() -> None:
    for leaf, version in ((b"\x50", 0xC0), (b"\x51", 0xC0), (push(xonly(B)) + b"\xac", 0xC2)):
        root = leaf_hash(version, leaf)
        tweaked = p2tr_secret(A, root)
        control = bytes([version | (public(tweaked)[0] & 1)]) + xonly(A)
        refuse_simple(b"\x51\x20" + xonly(tweaked), [b"\1", leaf, control], "not verifiable")


def test_a_taproot_leaf_of_another_address_and_an_annex_are_refused() -> None:
    script, spend = p2tr_leaf(A, B)
    signed = Signed(to_sign(script, MESSAGE), [Output(0, script)])
    signature, leaf, control = spend(signed, 0).witness
    other = p2tr_leaf(A, C)[0]
    refuse_simple(other, [signature, leaf, control], "not one of this address")
    refuse_simple(script, [signature, leaf, bytes([control[0] ^ 1]) + control[1:]], "not one of this address")
    refuse_simple(script, [signature, leaf, control, b"\x50"], "annex")
    refuse_simple(script, [signature, leaf, control + bytes(32)], "single leaf")
    refuse_simple(script, [signature, signature, leaf, control], "takes one signature")


@pytest.mark.parametrize("sighash", [0x00, 0x02, 0x03, 0x41, 0x81, 0x82, 0x83])
def test_a_signature_that_does_not_commit_to_everything_is_refused(sighash: int) -> None:
    for spender in (p2pkh(A, sighash=sighash), p2wpkh(A, sighash=sighash)):
        script, spend = spender
        refuse(ProofKind.BIP322_FULL, script, full(script, spend, MESSAGE), "SIGHASH_ALL")
    script, _ = p2tr(A)
    digest = Signed(to_sign(script, MESSAGE), [Output(0, script)]).taproot(0, sighash)
    refuse_simple(script, [p2tr_secret(A).sign_schnorr(digest) + bytes([sighash])], "SIGHASH_ALL")


def test_taproot_may_write_sighash_all_out() -> None:
    script, spend = p2tr(A, explicit=True)
    assert verify(ProofKind.BIP322_SIMPLE, script, simple(script, spend, MESSAGE)).detail["script"] == "p2tr-key"


def der(r: int, s: int, *, pad: bytes = b"") -> bytes:
    def number(value: int, before: bytes = b"") -> bytes:
        body = before + value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\2" + bytes([len(body)]) + body

    body = number(r, pad) + number(s)
    return b"\x30" + bytes([len(body)]) + body


def numbers(signature: bytes) -> tuple[int, int]:
    size = signature[3]
    return int.from_bytes(signature[4 : 4 + size], "big"), int.from_bytes(signature[6 + size :], "big")


def test_another_form_of_the_same_signature_is_refused() -> None:
    script = p2wpkh_script(A)
    signature = ecdsa(A, segwit_digest(script, p2pkh_script(A)))[:-1]
    r, s = numbers(signature)
    assert der(r, s) == signature
    refuse_simple(script, [der(r, ORDER - s) + b"\1", public(A)], "high S")
    for form, why in (
        (der(r, s, pad=b"\0"), "strict DER"),
        (signature + b"\0", "strict DER"),
        (b"\x30" + bytes([signature[1] + 1]) + signature[2:] + b"\0", "strict DER"),
        (signature[:-1], "strict DER"),
        (b"\x30\x81" + signature[1:], "strict DER"),
        (der(0, s), "outside the order"),
        (der(r, 0), "outside the order"),
        (der(ORDER, s), "outside the order"),
    ):
        refuse_simple(script, [form + b"\1", public(A)], why)
    refuse_simple(script, [b"", public(A)], "empty")


def test_segwit_takes_only_compressed_keys_and_nothing_takes_hybrid_ones() -> None:
    long = public(A, compressed=False)
    hybrid = bytes([6 + (long[64] & 1)]) + long[1:]
    for form in (long, hybrid):
        code = p2pkh_script(A)
        refuse_simple(p2wpkh_script(A), [ecdsa(A, segwit_digest(p2wpkh_script(A), code)), form], "no compressed")
    script, spend = p2pkh(A, compressed=False)
    proof = full(script, spend, MESSAGE)
    assert verify(ProofKind.BIP322_FULL, script, proof).detail["signers"] == long.hex()
    raw = base64.b64decode(proof[3:])
    refuse(ProofKind.BIP322_FULL, script, "ful" + base64.b64encode(raw.replace(long, hybrid)).decode(), "no public key")
    wide = multisig(2, [A, B], compressed=False)
    output, spend = p2wsh(wide, [A, B])
    refuse(ProofKind.BIP322_FULL, output, full(output, spend, MESSAGE), "not verifiable")
    output, spend = p2sh_multisig(wide, [A, B])
    assert verify(ProofKind.BIP322_FULL, output, full(output, spend, MESSAGE)).detail["threshold"] == "2 of 2"


def test_the_first_element_of_a_multisig_is_empty() -> None:
    script, spend = p2wsh(TWO_OF_THREE, [A, B])
    witness = spend(Signed(to_sign(script, MESSAGE), [Output(0, script)]), 0).witness
    refuse_simple(script, [b"\1", *witness[1:]], "BIP-147")
    refuse_simple(script, [TWO_OF_THREE], "BIP-147")


def alter(script: bytes, spend: Spend, change: Callable[[Input], Input]) -> str:
    tx = signed_by(to_sign(script, MESSAGE), [Output(0, script)], [spend])
    return full_text(replace(tx, inputs=(change(tx.inputs[0]),)))


def test_a_signature_script_pushes_data_in_the_shortest_form_and_nothing_else() -> None:
    script, spend = p2pkh(A)
    for change, why in (
        (lambda old: b"\x4c" + old, "shortest form"),
        (lambda old: b"\x4d" + old[:1] + b"\0" + old[1:], "shortest form"),
        (lambda old: b"\1\1" + old, "shortest form"),
        (lambda old: b"\0" + old, "not 3 things"),
        (lambda old: old + b"\xac", "more than push"),
        (lambda old: b"\x61" + old, "more than push"),
        (lambda old: old[:-1], "inside a push"),
        (lambda _: b"", "not 0 things"),
    ):
        proof = alter(script, spend, lambda each, change=change: replace(each, script=change(each.script)))
        refuse(ProofKind.BIP322_FULL, script, proof, why)


def test_a_witness_or_signature_script_where_none_belongs_is_refused() -> None:
    script, spend = p2pkh(A)
    refuse(
        ProofKind.BIP322_FULL, script, alter(script, spend, lambda each: replace(each, witness=(b"",))), "no witness"
    )
    script, spend = p2wpkh(A)
    proof = alter(script, spend, lambda each: replace(each, script=b"\0"))
    refuse(ProofKind.BIP322_FULL, script, proof, "no signature script")
    script, spend = p2wpkh(A, wrapped=True)
    proof = alter(script, spend, lambda each: replace(each, script=b"\0" + each.script))
    refuse(ProofKind.BIP322_FULL, script, proof, "nothing else")


def test_a_legacy_signature_of_a_multisig_key_does_not_show_the_multisig() -> None:
    for script in (p2sh_script(TWO_OF_THREE), p2wsh_script(TWO_OF_THREE)):
        for first in (27, 31, 35, 39):
            refuse(ProofKind.BITCOIN_MESSAGE, script, legacy(A, MESSAGE, first), "not one of this address")
