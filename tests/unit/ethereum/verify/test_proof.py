from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.core.errors import BadAnswer
from chains.ethereum.verify import rlp
from chains.ethereum.verify.hashing import keccak
from chains.ethereum.verify.proof import ABSENT, EMPTY_CODE, AccountState, Proofs
from chains.ethereum.verify.trie import EMPTY_ROOT, hex_prefix
from tests.unit.ethereum.verify.tries import make_trie, proof_of

STORAGE, CODE = "0x" + "51" * 32, "0x" + "c0" * 32


def encode_account(nonce: int, balance: int, storage: str = STORAGE, code: str = CODE) -> bytes:
    fields = (rlp.encode_int(nonce), rlp.encode_int(balance))
    return rlp.encode_list((*fields, *(rlp.encode_bytes(bytes.fromhex(text[2:])) for text in (storage, code))))


class State:
    """A state of some accounts as py-trie keeps it."""

    def __init__(self, count: int, seed: int = 3) -> None:
        chance = random.Random(seed)
        self.accounts = {
            "0x" + chance.randbytes(20).hex(): AccountState(
                True, chance.randrange(300), chance.randrange(2**90), STORAGE, CODE
            )
            for _ in range(count)
        }
        self.trie = make_trie(
            {self.key(address): encode_account(state.nonce, state.balance) for address, state in self.accounts.items()}
        )
        self.root = "0x" + self.trie.root_hash.hex()

    def key(self, address: str) -> bytes:
        return keccak(bytes.fromhex(address[2:]))

    def proof(self, address: str) -> list[str]:
        return proof_of(self.trie, self.key(address))


@pytest.fixture(scope="module")
def state() -> State:
    return State(1_500)


def test_every_account_is_proved_one_by_one_and_in_a_batch(state: State) -> None:
    proofs = Proofs()
    for address, expected in list(state.accounts.items())[:300]:
        nodes = state.proof(address)
        assert Proofs().account(state.root, address, nodes) == expected
        assert proofs.account(state.root, address, nodes) == expected
        assert proofs.account(state.root, address, nodes) == expected


def test_an_account_that_does_not_exist_is_proved_absent(state: State) -> None:
    proofs = Proofs()
    for n in range(200):
        address = f"0x{n:040x}"
        assert proofs.account(state.root, address, state.proof(address)) == ABSENT
    assert not ABSENT.exists
    assert (ABSENT.nonce, ABSENT.balance, ABSENT.code_hash) == (0, 0, EMPTY_CODE)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_small_states_prove_presence_and_absence(count: int) -> None:
    state = State(count, seed=count)
    for address, expected in state.accounts.items():
        assert Proofs().account(state.root, address, state.proof(address)) == expected
    for n in range(20):
        address = f"0x{n:040x}"
        assert Proofs().account(state.root, address, state.proof(address)) == ABSENT


def test_every_byte_of_a_proof_that_is_flipped_is_refused_also_beside_the_right_nodes(state: State) -> None:
    address = next(iter(state.accounts))
    nodes = state.proof(address)
    proofs = Proofs()
    proofs.account(state.root, address, nodes)
    for n, node in enumerate(nodes):
        raw = bytes.fromhex(node[2:])
        for at in range(len(raw)):
            wrong = "0x" + (raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]).hex()
            lie = [*nodes[:n], wrong, *nodes[n + 1 :]]
            for verifier in (proofs, Proofs()):
                with pytest.raises(BadAnswer, match=f"node {n} of the proof hashes to"):
                    verifier.account(state.root, address, lie)
    assert proofs.account(state.root, address, nodes) == state.accounts[address]


def test_a_proof_that_is_cut_reordered_or_goes_on_is_refused(state: State) -> None:
    address, other = list(state.accounts)[:2]
    nodes, others = state.proof(address), state.proof(other)
    wrongs = [nodes[:-1], nodes[1:], [], nodes[::-1], [*nodes, nodes[-1]], [*nodes, "0x80"], [*nodes[:-1], others[-1]]]
    for wrong in wrongs:
        for proofs in (Proofs(), warmed(state, address, other)):
            with pytest.raises(BadAnswer):
                proofs.account(state.root, address, wrong)


def warmed(state: State, *addresses: str) -> Proofs:
    proofs = Proofs()
    for address in addresses:
        proofs.account(state.root, address, state.proof(address))
    return proofs


def test_a_proof_of_another_account_or_of_another_state_is_refused(state: State) -> None:
    address, other = list(state.accounts)[:2]
    with pytest.raises(BadAnswer):
        Proofs().account(state.root, address, state.proof(other))
    with pytest.raises(BadAnswer, match="node 0 of the proof hashes to"):
        Proofs().account(State(5).root, address, state.proof(address))


def test_an_incomplete_absence_is_an_error_and_never_a_zero(state: State) -> None:
    absent = "0x" + "00" * 20
    nodes = state.proof(absent)
    assert Proofs().account(state.root, absent, nodes) == ABSENT
    for end in range(len(nodes)):
        with pytest.raises(BadAnswer, match="ends above"):
            Proofs().account(state.root, absent, nodes[:end])


def test_what_is_no_proof_is_refused(state: State) -> None:
    address = next(iter(state.accounts))
    for wrong in (None, {}, "0x80", [None], [7], [{}], [["0x80"]], ["80"], ["0x8"], ["0x8 0"], ["0x" + "00" * 1025]):
        with pytest.raises(BadAnswer):
            Proofs().account(state.root, address, wrong)  # type: ignore[arg-type]
    with pytest.raises(BadAnswer, match="at most 65 nodes"):
        Proofs().account(state.root, address, ["0x80"] * 66)


def test_the_empty_state_holds_nobody() -> None:
    root = "0x" + EMPTY_ROOT.hex()
    for nodes in ([], ["0x80"]):
        assert Proofs().account(root, "0x" + "11" * 20, nodes) == ABSENT
        assert Proofs().storage(root, 1, nodes) == 0
    with pytest.raises(BadAnswer):
        Proofs().account(root, "0x" + "11" * 20, ["0x80", "0x80"])


def test_storage_is_proved_slot_by_slot() -> None:
    words = {slot: 2 ** (slot % 256) + slot for slot in range(0, 400, 3)}
    trie = make_trie({keccak(slot.to_bytes(32, "big")): rlp.encode_int(word) for slot, word in words.items()})
    root, proofs = "0x" + trie.root_hash.hex(), Proofs()
    for slot in range(400):
        nodes = proof_of(trie, keccak(slot.to_bytes(32, "big")))
        assert proofs.storage(root, slot, nodes) == words.get(slot, 0)


#: Keys of 32 bytes that differ only at their ends: long shared paths, and nodes that stand in their parents.
CLOSE_KEYS = st.binary(min_size=2, max_size=2).map(lambda end: b"\x5a" * 29 + b"\x00" + end)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(CLOSE_KEYS, st.binary(min_size=1, max_size=40), min_size=1, max_size=12), st.lists(CLOSE_KEYS))
def test_any_trie_proves_what_it_holds_and_what_it_does_not(content: dict[bytes, bytes], others: list[bytes]) -> None:
    trie, proofs = make_trie(content), Proofs()
    root = bytes(trie.root_hash)
    for key in {*content, *others, b"\x00" * 32}:
        assert proofs.value(root, key, proof_of(trie, key)) == content.get(key)


def test_nodes_that_stand_in_their_parents_are_read() -> None:
    keys = [b"\x00" * 31 + bytes((n,)) for n in (0x00, 0x01, 0x10, 0x11)]
    trie = make_trie({key: bytes((n + 1,)) for n, key in enumerate(keys)})
    nodes = proof_of(trie, keys[0])
    assert len(nodes) == 2, "of four levels, two stand in their parents"
    for n, key in enumerate(keys):
        assert Proofs().value(trie.root_hash, key, nodes) == bytes((n + 1,))
    assert Proofs().value(trie.root_hash, b"\x00" * 31 + b"\x02", nodes) is None
    assert Proofs().value(trie.root_hash, b"\x00" * 31 + b"\x20", nodes) is None


def test_what_is_remembered_is_bounded(state: State) -> None:
    proofs = Proofs(remembered=3)
    for address, expected in list(state.accounts.items())[:30]:
        assert proofs.account(state.root, address, state.proof(address)) == expected
    assert len(proofs._nodes) == 3


KEY = keccak(b"\x11" * 20)
DIGITS = KEY.hex()


def leaf(value: bytes, digits: str = DIGITS) -> bytes:
    return rlp.encode_list((rlp.encode_bytes(hex_prefix(digits, leaf=True)), rlp.encode_bytes(value)))


def branch(children: dict[int, bytes], value: bytes = rlp.EMPTY) -> bytes:
    return rlp.encode_list((*(children.get(n, rlp.EMPTY) for n in range(16)), value))


def short(path: bytes, item: bytes) -> bytes:
    return rlp.encode_list((rlp.encode_bytes(path), item))


FIRST = int(DIGITS[0], 16)
HASH = b"\xa0" + b"\x77" * 32
#: Nodes whose hash is right and whose form is not; a root is all that a proof is held against.
MALFORMED: dict[str, tuple[bytes, str]] = {
    "leaf with trailing bytes": (leaf(b"\x01") + b"\x00", "bytes where"),
    "leaf with a spelling of its own": (
        rlp.encode_list((rlp.encode_bytes(hex_prefix(DIGITS, leaf=True)), b"\x81\x01")),
        "with a prefix",
    ),
    "leaf that is empty": (leaf(b""), "leaf of the proof is empty"),
    "leaf with a list": (short(hex_prefix(DIGITS, leaf=True), rlp.encode_list(())), "a list where a string"),
    "leaf of a shorter key": (leaf(b"\x01", DIGITS[:-1]), "another depth"),
    "leaf of a longer key": (leaf(b"\x01", DIGITS + "0"), "another depth"),
    "path with another flag": (short(b"\x40" + KEY, b"\x01"), "no valid prefix"),
    "path with padding": (short(b"\x21" + KEY, b"\x01"), "no valid prefix"),
    "path that is empty": (short(b"", b"\x01"), "no valid prefix"),
    "extension of nothing": (short(b"\x00", HASH), "leads nowhere"),
    "extension over the whole key": (short(hex_prefix(DIGITS, leaf=False), HASH), "leads nowhere"),
    "extension to no node": (short(hex_prefix(DIGITS[:2], leaf=False), b"\x05"), "neither by hash nor by itself"),
    "branch with a value": (branch({0: HASH, 1: HASH}, b"\x05"), "holds a value"),
    "branch to no node": (branch({FIRST: b"\x82\x01\x02"}), "neither by hash nor by itself"),
    "branch to a node too long to stand here": (
        branch({FIRST: leaf(b"\x01" * 40, DIGITS[1:])}),
        "neither by hash nor by itself",
    ),
    "three items": (rlp.encode_list((HASH, HASH, HASH)), "3 items, not 2 or 17"),
    "no list": (b"\x82\x01\x02", "a string where a list"),
    "nothing": (b"", "RLP is empty"),
}


@pytest.mark.parametrize("name", list(MALFORMED))
def test_a_node_of_another_form_is_refused_even_where_its_hash_is_right(name: str) -> None:
    node, why = MALFORMED[name]
    with pytest.raises(BadAnswer, match=re.escape(why)):
        Proofs().value(keccak(node), KEY, ["0x" + node.hex()])


def test_a_trie_deeper_than_its_keys_is_refused() -> None:
    below = branch({0: HASH, 1: HASH})
    for full in (False, True):
        nodes = [below]
        for digit in reversed(DIGITS):
            child = b"\xa0" + keccak(nodes[0])
            others = range(16) if full else ()
            nodes.insert(0, branch(dict.fromkeys(others, HASH) | {int(digit, 16): child}))
        with pytest.raises(BadAnswer, match="deeper than its key"):
            Proofs().value(keccak(nodes[0]), KEY, ["0x" + node.hex() for node in nodes])
        below = branch(dict.fromkeys(range(16), HASH))


STRANGE: dict[str, tuple[bytes, str]] = {
    "three fields": (rlp.encode_list((b"\x01", b"\x02", HASH)), "no account"),
    "five fields": (rlp.encode_list((b"\x01", b"\x02", b"\x03", HASH, HASH)), "bytes where"),
    "short root": (rlp.encode_list((b"\x01", b"\x83abc", b"\x9f" + b"\x77" * 31, HASH)), "not 32 bytes"),
    "nonce with leading zero": (rlp.encode_list((b"\x82\x00\x01", b"\x02", HASH, HASH)), "leading zeros"),
    "nonce too large": (rlp.encode_list((rlp.encode_int(2**64), b"\x02", HASH, HASH)), "no account"),
    "balance with leading zero": (rlp.encode_list((b"\x01", b"\x00", HASH, HASH)), "leading zeros"),
    "balance too large": (rlp.encode_list((b"\x01", rlp.encode_int(2**256), HASH, HASH)), "too large"),
    "no list": (b"\x01" * 80, "no account"),
}


@pytest.mark.parametrize("name", list(STRANGE))
def test_a_leaf_that_is_no_account_is_refused(name: str) -> None:
    value, why = STRANGE[name]
    node = leaf(value)
    with pytest.raises(BadAnswer, match=re.escape(why)):
        Proofs().account("0x" + keccak(node).hex(), "0x" + "11" * 20, ["0x" + node.hex()])


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1))
def test_every_nonce_and_balance_is_read_exactly(nonce: int, balance: int) -> None:
    node = leaf(encode_account(nonce, balance))
    found = Proofs().account("0x" + keccak(node).hex(), "0x" + "11" * 20, ["0x" + node.hex()])
    assert found == AccountState(True, nonce, balance, STORAGE, CODE)


@given(st.binary(max_size=120))
def test_any_leaf_is_an_account_in_its_one_spelling_or_refused(value: bytes) -> None:
    node: Any = leaf(value or b"\x01")
    try:
        found = Proofs().account("0x" + keccak(node).hex(), "0x" + "11" * 20, ["0x" + node.hex()])
    except BadAnswer:
        return
    assert encode_account(found.nonce, found.balance, found.storage_root, found.code_hash) == value


def test_a_slot_holds_one_word_that_is_not_zero() -> None:
    key = keccak(bytes(32))
    for word in (rlp.encode_int(2**256), rlp.EMPTY):
        node = leaf(word, key.hex())
        with pytest.raises(BadAnswer, match="cannot be in a trie"):
            Proofs().storage("0x" + keccak(node).hex(), 0, ["0x" + node.hex()])
