"""Signs for the tests, with throw-away keys made at run time: what the verifier must accept, and its forgeries."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from coincurve import PrivateKey

from chains.bitcoin import Settings
from chains.bitcoin.addresses import locator_of
from chains.bitcoin.networks import NETWORKS
from chains.bitcoin.ownership.bip322 import to_sign
from chains.bitcoin.ownership.digests import Signed, hash160, leaf_hash, tagged
from chains.bitcoin.ownership.message import message_digest
from chains.bitcoin.ownership.signatures import ORDER
from chains.bitcoin.ownership.text import compact, counted
from chains.bitcoin.ownership.transaction import Input, Output, Virtual

REGTEST = NETWORKS["regtest"]
#: Spends input `index` of what is to be signed: gives it back with signature script and witness.
Spend = Callable[[Signed, int], Input]


def settings(network: str = "regtest") -> Settings:
    return Settings.model_validate(
        {"kind": "bitcoin", "network": network, "native": "BTC", "endpoints": [{"url": "http://127.0.0.1:1"}]}
    )


def key(number: int) -> PrivateKey:
    """A throw-away key, the same for the same number."""
    return PrivateKey(sha256(b"throw-away" + number.to_bytes(4, "big")).digest())


def public(secret: PrivateKey, *, compressed: bool = True) -> bytes:
    return secret.public_key.format(compressed=compressed)


def xonly(secret: PrivateKey) -> bytes:
    return public(secret)[1:]


def ecdsa(secret: PrivateKey, digest: bytes, sighash: int = 1) -> bytes:
    return secret.sign(digest, hasher=None) + bytes([sighash])


def push(data: bytes) -> bytes:
    size = len(data)
    if size <= 75:
        return bytes([size]) + data
    return (b"\x4c" + bytes([size]) if size <= 255 else b"\x4d" + size.to_bytes(2, "little")) + data


def multisig(needed: int, secrets: Sequence[PrivateKey], *, compressed: bool = True) -> bytes:
    keys = b"".join(push(public(each, compressed=compressed)) for each in secrets)
    return bytes([0x50 + needed]) + keys + bytes([0x50 + len(secrets), 0xAE])


def p2pkh_script(secret: PrivateKey, *, compressed: bool = True) -> bytes:
    return b"\x76\xa9\x14" + hash160(public(secret, compressed=compressed)) + b"\x88\xac"


def p2wpkh_script(secret: PrivateKey) -> bytes:
    return b"\0\x14" + hash160(public(secret))


def p2wsh_script(script: bytes) -> bytes:
    return b"\0\x20" + sha256(script).digest()


def p2sh_script(redeem: bytes) -> bytes:
    return b"\xa9\x14" + hash160(redeem) + b"\x87"


def p2tr_secret(secret: PrivateKey, merkle_root: bytes = b"") -> PrivateKey:
    """The tweaked key that spends an output of this internal key (BIP-341)."""
    even = secret.secret if public(secret)[0] == 2 else (ORDER - secret.to_int()).to_bytes(32, "big")
    tweak = int.from_bytes(tagged("TapTweak", xonly(secret) + merkle_root), "big")
    return PrivateKey(((int.from_bytes(even, "big") + tweak) % ORDER).to_bytes(32, "big"))


def p2pkh(secret: PrivateKey, *, compressed: bool = True, sighash: int = 1) -> tuple[bytes, Spend]:
    script = p2pkh_script(secret, compressed=compressed)

    def spend(signed: Signed, index: int) -> Input:
        signature = ecdsa(secret, signed.legacy(index, script), sighash)
        pushed = push(signature) + push(public(secret, compressed=compressed))
        return replace(signed.tx.inputs[index], script=pushed)

    return script, spend


def p2wpkh(secret: PrivateKey, *, wrapped: bool = False, sighash: int = 1) -> tuple[bytes, Spend]:
    program = p2wpkh_script(secret)
    code = p2pkh_script(secret)

    def spend(signed: Signed, index: int) -> Input:
        witness = (ecdsa(secret, signed.segwit(index, code), sighash), public(secret))
        return replace(signed.tx.inputs[index], script=push(program) if wrapped else b"", witness=witness)

    return (p2sh_script(program) if wrapped else program), spend


def p2wsh(script: bytes, secrets: Sequence[PrivateKey], *, wrapped: bool = False) -> tuple[bytes, Spend]:
    """A witness script that these keys satisfy in this order: CHECKSIG for a script of 35 bytes, else CHECKMULTISIG."""
    program = p2wsh_script(script)

    def spend(signed: Signed, index: int) -> Input:
        signatures = [ecdsa(each, signed.segwit(index, script)) for each in secrets]
        stack = signatures if len(script) == 35 else [b"", *signatures]
        return replace(signed.tx.inputs[index], script=push(program) if wrapped else b"", witness=(*stack, script))

    return (p2sh_script(program) if wrapped else program), spend


def p2sh_multisig(script: bytes, secrets: Sequence[PrivateKey]) -> tuple[bytes, Spend]:
    def spend(signed: Signed, index: int) -> Input:
        signatures = [push(ecdsa(each, signed.legacy(index, script))) for each in secrets]
        return replace(signed.tx.inputs[index], script=b"\0" + b"".join(signatures) + push(script))

    return p2sh_script(script), spend


def p2tr(secret: PrivateKey, *, explicit: bool = False) -> tuple[bytes, Spend]:
    """Taproot by its key. ``explicit``: SIGHASH_ALL is written instead of left out."""
    tweaked = p2tr_secret(secret)

    def spend(signed: Signed, index: int) -> Input:
        signature = tweaked.sign_schnorr(signed.taproot(index, int(explicit)))
        return replace(signed.tx.inputs[index], witness=(signature + b"\1" * explicit,))

    return b"\x51\x20" + xonly(tweaked), spend


def p2tr_leaf(internal: PrivateKey, secret: PrivateKey) -> tuple[bytes, Spend]:
    """Taproot by its only leaf, which holds the key of ``secret``."""
    leaf = push(xonly(secret)) + b"\xac"
    root = leaf_hash(0xC0, leaf)
    tweaked = p2tr_secret(internal, root)
    control = bytes([0xC0 | (public(tweaked)[0] & 1)]) + xonly(internal)

    def spend(signed: Signed, index: int) -> Input:
        signature = secret.sign_schnorr(signed.taproot(index, 0, root))
        return replace(signed.tx.inputs[index], witness=(signature, leaf, control))

    return b"\x51\x20" + xonly(tweaked), spend


def address(script: bytes) -> str:
    return locator_of(script, REGTEST)


def signed_by(tx: Virtual, spent: Sequence[Output], spends: Sequence[Spend]) -> Virtual:
    """The transaction with every input signed."""
    signed = Signed(tx, spent)
    return replace(tx, inputs=tuple(spend(signed, index) for index, spend in enumerate(spends)))


def witness_bytes(witness: Sequence[bytes]) -> bytes:
    return compact(len(witness)) + b"".join(counted(each) for each in witness)


def wire(tx: Virtual) -> bytes:
    """The network serialisation, with witnesses where there are any (BIP-144)."""
    plain = tx.written()
    if not any(each.witness for each in tx.inputs):
        return plain
    return plain[:4] + b"\0\1" + plain[4:-4] + b"".join(witness_bytes(each.witness) for each in tx.inputs) + plain[-4:]


def simple(script: bytes, spend: Spend, message: bytes) -> str:
    tx = signed_by(to_sign(script, message), [Output(0, script)], [spend])
    return "smp" + base64.b64encode(witness_bytes(tx.inputs[0].witness)).decode()


def full(script: bytes, spend: Spend, message: bytes, version: int = 0, lock_time: int = 0, sequence: int = 0) -> str:
    tx = to_sign(script, message)
    tx = replace(tx, version=version, lock_time=lock_time, inputs=(replace(tx.inputs[0], sequence=sequence),))
    return full_text(signed_by(tx, [Output(0, script)], [spend]))


def full_text(tx: Virtual) -> str:
    return "ful" + base64.b64encode(wire(tx)).decode()


def psbt_text(tx: Virtual, spent: Sequence[Output]) -> str:
    """The finalised PSBT of a signed transaction, with the spent outputs."""
    unsigned = replace(tx, inputs=tuple(replace(each, script=b"", witness=()) for each in tx.inputs))
    maps = [b"\1\0" + counted(unsigned.written()) + b"\0"]
    for each, coin in zip(tx.inputs, spent, strict=True):
        fields = b"\1\1" + counted(coin.written())
        fields += b"\1\7" + counted(each.script) if each.script else b""
        fields += b"\1\x08" + counted(witness_bytes(each.witness)) if each.witness else b""
        maps.append(fields + b"\0")
    return "pof" + base64.b64encode(b"psbt\xff" + b"".join(maps) + b"\0").decode()


def legacy(secret: PrivateKey, message: bytes, first: int = 31) -> str:
    """A legacy message signature; ``first``: the first header byte of its type (BIP-137)."""
    made = secret.sign_recoverable(message_digest(message), hasher=None)
    return base64.b64encode(bytes([first + made[64]]) + made[:64]).decode()
