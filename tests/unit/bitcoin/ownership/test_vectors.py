"""The published vectors of BIP-322, BIP-341 and legacy messages, valid and invalid."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chains.bitcoin.addresses import script_of
from chains.bitcoin.networks import NETWORKS
from chains.bitcoin.ownership import Prevout, coins_named, verify_funds, verify_offline
from chains.bitcoin.ownership.bip322 import to_sign, to_spend
from chains.bitcoin.ownership.digests import Signed, tagged
from chains.bitcoin.ownership.scripts import satisfies
from chains.bitcoin.ownership.transaction import Input, Output, Virtual, parse
from chains.core.ownership import BadProof, ProofKind, Shown
from tests.unit.bitcoin.ownership.signing import settings

MAINNET = settings("mainnet")
#: What the vectors sign with scripts of their own: their branches and locks are not understood, and said so.
NOT_STANDARD = {"p2tr-time-lock", "p2wsh-time-lock"}


@pytest.fixture(scope="module")
def bip322(shared_data: Path) -> dict[str, list[dict[str, Any]]]:
    """Both files of BIP-322, section by section."""
    files = [
        json.loads((shared_data / f"bitcoin/bips/bip322_{name}.json").read_text()) for name in ("basic", "generated")
    ]
    return {
        section: [vector for file in files for vector in file.get(section, [])]
        for section in ("tx_hashes", "simple", "full", "proof_of_funds", "error")
    }


def shown(kind: ProofKind, vector: dict[str, Any], proof: str) -> Shown:
    return verify_offline(kind, vector["address"], vector["message"].encode(), proof, MAINNET)


def test_the_virtual_transactions_have_the_published_hashes(bip322: dict[str, list[dict[str, Any]]]) -> None:
    assert len(bip322["tx_hashes"]) == 3
    for vector in bip322["tx_hashes"]:
        script, message = script_of(vector["address"], NETWORKS["mainnet"]), vector["message"].encode()
        assert tagged("BIP0322-signed-message", message).hex() == vector["message_hash"]
        assert to_spend(script, message).txid()[::-1].hex() == vector["to_spend_tx_hash"]
        assert to_sign(script, message).txid()[::-1].hex() == vector["to_sign_tx_hash"]


def test_every_published_simple_proof_shows_control(bip322: dict[str, list[dict[str, Any]]]) -> None:
    proofs = [(vector, proof) for vector in bip322["simple"] for proof in vector["bip322_signatures"]]
    assert len(proofs) == 10
    for vector, proof in proofs:
        result = shown(ProofKind.BIP322_SIMPLE, vector, proof)
        assert result.locator == vector["address"]
        assert (result.detail["lock_time"], result.detail["sequence"], result.funds) == ("0", "0", ())


def test_every_published_full_proof_of_a_standard_script_shows_control_and_its_timelocks(
    bip322: dict[str, list[dict[str, Any]]],
) -> None:
    seen = set()
    for vector in bip322["full"]:
        if vector["type"] in NOT_STANDARD:
            continue
        for proof in vector["bip322_signatures"]:
            result = shown(ProofKind.BIP322_FULL, vector, proof)
            assert result.locator == vector["address"]
            assert result.detail["lock_time"] == str(vector["lock_time"])
            assert result.detail["sequence"] == str(vector["sequence"])
        seen.add(vector["type"])
    assert seen == {
        "p2pkh",
        "p2wpkh",
        "p2tr",
        "p2sh-p2wpkh",
        "p2sh-multisig-2of2",
        "p2sh-p2wsh-multisig-2of2",
        "p2wsh-multisig-2of2",
        "p2wsh-multisig-3of3",
    }


def test_a_published_proof_of_a_script_that_is_not_understood_is_refused_by_name(
    bip322: dict[str, list[dict[str, Any]]],
) -> None:
    vectors = [vector for vector in bip322["full"] if vector["type"] in NOT_STANDARD]
    assert {vector["type"] for vector in vectors} == NOT_STANDARD
    for vector in vectors:
        with pytest.raises(BadProof, match="not verifiable"):
            shown(ProofKind.BIP322_FULL, vector, vector["bip322_signatures"][0])


def test_every_published_wrong_proof_is_refused_as_every_kind(bip322: dict[str, list[dict[str, Any]]]) -> None:
    assert len(bip322["error"]) == 18
    for vector in bip322["error"]:
        for kind in ProofKind:
            with pytest.raises(BadProof):
                shown(kind, vector, vector["signature"])


def test_a_published_wrong_proof_is_refused_for_what_is_wrong_with_it(bip322: dict[str, list[dict[str, Any]]]) -> None:
    for vector in bip322["error"]:
        kind = ProofKind.BIP322_FULL if vector["signature"].startswith("ful") else ProofKind.BIP322_SIMPLE
        with pytest.raises(BadProof) as refused:
            shown(kind, vector, vector["signature"])
        said = {"invalid base64 encoding": "no base64", "empty signature": "is empty"}.get(vector["description"])
        pattern = said or "over this message|of this address|another message|no compressed public key"
        assert re.search(pattern, str(refused.value)), (vector["description"], str(refused.value))


def chain_of(coins: dict[tuple[str, int], tuple[bytes, int]]) -> Prevout:
    return lambda txid, vout: coins[txid, vout]


def unspent(vector: dict[str, Any], proof: str) -> dict[tuple[str, int], tuple[bytes, int]]:
    """The coins of a vector's additional inputs; each group is the outputs of one transaction, in order."""
    coins = [coin for group in vector["additional_inputs"] for coin in group]
    named = coins_named(proof)
    assert len(named) == len(coins)
    return {name: (bytes.fromhex(coin["pk_script"]), coin["value"]) for name, coin in zip(named, coins, strict=True)}


def test_every_published_proof_of_funds_shows_its_coins(bip322: dict[str, list[dict[str, Any]]]) -> None:
    assert len(bip322["proof_of_funds"]) == 3
    for vector in bip322["proof_of_funds"]:
        [proof] = vector["bip322_signatures"]
        coins = unspent(vector, proof)
        result = verify_funds(vector["address"], vector["message"].encode(), proof, MAINNET, chain_of(coins))
        assert result.locator == vector["address"]
        assert dict(result.funds) == {f"{txid}:{vout}": units for (txid, vout), (_, units) in coins.items()}
        assert result.detail["lock_time"] == "123"
        assert result.detail["sequence"] == "456"


def test_a_published_proof_of_funds_is_refused_offline_and_for_another_message(
    bip322: dict[str, list[dict[str, Any]]],
) -> None:
    for vector in bip322["proof_of_funds"]:
        [proof] = vector["bip322_signatures"]
        coins = unspent(vector, proof)
        with pytest.raises(BadProof, match="needs the coins it names"):
            shown(ProofKind.BIP322_FUNDS, vector, proof)
        with pytest.raises(BadProof, match="another message"):
            verify_funds(vector["address"], b"another", proof, MAINNET, chain_of(coins))


def test_all_two_hundred_published_messages_show_control(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "bitcoin/python-bitcoinlib/signmessage.json").read_text())
    assert len(vectors) == 200
    for vector, other in zip(vectors, [*vectors[1:], vectors[0]], strict=True):
        address, message, proof = vector["address"], vector["address"].encode(), vector["signature"]
        result = verify_offline(ProofKind.BITCOIN_MESSAGE, address, message, proof, MAINNET)
        assert (result.locator, result.detail["script"]) == (address, "p2pkh")
        with pytest.raises(BadProof, match="not one of this address"):
            verify_offline(ProofKind.BITCOIN_MESSAGE, other["address"], message, proof, MAINNET)
        with pytest.raises(BadProof, match="not one of this address"):
            verify_offline(ProofKind.BITCOIN_MESSAGE, address, message + b" ", proof, MAINNET)


def test_taproot_digests_and_signatures_are_those_of_bip341(shared_data: Path) -> None:
    [vector] = json.loads((shared_data / "bitcoin/bips/bip341_wallet.json").read_text())["keyPathSpending"]
    spent = [Output(coin["amountSats"], bytes.fromhex(coin["scriptPubKey"])) for coin in vector["given"]["utxosSpent"]]
    raw = bytes.fromhex(vector["given"]["rawUnsignedTx"])
    unsigned = parse(raw, "the vector", outputs_most=2)
    assert unsigned.written() == raw
    accepted = 0
    for case in vector["inputSpending"]:
        index, sighash = case["given"]["txinIndex"], case["given"]["hashType"]
        signed = Signed(with_witness(unsigned, index, case["expected"]["witness"]), spent)
        if sighash not in {0, 1}:
            with pytest.raises(BadProof, match="sighash byte"):
                satisfies(signed, index)
            continue
        assert signed.taproot(index, sighash).hex() == case["intermediary"]["sigHash"]
        assert satisfies(signed, index).template == "p2tr-key"
        accepted += 1
    assert accepted == 2


def with_witness(tx: Virtual, index: int, witness: list[str]) -> Virtual:
    inputs = [
        Input(each.txid, each.vout, each.sequence, b"", tuple(map(bytes.fromhex, witness)) if number == index else ())
        for number, each in enumerate(tx.inputs)
    ]
    return Virtual(tx.version, tuple(inputs), tx.outputs, tx.lock_time)
