"""Synthetic blocks, put together and serialised by python-bitcoinlib, so that porwatch's own parser is not its own judge."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from bitcoin.core import (
    CBlock,
    CMutableOutPoint,
    CMutableTransaction,
    CMutableTxIn,
    CMutableTxOut,
    CTransaction,
    CTxInWitness,
    CTxWitness,
)
from bitcoin.core.script import CScript, CScriptWitness

GENESIS = bytes(32)
#: The target of regtest in compact form.
EASY = 0x207FFFFF


def transaction(
    inputs: Sequence[tuple[bytes, int]], outputs: Sequence[tuple[int, bytes]], witness: Sequence[bytes] = ()
) -> CTransaction:
    """Spends (txid in wire order, output number) and pays (satoshis, script); ``witness`` goes to every input."""
    vin = [CMutableTxIn(CMutableOutPoint(txid, number), CScript(b"")) for txid, number in inputs]
    vout = [CMutableTxOut(units, CScript(script)) for units, script in outputs]
    stacks = [CTxInWitness(CScriptWitness(list(witness))) for _ in inputs] if witness else []
    return CTransaction.from_tx(CMutableTransaction(vin, vout, witness=CTxWitness(stacks)))


def coinbase(height: int, outputs: Sequence[tuple[int, bytes]] = ((50, b"\x51"),)) -> CTransaction:
    made = CMutableTransaction(
        [CMutableTxIn(CMutableOutPoint(), CScript(b"\x04" + height.to_bytes(4, "little")))],
        [CMutableTxOut(units, CScript(script)) for units, script in outputs],
    )
    return CTransaction.from_tx(made)


def block(
    transactions: Sequence[CTransaction], parent: bytes = GENESIS, time: int = 1_700_000_000, bits: int = EASY
) -> bytes:
    """The raw block with the right merkle root and regtest's proof of work; ``parent`` in wire order."""
    made = CBlock(1, parent, bytes(32), time, bits, 0, transactions)
    return mined(CBlock(1, parent, made.calc_merkle_root(), time, bits, 0, transactions).serialize())


def mined(raw: bytes, *, well: bool = True) -> bytes:
    """The block with a nonce by which its hash reaches regtest's target; not ``well``: by which it does not."""
    nonce = 0
    while True:
        tried = raw[:76] + nonce.to_bytes(4, "little") + raw[80:]
        digest = sha256(sha256(tried[:80]).digest()).digest()
        # The easiest target leaves the highest bit of the hash free of ones, and next to nothing else.
        if (digest[31] < 0x7F) == well:
            return tried
        nonce += 1
