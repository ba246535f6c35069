"""Whether an input satisfies the script that it spends: exactly the standard templates, nothing else.

    p2pkh · p2sh multisig · p2sh-p2wpkh · p2sh-p2wsh · p2wpkh · p2wsh · p2tr

where p2wsh holds ``m … n CHECKMULTISIG`` or ``<key> CHECKSIG``, and p2tr is spent by its key or by
its only leaf ``<x-only key> CHECKSIG``. There is no interpreter: a script of another form is refused
by name ("not verifiable"), whatever a node would say of it, so that a script which anyone can satisfy
(OP_TRUE, witness versions of the future, OP_SUCCESS) never shows control. None of the templates
looks at the time, so a proof's timelocks restrict nothing that is checked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from chains.bitcoin.ownership.digests import Signed, hash160, leaf_hash, tagged
from chains.bitcoin.ownership.signatures import check_ecdsa, check_schnorr, is_key, split_schnorr, tweaked
from chains.core.ownership import BadProof

_CHECKSIG = 0xAC
_CHECKMULTISIG = 0xAE
_OP_1, _OP_16 = 0x51, 0x60
#: MAX_SCRIPT_ELEMENT_SIZE.
_ELEMENT_LONGEST = 520
_TAPSCRIPT = 0xC0
_ANNEX = 0x50
_NO_SIGNATURE = "the signature is not one of this address over this message"


@dataclass(frozen=True, slots=True)
class Satisfied:
    """``template``: the script's name; ``needed`` of ``keys`` must sign, and ``signers`` (hex) did."""

    template: str
    needed: int
    keys: int
    signers: tuple[str, ...]


def satisfies(signed: Signed, index: int) -> Satisfied:
    """What satisfied the script that input ``index`` spends. Raises BadProof."""
    script = signed.spent[index].script
    given = signed.tx.inputs[index]
    if _is_p2pkh(script):
        _none(given.witness, "a p2pkh input has no witness")
        return _p2pkh(signed, index, script)
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        return _p2sh(signed, index, script[2:22])
    if _is_program(script):
        _none(given.script, "an input of a segwit address has no signature script")
        return _program(signed, index, script, "")
    raise BadProof(f"not verifiable: the script {_shown(script)} is none of the standard ones")


def redeem_script(script: bytes, witness: tuple[bytes, ...]) -> bytes:
    """The signature script that a simple proof leaves out: the program that P2SH wraps, told by the witness; else b"".

    Whether its hash is the address is checked when it is spent.
    """
    if len(script) != 23 or script[0] != 0xA9 or not witness:
        return b""
    last = witness[-1]
    key = len(witness) == 2 and is_key(last, compressed_only=True)
    program = b"\0\x14" + hash160(last) if key else b"\0\x20" + sha256(last).digest()
    return bytes([len(program)]) + program


def _is_p2pkh(script: bytes) -> bool:
    return len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac"


def _is_program(script: bytes) -> bool:
    return 4 <= len(script) <= 42 and (script[0] == 0 or _OP_1 <= script[0] <= _OP_16) and script[1] == len(script) - 2


def _p2pkh(signed: Signed, index: int, script: bytes) -> Satisfied:
    pushed = _pushes(signed.tx.inputs[index].script)
    if len(pushed) != 2:
        raise BadProof(f"a p2pkh input pushes a signature and a key, not {len(pushed)} things")
    signature, key = pushed
    _same_key(key, script[3:23], compressed_only=False)
    if not check_ecdsa(signature, key, signed.legacy(index, script)):
        raise BadProof(_NO_SIGNATURE)
    return Satisfied("p2pkh", 1, 1, (key.hex(),))


def _p2sh(signed: Signed, index: int, wanted: bytes) -> Satisfied:
    given = signed.tx.inputs[index]
    pushed = _pushes(given.script)
    if not pushed:
        raise BadProof("a p2sh input pushes its redeem script last; here nothing is pushed")
    *rest, redeem = pushed
    if len(redeem) > _ELEMENT_LONGEST:
        raise BadProof(f"the redeem script has {len(redeem)} bytes; no more than {_ELEMENT_LONGEST} can be spent")
    if hash160(redeem) != wanted:
        raise BadProof("the redeem script is not the one of this address")
    if _is_program(redeem):
        _none(rest, "an input of a wrapped segwit address pushes its redeem script and nothing else")
        return _program(signed, index, redeem, "p2sh-")
    _none(given.witness, "an input of a p2sh address has a witness only where it wraps segwit")
    if not rest:
        raise BadProof("a multisig input pushes an empty element, the signatures and the redeem script")
    return _multisig("p2sh-multisig", redeem, tuple(rest), lambda: signed.legacy(index, redeem), compressed_only=False)


def _program(signed: Signed, index: int, program: bytes, wrapped: str) -> Satisfied:
    """A witness program of version 0, or of version 1 (taproot) where nothing wraps it."""
    witness = signed.tx.inputs[index].witness
    if not witness:
        raise BadProof("the witness is empty: a segwit address signs there")
    version, body = program[0], program[2:]
    if version == 0 and len(body) == 20:
        return _p2wpkh(signed, index, body, wrapped)
    if version == 0 and len(body) == 32:
        return _p2wsh(signed, index, body, wrapped)
    if version == _OP_1 and len(body) == 32 and not wrapped:
        return _p2tr(signed, index, body)
    raise BadProof(f"not verifiable: nobody knows yet what satisfies the witness program {_shown(program)}")


def _p2wpkh(signed: Signed, index: int, wanted: bytes, wrapped: str) -> Satisfied:
    witness = signed.tx.inputs[index].witness
    if len(witness) != 2:
        raise BadProof(f"a p2wpkh witness holds a signature and a key, not {len(witness)} things")
    signature, key = witness
    _same_key(key, wanted, compressed_only=True)
    code = b"\x76\xa9\x14" + wanted + b"\x88\xac"
    if not check_ecdsa(signature, key, signed.segwit(index, code)):
        raise BadProof(_NO_SIGNATURE)
    return Satisfied(f"{wrapped}p2wpkh", 1, 1, (key.hex(),))


def _p2wsh(signed: Signed, index: int, wanted: bytes, wrapped: str) -> Satisfied:
    *rest, script = signed.tx.inputs[index].witness
    if sha256(script).digest() != wanted:
        raise BadProof("the witness script is not the one of this address")

    def digest() -> bytes:
        return signed.segwit(index, script)

    if len(script) == 35 and script[0] == 33 and script[34] == _CHECKSIG:
        return _checksig(f"{wrapped}p2wsh-checksig", script[1:34], tuple(rest), digest)
    return _multisig(f"{wrapped}p2wsh-multisig", script, tuple(rest), digest, compressed_only=True)


def _checksig(template: str, key: bytes, stack: tuple[bytes, ...], digest: Callable[[], bytes]) -> Satisfied:
    if not is_key(key, compressed_only=True):
        raise BadProof(f"{key.hex()} is no compressed public key")
    if len(stack) != 1:
        raise BadProof(f"a script of one key takes one signature, not {len(stack)} things")
    if not check_ecdsa(stack[0], key, digest()):
        raise BadProof(_NO_SIGNATURE)
    return Satisfied(template, 1, 1, (key.hex(),))


def _multisig(
    template: str, script: bytes, stack: tuple[bytes, ...], digest: Callable[[], bytes], *, compressed_only: bool
) -> Satisfied:
    """Checks m of n in the order of the script, each signature by a key of its own (CHECKMULTISIG, BIP-147)."""
    needed, keys = _multisig_script(script, compressed_only=compressed_only)
    empty, *signatures = stack or (b"\1",)
    if empty:
        raise BadProof("the first element of a multisig's stack is not empty (BIP-147)")
    if len(signatures) != needed:
        raise BadProof(f"the script needs {needed} signatures of its {len(keys)} keys; {len(signatures)} are there")
    wanted, left, signers = digest(), iter(keys), []
    for number, signature in enumerate(signatures, 1):
        # `left` is used up as it goes: a key that was passed over or has signed is not tried again.
        signer = next((key for key in left if check_ecdsa(signature, key, wanted)), None)
        if signer is None:
            raise BadProof(f"signature {number} of {needed} is of no further key of the script over this message")
        signers.append(signer.hex())
    return Satisfied(template, needed, len(keys), tuple(signers))


def _multisig_script(script: bytes, *, compressed_only: bool) -> tuple[int, list[bytes]]:
    """(m, keys) of the script m <keys> n CHECKMULTISIG and no other."""
    unknown = BadProof(f"not verifiable: the script {_shown(script)} is neither a multisig nor one key's CHECKSIG")
    if len(script) < 37 or script[-1] != _CHECKMULTISIG:
        raise unknown
    place, keys = 1, []
    while place < len(script) - 2:
        key = script[place + 1 : place + 1 + script[place]]
        if len(key) != script[place] or not is_key(key, compressed_only=compressed_only):
            raise unknown
        keys.append(key)
        place += 1 + len(key)
    needed, count = script[0] - _OP_1 + 1, script[-2] - _OP_1 + 1
    if place != len(script) - 2 or count != len(keys) or not 1 <= needed <= count <= 16:
        raise unknown
    # Two keys with one x are one secret: k and -k.
    if len({key[1:33] for key in keys}) != len(keys):
        raise BadProof(f"not verifiable: the script names a key twice, so it is not {needed} of {count}")
    return needed, keys


def _p2tr(signed: Signed, index: int, output_key: bytes) -> Satisfied:
    witness = signed.tx.inputs[index].witness
    if len(witness) > 1 and witness[-1][:1] == bytes([_ANNEX]):
        raise BadProof("not verifiable: the witness has an annex, which means nothing yet (BIP-341)")
    if len(witness) == 1:
        signature, sighash = split_schnorr(witness[0])
        if not check_schnorr(signature, output_key, signed.taproot(index, sighash)):
            raise BadProof(_NO_SIGNATURE)
        return Satisfied("p2tr-key", 1, 1, (output_key.hex(),))
    *stack, script, control = witness
    key = _only_leaf(script, control, output_key)
    if len(stack) != 1:
        raise BadProof(f"a leaf of one key takes one signature, not {len(stack)} things")
    signature, sighash = split_schnorr(stack[0])
    if not check_schnorr(signature, key, signed.taproot(index, sighash, leaf_hash(_TAPSCRIPT, script))):
        raise BadProof(_NO_SIGNATURE)
    return Satisfied("p2tr-leaf", 1, 1, (key.hex(),))


def _only_leaf(script: bytes, control: bytes, output_key: bytes) -> bytes:
    """The x-only key of the leaf <key> CHECKSIG, where it is the only leaf under the output key (BIP-341)."""
    if len(control) != 33 or control[0] & 0xFE != _TAPSCRIPT:
        raise BadProof("not verifiable: of taproot scripts only a single leaf of version 0xc0 is understood")
    if len(script) != 34 or script[0] != 32 or script[33] != _CHECKSIG:
        raise BadProof(f"not verifiable: the leaf {_shown(script)} is not one key's CHECKSIG")
    internal = control[1:]
    point = tweaked(internal, tagged("TapTweak", internal + leaf_hash(_TAPSCRIPT, script)))
    if point != (output_key, control[0] & 1):
        raise BadProof("the leaf is not one of this address")
    return script[1:33]


def _same_key(key: bytes, wanted: bytes, *, compressed_only: bool) -> None:
    if not is_key(key, compressed_only=compressed_only):
        form = "compressed " if compressed_only else ""
        raise BadProof(f"{_shown(key)} is no {form}public key")
    if hash160(key) != wanted:
        raise BadProof("the public key is not the one of this address")


def _pushes(script: bytes) -> list[bytes]:
    """What a signature script pushes, each push in its shortest form (MINIMALDATA)."""
    pushed: list[bytes] = []
    place = 0
    while place < len(script):
        opcode = script[place]
        width = {0x4C: 1, 0x4D: 2}.get(opcode, 0)
        if opcode > 0x4B and not width:
            raise BadProof(f"the signature script does more than push data (opcode {opcode:#04x})")
        start = place + 1 + width
        size = int.from_bytes(script[place + 1 : start], "little") if width else opcode
        data = script[start : start + size]
        place = start + size
        if place > len(script):
            raise BadProof("the signature script ends inside a push")
        # OP_1 to OP_16 and OP_1NEGATE push the small numbers; no signature, key or script is one.
        small = len(data) == 1 and (1 <= data[0] <= 16 or data[0] == 0x81)
        if small or (width == 1 and size <= 0x4B) or (width == 2 and size <= 0xFF):
            raise BadProof("the signature script does not push in the shortest form")
        pushed.append(data)
    return pushed


def _none(things: object, otherwise: str) -> None:
    if things:
        raise BadProof(otherwise)


def _shown(script: bytes) -> str:
    text = script.hex()
    return text if len(text) <= 80 else f"{text[:76]}…"
