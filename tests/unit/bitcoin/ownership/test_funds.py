"""Proofs of funds: what the chain says of a coin counts, never what the proof says; every coin counts once."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from chains.bitcoin.ownership import coins_named, verify_funds, verify_offline
from chains.bitcoin.ownership.bip322 import to_sign
from chains.bitcoin.ownership.text import counted
from chains.bitcoin.ownership.transaction import INPUTS_MOST, Input, Output, Virtual
from chains.core.errors import Unreachable
from chains.core.ownership import BadProof, ProofKind, Shown
from tests.unit.bitcoin.ownership.signing import (
    Spend,
    address,
    full_text,
    key,
    multisig,
    p2pkh,
    p2sh_multisig,
    p2tr,
    p2wpkh,
    p2wsh,
    psbt_text,
    settings,
    signed_by,
    wire,
    witness_bytes,
)

A, B, C = key(31), key(32), key(33)
MESSAGE = b"porwatch challenge: funds"
SETTINGS = settings()
OWNER = p2wpkh(A)
LOCATOR = address(OWNER[0])
TWO_OF_THREE = multisig(2, [A, B, C])
#: One coin of each kind of script, in the order in which the proof names them.
COINS: list[tuple[tuple[bytes, Spend], int]] = [
    (p2pkh(B), 1),
    (p2wpkh(B), 50_000),
    (p2wpkh(C, wrapped=True), 0),
    (p2tr(B), 20_999_999 * 10**8),
    (p2wsh(TWO_OF_THREE, [A, C]), 7),
    (p2sh_multisig(TWO_OF_THREE, [B, C]), 8),
]


@dataclass(frozen=True)
class Made:
    """A proof of funds: its transaction, what it spends, and the chain that knows the coins."""

    tx: Virtual
    spent: list[Output]

    def prevout(self, txid: str, vout: int) -> tuple[bytes, int]:
        for each, coin in zip(self.tx.inputs[1:], self.spent[1:], strict=True):
            if each.coin() == f"{txid}:{vout}":
                return coin.script, coin.units
        raise BadProof(f"{txid}:{vout} is not unspent")

    def psbt(self) -> str:
        return psbt_text(self.tx, self.spent)

    def verify(self, proof: str | None = None, prevout: Callable[[str, int], tuple[bytes, int]] | None = None) -> Shown:
        return verify_funds(LOCATOR, MESSAGE, proof or self.psbt(), SETTINGS, prevout or self.prevout)


def make(
    coins: Sequence[tuple[tuple[bytes, Spend], int]] = COINS,
    change: Callable[[Virtual], Virtual] = lambda tx: tx,
) -> Made:
    """A proof of these coins; ``change`` is applied before it is signed."""
    script, spend = OWNER
    tx = to_sign(script, MESSAGE)
    named = [Input(bytes([number + 1]) * 32, number, 0) for number in range(len(coins))]
    tx = change(replace(tx, inputs=(*tx.inputs, *named)))
    spent = [Output(0, script), *(Output(units, owner) for (owner, _), units in coins)]
    return Made(signed_by(tx, spent, [spend, *(each for (_, each), _ in coins)]), spent)


def test_every_coin_is_shown_with_its_units_and_its_owner() -> None:
    made = make()
    for proof in (made.psbt(), made.psbt()[3:], full_text(made.tx)[3:]):
        shown = made.verify(proof)
        assert (shown.kind, shown.locator) == (ProofKind.BIP322_FUNDS, LOCATOR)
        names = [f"{bytes([number + 1] * 32).hex()}:{number}" for number in range(len(COINS))]
        assert shown.funds == tuple(zip(names, [units for _, units in COINS], strict=True))
        assert [shown.detail[name] for name in names] == [address(owner) for (owner, _), _ in COINS]
        assert [f"{txid}:{vout}" for txid, vout in coins_named(proof)] == names


def test_a_proof_of_funds_is_nothing_without_the_coins() -> None:
    with pytest.raises(BadProof, match="needs the coins it names"):
        verify_offline(ProofKind.BIP322_FUNDS, LOCATOR, MESSAGE, make().psbt(), SETTINGS)
    with pytest.raises(BadProof, match="names 6 coins: it is a proof of funds"):
        verify_offline(ProofKind.BIP322_FULL, LOCATOR, MESSAGE, full_text(make().tx), SETTINGS)
    with pytest.raises(BadProof, match="names no coins"):
        make([]).verify()


def test_a_coin_that_is_not_unspent_is_refused_and_a_node_that_fails_is_no_verdict() -> None:
    def nothing(txid: str, vout: int) -> tuple[bytes, int]:
        raise BadProof(f"{txid}:{vout} is not unspent")

    def down(txid: str, vout: int) -> tuple[bytes, int]:
        raise Unreachable(f"{txid}:{vout}")

    with pytest.raises(BadProof, match="is not unspent"):
        make().verify(prevout=nothing)
    with pytest.raises(Unreachable):
        make().verify(prevout=down)


def test_a_coin_named_twice_is_refused() -> None:
    doubled = make([COINS[1], COINS[1]], lambda tx: replace(tx, inputs=(*tx.inputs[:2], tx.inputs[1])))
    with pytest.raises(BadProof, match="twice"):
        doubled.verify(full_text(doubled.tx)[3:])
    itself = make([(OWNER, 0)], lambda tx: replace(tx, inputs=(tx.inputs[0], tx.inputs[0])))
    with pytest.raises(BadProof, match="twice"):
        itself.verify()


@pytest.mark.parametrize("number", range(len(COINS)))
def test_a_coin_that_another_owns_or_that_holds_another_sum_is_refused(number: int) -> None:
    made = make()
    stranger = p2wpkh(key(39))[0]
    name = made.tx.inputs[number + 1].coin()

    def owned_by_stranger(txid: str, vout: int) -> tuple[bytes, int]:
        script, units = made.prevout(txid, vout)
        return (stranger if f"{txid}:{vout}" == name else script), units

    for proof in (made.psbt(), full_text(made.tx)[3:]):
        with pytest.raises(
            BadProof, match=r"than the chain|of this address|signature script|holds a signature and a key"
        ):
            made.verify(proof, owned_by_stranger)

    def richer(txid: str, vout: int) -> tuple[bytes, int]:
        script, units = made.prevout(txid, vout)
        return script, units + (f"{txid}:{vout}" == name)

    with pytest.raises(BadProof, match=r"says something else of .* than the chain"):
        made.verify(made.psbt(), richer)


def test_the_sum_that_a_proof_claims_for_its_own_address_is_nothing() -> None:
    made = make(COINS[:1])
    spent = [Output(1, made.spent[0].script), *made.spent[1:]]
    with pytest.raises(BadProof, match="says something else"):
        made.verify(psbt_text(made.tx, spent))


@pytest.mark.parametrize("units", [-1, 21_000_000 * 10**8 + 1, 1 << 70])
def test_units_that_cannot_be_are_refused(units: int) -> None:
    made = make(COINS[1:2])
    with pytest.raises(BadProof, match="more than there can be"):
        made.verify(full_text(made.tx)[3:], lambda txid, vout: (made.prevout(txid, vout)[0], units))


def test_the_coins_together_hold_no_more_than_there_can_be() -> None:
    with pytest.raises(BadProof, match="more than there can be"):
        make([(p2wpkh(B), 20_999_999 * 10**8), (p2wpkh(C), 2 * 10**8)]).verify()


@pytest.mark.parametrize("number", range(len(COINS) + 1))
def test_every_input_must_be_signed(number: int) -> None:
    made = make()
    bare = replace(made.tx.inputs[number], script=b"", witness=())
    tx = replace(made.tx, inputs=(*made.tx.inputs[:number], bare, *made.tx.inputs[number + 1 :]))
    with pytest.raises(BadProof, match="no final signature"):
        made.verify(psbt_text(tx, made.spent))
    with pytest.raises(BadProof):
        made.verify(full_text(tx)[3:])


def test_a_coin_that_is_spent_only_at_an_age_is_not_verifiable() -> None:
    def aged(sequence: int, version: int) -> Made:
        return make(
            COINS[:1],
            lambda tx: replace(tx, version=version, inputs=(tx.inputs[0], replace(tx.inputs[1], sequence=sequence))),
        )

    with pytest.raises(BadProof, match=r"not verifiable: .* age"):
        aged(144, 2).verify()
    for sequence, version in ((144, 0), (0, 2), (1 << 31, 2), (0xFFFFFFFF, 2)):
        assert len(aged(sequence, version).verify().funds) == 1


@effort(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_bit_of_a_proof_of_funds_can_be_flipped(data: st.DataObject) -> None:
    made = make()
    proof = data.draw(st.sampled_from([made.psbt()[3:], full_text(made.tx)[3:]]))
    raw = bytearray(base64.b64decode(proof))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    for prefix in ("", "pof"):
        with pytest.raises(BadProof):
            made.verify(prefix + base64.b64encode(raw).decode())


def test_as_many_coins_as_are_read_and_not_one_more() -> None:
    many = make([(p2wpkh(B), 1)] * 200)
    assert sum(units for _, units in many.verify().funds) == 200

    def unsigned(inputs: int) -> str:
        each = tuple(Input(number.to_bytes(32, "big"), 0, 0) for number in range(inputs))
        return full_text(Virtual(0, each, (Output(0, b"\x6a"),), 0))[3:]

    assert len(coins_named(unsigned(INPUTS_MOST))) == INPUTS_MOST - 1
    with pytest.raises(BadProof, match="1001 inputs; 1000 is the most"):
        coins_named(unsigned(INPUTS_MOST + 1))


def psbt_of(*maps: bytes) -> str:
    return base64.b64encode(b"psbt\xff" + b"".join(each + b"\0" for each in maps)).decode()


def test_a_psbt_holds_what_a_finalised_one_needs_and_nothing_else() -> None:
    # It made a coin, but has no second output.
    maker = Virtual(2, (Input(b"\7" * 32, 0, 0),), (Output(50_000, COINS[1][0][0]),), 0)
    made = make(
        COINS[1:2], lambda tx: replace(tx, inputs=(tx.inputs[0], replace(tx.inputs[1], txid=maker.txid(), vout=1)))
    )
    unsigned = replace(made.tx, inputs=tuple(replace(each, script=b"", witness=()) for each in made.tx.inputs))
    top = b"\1\0" + counted(unsigned.written())
    ends = [b"\1\x08" + counted(witness_bytes(each.witness)) for each in made.tx.inputs]
    assert made.verify(psbt_of(top, *ends, b"")).funds
    assert made.verify(psbt_of(top + b"\1\xfb\4\0\0\0\0", *ends, b"")).funds
    scripted = replace(unsigned, inputs=(replace(unsigned.inputs[0], script=b"\0"), unsigned.inputs[1]))
    for maps, why in (
        ((top + top, *ends, b""), "twice"),
        ((top + b"\1\xfb\4\2\0\0\0", *ends, b""), "not of version 0"),
        ((b"", *ends, b""), "not of version 0"),
        ((top + b"\1\1\0", *ends, b""), "does not need"),
        ((top, ends[0] + b"\1\3\4\1\0\0\0", ends[1], b""), "does not need"),
        ((top, ends[0] + b"\x22\2" + bytes(33) + b"\0", ends[1], b""), "does not need"),
        ((top, *ends, b"\1\1\0"), "does not need"),
        ((top, *ends), "ends too early"),
        ((top, *ends, b"", b""), "bytes follow"),
        ((top, ends[0], b"", b""), "no final signature"),
        ((b"\1\0" + counted(scripted.written()), *ends, b""), "holds a signature script"),
        ((b"\1\0" + counted(unsigned.written() + b"\0"), *ends, b""), "bytes follow"),
        ((b"\1\0" + counted(wire(made.tx)), *ends, b""), "no inputs"),
        ((top, ends[0] + b"\1\0" + counted(unsigned.written()), ends[1], b""), "another transaction"),
        ((top, ends[0], ends[1] + b"\1\0" + counted(maker.written()), b""), "another transaction"),
    ):
        with pytest.raises(BadProof, match=why):
            made.verify(psbt_of(*maps))
    with pytest.raises(BadProof, match="no PSBT"):
        made.verify("pof" + full_text(made.tx)[3:])
