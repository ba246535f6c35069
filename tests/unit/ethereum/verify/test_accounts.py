from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chains.core.errors import BadAnswer
from chains.ethereum.verify import rlp
from chains.ethereum.verify.accounts import ProvedAccount, check_proof
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.proof import ABSENT, EMPTY_CODE, AccountState, Proofs
from chains.ethereum.verify.trie import EMPTY_ROOT
from tests.unit.ethereum.verify.test_proof import CODE, encode_account
from tests.unit.ethereum.verify.tries import make_trie, proof_of

ADDRESS, NOBODY = "0x" + "aB" * 20, "0x" + "01" * 20
WORDS = {0: 56, 3: 2**255}


class Node:
    """What a node with two accounts answers to eth_getProof."""

    def __init__(self) -> None:
        self.storage = make_trie({keccak(s.to_bytes(32, "big")): rlp.encode_int(w) for s, w in WORDS.items()})
        self.storage_root = "0x" + self.storage.root_hash.hex()
        self.state = make_trie(
            {
                keccak(bytes.fromhex(ADDRESS[2:])): encode_account(7, 10**20, self.storage_root),
                keccak(b"\x02" * 20): encode_account(0, 1),
            }
        )
        self.root = "0x" + self.state.root_hash.hex()

    def proof(self, address: str, *slots: int) -> dict[str, Any]:
        there = address == ADDRESS
        return {
            "address": address.lower(),
            "accountProof": proof_of(self.state, keccak(bytes.fromhex(address[2:]))),
            "balance": hex(10**20 if there else 0),
            "nonce": "0x7" if there else "0x0",
            "codeHash": CODE if there else EMPTY_CODE,
            "storageHash": self.storage_root if there else "0x" + EMPTY_ROOT.hex(),
            "storageProof": [
                {
                    "key": hex(slot),
                    "value": hex(WORDS.get(slot, 0)),
                    "proof": proof_of(self.storage, keccak(slot.to_bytes(32, "big"))) if there else [],
                }
                for slot in slots
            ],
        }


@pytest.fixture(scope="module")
def node() -> Node:
    return Node()


def test_an_answer_proves_an_account_and_its_slots(node: Node) -> None:
    found = check_proof(Proofs(), node.root, ADDRESS, node.proof(ADDRESS, 0, 1, 3), [0, 1, 3])
    assert found == ProvedAccount(AccountState(True, 7, 10**20, node.storage_root, CODE), {0: 56, 1: 0, 3: 2**255})


def test_an_answer_proves_that_nobody_is_there(node: Node) -> None:
    answer = node.proof(NOBODY, 5)
    assert check_proof(Proofs(), node.root, NOBODY, answer, [5]) == ProvedAccount(ABSENT, {5: 0})
    # Some nodes write zeros in place of the hashes of nothing.
    zeros = {"codeHash": "0x" + "00" * 32, "storageHash": "0x" + "00" * 32}
    assert check_proof(Proofs(), node.root, NOBODY, answer | zeros, [5]).state == ABSENT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("address", NOBODY),
        ("balance", "0x0"),
        ("nonce", "0x8"),
        ("codeHash", EMPTY_CODE),
        ("codeHash", "0x" + "00" * 32),
        ("storageHash", "0x" + EMPTY_ROOT.hex()),
        ("accountProof", []),
        ("accountProof", None),
        ("storageProof", []),
        ("balance", None),
    ],
)
def test_an_answer_that_says_something_else_than_it_proves_is_refused(node: Node, name: str, value: Any) -> None:
    with pytest.raises(BadAnswer):
        check_proof(Proofs(), node.root, ADDRESS, node.proof(ADDRESS, 0) | {name: value}, [0])


def test_a_balance_for_nobody_is_refused(node: Node) -> None:
    with pytest.raises(BadAnswer, match="says that balance is 5, but its proof shows 0"):
        check_proof(Proofs(), node.root, NOBODY, node.proof(NOBODY) | {"balance": "0x5"})


@pytest.mark.parametrize(("name", "value"), [("key", "0x1"), ("value", "0x39"), ("proof", []), ("proof", None)])
def test_a_slot_that_is_another_or_says_something_else_is_refused(node: Node, name: str, value: Any) -> None:
    answer = node.proof(ADDRESS, 0)
    entry = answer["storageProof"][0] | {name: value}
    with pytest.raises(BadAnswer):
        check_proof(Proofs(), node.root, ADDRESS, answer | {"storageProof": [entry]}, [0])


@pytest.mark.parametrize("answer", [None, [], "0x", {}, {"address": ADDRESS}])
def test_what_is_no_answer_is_refused(node: Node, answer: Any) -> None:
    with pytest.raises(BadAnswer):
        check_proof(Proofs(), node.root, ADDRESS, answer)


def test_accounts_of_five_ages_of_mainnet_are_proved(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "ethereum" / "mainnet_getproof_vectors.json").read_text())["vectors"]
    assert len(vectors) == 5
    for vector in vectors:
        answer, expect, root = vector["eth_getProof"], vector["expect"], vector["state_root"]
        slots = [int(entry["key"], 16) for entry in answer.get("storageProof") or []]
        found = check_proof(Proofs(), root, answer["address"], answer, slots)
        assert found.state == AccountState(
            expect["account_exists"],
            expect["nonce"],
            int(expect["balance_wei"]),
            expect["storage_root"],
            expect["code_hash"],
        )
        assert found.storage == {int(e["key"], 16): int(e["value"], 16) for e in expect.get("storage", [])}
        other = next(v["state_root"] for v in vectors if v["state_root"] != root)
        with pytest.raises(BadAnswer):
            check_proof(Proofs(), other, answer["address"], answer, slots)


def test_any_byte_of_a_mainnet_proof_that_is_changed_is_refused(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "ethereum" / "mainnet_getproof_vectors.json").read_text())["vectors"]
    vector = vectors[-1]
    nodes, address = vector["eth_getProof"]["accountProof"], vector["eth_getProof"]["address"]
    proofs = Proofs()
    assert proofs.account(vector["state_root"], address, nodes).exists
    for n, text in enumerate(nodes):
        for at in range(2, len(text), 2):
            wrong = text[:at] + f"{int(text[at : at + 2], 16) ^ 0x80:02x}" + text[at + 2 :]
            with pytest.raises(BadAnswer):
                proofs.account(vector["state_root"], address, [*nodes[:n], wrong, *nodes[n + 1 :]])


def test_recorded_answers_of_a_node_are_proved_against_the_state_of_its_latest_block(shared_data: Path) -> None:
    folder = shared_data / "ethereum" / "execution_apis"

    def exchange(name: str) -> tuple[Any, Any]:
        lines = (folder / name).read_text().splitlines()
        asked, given = (next(line for line in lines if line.startswith(mark)) for mark in (">>", "<<"))
        return json.loads(asked[3:])["params"], json.loads(given[3:])["result"]

    root = exchange("eth_getBlockByNumber_get-latest.io")[1]["stateRoot"]
    for name in ("blockhash", "latest", "with-storage"):
        (address, slots, _), answer = exchange(f"eth_getProof_get-account-proof-{name}.io")
        found = check_proof(Proofs(), root, address, answer, [int(slot, 16) for slot in slots])
        assert found.state.balance == 118
        assert found.storage == ({0: 56} if slots else {})
