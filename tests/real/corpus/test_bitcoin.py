"""What Bitcoin transactions can look like: each row on a bitcoind, judged by a monitor that follows it."""

from __future__ import annotations

from chains.lab.bitcoind import SATS_PER_BTC, sats
from tests.real.corpus.bitcoin import TAPROOT, BitcoinGround
from tests.real.corpus.evidence import Want
from tests.real.corpus.stage import Part, Stage
from tests.real.sides import BITCOIN_FEE as FEE

BTC = SATS_PER_BTC
HOT = "btc-hot"


def parts(change: int, *out: tuple[int, str], fee: tuple[int, str] = (FEE, "fee"), wallet: str = HOT) -> list[Part]:
    """The flow parts of a payment by one wallet: what it paid (units and reason), the fee, the change."""
    found = [(wallet, "BTC", "destination", reason, units) for units, reason in out]
    return [*found, (wallet, "BTC", "fee", fee[1], fee[0]), (wallet, "BTC", "change", "change", change)]


def test_batch_payout(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Batch payout. One transaction pays nine customers, eight of them with approvals of their own."""
    customers = [bitcoin.outside("customer 9") for _ in range(9)]
    amounts = [100_000 + n for n in range(9)]
    for units, customer in zip(amounts[:8], customers[:8], strict=True):
        stage.approve(bitcoin, "BTC", units, customer)
    outputs = [(bitcoin.script(c), units) for c, units in zip(customers, amounts, strict=True)]
    raw, change = bitcoin.pay(HOT, outputs)
    txid = bitcoin.send(raw)
    bitcoin.mine()
    paid = [(units, "approved") for units in amounts[:8]] + [(amounts[8], "unexplained")]
    stage.judged(
        bitcoin,
        [txid],
        parts(change, *paid, fee=(FEE, "unexplained")),
        [Want(HOT, "BTC", amounts[8], {customers[8]: amounts[8]}, fee=FEE)],
    )


def test_rbf(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Replaced by fee. An approved payment waits in the mempool and is replaced by one with a higher fee and one \
output more: the one that confirms uses the approval, the new output has none; the same payment again has none either."""
    customer, thief = bitcoin.outside("the customer"), bitcoin.outside("the thief")
    approval = stage.approve(bitcoin, "BTC", 500_000, customer)
    coin = bitcoin.coins(HOT)[0]
    ours = bitcoin.script(bitcoin.addresses[HOT])
    paid = (bitcoin.script(customer), 500_000)
    first = bitcoin.send(
        bitcoin.sign(bitcoin.build([coin], [paid, (ours, coin["sats"] - 500_000 - FEE)], replaceable=True), HOT)
    )
    fee, change = 20 * FEE, coin["sats"] - 500_000 - 70_000 - 20 * FEE
    outputs = [paid, (bitcoin.script(thief), 70_000), (ours, change)]
    second = bitcoin.send(bitcoin.sign(bitcoin.build([coin], outputs, replaceable=True), HOT))
    assert first not in bitcoin.node.rpc("getrawmempool")
    bitcoin.mine()
    stage.judged(
        bitcoin,
        [first, second],
        parts(change, (500_000, "approved"), (70_000, "unexplained"), fee=(fee, "unexplained")),
        [Want(HOT, "BTC", 70_000, {thief: 70_000}, fee=fee)],
    )
    assert second in stage.used(approval)
    raw, change = bitcoin.pay(HOT, [paid])
    third = bitcoin.send(raw)
    bitcoin.mine()
    stage.judged(
        bitcoin,
        [third],
        parts(change, (500_000, "unexplained"), fee=(FEE, "unexplained")),
        [Want(HOT, "BTC", 500_000, {customer: 500_000}, fee=FEE)],
    )


def test_twice_in_one_block(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Paid twice. One approval, and two payments that it fits in the same block: it explains one of them."""
    customer, ours = bitcoin.outside("the customer"), bitcoin.script(bitcoin.addresses[HOT])
    approval = stage.approve(bitcoin, "BTC", 350_000, customer)
    changes = {}
    for coin in bitcoin.coins(HOT)[:2]:
        change = coin["sats"] - 350_000 - FEE
        raw = bitcoin.build([coin], [(bitcoin.script(customer), 350_000), (ours, change)])
        changes[bitcoin.send(bitcoin.sign(raw, HOT))] = change
    bitcoin.mine()
    order = [txid for txid in bitcoin.node.rpc("getblock", bitcoin.node.head_hash())["tx"] if txid in changes]
    first, second = (changes[txid] for txid in order)
    stage.judged(
        bitcoin,
        order,
        [
            *parts(first, (350_000, "approved")),
            *parts(second, (350_000, "unexplained"), fee=(FEE, "unexplained")),
        ],
        [Want(HOT, "BTC", 350_000, {customer: 350_000}, fee=FEE)],
    )
    assert order[0] in stage.used(approval)


def test_cpfp(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Child pays for parent. An approved payment at a low fee, and a child that spends its unconfirmed change to \
ourselves at a high one, in the same block."""
    customer = bitcoin.outside("the customer")
    stage.approve(bitcoin, "BTC", 300_000, customer)
    raw, change = bitcoin.pay(HOT, [(bitcoin.script(customer), 300_000)], fee=200)
    parent = bitcoin.send(raw)
    ours = bitcoin.script(bitcoin.addresses[HOT])
    child = bitcoin.send(bitcoin.sign(bitcoin.build([{"txid": parent, "vout": 1}], [(ours, change - 9_000)]), HOT))
    bitcoin.mine()
    child_parts = [(HOT, "BTC", "fee", "fee", 9_000), (HOT, "BTC", "change", "change", change - 9_000)]
    stage.judged(bitcoin, [parent, child], [*parts(change, (300_000, "approved"), fee=(200, "fee")), *child_parts])


def test_payjoin(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Payjoin. The receiver of an approved payment adds a coin of his own, and both wallets sign one PSBT: who paid \
what cannot be known from the chain."""
    customer, amount = bitcoin.outside("the customer"), 250_000
    approval = stage.approve(bitcoin, "BTC", amount, customer)
    ours, theirs = bitcoin.coins(HOT)[0], bitcoin.node.coins("stranger")[0]
    change = ours["sats"] - amount - FEE
    inputs = [{"txid": coin["txid"], "vout": coin["vout"]} for coin in (ours, theirs)]
    received = amount + theirs["sats"]
    outputs = [{customer: f"{received / BTC:.8f}"}, {bitcoin.addresses[HOT]: f"{change / BTC:.8f}"}]
    psbt = bitcoin.node.rpc("createpsbt", inputs, outputs)
    for wallet in (bitcoin.side._own(HOT), "stranger"):
        psbt = bitcoin.node.rpc("walletprocesspsbt", psbt, wallet=wallet)["psbt"]
    done = bitcoin.node.rpc("finalizepsbt", psbt)
    assert done["complete"]
    txid = bitcoin.send(done["hex"])
    bitcoin.mine()
    # All that our wallet lost is taken to have gone into the receiver's output: no fee of ours can be told.
    lost = amount + FEE
    (case,) = stage.judged(
        bitcoin,
        [txid],
        [(HOT, "BTC", "destination", "unexplained", lost), (HOT, "BTC", "change", "change", change)],
        [Want(HOT, "BTC", lost, {customer: lost})],
    )
    assert case["evidence"]["foreign_inputs"] == 1
    assert stage.used(approval) == ""


def test_change_that_is_not_ours(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Change to a foreign script. An approved payment whose change goes to an address that is not ours."""
    customer, thief = bitcoin.outside("the customer"), bitcoin.outside("the change address")
    stage.approve(bitcoin, "BTC", 400_000, customer)
    coin = bitcoin.coins(HOT)[0]
    rest = coin["sats"] - 400_000 - FEE
    outputs = [(bitcoin.script(customer), 400_000), (bitcoin.script(thief), rest)]
    txid = bitcoin.send(bitcoin.sign(bitcoin.build([coin], outputs), HOT))
    bitcoin.mine()
    stage.judged(
        bitcoin,
        [txid],
        [
            (HOT, "BTC", "destination", "approved", 400_000),
            (HOT, "BTC", "destination", "unexplained", rest),
            (HOT, "BTC", "fee", "unexplained", FEE),
        ],
        [Want(HOT, "BTC", rest, {thief: rest}, fee=FEE)],
    )


def test_coinbase(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Coinbase. A block's reward is paid to our hot wallet."""
    bitcoin.mine(1, bitcoin.addresses[HOT])
    block = bitcoin.node.rpc("getblock", bitcoin.node.head_hash(), 2)
    coinbase = block["tx"][0]
    amount = sats(coinbase["vout"][0]["value"])
    stage.judged(bitcoin, [coinbase["txid"]], [(HOT, "BTC", "receipt", "reward", amount)])


def test_op_return(stage: Stage, bitcoin: BitcoinGround) -> None:
    """OP_RETURN. An approved payment that carries data in an output of value 0."""
    customer = bitcoin.outside("the customer")
    stage.approve(bitcoin, "BTC", 123_456, customer)
    raw, change = bitcoin.pay(HOT, [(bitcoin.script(customer), 123_456), (b"\x6a\x04note", 0)])
    txid = bitcoin.send(raw)
    bitcoin.mine()
    stage.judged(bitcoin, [txid], parts(change, (123_456, "approved")))


def test_op_return_that_burns(stage: Stage, bitcoin: BitcoinGround) -> None:
    """OP_RETURN that burns coins. The output of data holds 7,000 satoshi, which nobody can ever spend."""
    customer, script = bitcoin.outside("the customer"), b"\x6a\x04burn"
    stage.approve(bitcoin, "BTC", 111_111, customer)
    raw, change = bitcoin.pay(HOT, [(bitcoin.script(customer), 111_111), (script, 7_000)])
    txid = bitcoin.send(raw)
    bitcoin.mine()
    stage.judged(
        bitcoin,
        [txid],
        parts(change, (111_111, "approved"), (7_000, "unexplained"), fee=(FEE, "unexplained")),
        [Want(HOT, "BTC", 7_000, {bitcoin.locator(script, "nobody (OP_RETURN)"): 7_000}, fee=FEE)],
    )


def test_taproot_script_path(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Taproot script path. A wallet whose output can only be spent by a script pays a customer, approved, and then \
someone, not approved."""
    customer, thief = bitcoin.outside("the customer", "bech32m"), bitcoin.outside("the thief", "bech32m")
    stage.approve(bitcoin, "BTC", 200_000, customer)
    for destination, reason in ((customer, "approved"), (thief, "unexplained")):
        raw, change = bitcoin.pay(TAPROOT, [(bitcoin.script(destination), 200_000)])
        witness = bitcoin.node.rpc("decoderawtransaction", raw)["vin"][0]["txinwitness"]
        assert len(witness) == 3, "signature, script and control block"
        txid = bitcoin.send(raw)
        bitcoin.mine()
        known = reason == "approved"
        stage.judged(
            bitcoin,
            [txid],
            parts(change, (200_000, reason), fee=(FEE, "fee" if known else "unexplained"), wallet=TAPROOT),
            [] if known else [Want(TAPROOT, "BTC", 200_000, {destination: 200_000}, fee=FEE)],
        )


def test_receive_and_spend(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Received and spent in one block. A customer's deposit is spent, approved, in the block that brings it."""
    customer = bitcoin.outside("the customer")
    stage.approve(bitcoin, "BTC", 600_000, customer)
    into = bitcoin.node.send("stranger", bitcoin.addresses[HOT], 700_000)
    outputs = bitcoin.node.rpc("getrawtransaction", into, True)["vout"]
    (vout,) = (out["n"] for out in outputs if out["scriptPubKey"].get("address") == bitcoin.addresses[HOT])
    ours = bitcoin.script(bitcoin.addresses[HOT])
    change = 700_000 - 600_000 - FEE
    raw = bitcoin.build([{"txid": into, "vout": vout}], [(bitcoin.script(customer), 600_000), (ours, change)])
    out = bitcoin.send(bitcoin.sign(raw, HOT))
    bitcoin.mine()
    receipt = (HOT, "BTC", "receipt", "deposit", 700_000)
    stage.judged(bitcoin, [into, out], [receipt, *parts(change, (600_000, "approved"))])


def test_dust(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Dust. A stranger sends the least that is relayed to hot, to cold and to the taproot wallet."""
    wallets = {HOT: 294, "btc-cold": 294, TAPROOT: 330}
    payments = {bitcoin.addresses[wallet]: units for wallet, units in wallets.items()}
    txid = bitcoin.node.send_many("stranger", payments)
    bitcoin.mine()
    stage.judged(bitcoin, [txid], [(wallet, "BTC", "receipt", "deposit", units) for wallet, units in wallets.items()])


def test_bare_multisig(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Bare multisig. A miner takes up a payment to a 1-of-2 script without an address, which this node does not relay: \
approved by its script, and once more without an approval."""
    keys = [bitcoin.node.rpc("getaddressinfo", bitcoin.outside(""), wallet="stranger")["pubkey"] for _ in range(2)]
    script = b"\x51" + b"".join(b"\x21" + bytes.fromhex(key) for key in keys) + b"\x52\xae"
    locator = bitcoin.locator(script, "a bare multisig script")
    assert locator == f"script:{script.hex()}"
    stage.approve(bitcoin, "BTC", 50_000, locator)
    for reason in ("approved", "unexplained"):
        raw, change = bitcoin.pay(HOT, [(script, 50_000)])
        bitcoin.mine_only(raw)
        known = reason == "approved"
        stage.judged(
            bitcoin,
            [bitcoin.txid(raw)],
            parts(change, (50_000, reason), fee=(FEE, "fee" if known else "unexplained")),
            [] if known else [Want(HOT, "BTC", 50_000, {locator: 50_000}, fee=FEE)],
        )


def test_anyone_can_spend(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Script that anyone can spend. A miner takes up a payment to the script OP_TRUE, which no node relays."""
    script = b"\x51"
    raw, change = bitcoin.pay(HOT, [(script, 66_000)])
    bitcoin.mine_only(raw)
    stage.judged(
        bitcoin,
        [bitcoin.txid(raw)],
        parts(change, (66_000, "unexplained"), fee=(FEE, "unexplained")),
        [Want(HOT, "BTC", 66_000, {bitcoin.locator(script, "OP_TRUE"): 66_000}, fee=FEE)],
    )


def test_cold_payment(stage: Stage, bitcoin: BitcoinGround) -> None:
    """Payment from cold, not approved. The plain theft beside the clever shapes: one coin of cold, no change."""
    thief = bitcoin.outside("the thief")
    coin = bitcoin.coins("btc-cold")[0]
    amount = coin["sats"] - FEE
    txid = bitcoin.send(bitcoin.sign(bitcoin.build([coin], [(bitcoin.script(thief), amount)]), "btc-cold"))
    bitcoin.mine()
    stage.judged(
        bitcoin,
        [txid],
        [
            ("btc-cold", "BTC", "destination", "unexplained", amount),
            ("btc-cold", "BTC", "fee", "unexplained", FEE),
        ],
        [
            Want(
                "btc-cold", "BTC", amount, {thief: amount}, fee=FEE,
                rules=("unexplained_outflow", "cold_without_approval"),
            )
        ],
    )  # fmt: skip
