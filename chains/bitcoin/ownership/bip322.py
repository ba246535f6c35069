"""Generic signed messages (BIP-322 version 2): simple, full and proof of funds.

The three states of the standard become two: "valid at time T and age S" is what is returned, with
T and S in ``detail`` (``lock_time``, ``sequence``); "inconclusive" and "invalid" are BadProof, the
former beginning with "not verifiable". Only the standard scripts are understood (``scripts``), none
of which looks at the time. A proof made before version 2 of the standard has no prefix and is read too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chains.bitcoin.addresses import locator_of
from chains.bitcoin.networks import Network
from chains.bitcoin.ownership import psbt
from chains.bitcoin.ownership.digests import Signed, tagged
from chains.bitcoin.ownership.scripts import Satisfied, redeem_script, satisfies
from chains.bitcoin.ownership.text import Reader, from_base64
from chains.bitcoin.ownership.transaction import WITNESS_MOST, Input, Output, Virtual, parse
from chains.core.ownership import BadProof, ProofKind, Shown

#: The script and the satoshis of an unspent output, by txid (as the chain prints it) and number.
Prevout = Callable[[str, int], tuple[bytes, int]]

_PREFIX = {ProofKind.BIP322_SIMPLE: "smp", ProofKind.BIP322_FULL: "ful", ProofKind.BIP322_FUNDS: "pof"}
#: A witness script of 10,000 bytes and its signatures fit.
_LONGEST = 20_000
#: A thousand coins of multisig fit.
_FUNDS_LONGEST = 2_000_000
_NOTHING = Output(0, b"\x6a")
_MONEY_MOST = 21_000_000 * 10**8
#: A sequence at or above this sets no relative lock (BIP-68).
_NO_AGE = 1 << 31


def to_spend(script: bytes, message: bytes) -> Virtual:
    """The virtual transaction that pays nothing to ``script`` and commits to the message."""
    commitment = b"\0\x20" + tagged("BIP0322-signed-message", message)
    return Virtual(0, (Input(bytes(32), 0xFFFFFFFF, 0, commitment),), (Output(0, script),), 0)


def to_sign(script: bytes, message: bytes, witness: tuple[bytes, ...] = (), signature_script: bytes = b"") -> Virtual:
    """The virtual transaction that spends ``to_spend`` as a simple proof does: no timelocks, one input."""
    spends = Input(to_spend(script, message).txid(), 0, 0, signature_script, witness)
    return Virtual(0, (spends,), (_NOTHING,), 0)


def verify_simple(script: bytes, message: bytes, proof: str, network: Network) -> Shown:
    """What a simple proof (a witness stack) shows. P2SH that wraps segwit is completed from its witness."""
    reader = Reader(_decoded(proof, ProofKind.BIP322_SIMPLE, _LONGEST), "the witness")
    witness = reader.items(WITNESS_MOST)
    reader.end()
    tx = to_sign(script, message, witness, redeem_script(script, witness))
    return _shown(ProofKind.BIP322_SIMPLE, tx, [Output(0, script)], network)


def verify_full(script: bytes, message: bytes, proof: str, network: Network) -> Shown:
    """What a full proof (the signed transaction) shows."""
    tx = parse(_decoded(proof, ProofKind.BIP322_FULL, _LONGEST), "the transaction")
    _check_to_sign(tx, script, message)
    if len(tx.inputs) > 1:
        raise BadProof(f"the proof names {len(tx.inputs) - 1} coins: it is a proof of funds, hand it in as one")
    return _shown(ProofKind.BIP322_FULL, tx, [Output(0, script)], network)


def coins_named(proof: str) -> tuple[tuple[str, int], ...]:
    """(txid, number) of every coin that a proof of funds names, for whoever looks them up. Nothing is verified yet."""
    tx, _ = _funds(proof)
    return tuple((each.txid[::-1].hex(), each.vout) for each in tx.inputs[1:])


def verify_funds(script: bytes, message: bytes, proof: str, network: Network, prevout: Prevout) -> Shown:
    """What a proof of funds shows: control of ``script`` and of every coin that it names.

    ``prevout`` says what the chain says of a coin, and raises BadProof for one that is not unspent;
    its other errors go to the caller.
    """
    tx, told = _funds(proof)
    _check_to_sign(tx, script, message)
    if len(tx.inputs) == 1:
        raise BadProof("the proof of funds names no coins: hand it in as a full proof")
    if len({each.outpoint() for each in tx.inputs}) != len(tx.inputs):
        raise BadProof("the proof of funds names a coin twice")
    spent = [Output(0, script)]
    for each in tx.inputs[1:]:
        if tx.version == 2 and 0 < each.sequence < _NO_AGE:
            raise BadProof(f"not verifiable: {each.coin()} is spent only at an age (BIP-68), which is not known here")
        owner, units = prevout(each.txid[::-1].hex(), each.vout)
        spent.append(Output(units, owner))
    if not all(0 <= each.units <= _MONEY_MOST for each in spent) or sum(each.units for each in spent) > _MONEY_MOST:
        raise BadProof("the coins hold more than there can be")
    for each, coin, said in zip(tx.inputs, spent, told, strict=True):
        _check_told(said, each, coin)
    return _shown(ProofKind.BIP322_FUNDS, tx, spent, network)


def _decoded(proof: str, kind: ProofKind, longest: int) -> bytes:
    """The bytes after the prefix of this kind; a proof without prefix is of whatever kind it is handed in as."""
    mine = _PREFIX[kind]
    other = next((name for name, prefix in _PREFIX.items() if prefix != mine and proof.startswith(prefix)), None)
    if other is not None:
        raise BadProof(f"the proof begins with {_PREFIX[other]}: it is of the kind {other}, not {kind}")
    return from_base64(proof.removeprefix(mine), longest)


def _funds(proof: str) -> tuple[Virtual, tuple[psbt.Told, ...]]:
    data = _decoded(proof, ProofKind.BIP322_FUNDS, _FUNDS_LONGEST)
    if data.startswith(psbt.MAGIC) or proof.startswith(_PREFIX[ProofKind.BIP322_FUNDS]):
        return psbt.read(data)
    tx = parse(data, "the transaction")
    return tx, (psbt.Told(None, None),) * len(tx.inputs)


def _check_to_sign(tx: Virtual, script: bytes, message: bytes) -> None:
    if tx.outputs != (_NOTHING,):
        raise BadProof("the signed transaction must have one output, of nothing to OP_RETURN")
    if (tx.inputs[0].txid, tx.inputs[0].vout) != (to_spend(script, message).txid(), 0):
        raise BadProof("the proof is over another message or of another address")
    if tx.version not in {0, 2}:
        raise BadProof(f"not verifiable: the signed transaction has version {tx.version}; BIP-322 knows 0 and 2")


def _check_told(said: psbt.Told, spends: Input, coin: Output) -> None:
    """What the PSBT says of a coin must be what the chain says."""
    outputs = [] if said.output is None else [said.output]
    if said.made_by is not None:
        if said.made_by.txid() != spends.txid or spends.vout >= len(said.made_by.outputs):
            raise BadProof(f"the PSBT holds another transaction in place of the one that made {spends.coin()}")
        outputs.append(said.made_by.outputs[spends.vout])
    if any(each != coin for each in outputs):
        raise BadProof(f"the PSBT says something else of {spends.coin()} than the chain")


def _shown(kind: ProofKind, tx: Virtual, spent: Sequence[Output], network: Network) -> Shown:
    """Verifies every input. The coins' owners stand in ``detail`` under the coin's name."""
    signed = Signed(tx, spent)
    first, *_ = [satisfies(signed, index) for index in range(len(spent))]
    coins = [(each.coin(), coin) for each, coin in zip(tx.inputs[1:], spent[1:], strict=True)]
    detail = described(first) | {
        "lock_time": str(tx.lock_time),
        "sequence": str(tx.inputs[0].sequence),
        **{name: locator_of(coin.script, network) for name, coin in coins},
    }
    funds = tuple((name, coin.units) for name, coin in coins)
    return Shown(kind, locator_of(spent[0].script, network), detail, funds)


def described(satisfied: Satisfied) -> dict[str, str]:
    """``script``: the template; ``threshold``: "2 of 3"; ``signers``: the keys that signed, hex, between spaces."""
    return {
        "script": satisfied.template,
        "threshold": f"{satisfied.needed} of {satisfied.keys}",
        "signers": " ".join(satisfied.signers),
    }
