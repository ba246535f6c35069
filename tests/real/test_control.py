"""Proofs of control that the chain is asked about, on a real node: contracts, Safes, delegated accounts.

The bypasses of published proof-of-reserves tools are tried one by one (the tests whose names begin with
``test_bypass``): each must fail.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chains.core.chain import ShowsControl
from chains.core.errors import ChainError
from chains.core.ownership import BadProof, ProofKind, Shown
from chains.core.values import BlockRef
from chains.ethereum import Settings, connect
from chains.ethereum.verify.messages import personal_digest, safe_message_digest
from chains.lab.anvil import Anvil
from tests.keys import Key, joined
from tests.real.corpus.contracts import Compiled, compile_all
from tests.real.faulty_node import FaultyNode, changed
from tests.real.signers import RELEASES, Safes, deploy

pytestmark = pytest.mark.component("anvil")

TEXT = "porwatch proof of control\nof an address"


@dataclass
class World:
    node: Anvil
    folder: Path
    urls: tuple[str, ...] = ()

    def show(self, kind: ProofKind, locator: str, proof: str, text: str = TEXT, blocks_ago: int = 0) -> Shown:
        """What the chain says of a proof at its head, or some blocks below it."""

        async def ask() -> Shown:
            endpoints = [{"url": url} for url in self.urls or (self.node.url,)]
            keys = {"kind": "evm", "chain_id": self.node.chain_id, "native": "ETH", "endpoints": endpoints}
            chain = connect("test", Settings.model_validate(keys | {"finality": 0}), {"ETH": 18}, self.folder)
            assert isinstance(chain, ShowsControl)
            try:
                at = await chain.header(self.node.head() - blocks_ago)  # type: ignore[attr-defined]
                return await chain.show_control(kind, locator, text.encode(), proof, at)
            finally:
                await chain.close()  # type: ignore[attr-defined]

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def world(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> World:
    anvil.mine()
    return World(anvil, tmp_path_factory.mktemp("control"))


@pytest.fixture(scope="module")
def safes(anvil: Anvil, shared_data: Path) -> Safes:
    return Safes(anvil, shared_data / "evm_contracts")


@pytest.fixture(scope="module")
def contracts(
    require_component: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Compiled]:
    return compile_all(require_component("solcjs"), tmp_path_factory.mktemp("contracts"))


def refusal(show: Callable[[], Shown]) -> str:
    with pytest.raises(BadProof) as refused:
        show()
    return str(refused.value)


def test_a_key_shows_control_of_its_address(world: World) -> None:
    key = Key()
    shown = world.show(ProofKind.EIP191, key.address, key.personal(TEXT))
    assert shown == Shown(ProofKind.EIP191, key.address, {"signer": key.address.lower()})


def test_a_key_that_lets_code_run_as_its_account_is_stated(world: World) -> None:
    key, code = Key(), "0x" + "ab" * 20
    world.node.rpc("anvil_setCode", key.address, "0xef0100" + code[2:])
    world.node.mine()
    shown = world.show(ProofKind.EIP191, key.address, key.personal(TEXT))
    assert shown.detail["delegated_to"] == code
    assert "lets" in refusal(lambda: world.show(ProofKind.EIP1271, key.address, key.personal(TEXT)))


def test_a_key_does_not_control_an_address_where_other_code_stands(world: World) -> None:
    key = Key()
    world.node.rpc("anvil_setCode", key.address, "0x00")
    world.node.mine()
    assert "is a contract" in refusal(lambda: world.show(ProofKind.EIP191, key.address, key.personal(TEXT)))


def test_a_contract_shows_control_by_its_own_word(world: World, contracts: dict[str, Compiled]) -> None:
    key = Key()
    wallet = deploy(world.node, contracts["OneKeyWallet"].creation(key.address))
    shown = world.show(ProofKind.EIP1271, wallet, key.personal(TEXT))
    assert (shown.kind, shown.locator) == (ProofKind.EIP1271, wallet)


def test_a_contract_is_asked_at_the_pinned_block_and_not_later(world: World, contracts: dict[str, Compiled]) -> None:
    key = Key()
    wallet = deploy(world.node, contracts["OneKeyWallet"].creation(key.address))
    said = refusal(lambda: world.show(ProofKind.EIP1271, wallet, key.personal(TEXT), blocks_ago=1))
    assert "there is no contract" in said


def test_bypass_a_contract_claimed_by_an_unrelated_key(world: World, contracts: dict[str, Compiled]) -> None:
    owner, stranger = Key(), Key()
    wallet = deploy(world.node, contracts["OneKeyWallet"].creation(owner.address))
    assert "not call" in refusal(lambda: world.show(ProofKind.EIP1271, wallet, stranger.personal(TEXT)))
    assert "not signed" in refusal(lambda: world.show(ProofKind.EIP191, wallet, stranger.personal(TEXT)))
    assert "no Safe" in refusal(lambda: world.show(ProofKind.SAFE_OWNERS, wallet, owner.personal(TEXT)))


@pytest.mark.parametrize("proof", ["0x", "0x00", "0x" + "00" * 65])
def test_bypass_a_contract_that_says_yes_to_everything(
    world: World, contracts: dict[str, Compiled], proof: str
) -> None:
    wallet = deploy(world.node, contracts["YesSayer"].creation())
    assert "for another text too" in refusal(lambda: world.show(ProofKind.EIP1271, wallet, proof))


def test_bypass_a_contract_that_answers_true_instead_of_the_magic_value(
    world: World, contracts: dict[str, Compiled]
) -> None:
    wallet = deploy(world.node, contracts["TrueSayer"].creation())
    assert "not call" in refusal(lambda: world.show(ProofKind.EIP1271, wallet, "0x00"))


def test_a_contract_that_refuses_to_answer_shows_nothing(world: World, contracts: dict[str, Compiled]) -> None:
    wallet = deploy(world.node, contracts["OneKeyWallet"].creation(Key().address))
    assert "not call" in refusal(lambda: world.show(ProofKind.EIP1271, wallet, "0x" + "00" * 64))
    other = deploy(world.node, contracts["NoSafe"].creation(Key().address))
    assert "not call" in refusal(lambda: world.show(ProofKind.EIP1271, other, "0x"))


def test_bypass_a_signature_for_an_address_without_code_is_no_contracts(world: World) -> None:
    key = Key()
    assert "no contract" in refusal(lambda: world.show(ProofKind.EIP1271, key.address, key.personal(TEXT)))
    assert "no code" in refusal(lambda: world.show(ProofKind.SAFE_OWNERS, key.address, key.personal(TEXT)))


@pytest.mark.parametrize("release", RELEASES)
def test_enough_owners_of_a_safe_show_control_by_plain_and_by_typed_signatures(
    world: World, safes: Safes, release: str
) -> None:
    keys = [Key() for _ in range(3)]
    safe = safes.safe(release, [key.address for key in keys], 3)
    bound = None if release == "1.1.1" else world.node.chain_id
    typed = safe_message_digest(TEXT.encode(), safe, bound)
    proof = joined(
        keys[2].personal(TEXT),
        keys[0].sign(typed).hex(),
        keys[1].sign(personal_digest(typed), offset=31).hex(),
    )
    shown = world.show(ProofKind.SAFE_OWNERS, safe, proof)
    assert (shown.detail["safe"], shown.detail["threshold"]) == (release, "3")
    assert set(shown.detail["signers"].split(",")) == {key.address.lower() for key in keys}


@pytest.mark.parametrize("release", ["1.3.0", "1.4.1"])
def test_the_digest_of_a_safes_message_is_the_one_that_its_own_contract_accepts(
    world: World, safes: Safes, release: str
) -> None:
    keys = sorted((Key(), Key()), key=lambda key: key.address.lower())
    safe = safes.safe(release, [key.address for key in keys], 2)
    typed = safe_message_digest(TEXT.encode(), safe, world.node.chain_id)
    proof = joined(*(key.sign(typed).hex() for key in keys))
    assert world.show(ProofKind.EIP1271, safe, proof).kind is ProofKind.EIP1271
    assert world.show(ProofKind.SAFE_OWNERS, safe, proof).detail["threshold"] == "2"


def test_bypass_two_of_three_claimed_by_one_key_that_signs_twice(world: World, safes: Safes) -> None:
    keys = [Key() for _ in range(3)]
    safe = safes.safe("1.4.1", [key.address for key in keys], 2)
    once = keys[0].personal(TEXT)
    typed = keys[0].sign(safe_message_digest(TEXT.encode(), safe, world.node.chain_id)).hex()
    for proof in (joined(once, once), joined(once, typed), joined(typed, once)):
        assert "counts once" in refusal(lambda proof=proof: world.show(ProofKind.SAFE_OWNERS, safe, proof))
    assert "needs 2 of its 3" in refusal(lambda: world.show(ProofKind.SAFE_OWNERS, safe, once))


def test_bypass_a_safe_claimed_by_a_key_that_is_no_owner(world: World, safes: Safes) -> None:
    keys = [Key() for _ in range(2)]
    safe = safes.safe("1.3.0", [keys[0].address, keys[1].address], 2)
    proof = joined(keys[0].personal(TEXT), Key().personal(TEXT))
    assert "no owner" in refusal(lambda: world.show(ProofKind.SAFE_OWNERS, safe, proof))


def test_bypass_owners_of_another_safe_sign_for_this_one(world: World, safes: Safes) -> None:
    key = Key()
    mine, other = (safes.safe("1.4.1", [key.address], 1) for _ in range(2))
    typed = key.sign(safe_message_digest(TEXT.encode(), other, world.node.chain_id)).hex()
    assert "no owner" in refusal(lambda: world.show(ProofKind.SAFE_OWNERS, mine, "0x" + typed))


def test_bypass_a_contract_that_only_names_owners_as_a_safe_does(world: World, contracts: dict[str, Compiled]) -> None:
    key = Key()
    wallet = deploy(world.node, contracts["NoSafe"].creation(key.address))
    assert "no Safe" in refusal(lambda: world.show(ProofKind.SAFE_OWNERS, wallet, key.personal(TEXT)))


def test_bypass_a_real_proxy_before_code_that_is_no_safe(
    world: World, safes: Safes, contracts: dict[str, Compiled]
) -> None:
    key = Key()
    code = deploy(world.node, contracts["NoSafe"].creation(key.address))
    wallet = safes.proxy("1.4.1", singleton=code)
    assert "no release" in refusal(lambda: world.show(ProofKind.SAFE_OWNERS, wallet, key.personal(TEXT)))


def test_bypass_a_safe_that_was_never_set_up_needs_no_signature(world: World, safes: Safes) -> None:
    assert "threshold is 0" in refusal(
        lambda: world.show(ProofKind.SAFE_OWNERS, safes.proxy("1.4.1"), Key().personal(TEXT))
    )


def test_bypass_hashes_approved_on_chain_and_contract_signatures_are_no_owners_keys(world: World, safes: Safes) -> None:
    key = Key()
    safe = safes.safe("1.4.1", [key.address], 1)
    for v in ("00", "01"):
        proof = "0x" + key.address[2:].lower().zfill(64) + "0" * 64 + v
        assert "own key" in refusal(lambda proof=proof: world.show(ProofKind.SAFE_OWNERS, safe, proof))


def test_a_former_owner_shows_nothing_and_the_block_says_who_is_one(world: World, safes: Safes) -> None:
    key, successor = Key(), Key()
    safe = safes.safe("1.4.1", [key.address], 1, ether=1)
    swap = "0xe318b52b" + "".join(
        word.removeprefix("0x").lower().zfill(64) for word in ("0x1", key.address, successor.address)
    )
    # swapOwner(prev, old, new), which a Safe lets only itself call.
    assert world.node.receipt(world.node.send(safe, safe, data=swap))["status"] == "0x1"
    assert "no owner" in refusal(lambda: world.show(ProofKind.SAFE_OWNERS, safe, key.personal(TEXT)))
    assert world.show(ProofKind.SAFE_OWNERS, safe, successor.personal(TEXT)).locator == safe
    assert world.show(ProofKind.SAFE_OWNERS, safe, key.personal(TEXT), blocks_ago=1).locator == safe


def test_one_endpoint_of_three_that_names_other_owners_is_outvoted(world: World, safes: Safes) -> None:
    key, thief = Key(), Key()
    safe = safes.safe("1.4.1", [key.address], 1)
    world.node.mine()

    def lies(reply: Any) -> Any:
        return json.loads(json.dumps(reply).replace(key.address[2:].lower(), thief.address[2:].lower()))

    with FaultyNode(upstream=world.node.url) as liar, FaultyNode(upstream=world.node.url) as second:
        liar.fault = changed(lies)
        three = replace(world, urls=(liar.url, world.node.url, second.url))
        assert three.show(ProofKind.SAFE_OWNERS, safe, key.personal(TEXT)).locator == safe
        assert "no owner" in refusal(lambda: three.show(ProofKind.SAFE_OWNERS, safe, thief.personal(TEXT)))
        two = replace(world, urls=(liar.url, world.node.url))
        with pytest.raises(ChainError):
            two.show(ProofKind.SAFE_OWNERS, safe, key.personal(TEXT))


def test_a_block_that_nodes_do_not_know_leaves_it_undetermined(world: World) -> None:
    key = Key()
    keys = {"kind": "evm", "chain_id": world.node.chain_id, "native": "ETH", "endpoints": [{"url": world.node.url}]}

    async def ask() -> None:
        chain = connect("test", Settings.model_validate(keys), {"ETH": 18}, world.folder)
        at: BlockRef = replace(await chain.header(1), hash="0x" + "12" * 32)
        try:
            await chain.show_control(ProofKind.EIP191, key.address, TEXT.encode(), key.personal(TEXT), at)  # type: ignore[attr-defined]
        finally:
            await chain.close()

    with pytest.raises(ChainError):
        asyncio.run(ask())
