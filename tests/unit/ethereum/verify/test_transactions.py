from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chains.core.errors import BadAnswer
from chains.ethereum.verify import signatures
from chains.ethereum.verify.transactions import (
    UnverifiableTransaction,
    check_senders,
    check_transactions,
    encode_transaction,
    sender,
)
from chains.ethereum.verify.withdrawals import check_withdrawals
from tests.unit.ethereum.verify.blocks import SENDER, every_transaction, make_block, transaction
from tests.unit.ethereum.verify.blocks import encode_transaction as other_encode
from tests.unit.ethereum.verify.recorded import json_block, read_chain
from tests.unit.ethereum.verify.tries import other_hash, root_of_list


@pytest.fixture(scope="module")
def block() -> dict[str, Any]:
    return make_block()[0]


def changed(block: dict[str, Any], position: int, **fields: Any) -> dict[str, Any]:
    """The block, with fields of one transaction set to something else; ``None`` leaves one out."""
    sent = list(block["transactions"])
    sent[position] = {name: value for name, value in (sent[position] | fields).items() if value is not None}
    return block | {"transactions": sent}


@pytest.mark.parametrize("position", range(8))
def test_a_transaction_of_every_type_is_encoded_as_it_was_signed(block: dict[str, Any], position: int) -> None:
    tx = block["transactions"][position]
    envelope = encode_transaction(tx)
    assert envelope == other_encode(tx)
    assert "0x" + other_hash(envelope).hex() == tx["hash"]
    assert sender(tx) == SENDER


def test_a_block_with_every_type_of_transaction_verifies(block: dict[str, Any]) -> None:
    assert check_transactions(block) == ()
    check_senders(block)


def test_a_block_without_transactions_has_the_root_of_the_empty_trie(block: dict[str, Any]) -> None:
    empty = block | {"transactions": [], "transactionsRoot": "0x" + root_of_list([]).hex()}
    assert check_transactions(empty) == ()
    with pytest.raises(BadAnswer, match="have the root"):
        check_transactions(block | {"transactions": []})


def test_a_field_that_is_changed_in_any_transaction_is_noticed(block: dict[str, Any]) -> None:
    beside = {"hash", "from", "type"}
    for position, tx in enumerate(block["transactions"]):
        # Of a typed transaction `v` is only the older name of `yParity`, and `gasPrice` what was paid.
        hashed = set(tx) - beside - ({"v"} if tx["type"] != "0x0" else {"chainId"})
        for name in hashed:
            value = tx[name]
            if isinstance(value, str):
                wrong: Any = value[:-1] + ("0" if value[-1] != "0" else "1")
            else:
                wrong = None if value is None else value[:-1]
            if name == "to" and value is None:
                wrong = "0x" + "11" * 20
            with pytest.raises(BadAnswer, match=f"transaction {position} is said to have the hash|must be"):
                check_transactions(changed(block, position, **{name: wrong}))


def test_parts_of_nested_lists_are_hashed_too(block: dict[str, Any]) -> None:
    tx = block["transactions"][5]
    entry = tx["authorizationList"][0]
    for name in ("chainId", "nonce", "yParity", "r", "s"):
        wrong = entry | {name: hex(int(entry[name], 16) + 1)}
        with pytest.raises(BadAnswer, match="is said to have the hash"):
            check_transactions(changed(block, 5, authorizationList=[wrong, tx["authorizationList"][1]]))
    access = [{"address": tx["accessList"][0]["address"], "storageKeys": []}]
    with pytest.raises(BadAnswer, match="is said to have the hash"):
        check_transactions(changed(block, 5, accessList=access))


def test_a_transaction_that_is_left_out_or_moved_is_noticed(block: dict[str, Any]) -> None:
    sent = block["transactions"]
    for wrong in (sent[:-1], sent[1:], [*sent[:2], *sent[3:]], [sent[1], sent[0], *sent[2:]], [*sent, sent[0]]):
        with pytest.raises(BadAnswer, match="have the root"):
            check_transactions(block | {"transactions": wrong})


def test_a_sender_who_did_not_sign_is_noticed_and_both_are_named(block: dict[str, Any]) -> None:
    other = "0x" + "99" * 20
    for position in range(len(block["transactions"])):
        lie = changed(block, position, **{"from": other})
        assert check_transactions(lie) == ()
        with pytest.raises(BadAnswer, match=f"sent by {other}, but it is signed by {SENDER}"):
            check_senders(lie)


def test_a_type_that_is_not_known_makes_the_block_unverifiable_and_no_lie_of_it(block: dict[str, Any]) -> None:
    unknown = {"type": "0x7e", "hash": "0x" + "77" * 32, "from": SENDER}
    sent = [*block["transactions"], unknown]
    found = check_transactions(block | {"transactions": sent})
    assert found == (UnverifiableTransaction(8, "0x" + "77" * 32, 0x7E, unsigned=False),)
    assert encode_transaction(unknown) is None
    assert sender(unknown) is None
    check_senders(block | {"transactions": sent})


def test_beside_an_unknown_type_the_others_are_still_held_against_their_hashes(block: dict[str, Any]) -> None:
    unknown = {"type": "0x7e", "hash": "0x" + "77" * 32}
    lie = changed(block, 1, value="0x1")
    with pytest.raises(BadAnswer, match="transaction 1 is said to have the hash"):
        check_transactions(lie | {"transactions": [*lie["transactions"], unknown]})


def test_a_transaction_without_signature_is_unverifiable_and_still_part_of_the_root(block: dict[str, Any]) -> None:
    none = {"r": "0x0", "s": "0x0", "yParity": "0x0", "hash": "0x" + "55" * 32, "from": "0x" + "99" * 20}
    made = changed(block, 3, **none)
    envelopes = [other_encode(tx | {"v": tx.get("yParity", tx["v"])}) for tx in made["transactions"]]
    made["transactionsRoot"] = "0x" + root_of_list(envelopes).hex()
    assert check_transactions(made) == (UnverifiableTransaction(3, "0x" + "55" * 32, 2, unsigned=True),)
    check_senders(made)
    # To take the signature from one that has it is a lie about the root.
    with pytest.raises(BadAnswer, match="have the root"):
        check_transactions(changed(block, 3, **none))
    with pytest.raises(BadAnswer, match="have the root"):
        check_transactions(changed(made, 3, value="0x1"))


def test_signatures_padded_to_32_bytes_and_parities_named_v_are_read(block: dict[str, Any]) -> None:
    # Some nodes write them so; the hash decides what they are.
    tx = block["transactions"][3]
    padded = {name: f"0x{int(tx[name], 16):064x}" for name in ("r", "s")}
    assert check_transactions(changed(block, 3, **padded, yParity=None)) == ()
    assert check_transactions(changed(block, 0, type=None)) == ()


def test_transactions_by_hash_only_are_refused(block: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer, match="transaction 0 must be an object"):
        check_transactions(block | {"transactions": [tx["hash"] for tx in block["transactions"]]})


def test_a_signature_in_its_other_spelling_has_no_sender() -> None:
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    tx = transaction(2)
    high = tx | {"s": hex(order - int(tx["s"], 16)), "yParity": hex(1 - int(tx["yParity"], 16))}
    assert sender(tx) == SENDER
    assert sender(high) is None


def test_both_ways_to_recover_a_key_agree() -> None:
    native = signatures._recovery()
    found = set()
    for n in range(1, 9):
        digest, r, s = other_hash(bytes((n,))), int.from_bytes(other_hash(bytes((n, 1)))), 2**200 + n
        for parity in (0, 1):
            key = native(digest, parity, r, s)
            assert key == signatures._python(digest, parity, r, s)
            found.add(key)
    # About half of all numbers are no x of a point.
    assert None in found
    assert len(found) > 4


@pytest.mark.parametrize(
    ("parity", "r", "s"), [(2, 1, 1), (-1, 1, 1), (0, 0, 1), (0, 1, 0), (0, 2**256, 1), (0, 1, 2**256)]
)
def test_numbers_that_no_signature_has_recover_nobody(parity: int, r: int, s: int) -> None:
    assert signatures.recover(b"\x01" * 32, parity, r, s) is None


def test_withdrawals_are_those_of_the_header(block: dict[str, Any]) -> None:
    check_withdrawals(block)
    paid = block["withdrawals"]
    for wrong in ([], paid[1:], [paid[0] | {"amount": "0x1"}, *paid[1:]], [paid[1], paid[0], paid[2]]):
        with pytest.raises(BadAnswer, match="withdrawals have the root"):
            check_withdrawals(block | {"withdrawals": wrong})


def test_withdrawals_before_their_fork_are_neither_there_nor_committed_to(block: dict[str, Any]) -> None:
    before = {name: value for name, value in block.items() if name not in ("withdrawals", "withdrawalsRoot")}
    check_withdrawals(before)
    with pytest.raises(BadAnswer, match="does not commit to"):
        check_withdrawals(before | {"withdrawals": block["withdrawals"]})
    with pytest.raises(BadAnswer, match="must be a list"):
        check_withdrawals(before | {"withdrawalsRoot": block["withdrawalsRoot"]})


def test_every_transaction_and_withdrawal_of_a_chain_with_all_types_is_what_its_headers_commit_to(
    shared_data: Path,
) -> None:
    kinds = set()
    for recorded in read_chain(shared_data):
        answer = json_block(recorded)
        kinds |= {tx["type"] for tx in answer["transactions"]}
        assert check_transactions(answer) == ()
        check_withdrawals(answer)
        assert all(sender(tx) is not None for tx in answer["transactions"])
    assert kinds == {"0x0", "0x1", "0x2", "0x3", "0x4"}


def test_creations_have_no_destination() -> None:
    assert [tx["to"] for tx in every_transaction()[-2:]] == [None, None]
