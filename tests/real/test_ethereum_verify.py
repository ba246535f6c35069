"""What a real node answers, held against its own hashes; and every lie about it that a test can think of."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from eth_account import Account

from chains.core.errors import BadAnswer
from chains.ethereum.verify.accounts import check_proof
from chains.ethereum.verify.authorizations import authorizations
from chains.ethereum.verify.header import check_header
from chains.ethereum.verify.proof import ABSENT, Proofs
from chains.ethereum.verify.receipts import check_derived, check_receipts, logs_bloom
from chains.ethereum.verify.transactions import check_senders, check_transactions
from chains.ethereum.verify.withdrawals import check_withdrawals
from chains.lab.anvil import WEI_PER_ETH, Anvil, token_call

pytestmark = pytest.mark.component("anvil")

#: Reverts whatever is sent to it.
REVERTER = "0x6005600c60003960056000f3" + "60006000fd"
KEY = b"\x07" * 32


def put(node: Anvil, **fields: Any) -> dict[str, Any]:
    """Sends a signed transaction, waits for it and gives its receipt."""
    account: Any = Account.from_key(KEY)
    fields = {"gas": 500_000, "chainId": node.chain_id, "value": 0} | fields
    fields["to"] = bytes.fromhex(fields["to"][2:])
    fields["nonce"] = int(node.rpc("eth_getTransactionCount", account.address, "latest"), 16)
    return node.receipt(
        node.rpc("eth_sendRawTransaction", "0x" + account.sign_transaction(fields).raw_transaction.hex())
    )


def block_of(node: Anvil, height: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    at = hex(height)
    return node.rpc("eth_getBlockByNumber", at, True), node.rpc("eth_getBlockReceipts", at)


def verify(block: dict[str, Any], receipts: list[dict[str, Any]]) -> None:
    check_header(block)
    assert all(found.unsigned for found in check_transactions(block)), "only what the node sends for others is unsigned"
    check_senders(block)
    check_withdrawals(block)
    assert check_receipts(block, receipts) == ()
    check_derived(block, receipts)
    for receipt in receipts:
        assert "0x" + logs_bloom(receipt["logs"]).hex() == receipt["logsBloom"]


@pytest.fixture(scope="module")
def story(anvil: Anvil) -> tuple[Anvil, int, int, str]:
    """Blocks with every type of transaction that a node takes without blobs; the token they move."""
    first = anvil.head()
    account: Any = Account.from_key(KEY)
    anvil.fund(account.address, 50 * WEI_PER_ETH)
    token = anvil.deploy_token(anvil.accounts[0], "TST", 6, 10**12)
    anvil.receipt(anvil.transfer_token(token, anvil.accounts[0], account.address, 5_000))
    to = Account.from_key(b"\x08" * 32).address
    price = {"gasPrice": 10**10}
    fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}
    put(anvil, to=to, value=1, **price)
    put(anvil, to=token, data=token_call("transfer(address,uint256)", to, 7), type=1, accessList=[], **price)
    access = [{"address": token, "storageKeys": ["0x" + "00" * 32]}]
    put(anvil, to=token, data=token_call("transfer(address,uint256)", to, 8), type=2, accessList=access, **fees)
    created = put(anvil, to="", data=REVERTER, **fees)["contractAddress"]
    assert put(anvil, to=created, **fees)["status"] == "0x0"
    other: Any = Account.from_key(b"\x09" * 32)
    signed = other.sign_authorization({"chainId": anvil.chain_id, "address": token, "nonce": 0})
    put(anvil, to=to, authorizationList=[signed], type=4, **fees)
    return anvil, first, anvil.head(), token


def test_every_block_is_what_its_hash_commits_to(story: tuple[Anvil, int, int, str]) -> None:
    node, first, last, _ = story
    kinds = set()
    for height in range(first, last + 1):
        block, receipts = block_of(node, height)
        verify(block, receipts)
        kinds |= {tx["type"] for tx in block["transactions"]}
    assert kinds == {"0x0", "0x1", "0x2", "0x4"}


def test_the_authority_of_a_sponsored_transaction_is_who_signed(story: tuple[Anvil, int, int, str]) -> None:
    node, _, last, token = story
    ((found,),) = map(authorizations, block_of(node, last)[0]["transactions"])
    assert found.authority == Account.from_key(b"\x09" * 32).address.lower()
    assert found.delegate == token.lower()
    assert int(node.rpc("eth_getTransactionCount", found.authority, "latest"), 16) == found.nonce + 1


def test_a_block_of_which_anything_is_changed_fails(story: tuple[Anvil, int, int, str]) -> None:
    node, first, last, _ = story
    honest = next(made for made in (block_of(node, h) for h in range(last, first, -1)) if made[1][0]["logs"])
    verify(*honest)
    block, receipts = honest
    tries = 0
    for where, names in ((block, list(block)), (block["transactions"][0], list(block["transactions"][0]))):
        for name in names:
            if name in ("size", "totalDifficulty", "blockHash", "blockNumber", "blockTimestamp", "transactionIndex"):
                continue
            # Of typed transactions: older names of `yParity` and `effectiveGasPrice`.
            if (where is not block and name in ("v", "gasPrice")) or not isinstance(where[name], str):
                continue
            lie = deepcopy(honest)
            target = lie[0] if where is block else lie[0]["transactions"][0]
            value = target[name]
            target[name] = value[:-1] + ("0" if value[-1] != "0" else "1")
            with pytest.raises(BadAnswer):
                verify(*lie)
            tries += 1
    assert tries > 25
    for change in ({"logs": []}, {"status": "0x0"}, {"gasUsed": "0x1"}, {"from": "0x" + "11" * 20}):
        with pytest.raises(BadAnswer):
            verify(block, [receipts[0] | change, *receipts[1:]])


def test_proofs_of_accounts_slots_and_absence_are_those_of_the_header(story: tuple[Anvil, int, int, str]) -> None:
    node, _, last, token = story
    root = node.rpc("eth_getBlockByNumber", hex(last), False)["stateRoot"]
    proofs = Proofs()
    for address in (*node.accounts, token, Account.from_key(KEY).address):
        answer = node.rpc("eth_getProof", address, [f"0x{slot:064x}" for slot in range(3)], hex(last))
        found = check_proof(proofs, root, address, answer, [0, 1, 2])
        assert found.state.balance == node.balance(address, last)
        for slot, word in found.storage.items():
            assert word == int(node.rpc("eth_getStorageAt", address, hex(slot), hex(last)), 16)
        with pytest.raises(BadAnswer):
            check_proof(proofs, root, address, answer | {"balance": hex(found.state.balance + 1)}, [0, 1, 2])
    for n in range(20):
        address = f"0x{n + 2**90:040x}"
        answer = node.rpc("eth_getProof", address, [], hex(last))
        assert check_proof(proofs, root, address, answer).state == ABSENT
