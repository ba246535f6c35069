"""What Ether does without saying so: each row on an anvil, judged by a monitor that follows it."""

from __future__ import annotations

from eth_account import Account

from chains.lab.anvil import WEI_PER_ETH
from tests.real.corpus.evidence import Want
from tests.real.corpus.evm import EvmGround
from tests.real.corpus.stage import Stage

ETH = WEI_PER_ETH
COLD = ("unexplained_outflow", "cold_without_approval")


def test_internal_call(stage: Stage, evm: EvmGround) -> None:
    """Internal call. A stranger calls our contract wallet, which sends 0.3 ETH on inside the transaction."""
    thief, amount = evm.outside("the thief"), 3 * 10**17
    txid = evm.order(evm.stranger(), "evm-hot-contract", "forward(address,uint256)", thief, amount)
    stage.judged(
        evm,
        [txid],
        [("evm-hot-contract", "ETH", "destination", "unexplained", amount)],
        [Want("evm-hot-contract", "ETH", amount, {thief: amount})],
    )


def test_internal_call_from_cold(stage: Stage, evm: EvmGround) -> None:
    """Internal call, cold and approved. The same from a cold contract wallet, with an approval: one that a stranger \
calls has no signature of ours, so the approval of the payment is all there is to ask for."""
    payee, amount = evm.outside("the payee"), 2 * 10**17
    approval = stage.approve(evm, "ETH", amount, payee)
    txid = evm.order(evm.stranger(), "evm-cold-contract", "forward(address,uint256)", payee, amount)
    stage.judged(evm, [txid], [("evm-cold-contract", "ETH", "destination", "approved", amount)])
    assert txid in stage.used(approval)


def test_reverted_inner_call(stage: Stage, evm: EvmGround) -> None:
    """Internal call that is undone. A stranger's call of our contract wallet fails for want of funds."""
    thief = evm.outside("the thief")
    txid = evm.order(evm.stranger(), "evm-hot-contract", "forward(address,uint256)", thief, 10**6 * ETH)
    assert not evm.succeeded(txid)
    stage.untouched(evm, [txid])


def test_selfdestruct_of_ours(stage: Stage, evm: EvmGround) -> None:
    """Selfdestruct of our contract. A stranger ends our cold contract wallet: its whole balance goes to his account."""
    thief, amount = evm.outside("the thief"), evm.held("evm-cold-contract", "ETH")
    txid = evm.order(evm.stranger(), "evm-cold-contract", "end(address)", thief)
    assert evm.held("evm-cold-contract", "ETH") == 0
    stage.judged(
        evm,
        [txid],
        [("evm-cold-contract", "ETH", "destination", "unexplained", amount)],
        [Want("evm-cold-contract", "ETH", amount, {thief: amount})],
    )


def test_selfdestruct_to_us(stage: Stage, evm: EvmGround) -> None:
    """Selfdestruct into our wallet. A stranger's contract ends itself and sends its balance to our hot wallet."""
    stranger, amount = evm.stranger(), ETH // 7
    contract = evm.deploy("ContractWallet")
    evm.send(stranger, contract, amount)
    data = evm.compiled["ContractWallet"].call("end(address)", evm.addresses["evm-hot"])
    txid = evm.send(stranger, contract, data=data)
    stage.judged(evm, [txid], [("evm-hot", "ETH", "receipt", "deposit", amount)])


def test_eip_7702(stage: Stage, evm: EvmGround) -> None:
    """EIP-7702, sponsored. Our account has signed a delegation to a contract; a stranger sends both transactions and \
pays for them, and 4 ETH leave with no transaction from us."""
    thief, amount = evm.outside("the thief"), 4 * ETH
    ours, contract = evm.keys["evm-7702"], evm.deploy("ContractWallet")
    sponsor = Account.create()
    evm.send(evm.anyone, sponsor.address, ETH)
    chain_id, price = evm.node.chain_id, 10**10
    signed = ours.sign_authorization({"chainId": chain_id, "address": contract, "nonce": 0})
    fields = {"chainId": chain_id, "to": ours.address, "value": 0, "gas": 300_000, "maxPriorityFeePerGas": 1, "maxFeePerGas": price}  # fmt: skip
    setting = sponsor.sign_transaction(fields | {"nonce": 0, "data": "0x", "authorizationList": [signed]})
    delegated = evm.raw("0x" + setting.raw_transaction.hex())
    assert evm.node.rpc("eth_getCode", ours.address, "latest") == "0xef0100" + contract[2:].lower()
    call = evm.compiled["ContractWallet"].call("forward(address,uint256)", thief, amount)
    taken = evm.raw("0x" + sponsor.sign_transaction(fields | {"nonce": 1, "data": call}).raw_transaction.hex())
    stage.judged(
        evm,
        [delegated, taken],
        [("evm-7702", "ETH", "destination", "unexplained", amount)],
        [Want("evm-7702", "ETH", amount, {thief: amount})],
    )


def test_reverted_hot(stage: Stage, evm: EvmGround) -> None:
    """Reverted transaction of hot. Our hot wallet sends 1 ETH to a contract that refuses it: only the fee is gone."""
    contract = evm.deploy("ContractWallet")
    data = evm.compiled["ContractWallet"].call("refuse()")
    txid = evm.send(evm.addresses["evm-hot"], contract, ETH, data)
    assert not evm.succeeded(txid)
    stage.judged(evm, [txid], [("evm-hot", "ETH", "fee", "fee", evm.fee(txid))])


def test_reverted_cold(stage: Stage, evm: EvmGround) -> None:
    """Reverted transaction of cold. The same from our cold wallet: nothing moved, and still somebody signed."""
    contract = evm.deploy("ContractWallet")
    data = evm.compiled["ContractWallet"].call("refuse()")
    txid = evm.send(evm.addresses["evm-cold"], contract, ETH, data)
    assert not evm.succeeded(txid)
    fee = evm.fee(txid)
    (case,) = stage.judged(
        evm,
        [txid],
        [("evm-cold", "ETH", "fee", "unexplained", fee)],
        [Want("evm-cold", "ETH", 0, fee=fee, rules=("cold_without_approval",))],
    )
    assert case["evidence"]["reverted"] is True


def test_batch_payout_by_our_contract(stage: Stage, evm: EvmGround) -> None:
    """Batch payout by our contract wallet. One transaction pays eight customers by internal calls, seven of them with \
approvals of their own."""
    customers = [evm.outside("customer 8") for _ in range(8)]
    amounts = [10**15 * (n + 1) for n in range(8)]
    approvals = [stage.approve(evm, "ETH", u, c) for u, c in zip(amounts[:7], customers[:7], strict=True)]
    txid = evm.order(evm.stranger(), "evm-hot-contract", "pay(address[],uint256[])", customers, amounts)
    stage.judged(
        evm,
        [txid],
        [
            *(("evm-hot-contract", "ETH", "destination", "approved", units) for units in amounts[:7]),
            ("evm-hot-contract", "ETH", "destination", "unexplained", amounts[7]),
        ],
        [Want("evm-hot-contract", "ETH", amounts[7], {customers[7]: amounts[7]})],
    )
    assert all(txid in stage.used(approval) for approval in approvals)


def test_batch_payout_through_another_contract(stage: Stage, evm: EvmGround) -> None:
    """Batch payout of Ether through a stranger's contract. What leaves us goes to that contract: approvals that name \
the customers behind it explain nothing."""
    customers, amounts = [evm.outside("a customer") for _ in range(2)], [10**15, 2 * 10**15]
    for units, customer in zip(amounts, customers, strict=True):
        stage.approve(evm, "ETH", units, customer)
    data = evm.compiled["Disperser"].call("disperseEther(address[],uint256[])", customers, amounts)
    evm.people[evm.disperser] = "the contract"
    txid = evm.send(evm.addresses["evm-hot"], evm.disperser, sum(amounts), data)
    fee = evm.fee(txid)
    stage.judged(
        evm,
        [txid],
        [
            ("evm-hot", "ETH", "fee", "unexplained", fee),
            ("evm-hot", "ETH", "destination", "unexplained", sum(amounts)),
        ],
        [Want("evm-hot", "ETH", sum(amounts), {evm.disperser: sum(amounts)}, fee=fee)],
    )


def test_receive_and_spend(stage: Stage, evm: EvmGround) -> None:
    """Received and spent in one block. A deposit of 60 ETH to our contract wallet, and in the same block an approved \
payment of 10 ETH more than it held before."""
    customer, wallet = evm.outside("the customer"), "evm-hot-contract"
    amount = evm.held(wallet, "ETH") + 10 * ETH
    stage.approve(evm, "ETH", amount, customer)
    data = evm.compiled["ContractWallet"].call("forward(address,uint256)", customer, amount)
    evm.node.rpc("evm_setAutomine", False)
    try:
        # A transaction with the higher price comes first in the block.
        into = evm.priced(evm.anyone, evm.addresses[wallet], 60 * ETH, "0x", 10**11)
        out = evm.priced(evm.node.accounts[1], evm.addresses[wallet], 0, data, 10**10)
        evm.mine()
    finally:
        evm.node.rpc("evm_setAutomine", True)
    assert evm.node.receipt(into)["blockNumber"] == evm.node.receipt(out)["blockNumber"]
    assert evm.succeeded(out)
    stage.judged(
        evm,
        [into, out],
        [(wallet, "ETH", "receipt", "deposit", 60 * ETH), (wallet, "ETH", "destination", "approved", amount)],
    )


def test_dust(stage: Stage, evm: EvmGround) -> None:
    """Dust. A stranger sends 1 wei to hot and to cold."""
    stranger = evm.stranger()
    txids = [evm.send(stranger, evm.addresses[wallet], 1) for wallet in ("evm-hot", "evm-cold")]
    stage.judged(evm, txids, [(wallet, "ETH", "receipt", "deposit", 1) for wallet in ("evm-hot", "evm-cold")])


def test_cold_payment(stage: Stage, evm: EvmGround) -> None:
    """Payment from cold, not approved. The plain theft beside the clever ones: our cold wallet signs, 1 ETH leaves."""
    thief = evm.outside("the thief")
    txid = evm.send(evm.addresses["evm-cold"], thief, ETH)
    fee = evm.fee(txid)
    stage.judged(
        evm,
        [txid],
        [("evm-cold", "ETH", "fee", "unexplained", fee), ("evm-cold", "ETH", "destination", "unexplained", ETH)],
        [Want("evm-cold", "ETH", ETH, {thief: ETH}, fee=fee, rules=COLD)],
    )
