"""What tokens do beside a plain transfer: each row on an anvil, judged by a monitor that follows it."""

from __future__ import annotations

from chains.ethereum.address import spell
from chains.lab.anvil import WEI_PER_ETH
from tests.real.corpus.evidence import Want
from tests.real.corpus.evm import EvmGround
from tests.real.corpus.stage import Part, Stage
from tests.real.sides import address_of_nobody

ETH = WEI_PER_ETH
HOT, COLD = "evm-hot", "evm-cold"


def fee(evm: EvmGround, txid: str, reason: str = "fee", wallet: str = HOT) -> Part:
    return wallet, "ETH", "fee", reason, evm.fee(txid)


def test_sponsored_permit(stage: Stage, evm: EvmGround) -> None:
    """Sponsored permit. Our hot wallet has signed an allowance off the chain (EIP-2612); a stranger hands it in and \
takes 250 by transferFrom, in two transactions that are his."""
    thief, amount, ours = evm.stranger("the thief"), 250_000_000, evm.keys[HOT]
    message = {"owner": ours.address, "spender": thief, "value": amount, "nonce": 0, "deadline": 2**40}
    domain = {"name": "PMT", "version": "1", "chainId": evm.node.chain_id, "verifyingContract": evm.tokens["PMT"]}
    types = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}
    form = {"Permit": [{"name": name, "type": type_} for name, type_ in types.items()]}
    signed = ours.sign_typed_data(domain, form, message)
    permit = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"
    r, s = signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")
    given = evm.call(thief, "PMT", permit, ours.address, thief, amount, 2**40, signed.v, r, s)
    taken = evm.call(thief, "PMT", "transferFrom(address,address,uint256)", ours.address, thief, amount)
    assert evm.succeeded(taken)
    stage.judged(
        evm,
        [given, taken],
        [(HOT, "PMT", "destination", "unexplained", amount)],
        [Want(HOT, "PMT", amount, {thief: amount})],
    )


def test_issuer_seizure(stage: Stage, evm: EvmGround) -> None:
    """Issuer seizure. The issuer destroys all that our cold wallet holds, with an event of its own and no Transfer."""
    amount = evm.held(COLD, "SZT")
    txid = evm.call(evm.anyone, "SZT", "destroyBlackFunds(address)", evm.addresses[COLD])
    assert evm.held(COLD, "SZT") == 0
    stage.residual(evm, Want(COLD, "SZT", amount, fee=None, rules=("residual",)))
    assert stage.parts(txid) == []


def test_issuer_seizure_from_hot(stage: Stage, evm: EvmGround) -> None:
    """Issuer seizure from hot. The same to a wallet that is not looked at after every block, unless it moved."""
    amount = evm.held(HOT, "SZT")
    evm.call(evm.anyone, "SZT", "destroyBlackFunds(address)", evm.addresses[HOT])
    stage.residual(evm, Want(HOT, "SZT", amount, fee=None, rules=("residual",)))


def test_poisoning(stage: Stage, evm: EvmGround) -> None:
    """Address poisoning. A stranger moves 0 units of a true token out of our wallet by transferFrom: the event names \
us and a look-alike, and nothing moved."""
    take = "transferFrom(address,address,uint256)"
    txid = evm.call(evm.stranger(), "PMT", take, evm.addresses[HOT], evm.outside("a look-alike"), 0)
    assert evm.succeeded(txid)
    stage.untouched(evm, [txid])


def test_fake_token(stage: Stage, evm: EvmGround) -> None:
    """Fake token. A contract that calls itself USDT logs transfers from and to our wallets: nothing is ours there."""
    fake, thief = evm.deploy("FakeToken"), evm.outside("the thief")
    ends = [(evm.addresses[HOT], thief), (evm.addresses[COLD], thief), (thief, evm.addresses[HOT])]
    call = evm.compiled["FakeToken"].call
    txids = [evm.send(evm.anyone, fake, data=call("tell(address,address,uint256)", *pair, 10**12)) for pair in ends]
    stage.untouched(evm, txids)


def test_rebase(stage: Stage, evm: EvmGround) -> None:
    """Rebase, in shares. The pool behind an stETH-like token grows by a tenth, then loses a third: every balance \
changes, no share does."""
    before, pool = evm.ask("SHT", "balanceOf(address)", evm.addresses[HOT]), evm.ask("SHT", "pooled()")
    txids = [evm.call(evm.anyone, "SHT", "rebase(uint256)", units) for units in (pool * 11 // 10, pool * 2 // 3)]
    assert evm.ask("SHT", "balanceOf(address)", evm.addresses[HOT]) < before
    evm.mine(4)
    stage.followed(evm)
    stage.ex.settle()
    stage.untouched(evm, txids)


def test_shares_are_paid(stage: Stage, evm: EvmGround) -> None:
    """Payment in shares. Our hot wallet pays 3 shares, approved, and 2 more, not approved; 5 are burnt by the protocol."""
    customer, thief = evm.outside("the customer"), evm.outside("the thief")
    stage.approve(evm, "SHT", 3 * ETH, customer)
    paid, stolen = (
        evm.call(evm.addresses[HOT], "SHT", "transferShares(address,uint256)", to, units)
        for to, units in ((customer, 3 * ETH), (thief, 2 * ETH))
    )
    burnt = evm.call(evm.anyone, "SHT", "burn(address,uint256)", evm.addresses[HOT], 5 * ETH)
    nobody = "0x" + "0" * 40
    evm.people[nobody] = "the zero address"
    stage.judged(
        evm,
        [paid, stolen, burnt],
        [
            fee(evm, paid),
            (HOT, "SHT", "destination", "approved", 3 * ETH),
            fee(evm, stolen, "unexplained"),
            (HOT, "SHT", "destination", "unexplained", 2 * ETH),
            (HOT, "SHT", "destination", "unexplained", 5 * ETH),
        ],
        [
            Want(HOT, "SHT", 2 * ETH, {thief: 2 * ETH}, fee=evm.fee(stolen)),
            Want(HOT, "SHT", 5 * ETH, {nobody: 5 * ETH}),
        ],
    )


def test_shares_are_stolen(stage: Stage, evm: EvmGround) -> None:
    """Shares that go without an event. The token's contract moves 7 of our shares to somebody else and tells nobody, \
while the pool grows enough to hide it in the balance."""
    before, pool = evm.ask("SHT", "balanceOf(address)", evm.addresses[COLD]), evm.ask("SHT", "pooled()")
    evm.call(evm.anyone, "SHT", "rebase(uint256)", pool * 2)
    evm.call(evm.anyone, "SHT", "steal(address,address,uint256)", evm.addresses[COLD], address_of_nobody(), 7 * ETH)
    assert evm.ask("SHT", "balanceOf(address)", evm.addresses[COLD]) > before
    stage.residual(evm, Want(COLD, "SHT", 7 * ETH, fee=None, rules=("residual",)))


def test_fee_on_transfer_out(stage: Stage, evm: EvmGround) -> None:
    """Fee on transfer, told as a whole. Our hot wallet pays 100; the event says 100, and 99 arrive. The approval is \
about what leaves."""
    customer = evm.outside("the customer")
    stage.approve(evm, "QFT", 100_000_000, customer)
    txid = evm.call(evm.addresses[HOT], "QFT", "transfer(address,uint256)", customer, 100_000_000)
    stage.judged(evm, [txid], [fee(evm, txid), (HOT, "QFT", "destination", "approved", 100_000_000)])


def test_fee_on_transfer_in(stage: Stage, evm: EvmGround) -> None:
    """Fee on transfer, deposit. A customer pays in 200; the event says 200, and 198 arrive: the event was not true."""
    customer = evm.stranger("a customer")
    evm.call(evm.anyone, "QFT", "create(address,uint256)", customer, 200_000_000)
    txid = evm.call(customer, "QFT", "transfer(address,uint256)", evm.addresses[HOT], 200_000_000)
    stage.residual(evm, Want(HOT, "QFT", 2_000_000, fee=None, rules=("residual",)))
    stage.judged(evm, [txid], [(HOT, "QFT", "receipt", "deposit", 200_000_000)])


def test_fee_on_transfer_told(stage: Stage, evm: EvmGround) -> None:
    """Fee on transfer, told in two events. Our hot wallet pays 100 and the events say 99 to the customer and 1 to the \
collector: two payments, and only the first is approved."""
    customer, collector = evm.outside("the customer"), spell(f"0x{0xFEE:040x}")
    evm.people[collector] = "the collector"
    stage.approve(evm, "LFT", 99_000_000, customer)
    txid = evm.call(evm.addresses[HOT], "LFT", "transfer(address,uint256)", customer, 100_000_000)
    stage.judged(
        evm,
        [txid],
        [
            fee(evm, txid, "unexplained"),
            (HOT, "LFT", "destination", "approved", 99_000_000),
            (HOT, "LFT", "destination", "unexplained", 1_000_000),
        ],
        [Want(HOT, "LFT", 1_000_000, {collector: 1_000_000}, fee=evm.fee(txid))],
    )


def test_hooks(stage: Stage, evm: EvmGround) -> None:
    """ERC-777-like hooks. While our approved payment of 40 still runs, its receiver is called, and takes 60 more by an \
old allowance."""
    thief = evm.deploy("Reentrant", 60_000_000)
    evm.people[thief] = "the thief"
    allowed = evm.call(evm.addresses[HOT], "HKT", "approve(address,uint256)", thief, 60_000_000)
    stage.approve(evm, "HKT", 40_000_000, thief)
    txid = evm.call(evm.addresses[HOT], "HKT", "transfer(address,uint256)", thief, 40_000_000)
    stage.judged(
        evm,
        [allowed, txid],
        [
            fee(evm, allowed),
            fee(evm, txid, "unexplained"),
            (HOT, "HKT", "destination", "approved", 40_000_000),
            (HOT, "HKT", "destination", "unexplained", 60_000_000),
        ],
        [Want(HOT, "HKT", 60_000_000, {thief: 60_000_000}, fee=evm.fee(txid))],
    )


def test_batch_payout(stage: Stage, evm: EvmGround) -> None:
    """Batch payout of tokens by a contract. Our hot wallet lets a contract pay eight customers in one transaction, \
seven of them with approvals of their own."""
    customers = [evm.outside("customer 8") for _ in range(8)]
    amounts = [1_000_000 + n for n in range(8)]
    for units, customer in zip(amounts[:7], customers[:7], strict=True):
        stage.approve(evm, "PMT", units, customer)
    allowed = evm.call(evm.addresses[HOT], "PMT", "approve(address,uint256)", evm.disperser, sum(amounts))
    call = evm.compiled["Disperser"].call(
        "disperse(address,address[],uint256[])", evm.tokens["PMT"], customers, amounts
    )
    txid = evm.send(evm.addresses[HOT], evm.disperser, data=call)
    stage.judged(
        evm,
        [allowed, txid],
        [
            fee(evm, allowed),
            fee(evm, txid, "unexplained"),
            *((HOT, "PMT", "destination", "approved", units) for units in amounts[:7]),
            (HOT, "PMT", "destination", "unexplained", amounts[7]),
        ],
        [Want(HOT, "PMT", amounts[7], {customers[7]: amounts[7]}, fee=evm.fee(txid))],
    )


def test_wrap(stage: Stage, evm: EvmGround) -> None:
    """Wrap and unwrap. Our hot wallet changes 5 ETH into WETH and 2 WETH back: Deposit and Withdrawal events, no \
Transfer."""
    into = evm.call(evm.addresses[HOT], "WETH", "deposit()", wei=5 * ETH)
    out = evm.call(evm.addresses[HOT], "WETH", "withdraw(uint256)", 2 * ETH)
    stage.judged(
        evm,
        [into, out],
        [
            fee(evm, into),
            (HOT, "ETH", "destination", "wrap", 5 * ETH),
            (HOT, "WETH", "receipt", "wrap", 5 * ETH),
            fee(evm, out),
            (HOT, "WETH", "destination", "wrap", 2 * ETH),
            (HOT, "ETH", "receipt", "wrap", 2 * ETH),
        ],
    )


def test_wrap_from_cold(stage: Stage, evm: EvmGround) -> None:
    """Wrap from cold. The same from our cold wallet: whatever cold signs needs an approval; a second one has it."""
    contract = evm.tokens["WETH"]
    evm.people[contract] = "the WETH contract"
    txid = evm.call(evm.addresses[COLD], "WETH", "deposit()", wei=3 * ETH)
    stage.judged(
        evm,
        [txid],
        [
            fee(evm, txid, "unexplained", COLD),
            (COLD, "ETH", "destination", "unexplained", 3 * ETH),
            (COLD, "WETH", "receipt", "wrap", 3 * ETH),
        ],
        [
            Want(
                COLD, "ETH", 3 * ETH, {contract: 3 * ETH}, fee=evm.fee(txid),
                rules=("unexplained_outflow", "cold_without_approval"),
            )
        ],
    )  # fmt: skip
    stage.approve(evm, "ETH", 4 * ETH, contract)
    txid = evm.call(evm.addresses[COLD], "WETH", "deposit()", wei=4 * ETH)
    parts = [(COLD, "ETH", "destination", "wrap", 4 * ETH), (COLD, "WETH", "receipt", "wrap", 4 * ETH)]
    stage.judged(evm, [txid], [fee(evm, txid, wallet=COLD), *parts])


def test_payment_of_the_wrapped_token(stage: Stage, evm: EvmGround) -> None:
    """Theft of the wrapped token. WETH that is sent to somebody is no unwrapping."""
    thief = evm.outside("the thief")
    txid = evm.call(evm.addresses[HOT], "WETH", "transfer(address,uint256)", thief, ETH)
    stage.judged(
        evm,
        [txid],
        [fee(evm, txid, "unexplained"), (HOT, "WETH", "destination", "unexplained", ETH)],
        [Want(HOT, "WETH", ETH, {thief: ETH}, fee=evm.fee(txid))],
    )
