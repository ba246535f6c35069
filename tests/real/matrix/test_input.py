"""Poisoned input: from nodes, from the books, and in the configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from chains.lab.anvil import Anvil
from tests.real.exchange import Exchange
from tests.real.faulty_node import changed
from tests.real.matrix.acts import Plants, Proxies, behind, caught_up, cursors, nothing_lost, problem, timed
from tests.real.matrix.record import Row
from tests.real.sides import EvmSide, Side
from tests.real.test_monitor_bad_node import is_block

#: what stands for the height of an EVM block, and for the bytes of a Bitcoin block
POISON: dict[str, tuple[Any, Any]] = {
    "NaN": (float("nan"), float("nan")),
    "a negative number": ("-0x1", -1),
    "hex without 0x": ("11", "0x00"),
    "a fraction": (1.5, 1.5),
    "a list": ([], []),
    "an empty text": ("", ""),
}
#: lines of the approvals file that are no approval; the words in capitals are filled in
POISONED_LINES = (
    '{"id": "p-1", "chain": "CHAIN", "asset": "ASSET", "amount": NaN, "destination": "DESTINATION"}',
    '{"id": "p-2", "chain": "CHAIN", "asset": "ASSET", "amount": "-1", "destination": "DESTINATION"}',
    '{"id": "p-3", "chain": "CHAIN", "asset": "ASSET", "amount": "1e3", "destination": "DESTINATION"}',
    '{"id": "p-4", "chain": "CHAIN", "asset": "ASSET", "amount": "1", "destination": "DESTINATION00"}',
    '{"id": "p-5", "id": "p-6", "chain": "CHAIN", "asset": "ASSET", "amount": "1", "destination": "DESTINATION"}',
    "not JSON at all",
    '{"id": "' + "9" * 100_000 + '"}',
)
#: emits as many empty logs as the three bytes say that stand for the number
LOGS = "0x62{:06x}5b5f5fa06001900380600457" + "00"
BIG_TRANSACTIONS, BIG_BYTES, MANY_LOGS = 100, 110_000, 50_000


def test_a_node_that_answers_poison(row: Row, sides: list[Side], proxies: Proxies, tmp_path: Path) -> None:
    """Poisoned answers of a node. NaN, a negative number, hex without 0x, a fraction, a list and an empty text stand
    for the height of an EVM block and for a Bitcoin block; a theft on each chain under each."""
    nodes = proxies(sides)
    with behind(nodes, tmp_path, sides) as ex:
        ex.errors_expected = True
        ex.start()
        plants = Plants(ex)
        for name, (height, block) in POISON.items():
            stood = cursors(ex, sides)
            poison = {
                "ethereum": lambda result, height=height: {**result, "number": height},
                "bitcoin": lambda _, block=block: block,
            }
            for side in sides:
                change = poison[side.name]
                nodes[side.name].fault = changed(lambda r, change=change: change(r) if is_block(r) else r)
                plants.steal(side)
            for side in sides:
                ex.wait(lambda side=side: "endpoint-1" in problem(ex, side.name), f"{name}: the endpoint is not named")
            assert cursors(ex, sides) == stood, name
            with timed(row, len(sides)):
                for node in nodes.values():
                    node.fault = None
                caught_up(ex, sides)
        assert "Traceback" not in ex.log.read_text(), "an answer is judged, not stumbled over"
        row.saw("each is a typed error that names the endpoint; the cursor waits; nothing is taken for a number")
        nothing_lost(row, ex, sides, plants, others=len([case for case in ex.cases("all") if not case["txid"]]))


def test_a_transaction_of_an_unknown_type(row: Row, anvil: Anvil, proxies: Proxies, tmp_path: Path) -> None:
    """A transaction of an unknown type. The node calls every transaction type 0x50; a theft."""
    side = EvmSide(anvil)
    nodes = proxies([side])
    with behind(nodes, tmp_path, [side]) as ex:
        ex.errors_expected = True
        ex.start()
        plants = Plants(ex)

        def unknown(result: Any) -> Any:
            """Blocks with whole transactions, and receipts."""
            if is_block(result):
                return {**result, "transactions": [{**each, "type": "0x50"} for each in result["transactions"]]}
            if isinstance(result, list) and result and "cumulativeGasUsed" in result[0]:
                return [{**each, "type": "0x50"} for each in result]
            return result

        nodes[side.name].fault = changed(unknown)
        with timed(row, 1):
            plants.steal(side)
            caught_up(ex, [side])
        row.saw("read all the same: the theft is a case")
        nodes[side.name].fault = None
        nothing_lost(row, ex, [side], plants, others=len([case for case in ex.cases("all") if not case["txid"]]))


def test_a_block_of_ten_megabytes(row: Row, start_anvil: Callable[..., Anvil], tmp_path: Path) -> None:
    """A 10 MB block, and one of 50,000 logs. One block with 11 MB of call data (a hundred transactions) and a theft;
    one with a transaction that emits 50,000 logs and a theft."""
    side = EvmSide(start_anvil())
    node = side.node
    node.rpc("evm_setBlockGasLimit", hex(2_000_000_000))
    noisy = side.outside()
    node.rpc("anvil_setCode", noisy, LOGS.format(MANY_LOGS))
    node.mine()
    with behind({}, tmp_path, [side]) as ex:
        ex.start()
        plants = Plants(ex)
        node.rpc("evm_setAutomine", False)
        data = "0x" + "a5" * BIG_BYTES
        sender, receiver = node.accounts[8], node.accounts[7]
        for _ in range(BIG_TRANSACTIONS):
            node.rpc("eth_sendTransaction", {"from": sender, "to": receiver, "data": data, "gas": hex(5_000_000)})
        _steal_in_the_next_block(side, plants)
        big = node.rpc("eth_getBlockByNumber", "latest", True)
        assert len(json.dumps(big)) > 2 * 10_000_000
        with timed(row, 1):
            caught_up(ex, [side], 120)
        # While anvil works on a block for seconds, it answers about the one before with the new state.
        ex.settle()
        node.rpc("eth_sendTransaction", {"from": sender, "to": noisy, "gas": hex(28_000_000)})
        _steal_in_the_next_block(side, plants)
        logs = sum(len(receipt["logs"]) for receipt in node.rpc("eth_getBlockReceipts", "latest"))
        assert logs == MANY_LOGS
        with timed(row, 1):
            caught_up(ex, [side], 120)
        row.saw("both are read whole; the thefts in them are cases")
        nothing_lost(row, ex, [side], plants)


def _steal_in_the_next_block(side: EvmSide, plants: Plants) -> None:
    txid = side.node.send(side.address(side.hot), side.outside(), side.unit // 20)
    plants.stolen.setdefault(side.name, []).append(txid)
    side.mine()
    side.node.receipt(txid)


def test_poisoned_books(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Poisoned books. Approvals with NaN, negative, exponent, bad address, a key twice, no JSON, 100 kB; liabilities
    with NaN; between them good approvals, used and not."""
    with behind({}, tmp_path, sides, books={"liabilities": {"file": "liabilities.csv"}}) as ex:
        ex.declare({side.asset: "1" for side in sides})
        ex.start()
        plants = Plants(ex)
        for side in sides:
            destination = side.outside()
            with ex.approvals.open("a") as file:
                for line in POISONED_LINES:
                    named = line.replace("CHAIN", side.name).replace("ASSET", side.asset)
                    file.write(named.replace("DESTINATION", destination) + "\n")
            plants.pay(side)
            plants.stolen[side.name] = [side.pay(side.hot, destination, side.unit)]
        caught_up(ex, sides)
        count = len(POISONED_LINES) * len(sides)
        ex.wait(lambda: ex.metric("porwatch_books_malformed_total", source="approvals") == count, "not counted")
        assert ex.rows("SELECT count(*) FROM approval WHERE id LIKE 'p-%'") == [(0,)]
        row.saw("each bad line is counted and named, none approves anything; the next line counts")
        ex.liabilities.write_text("asset,amount,as_of\nBTC,NaN,2020-01-01T00:00:00Z\n")
        ex.wait(lambda: ex.metric("porwatch_books_malformed_total", source="liabilities") >= 1, "not counted")
        ex.settle()
        owed = {position["asset"]: position["owed"] for position in ex.get("verdict")["positions"]}
        assert {asset: float(amount) for asset, amount in owed.items()} == {side.asset: 1.0 for side in sides}
        row.saw("the last good liabilities stay")
        nothing_lost(row, ex, sides, plants)


def no_wallets(ex: Exchange) -> None:
    ex.wallets = []


def wallet_twice(ex: Exchange) -> None:
    ex.wallets.append({**ex.wallets[0], "addresses": ["0x" + "ab" * 20]})


def address_twice(ex: Exchange) -> None:
    ex.wallets.append({**ex.wallets[0], "name": "another"})


def receiver_twice(ex: Exchange) -> None:
    ex.extra["alertmanagers"] = [{"name": "one", "url": f"http://127.0.0.1:{port}"} for port in (9093, 9094)]


def no_receiver(ex: Exchange) -> None:
    ex.extra["alertmanagers"] = [{"url": "not a URL"}]


def zero_endpoints(ex: Exchange) -> None:
    ex.chains["ethereum"]["endpoints"] = []


MISTAKES: dict[str, tuple[Callable[[Exchange], None], str]] = {
    "no wallets": (no_wallets, "wallets"),
    "one name for two wallets": (wallet_twice, "eth-cold"),
    "one address in two wallets": (address_twice, "belongs to wallet eth-cold already"),
    "one name for two receivers": (receiver_twice, "alertmanagers"),
    "a receiver that is no URL": (no_receiver, "alertmanagers"),
    "no endpoints": (zero_endpoints, "endpoints"),
}


def test_a_configuration_that_would_watch_nothing(row: Row, anvil: Anvil, tmp_path: Path) -> None:
    """Configuration mistakes. No wallets, one name for two wallets, one address in two wallets, one name for two
    receivers, a receiver that is no URL, no endpoints."""
    with behind({}, tmp_path, [EvmSide(anvil)]) as ex:
        chains, wallets, extra = deepcopy((ex.chains, ex.wallets, ex.extra))
        for name, (spoil, word) in MISTAKES.items():
            ex.chains, ex.wallets, ex.extra = deepcopy((chains, wallets, extra))
            spoil(ex)
            ex.write_config()
            refused = ex.command("run", str(ex.config))
            assert refused.returncode == 2, (name, refused.stderr)
            assert word in refused.stderr, (name, refused.stderr)
            assert "Traceback" not in refused.stderr
        assert not (ex.folder / "porwatch.db").exists()
        row.saw("each refuses to start (exit 2) and is named; no ledger is made")
