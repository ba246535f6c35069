"""A stranger signs with keys of his own, perfectly, under an address that is not his; and scripts that only look right."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from coincurve import PrivateKey

from chains.bitcoin.ownership import verify_offline
from chains.bitcoin.ownership.bip322 import to_sign
from chains.bitcoin.ownership.digests import Signed
from chains.bitcoin.ownership.transaction import Input, Output
from chains.core.ownership import BadProof, ProofKind
from tests.unit.bitcoin.ownership.signing import (
    address,
    ecdsa,
    full_text,
    key,
    multisig,
    p2pkh_script,
    p2sh_multisig,
    p2sh_script,
    p2tr,
    p2tr_leaf,
    p2tr_secret,
    p2wpkh_script,
    p2wsh,
    p2wsh_script,
    public,
    push,
    settings,
    signed_by,
    xonly,
)

OWNER, OTHER, STRANGER = key(41), key(42), key(43)
MESSAGE = b"porwatch challenge: strangers"
SETTINGS = settings()
OWNED = multisig(1, [OWNER, OTHER])
STOLEN = multisig(1, [STRANGER, OTHER])


def ready(script: bytes) -> Signed:
    return Signed(to_sign(script, MESSAGE), [Output(0, script)])


def refuse(signed: Signed, spent: Input, why: str) -> None:
    proof = full_text(replace(signed.tx, inputs=(spent,)))
    with pytest.raises(BadProof, match=why):
        verify_offline(ProofKind.BIP322_FULL, address(signed.spent[0].script), MESSAGE, proof, SETTINGS)


def given(signed: Signed, script: bytes = b"", *witness: bytes) -> Input:
    return replace(signed.tx.inputs[0], script=script, witness=witness)


def test_a_strangers_key_under_an_address_of_one_key_is_refused() -> None:
    signed = ready(p2pkh_script(OWNER))
    signature = ecdsa(STRANGER, signed.legacy(0, signed.spent[0].script))
    refuse(signed, given(signed, push(signature) + push(public(STRANGER))), "not the one of this address")
    program = p2wpkh_script(OWNER)
    for script, outer in ((program, b""), (p2sh_script(program), push(program))):
        signed = ready(script)
        signature = ecdsa(STRANGER, signed.segwit(0, p2pkh_script(OWNER)))
        refuse(signed, given(signed, outer, signature, public(STRANGER)), "not the one of this address")


def test_a_strangers_script_under_an_address_of_a_script_is_refused() -> None:
    signed = ready(p2sh_script(OWNED))
    signature = ecdsa(STRANGER, signed.legacy(0, STOLEN))
    refuse(signed, given(signed, b"\0" + push(signature) + push(STOLEN)), "not the one of this address")
    program = p2wsh_script(OWNED)
    for script, outer in ((program, b""), (p2sh_script(program), push(program))):
        signed = ready(script)
        signature = ecdsa(STRANGER, signed.segwit(0, STOLEN))
        refuse(signed, given(signed, outer, b"", signature, STOLEN), "not the one of this address")
    signed = ready(p2sh_script(program))
    signature = ecdsa(STRANGER, signed.segwit(0, STOLEN))
    refuse(signed, given(signed, push(p2wsh_script(STOLEN)), b"", signature, STOLEN), "not the one of this address")


def test_a_strangers_taproot_key_or_leaf_is_refused() -> None:
    signed = ready(p2tr(OWNER)[0])
    signature = p2tr_secret(STRANGER).sign_schnorr(signed.taproot(0, 0))
    refuse(signed, given(signed, b"", signature), "not one of this address")
    untweaked = OWNER.sign_schnorr(signed.taproot(0, 0))
    refuse(signed, given(signed, b"", untweaked), "not one of this address")
    spent = p2tr_leaf(STRANGER, STRANGER)[1](signed, 0)
    refuse(signed, spent, "not one of this address")


def test_taproot_inside_p2sh_is_not_understood_though_it_is_signed() -> None:
    program, spend = p2tr(OWNER)
    script = p2sh_script(program)
    signed = ready(script)
    refuse(signed, replace(spend(signed, 0), script=push(program)), "not verifiable")


def test_a_witness_beside_a_p2sh_multisig_is_refused() -> None:
    script, spend = p2sh_multisig(OWNED, [OWNER])
    signed = ready(script)
    refuse(signed, replace(spend(signed, 0), witness=(b"\1",)), "only where it wraps segwit")


def test_a_redeem_script_that_no_node_would_take_is_refused() -> None:
    secrets = [key(100 + number) for number in range(16)]
    script, spend = p2sh_multisig(multisig(1, secrets), secrets[:1])
    signed = ready(script)
    refuse(signed, spend(signed, 0), "no more than 520")
    script, spend = p2sh_multisig(multisig(1, secrets[:15]), secrets[:1])
    proof = full_text(signed_by(to_sign(script, MESSAGE), [Output(0, script)], [spend]))
    shown = verify_offline(ProofKind.BIP322_FULL, address(script), MESSAGE, proof, SETTINGS)
    assert shown.detail["threshold"] == "1 of 15"


def ending_in(last: int) -> PrivateKey:
    return next(each for each in map(key, range(1000, 9000)) if public(each)[-1] == last)


def test_scripts_that_only_look_like_a_multisig_are_not_understood() -> None:
    keys = push(public(OWNER)) + push(public(OTHER))
    two = ending_in(0x52)
    looks = [
        # The count is missing; the last byte of the last key would be read as one.
        b"\x51" + push(public(OWNER)) + push(public(two)) + b"\xae",
        b"\x51" + keys + b"\x53\xae",
        b"\x53" + keys + b"\x52\xae",
        b"\x51" + keys + b"\x52\xaf",
        b"\x51" + keys + b"\x61\x52\xae",
        b"\x51" + push(public(OWNER)) + push(b"\5" + public(OTHER)[1:]) + b"\x52\xae",
        b"\x51" + push(public(OWNER)) + push(xonly(OTHER)) + b"\x52\xae",
        b"\1\1" + keys + b"\x52\xae",
        b"\x51\x52\xae" + bytes(40),
    ]
    for script in looks:
        output, spend = p2wsh(script, [OWNER])
        signed = ready(output)
        refuse(signed, spend(signed, 0), "not verifiable")


def test_a_key_that_is_no_point_of_the_curve_is_refused() -> None:
    nowhere = b"\2" + b"\xff" * 32
    script = push(nowhere) + b"\xac"
    output, spend = p2wsh(script, [OWNER])
    signed = ready(output)
    refuse(signed, spend(signed, 0), "no point of the curve")
    signed = ready(b"\x51\x20" + b"\xff" * 32)
    refuse(signed, given(signed, b"", OWNER.sign_schnorr(signed.taproot(0, 0))), "no point of the curve")
    leaf = push(xonly(OWNER)) + b"\xac"
    refuse(signed, given(signed, b"", bytes(64), leaf, b"\xc0" + b"\xff" * 32), "no point of the curve")


def test_a_proof_copied_to_another_message_or_entity_is_refused() -> None:
    """The signature of a constant text, or of a challenge for somebody else, is nothing here."""
    script, spend = p2wsh(OWNED, [OWNER])
    proof = full_text(signed_by(to_sign(script, b"I am an exchange address"), [Output(0, script)], [spend]))
    raw = base64.b64decode(proof[3:])
    moved = raw.replace(
        to_sign(script, b"I am an exchange address").inputs[0].txid, to_sign(script, MESSAGE).inputs[0].txid
    )
    for text, why in ((raw, "another message"), (moved, "of no further key")):
        with pytest.raises(BadProof, match=why):
            verify_offline(
                ProofKind.BIP322_FULL, address(script), MESSAGE, "ful" + base64.b64encode(text).decode(), SETTINGS
            )
