"""What a signature over one input commits to, for SIGHASH_ALL and, with taproot, SIGHASH_DEFAULT only.

Sources: Bitcoin Core's original signature hash, BIP-143 (witness version 0), BIP-341 and BIP-342
(taproot). ``index`` is the number of the input; ``spent`` are the outputs that all inputs spend, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from Crypto.Hash import RIPEMD160

from chains.bitcoin.codec import double_sha256
from chains.bitcoin.ownership.text import compact, counted
from chains.bitcoin.ownership.transaction import Output, Virtual

SIGHASH_DEFAULT = 0
SIGHASH_ALL = 1
#: Bytes of an input without its script.
_EMPTIED = 41
_ALL = SIGHASH_ALL.to_bytes(4, "little")


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256."""
    return RIPEMD160.new(sha256(data).digest()).digest()


def tagged(tag: str, data: bytes) -> bytes:
    """The tagged hash of BIP-340."""
    name = sha256(tag.encode()).digest()
    return sha256(name + name + data).digest()


def leaf_hash(version: int, script: bytes) -> bytes:
    """The hash of a tapscript leaf (BIP-341)."""
    return tagged("TapLeaf", bytes([version]) + counted(script))


@dataclass(frozen=True)
class Signed:
    """A transaction with all outputs that it spends; what many inputs share is hashed once (hence no slots)."""

    tx: Virtual
    spent: Sequence[Output]

    def legacy(self, index: int, code: bytes) -> bytes:
        """The digest of an input with the script ``code`` before segwit."""
        own, place = self.tx.inputs[index], _EMPTIED * index
        return double_sha256(
            self.tx.version.to_bytes(4, "little")
            + compact(len(self.tx.inputs))
            + self._emptied[:place]
            + own.outpoint()
            + counted(code)
            + own.sequence.to_bytes(4, "little")
            + self._emptied[place + _EMPTIED :]
            + compact(len(self.tx.outputs))
            + b"".join(each.written() for each in self.tx.outputs)
            + self.tx.lock_time.to_bytes(4, "little")
            + _ALL
        )

    def segwit(self, index: int, code: bytes) -> bytes:
        """The digest of BIP-143 of an input with the script code ``code``."""
        own = self.tx.inputs[index]
        return double_sha256(
            self.tx.version.to_bytes(4, "little")
            + sha256(self._prevouts).digest()
            + sha256(self._sequences).digest()
            + own.outpoint()
            + counted(code)
            + self.spent[index].units.to_bytes(8, "little")
            + own.sequence.to_bytes(4, "little")
            + sha256(self._outputs).digest()
            + self.tx.lock_time.to_bytes(4, "little")
            + _ALL
        )

    def taproot(self, index: int, sighash: int, leaf: bytes = b"") -> bytes:
        """The digest of BIP-341 without annex; ``leaf``: the leaf hash where a script is spent (BIP-342), else b""."""
        extension = leaf + b"\0" + b"\xff" * 4 if leaf else b""
        return tagged(
            "TapSighash",
            bytes([0, sighash])
            + self.tx.version.to_bytes(4, "little")
            + self.tx.lock_time.to_bytes(4, "little")
            + self._prevouts
            + self._amounts
            + self._scripts
            + self._sequences
            + self._outputs
            + bytes([2 if leaf else 0])
            + index.to_bytes(4, "little")
            + extension,
        )

    @cached_property
    def _emptied(self) -> bytes:
        return b"".join(each.outpoint() + b"\0" + each.sequence.to_bytes(4, "little") for each in self.tx.inputs)

    @cached_property
    def _prevouts(self) -> bytes:
        return sha256(b"".join(each.outpoint() for each in self.tx.inputs)).digest()

    @cached_property
    def _sequences(self) -> bytes:
        return sha256(b"".join(each.sequence.to_bytes(4, "little") for each in self.tx.inputs)).digest()

    @cached_property
    def _outputs(self) -> bytes:
        return sha256(b"".join(each.written() for each in self.tx.outputs)).digest()

    @cached_property
    def _amounts(self) -> bytes:
        return sha256(b"".join(each.units.to_bytes(8, "little") for each in self.spent)).digest()

    @cached_property
    def _scripts(self) -> bytes:
        return sha256(b"".join(counted(each.script) for each in self.spent)).digest()
