"""Every unit that moved is in exactly one flow part: explained + unexplained = what the node says is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chains.lab.anvil import Anvil, token_call
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.sides import BITCOIN_FEE, FORWARDER, BitcoinSide, EvmSide, address_of_nobody

Part = tuple[str, str, str, str, int]


@pytest.fixture(scope="module")
def bitcoin(bitcoind: Bitcoind) -> BitcoinSide:
    side = BitcoinSide(bitcoind)
    side.add("btc-warm", "bech32m")
    for _ in range(3):
        side.node.fund(side.addresses["btc-warm"], side.unit)
    side.mine(2)
    return side


@pytest.fixture(scope="module")
def evm(anvil: Anvil) -> EvmSide:
    return EvmSide(anvil, with_token=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, bitcoin: BitcoinSide, evm: EvmSide) -> Iterator[Exchange]:
    policy = {"approval_grace": {"cold": "0s", "hot": "0s", "up_to_percent": 1}}
    with exchange(tmp_path_factory.mktemp("flows") / "exchange", [bitcoin, evm], policy=policy) as ex:
        ex.start()
        yield ex


def parts(ex: Exchange, txid: str) -> list[Part]:
    """(wallet, asset, part, reason, units) of a transaction, in order."""
    found = ex.rows("SELECT wallet, asset, part, reason, units FROM flow WHERE txid = ? ORDER BY idx", txid)
    return [(wallet, asset, part, reason, int(units)) for wallet, asset, part, reason, units in found]


def lost(flow: list[Part], wallet: str, asset: str) -> int:
    """What a wallet lost in a transaction; change never left it."""
    signs = {"change": 0, "receipt": -1}
    return sum(signs.get(part, 1) * units for name, a, part, _, units in flow if (name, a) == (wallet, asset))


def cases_of(ex: Exchange, txid: str) -> dict[tuple[str, str], dict[str, object]]:
    return {(case["wallet"], case["asset"]): case for case in ex.cases() if case["txid"] == txid}


def btc(sats: int) -> str:
    return f"{sats // 10**8}.{sats % 10**8:08d}"


def held(bitcoin: BitcoinSide) -> dict[str, int]:
    return {wallet: bitcoin.held(wallet) for wallet in bitcoin.addresses}


def test_one_spent_coin_is_payment_change_and_fee(running: Exchange, bitcoin: BitcoinSide) -> None:
    before, customer, amount = held(bitcoin), bitcoin.outside(), 12_345_678
    running.approve(id="one-coin", chain="bitcoin", asset="BTC", amount=btc(amount), destination=customer)
    coin = bitcoin.coins("btc-hot")[0]["sats"]
    txid = bitcoin.pay("btc-hot", customer, amount)
    running.wait_for_block("bitcoin", bitcoin.head())
    assert sorted(parts(running, txid)) == sorted(
        [
            ("btc-hot", "BTC", "destination", "approved", amount),
            ("btc-hot", "BTC", "fee", "fee", BITCOIN_FEE),
            ("btc-hot", "BTC", "change", "change", coin - amount - BITCOIN_FEE),
        ]
    )
    assert lost(parts(running, txid), "btc-hot", "BTC") == before["btc-hot"] - bitcoin.held("btc-hot")


@pytest.mark.parametrize("approved", [True, False])
def test_two_own_wallets_and_a_customer_in_one_bitcoin_transaction(
    running: Exchange, bitcoin: BitcoinSide, approved: bool
) -> None:
    """Sinks are filled from cold to hot: the fee first, then the outputs by index."""
    before, customer = held(bitcoin), bitcoin.outside()
    amount = bitcoin.coins("btc-cold")[0]["sats"] + bitcoin.coins("btc-hot")[0]["sats"] // 2
    if approved:
        running.approve(id="two-wallets", chain="bitcoin", asset="BTC", amount=btc(amount), destination=customer)
    txid = bitcoin.send(["btc-cold", "btc-hot"], {customer: amount}, change_to="btc-hot")
    bitcoin.mine()
    running.wait_for_block("bitcoin", bitcoin.head())
    found, after = parts(running, txid), held(bitcoin)
    gone = {wallet: before[wallet] - after[wallet] for wallet in before}
    assert gone["btc-warm"] == 0
    assert gone["btc-cold"] + gone["btc-hot"] == amount + BITCOIN_FEE
    for wallet, units in gone.items():
        assert lost(found, wallet, "BTC") == units
    reason, fee = ("approved", "fee") if approved else ("unexplained", "unexplained")
    assert sorted(part for part in found if part[2] != "change") == sorted(
        [
            ("btc-cold", "BTC", "fee", fee, BITCOIN_FEE),
            ("btc-cold", "BTC", "destination", reason, gone["btc-cold"] - BITCOIN_FEE),
            ("btc-hot", "BTC", "destination", reason, gone["btc-hot"]),
        ]
    )
    opened = cases_of(running, txid)
    assert {key: (case["units"], case["fee"]) for key, case in opened.items()} == (
        {}
        if approved
        else {
            ("btc-cold", "BTC"): (str(gone["btc-cold"] - BITCOIN_FEE), btc(BITCOIN_FEE)),
            ("btc-hot", "BTC"): (str(gone["btc-hot"]), btc(0)),
        }
    )


def test_a_payment_to_an_own_wallet_and_a_customer_is_internal_and_unexplained(
    running: Exchange, bitcoin: BitcoinSide
) -> None:
    before, customer = held(bitcoin), bitcoin.outside()
    payments = {bitcoin.addresses["btc-warm"]: 20_000_000, customer: 30_000_000}
    txid = bitcoin.send(["btc-hot"], payments, change_to="btc-hot")
    bitcoin.mine()
    running.wait_for_block("bitcoin", bitcoin.head())
    found, after = parts(running, txid), held(bitcoin)
    for wallet in before:
        assert lost(found, wallet, "BTC") == before[wallet] - after[wallet]
    wanted = {
        ("btc-hot", "BTC", "own", "internal", 20_000_000),
        ("btc-warm", "BTC", "receipt", "internal", 20_000_000),
        ("btc-hot", "BTC", "destination", "unexplained", 30_000_000),
        ("btc-hot", "BTC", "fee", "unexplained", BITCOIN_FEE),
    }
    assert wanted == {part for part in found if part[2] != "change"}
    (case,) = cases_of(running, txid).values()
    assert (case["amount"], case["fee"]) == ("0.30000000", btc(BITCOIN_FEE))
    assert case["destinations"] == [{"address": customer, "amount": "0.30000000", "known": False}]


def test_a_coin_of_a_stranger_beside_ours_opens_a_case_although_the_payment_is_approved(
    running: Exchange, bitcoin: BitcoinSide
) -> None:
    before, customer, stranger = held(bitcoin), bitcoin.outside(), bitcoin.outside()
    bitcoin.node.fund(stranger, 40_000_000)
    bitcoin.mine()
    ours = bitcoin.coins("btc-hot")[0]
    (theirs,) = (c for c in bitcoin.node.coins(bitcoin._own("outside")) if c["address"] == stranger)
    amount = ours["sats"] + theirs["sats"] - BITCOIN_FEE
    running.approve(id="stranger", chain="bitcoin", asset="BTC", amount=btc(amount), destination=customer)
    txid = bitcoin.spend(["btc-hot", "outside"], [ours, theirs], {customer: amount})
    bitcoin.mine()
    running.wait_for_block("bitcoin", bitcoin.head())
    assert lost(parts(running, txid), "btc-hot", "BTC") == before["btc-hot"] - bitcoin.held("btc-hot")
    (case,) = cases_of(running, txid).values()
    assert case["evidence"]["foreign_inputs"] == 1  # type: ignore[index]


def test_native_token_and_fee_of_an_evm_wallet_are_told_apart(running: Exchange, evm: EvmSide) -> None:
    customer, thief = evm.outside(), evm.outside()
    native, token = evm.held(evm.hot), evm.node.token_balance(evm.token, evm.addresses[evm.hot])
    running.approve(id="usdt", chain="ethereum", asset="USDT", amount="1.5", destination=customer)
    approved = evm.pay_token(evm.hot, customer, 1_500_000)
    stolen = evm.pay(evm.hot, thief, 10**18)
    drained = evm.pay_token(evm.hot, thief, 2_500_000)
    running.wait_for_block("ethereum", evm.head())
    assert parts(running, approved) == [
        (evm.hot, "ETH", "fee", "fee", evm.fee(approved)),
        (evm.hot, "USDT", "destination", "approved", 1_500_000),
    ]
    assert parts(running, stolen) == [
        (evm.hot, "ETH", "fee", "unexplained", evm.fee(stolen)),
        (evm.hot, "ETH", "destination", "unexplained", 10**18),
    ]
    assert parts(running, drained) == [
        (evm.hot, "ETH", "fee", "unexplained", evm.fee(drained)),
        (evm.hot, "USDT", "destination", "unexplained", 2_500_000),
    ]
    found = [part for txid in (approved, stolen, drained) for part in parts(running, txid)]
    assert lost(found, evm.hot, "ETH") == native - evm.held(evm.hot)
    assert lost(found, evm.hot, "USDT") == token - evm.node.token_balance(evm.token, evm.addresses[evm.hot])
    assert cases_of(running, approved) == {}
    assert set(cases_of(running, stolen)) == {(evm.hot, "ETH")}
    (case,) = cases_of(running, drained).values()
    assert (case["asset"], case["amount"], case["units"]) == ("USDT", "2.500000", "2500000")
    assert case["fee"] == _ether(evm.fee(drained))


def _ether(wei: int) -> str:
    return f"{wei // 10**18}.{wei % 10**18:018d}"


def test_tokens_that_a_spender_takes_by_its_allowance_are_an_outflow_that_we_did_not_sign(
    running: Exchange, evm: EvmSide
) -> None:
    spender, thief = evm.node.accounts[5], evm.outside()
    evm.call(evm.hot, "approve(address,uint256)", spender, 10**12)
    taken = evm.node.send(
        spender, evm.token, data=token_call("transferFrom(address,address,uint256)", evm.addresses[evm.hot], thief, 777)
    )
    evm.node.receipt(taken)
    running.wait_for_block("ethereum", evm.head())
    assert parts(running, taken) == [(evm.hot, "USDT", "destination", "unexplained", 777)]
    (case,) = cases_of(running, taken).values()
    assert (case["amount"], case["fee"]) == ("0.000777", _ether(0))


def test_ether_that_a_contract_sends_inside_a_transaction_is_seen_in_the_trace(running: Exchange, evm: EvmSide) -> None:
    """The wallet itself is the contract; whoever calls it, the outflow is its own."""
    evm.node.rpc("anvil_setCode", evm.addresses[evm.cold], FORWARDER)
    thief, before = evm.outside(), evm.held(evm.cold)
    data = f"0x{int(thief, 16):064x}{3 * 10**17:064x}"
    txid = evm.node.send(evm.node.accounts[6], evm.addresses[evm.cold], data=data)
    evm.node.receipt(txid)
    evm.node.rpc("anvil_setCode", evm.addresses[evm.cold], "0x")
    running.wait_for_block("ethereum", evm.head())
    assert parts(running, txid) == [(evm.cold, "ETH", "destination", "unexplained", 3 * 10**17)]
    assert before - evm.held(evm.cold) == 3 * 10**17
    (case,) = cases_of(running, txid).values()
    assert (case["rule"], case["amount"]) == ("unexplained_outflow", _ether(3 * 10**17))


def _one_of_each_reason(running: Exchange, bitcoin: BitcoinSide) -> None:
    """Approved, unexplained, internal, with change and a fee: this test has something to add up also by itself."""
    customer, amount = bitcoin.outside(), 1_234_567
    running.approve(id="each-reason", chain="bitcoin", asset="BTC", amount=btc(amount), destination=customer)
    bitcoin.pay("btc-hot", customer, amount)
    bitcoin.pay("btc-hot", bitcoin.outside(), amount)
    bitcoin.pay("btc-hot", bitcoin.addresses["btc-warm"], amount)
    running.wait_for_block("bitcoin", bitcoin.head())


def test_over_everything_the_ledger_holds_what_the_node_holds(
    running: Exchange, bitcoin: BitcoinSide, evm: EvmSide
) -> None:
    """Opening + Σ movements = the node's balance, and Σ movements = Σ flow parts, per wallet and asset."""
    _one_of_each_reason(running, bitcoin)
    running.settle()
    assert not [case for case in running.cases("all") if case["rule"] == "residual"]
    holders = {(wallet, "BTC"): bitcoin.held(wallet) for wallet in bitcoin.addresses}
    holders |= {(wallet, "ETH"): evm.held(wallet) for wallet in evm.addresses}
    holders |= {(w, "USDT"): evm.node.token_balance(evm.token, a) for w, a in evm.addresses.items()}
    totals = {(w, a): int(units) for w, a, units in running.rows("SELECT wallet, asset, units FROM total")}
    assert {key: totals.get(key, 0) for key in holders} == holders
    deltas: dict[tuple[str, str], int] = {}
    for wallet, asset, delta in running.rows("SELECT wallet, asset, delta FROM movement WHERE kind = 'transaction'"):
        deltas[wallet, asset] = deltas.get((wallet, asset), 0) + int(delta)
    flows = [
        (wallet, asset, part, reason, int(units))
        for wallet, asset, part, reason, units in running.rows("SELECT wallet, asset, part, reason, units FROM flow")
    ]
    assert {key: -lost(flows, *key) for key in deltas} == deltas
    assert {reason for *_, reason, _ in flows} == {"approved", "unexplained", "fee", "change", "internal"}


def test_a_customer_who_pays_in_is_a_deposit_whatever_the_type_of_the_address(
    running: Exchange, bitcoin: BitcoinSide, evm: EvmSide
) -> None:
    txids = [
        bitcoin.deposit("btc-warm", 1_007),
        bitcoin.deposit("btc-cold", 9_999),
        evm.deposit(evm.cold, 1),
    ]
    evm.node.receipt(evm.node.send(address_with_ether(evm), evm.addresses[evm.hot], 2))
    for name, side in (("bitcoin", bitcoin), ("ethereum", evm)):
        running.wait_for_block(name, side.head())
    assert [part[2:] for txid in txids for part in parts(running, txid)] == [
        ("receipt", "deposit", 1_007),
        ("receipt", "deposit", 9_999),
        ("receipt", "deposit", 1),
    ]


def address_with_ether(evm: EvmSide) -> str:
    address = address_of_nobody()
    evm.node.fund(address, 10**18)
    return address
