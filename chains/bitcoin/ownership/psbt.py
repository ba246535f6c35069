"""The finalised PSBT (BIP-174, version 0) in which BIP-322 carries a proof of funds.

Only what a finalised PSBT needs is allowed to stand in it; everything else is refused, so that a
proof has one spelling. What it says about the coins is compared with the coins themselves and never
believed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chains.bitcoin.ownership.text import Reader
from chains.bitcoin.ownership.transaction import WITNESS_MOST, Output, Virtual, parse
from chains.core.ownership import BadProof

MAGIC = b"psbt\xff"
_UNSIGNED = b"\x00"
_GLOBAL_VERSION = b"\xfb"
_COIN_TRANSACTION, _COIN_OUTPUT = b"\x00", b"\x01"
_FINAL_SCRIPT, _FINAL_WITNESS = b"\x07", b"\x08"
_FIELDS_MOST = 8
#: Outputs of a transaction that made a coin: a block holds no more.
_OUTPUTS_MOST = 120_000


@dataclass(frozen=True, slots=True)
class Told:
    """What a PSBT says about one spent coin: the output, the transaction that made it, or both."""

    output: Output | None
    made_by: Virtual | None


def read(data: bytes) -> tuple[Virtual, tuple[Told, ...]]:
    """(the signed transaction, what is said about each coin that it spends). Raises BadProof."""
    reader = Reader(data, "the PSBT")
    if reader.take(len(MAGIC)) != MAGIC:
        raise BadProof("the proof of funds is no PSBT (BIP-174)")
    fields = _map(reader, {_UNSIGNED, _GLOBAL_VERSION})
    if _UNSIGNED not in fields or fields.get(_GLOBAL_VERSION, bytes(4)) != bytes(4):
        raise BadProof("not verifiable: the PSBT is not of version 0, which holds the whole unsigned transaction")
    unsigned = parse(fields[_UNSIGNED], "the unsigned transaction of the PSBT", witnesses=False)
    if any(each.script for each in unsigned.inputs):
        raise BadProof("the unsigned transaction of the PSBT holds a signature script")
    inputs, told = [], []
    for each in unsigned.inputs:
        fields = _map(reader, {_COIN_TRANSACTION, _COIN_OUTPUT, _FINAL_SCRIPT, _FINAL_WITNESS})
        script, witness = fields.get(_FINAL_SCRIPT, b""), _witness(fields.get(_FINAL_WITNESS))
        if not script and not witness:
            raise BadProof(f"the PSBT has no final signature for {each.coin()}: finalise it in the wallet first")
        inputs.append(replace(each, script=script, witness=witness))
        told.append(_told(fields))
    for _ in unsigned.outputs:
        _map(reader, set())
    reader.end()
    return replace(unsigned, inputs=tuple(inputs)), tuple(told)


def _map(reader: Reader, known: set[bytes]) -> dict[bytes, bytes]:
    """One key-value map, up to its separator."""
    fields: dict[bytes, bytes] = {}
    while key := reader.string():
        if key in fields or len(fields) == _FIELDS_MOST:
            raise BadProof(f"a map of the PSBT holds the key {key[:8].hex()} twice, or too many keys")
        if key not in known:
            raise BadProof(
                f"not verifiable: the PSBT holds the key {key[:8].hex()}, which a finalised one does not need"
            )
        fields[key] = reader.string()
    return fields


def _witness(field: bytes | None) -> tuple[bytes, ...]:
    if field is None:
        return ()
    reader = Reader(field, "a final witness of the PSBT")
    witness = reader.items(WITNESS_MOST)
    reader.end()
    return witness


def _told(fields: dict[bytes, bytes]) -> Told:
    output = None
    if _COIN_OUTPUT in fields:
        reader = Reader(fields[_COIN_OUTPUT], "a coin of the PSBT")
        output = Output(reader.number(8), reader.string())
        reader.end()
    made_by = None
    if _COIN_TRANSACTION in fields:
        made_by = parse(fields[_COIN_TRANSACTION], "a transaction in the PSBT", outputs_most=_OUTPUTS_MOST)
    return Told(output, made_by)
