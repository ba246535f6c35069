"""The virtual transactions of BIP-322: read strictly from the network serialisation (BIP-144), and written.

Nothing here can be sent: porwatch only recomputes what a signature commits to.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.bitcoin.codec import double_sha256
from chains.bitcoin.ownership.text import Reader, compact, counted
from chains.core.ownership import BadProof

#: Inputs of one proof: the address itself and the coins of a proof of funds. Bounds the hashing of old scripts,
#: which grows with the square of the inputs.
INPUTS_MOST = 1000
#: A multisig of 16 keys needs 18 elements; nothing that is verified here needs more.
WITNESS_MOST = 32


@dataclass(frozen=True, slots=True)
class Output:
    """``units`` in satoshi."""

    units: int
    script: bytes

    def written(self) -> bytes:
        return self.units.to_bytes(8, "little") + counted(self.script)


@dataclass(frozen=True, slots=True)
class Input:
    """``txid`` in the order of the digest, which the chain prints reversed."""

    txid: bytes
    vout: int
    sequence: int
    script: bytes = b""
    witness: tuple[bytes, ...] = ()

    def outpoint(self) -> bytes:
        return self.txid + self.vout.to_bytes(4, "little")

    def coin(self) -> str:
        """``<txid>:<vout>`` as the chain prints it."""
        return f"{self.txid[::-1].hex()}:{self.vout}"


@dataclass(frozen=True, slots=True)
class Virtual:
    """A transaction that exists only to be signed or spent by a proof."""

    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    lock_time: int

    def written(self) -> bytes:
        """The serialisation without witnesses, which the txid is the hash of."""
        inputs = (each.outpoint() + counted(each.script) + each.sequence.to_bytes(4, "little") for each in self.inputs)
        return b"".join(
            (
                self.version.to_bytes(4, "little"),
                compact(len(self.inputs)),
                *inputs,
                compact(len(self.outputs)),
                *(each.written() for each in self.outputs),
                self.lock_time.to_bytes(4, "little"),
            )
        )

    def txid(self) -> bytes:
        return double_sha256(self.written())


def parse(data: bytes, what: str, *, outputs_most: int = 1, witnesses: bool = True) -> Virtual:
    """The one transaction that ``data`` is. ``witnesses``: whether it may carry any. Raises BadProof."""
    reader = Reader(data, what)
    version = reader.number(4)
    inputs = _inputs(reader)
    marked = not inputs
    if marked:
        if not witnesses or reader.number(1) != 1:
            raise BadProof(f"{what} has no inputs")
        inputs = _inputs(reader)
    outputs = _outputs(reader, outputs_most)
    if marked:
        inputs = tuple(
            Input(each.txid, each.vout, each.sequence, each.script, reader.items(WITNESS_MOST)) for each in inputs
        )
        if not any(each.witness for each in inputs):
            raise BadProof(f"{what} announces witnesses and has none")
    lock_time = reader.number(4)
    reader.end()
    return Virtual(version, inputs, outputs, lock_time)


def _inputs(reader: Reader) -> tuple[Input, ...]:
    count = reader.compact()
    if count > INPUTS_MOST:
        raise BadProof(f"{reader.what} has {count} inputs; {INPUTS_MOST} is the most that is read")
    return tuple(_input(reader) for _ in range(count))


def _input(reader: Reader) -> Input:
    txid, vout, script = reader.take(32), reader.number(4), reader.string()
    return Input(txid, vout, reader.number(4), script)


def _outputs(reader: Reader, most: int) -> tuple[Output, ...]:
    count = reader.compact()
    if count > most:
        raise BadProof(f"{reader.what} has {count} outputs; {most} is the most that is read")
    return tuple(Output(reader.number(8), reader.string()) for _ in range(count))
