"""Three endpoints a chain: one lies, all differ, one is left."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chains.lab.anvil import Anvil
from tests.real.exchange import Exchange, exchange
from tests.real.faulty_node import FaultyNode, changed, closed
from tests.real.matrix.acts import (
    POLICY,
    Plants,
    Proxies,
    behind,
    caught_up,
    cursors,
    nothing_lost,
    problem,
    success,
    timed,
)
from tests.real.matrix.record import Row
from tests.real.sides import EvmSide, Side, coins
from tests.real.test_monitor_bad_node import is_block

NAMES = ("one", "two", "three")


@contextmanager
def three(folder: Path, sides: list[Side], **extra: Any) -> Iterator[tuple[Exchange, dict[str, list[FaultyNode]]]]:
    """An exchange with three endpoints a chain, two of which must agree; each is a proxy before the one node."""
    with ExitStack() as stack:
        nodes = {side.name: [stack.enter_context(FaultyNode(upstream=side.url)) for _ in NAMES] for side in sides}
        ex = stack.enter_context(exchange(folder / "exchange", sides, policy=POLICY, **extra))
        for chain, proxies in nodes.items():
            (good,) = ex.chains[chain]["endpoints"]
            named = zip(NAMES, proxies, strict=True)
            ex.chains[chain]["endpoints"] = [{**good, "name": name, "url": proxy.url} for name, proxy in named]
            ex.chains[chain]["quorum"] = 2
        ex.write_config()
        yield ex, nodes


def lie(result: Any) -> Any:
    """A block whose header is right and whose transactions are others: the last one is gone, or has another time."""
    if not is_block(result):
        return result
    if isinstance(result, str):
        return result[:-8] + "00000001"
    return {**result, "transactions": result["transactions"][:-1]}


@pytest.mark.timeout(240)
def test_one_of_three_endpoints_lies(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """One of three endpoints lies. Under the right header it leaves out a transaction (EVM) or changes one (Bitcoin);
    thefts and approved withdrawals meanwhile."""
    with three(tmp_path, sides) as (ex, nodes):
        ex.errors_expected = True
        ex.start()
        plants = Plants(ex)
        for proxies in nodes.values():
            proxies[0].fault = changed(lie)
        with timed(row, 3 * len(sides)):
            for side in sides:
                plants.steal(side)
                plants.pay(side)
                plants.steal(side, side.cold)
            caught_up(ex, sides)
        row.saw("goes on with the other two")
        ex.wait(lambda: _found_in_more_blocks(ex, sides), "no case about the liar", 150)
        caught_up(ex, sides)
        for case in _lies(ex).values():
            assert case["severity"] == "warning", "two of three are left"
            evidence = json.loads((ex.folder / case["evidence"]["file"]).read_text())
            assert evidence["endpoint"] == "one"
        row.saw("an endpoint_lies case for each chain, with a file of evidence, naming the liar")
        nothing_lost(row, ex, sides, plants, others=len(sides))


def _found_in_more_blocks(ex: Exchange, sides: list[Side]) -> bool:
    """Blocks are read from whoever was quickest: with every further one the liar may be asked."""
    found = _lies(ex)
    for side in sides:
        if side.name not in found:
            side.mine()
    time.sleep(0 if len(found) == len(sides) else 1)
    return len(found) == len(sides)


def _lies(ex: Exchange) -> dict[str, Any]:
    return {case["chain"]: case for case in ex.cases("all") if case["rule"] == "endpoint_lies"}


def test_one_of_three_endpoints_is_left(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Only one of three endpoints is alive. Two hang up; a theft on each chain; then they are back."""
    with three(tmp_path, sides) as (ex, nodes):
        ex.start()
        plants, stood = Plants(ex), cursors(ex, sides)
        ex.settle()
        for proxies in nodes.values():
            for proxy in proxies[:2]:
                proxy.fault = closed
        with timed(row):
            for side in sides:
                plants.steal(side, side.cold)
            ex.wait(lambda: len(ex.cases("open")) == len(sides), "the lone witness is not heard")
        assert [case["evidence"].get("unconfirmed") for case in ex.cases("open")] == [True, True], ex.cases("open")
        assert cursors(ex, sides) == stood
        row.saw("the theft pages, marked unconfirmed", "cursor frozen")
        ex.settle()
        residual = next(check for check in ex.get("verdict")["checks"] if check["id"] == "residual")
        assert residual["verdict"] == "UNVERIFIED"
        row.saw("the verdict is UNVERIFIED")
        for proxies in nodes.values():
            for proxy in proxies:
                proxy.fault = None
        caught_up(ex, sides)
        row.saw("confirmed once they are back, still one case")
        nothing_lost(row, ex, sides, plants)


def test_three_endpoints_say_three_things(row: Row, start_anvil: Callable[..., Anvil], tmp_path: Path) -> None:
    """1-1-1. Three nodes with one history make three different next blocks, each valid in itself."""
    first = start_anvil()
    side = EvmSide(first)
    first.mine(8)
    others = [start_anvil(), start_anvil()]
    for node in (first, *others):
        node.stop()
    for node in others:
        shutil.copyfile(_state(first), _state(node))
    for node in (first, *others):
        node.start()
    with three(tmp_path, [side]) as (ex, nodes):
        for node, proxy in zip((first, *others), nodes[side.name], strict=True):
            _catch_up(first, node)
            proxy._upstream = proxy._upstream._replace(netloc=f"127.0.0.1:{node.port}")
        ex.start()
        stood = cursors(ex, [side])
        since = success(ex, side.name)
        with timed(row):
            for seconds, node in enumerate((first, *others), start=1):
                node.rpc("evm_increaseTime", 10 * seconds)
                node.mine(2)
            ex.wait(lambda: problem(ex, side.name), "the status says nothing")
        time.sleep(4)
        assert success(ex, side.name) - since < 3
        assert cursors(ex, [side]) == stood
        row.saw("fails closed: cursor frozen, age of the last success grows")
        assert ex.cases("all") == []


def _state(node: Anvil) -> Path:
    return Path(node.process.command[node.process.command.index("--state") + 1])


def _catch_up(first: Anvil, other: Anvil) -> None:
    """Blocks that the first one made since they were one."""
    for height in range(other.head() + 1, first.head() + 1):
        other.rpc("evm_setNextBlockTimestamp", first.rpc("eth_getBlockByNumber", hex(height), False)["timestamp"])
        other.mine()
    assert (
        other.rpc("eth_getBlockByNumber", "latest", False)["hash"]
        == (first.rpc("eth_getBlockByNumber", "latest", False)["hash"])
    )


def richer(result: Any) -> Any:
    """A balance with one base unit more."""
    return f"0x{int(result, 16) + 1:x}" if isinstance(result, str) else result


def test_one_of_three_endpoints_lies_on_a_balance(row: Row, anvil: Anvil, tmp_path: Path) -> None:
    """One of three endpoints lies on a balance. It says one wei more for every account; a theft meanwhile."""
    side = EvmSide(anvil)
    with three(tmp_path, [side]) as (ex, nodes):
        ex.errors_expected = True
        ex.start()
        plants, liar = Plants(ex), nodes[side.name][0]
        ex.settle()
        liar.only, liar.fault = frozenset({"eth_getBalance"}), changed(richer)
        with timed(row, 1):
            plants.steal(side)
            caught_up(ex, [side])
            ex.wait(lambda: _lies(ex), "no case about the liar")
        (case,) = _lies(ex).values()
        assert case["severity"] == "warning", "two of three are left"
        assert json.loads((ex.folder / case["evidence"]["file"]).read_text())["endpoint"] == "one"
        row.saw("an endpoint_lies case with a file of evidence, naming the liar")
        nothing_lost(row, ex, [side], plants, others=1)
        side.mine(6)
        caught_up(ex, [side])
        ex.settle()
        final = {line["wallet"]: line["final"] for line in ex.get("status")["holdings"]}
        assert final == {wallet: coins(side.held(wallet), side.decimals) for wallet in (side.cold, side.hot)}
        row.saw("the holdings are what the other two say")


def without_a_log(result: Any) -> Any:
    """Receipts of a block as a node gives them that has lost the logs of its last transaction."""
    if isinstance(result, list) and result and "cumulativeGasUsed" in result[0]:
        return [*result[:-1], {**result[-1], "logs": [], "logsBloom": "0x" + "00" * 256}]
    return result


def test_an_omitted_log(row: Row, anvil: Anvil, proxies: Proxies, tmp_path: Path) -> None:
    """A provider omits a log. The only endpoint leaves the logs of a token's theft out of the receipts; later it is
    true again."""
    side = EvmSide(anvil, with_token=True)
    nodes = proxies([side])
    with behind(nodes, tmp_path, [side]) as ex:
        ex.errors_expected = True
        ex.start()
        plants, stood = Plants(ex), ex.cursor(side.name)
        nodes[side.name].fault = changed(without_a_log)
        stolen = side.pay_token(side.hot, side.outside(), 40_000_000)
        plants.stolen[side.name] = [stolen]
        ex.wait(lambda: "receipts" in problem(ex, side.name), "the missing log is not noticed")
        assert ex.cursor(side.name) == stood
        row.saw("the receipts do not give the header's receipts root: an error that names it, the cursor does not move")
        with timed(row, 1):
            nodes[side.name].fault = None
            caught_up(ex, [side])
        (case,) = (case for case in ex.cases("all") if case["txid"] == stolen)
        assert (case["asset"], case["units"]) == ("USDT", "40000000")
        row.saw("the theft of the token is a case once a true answer is there")
        nothing_lost(row, ex, [side], plants, others=len([case for case in ex.cases("all") if not case["txid"]]))
