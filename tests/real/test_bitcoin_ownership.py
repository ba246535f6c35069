"""Proof of control beside a real Bitcoin node: its wallet signs, and where it can verify it agrees."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from chains.bitcoin import Settings
from chains.bitcoin.addresses import script_of
from chains.bitcoin.networks import NETWORKS
from chains.bitcoin.ownership import coins_named, verify_funds, verify_offline
from chains.bitcoin.ownership.bip322 import to_sign
from chains.bitcoin.ownership.transaction import Input, Virtual
from chains.bitcoin.reader import open_chain
from chains.core.ownership import BadProof, ProofKind, Shown
from chains.lab.bitcoind import Bitcoind, sats
from chains.lab.errors import RpcError
from tests.unit.bitcoin.ownership import signing
from tests.unit.bitcoin.ownership.test_scripts import TEMPLATES

pytestmark = pytest.mark.component("bitcoind")
KINDS = ("legacy", "p2sh-segwit", "bech32", "bech32m")
MESSAGE = "porwatch challenge: entity, purpose, block and expiry stand here. 所有の証明"
SETTINGS = Settings.model_validate(
    {"kind": "bitcoin", "network": "regtest", "native": "BTC", "endpoints": [{"url": "http://127.0.0.1:1"}]}
)


@pytest.fixture(scope="module")
def wallet(bitcoind: Bitcoind) -> str:
    bitcoind.create_wallet("ownership")
    return "ownership"


def accepted(address: str, message: str, proof: str, kind: ProofKind = ProofKind.BITCOIN_MESSAGE) -> bool:
    try:
        return verify_offline(kind, address, message.encode(), proof, SETTINGS).locator == address
    except BadProof:
        return False


def node_accepts(node: Bitcoind, address: str, message: str, proof: str) -> bool:
    try:
        return bool(node.rpc("verifymessage", address, proof, message))
    except RpcError:
        return False


def tampered(proof: str) -> Iterator[str]:
    """Each byte of the signature changed in its lowest and in its highest bit; the header's numbers stay known ones."""
    raw = base64.b64decode(proof)
    for place in range(1, len(raw)):
        for bit in (1, 0x80):
            yield base64.b64encode(raw[:place] + bytes([raw[place] ^ bit]) + raw[place + 1 :]).decode()
    for header in range(27, 35):
        if header != raw[0]:
            yield base64.b64encode(bytes([header]) + raw[1:]).decode()


def test_the_node_and_porwatch_agree_on_legacy_messages_and_on_tampered_ones(bitcoind: Bitcoind, wallet: str) -> None:
    address, other = (bitcoind.new_address(wallet, "legacy") for _ in range(2))
    for message in ("", MESSAGE, "x" * 300):
        proof = bitcoind.rpc("signmessage", address, message, wallet=wallet)
        cases = [
            (address, message, proof, True),
            (other, message, proof, False),
            (address, message + " ", proof, False),
            *((address, message, wrong, False) for wrong in tampered(proof)),
        ]
        for claimed, said, text, expected in cases:
            assert accepted(claimed, said, text) is expected, text
            assert node_accepts(bitcoind, claimed, said, text) is expected, text


def test_of_all_headers_one_is_accepted_and_the_node_accepts_it(bitcoind: Bitcoind, wallet: str) -> None:
    address = bitcoind.new_address(wallet, "legacy")
    raw = base64.b64decode(bitcoind.rpc("signmessage", address, MESSAGE, wallet=wallet))
    proofs = [base64.b64encode(bytes([header]) + raw[1:]).decode() for header in range(256)]
    taken = [proof for proof in proofs if accepted(address, MESSAGE, proof)]
    assert taken == [proofs[raw[0]]]
    assert node_accepts(bitcoind, address, MESSAGE, taken[0])


@pytest.fixture(scope="module")
def judge(bitcoind: Bitcoind, wallet: str) -> Bitcoind:
    """The node, where its verifymessage runs its script interpreter over BIP-322 proofs (Bitcoin Knots does)."""
    try:
        bitcoind.rpc("signmessage", bitcoind.new_address(wallet), "", wallet=wallet)
    except RpcError as error:
        pytest.skip(f"missing component: this bitcoind knows no BIP-322: {error}")
    return bitcoind


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_proof_that_the_node_makes_is_accepted(judge: Bitcoind, wallet: str, kind: str) -> None:
    address, other = (judge.new_address(wallet, kind) for _ in range(2))
    proof = judge.rpc("signmessage", address, MESSAGE, wallet=wallet)
    form = ProofKind.BIP322_FULL if kind == "p2sh-segwit" else ProofKind.BIP322_SIMPLE
    assert accepted(address, MESSAGE, proof, form)
    assert not accepted(other, MESSAGE, proof, form)
    assert not accepted(address, MESSAGE + ".", proof, form)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_nodes_interpreter_accepts_what_is_accepted_here(judge: Bitcoind, template: str) -> None:
    (script, spend), _, _ = TEMPLATES[template]
    address, message = signing.address(script), MESSAGE.encode()
    proof = signing.full(script, spend, message)[3:]
    assert accepted(address, MESSAGE, proof, ProofKind.BIP322_FULL)
    assert node_accepts(judge, address, MESSAGE, proof)
    if not template.startswith(("p2pkh", "p2sh")):
        proof = signing.simple(script, spend, message)[3:]
        assert accepted(address, MESSAGE, proof, ProofKind.BIP322_SIMPLE)
        assert node_accepts(judge, address, MESSAGE, proof)


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_the_nodes_interpreter_refuses_is_refused_here(judge: Bitcoind, template: str) -> None:
    """Both are asked about proofs that differ from a right one in one bit, one byte less or one byte more."""
    (script, spend), _, _ = TEMPLATES[template]
    address = signing.address(script)
    raw = base64.b64decode(signing.full(script, spend, MESSAGE.encode())[3:])
    chance = Random(template)
    for _ in range(60):
        place, bit = chance.randrange(len(raw)), 1 << chance.randrange(8)
        middle = chance.choice([bytes([raw[place] ^ bit]), b"", bytes([raw[place], bit])])
        proof = base64.b64encode(raw[:place] + middle + raw[place + 1 :]).decode()
        assert not node_accepts(judge, address, MESSAGE, proof), proof
        assert not accepted(address, MESSAGE, proof, ProofKind.BIP322_FULL), proof


def sign(node: Bitcoind, wallet: str, address: str, tx: Virtual) -> bytes:
    """The transaction signed by the node's wallet, which is told of the virtual coin that the first input spends."""
    script = script_of(address, NETWORKS["regtest"])
    first = tx.inputs[0]
    coin: dict[str, Any] = {
        "txid": first.txid[::-1].hex(),
        "vout": first.vout,
        "scriptPubKey": script.hex(),
        "amount": 0,
    }
    embedded = node.rpc("getaddressinfo", address, wallet=wallet).get("embedded")
    if embedded is not None:
        coin["redeemScript"] = embedded["scriptPubKey"]
    signed = node.rpc("signrawtransactionwithwallet", tx.written().hex(), [coin], wallet=wallet)
    assert signed["complete"], signed
    return bytes.fromhex(signed["hex"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_proof_signed_by_the_nodes_wallet_shows_control(bitcoind: Bitcoind, wallet: str, kind: str) -> None:
    address = bitcoind.new_address(wallet, kind)
    tx = to_sign(script_of(address, NETWORKS["regtest"]), MESSAGE.encode())
    proof = base64.b64encode(sign(bitcoind, wallet, address, tx)).decode()
    assert accepted(address, MESSAGE, proof, ProofKind.BIP322_FULL)
    assert not accepted(address, MESSAGE + ".", proof, ProofKind.BIP322_FULL)
    assert not accepted(bitcoind.new_address(wallet, kind), MESSAGE, proof, ProofKind.BIP322_FULL)


def test_a_proof_of_funds_signed_by_the_nodes_wallet_counts_its_unspent_coins(
    bitcoind: Bitcoind, wallet: str, tmp_path: Path
) -> None:
    amounts = dict(zip(KINDS, (10_000, 20_001, 30_002, 40_003), strict=True))
    for kind, amount in amounts.items():
        bitcoind.fund(bitcoind.new_address(wallet, kind), amount)
    bitcoind.mine()
    coins = bitcoind.coins(wallet)
    address = bitcoind.new_address(wallet)
    tx = to_sign(script_of(address, NETWORKS["regtest"]), MESSAGE.encode())
    named = (Input(bytes.fromhex(coin["txid"])[::-1], coin["vout"], 0xFFFFFFFF) for coin in coins)
    proof = base64.b64encode(sign(bitcoind, wallet, address, replace(tx, inputs=(*tx.inputs, *named)))).decode()

    def prevout(txid: str, vout: int) -> tuple[bytes, int]:
        found = bitcoind.rpc("gettxout", txid, vout, False)
        if found is None:
            raise BadProof(f"{txid}:{vout} is not unspent")
        amount = found["value"]
        assert isinstance(amount, Decimal | int)
        return bytes.fromhex(found["scriptPubKey"]["hex"]), sats(amount)

    assert coins_named(proof) == tuple((coin["txid"], coin["vout"]) for coin in coins)
    shown = verify_funds(address, MESSAGE.encode(), proof, SETTINGS, prevout)
    assert sorted(units for _, units in shown.funds) == sorted(amounts.values())
    assert {shown.detail[f"{coin['txid']}:{coin['vout']}"] for coin in coins} == {coin["address"] for coin in coins}
    assert asyncio.run(_beside_the_chain(bitcoind, tmp_path, address, proof, 0)) == shown
    with pytest.raises(BadProof, match="not final yet"):
        asyncio.run(_beside_the_chain(bitcoind, tmp_path, address, proof, 1))

    bitcoind.spend([wallet], coins[:1], {bitcoind.new_address(wallet): coins[0]["sats"] - 1_000})
    bitcoind.mine()
    with pytest.raises(BadProof, match="is not unspent"):
        verify_funds(address, MESSAGE.encode(), proof, SETTINGS, prevout)
    with pytest.raises(BadProof, match="is not an unspent coin"):
        asyncio.run(_beside_the_chain(bitcoind, tmp_path, address, proof, 0))


async def _beside_the_chain(bitcoind: Bitcoind, folder: Path, address: str, proof: str, below: int) -> Shown:
    """What the chain's own reader makes of a proof of funds at a block so far below the head."""
    (folder / "password").write_text(bitcoind.password)
    endpoint = {"url": bitcoind.url, "username": bitcoind.username, "password_file": "password"}
    keys = {"kind": "bitcoin", "network": "regtest", "native": "BTC", "finality": 1}
    settings = Settings.model_validate(keys | {"endpoints": [endpoint]})
    chain = open_chain("bitcoin", settings, {"BTC": 8}, folder, None)
    try:
        at = await chain.header(bitcoind.head() - below)
        return await chain.show_control(ProofKind.BIP322_FUNDS, address, MESSAGE.encode(), proof, at)
    finally:
        await chain.close()
