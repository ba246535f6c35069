"""A whole monitor on nodes that answer nonsense: the cursor stands still, the next endpoint helps, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.real.exchange import Exchange, exchange
from tests.real.faulty_node import (
    Fault,
    FaultyNode,
    changed,
    closed,
    html,
    huge,
    huge_without_length,
    rate_limited,
    truncated_body,
)
from tests.real.sides import BitcoinSide, EvmSide, Side

Change = Callable[[Any], Any]

#: what is wrong with a block that has transactions in it, by kind of chain; all else is answered well
BLOCKS: dict[str, dict[str, Change]] = {
    "ethereum": {
        "null below the head": lambda _: None,
        "another parent": lambda block: {**block, "parentHash": "0x" + "ab" * 32},
        "a truncated list": lambda block: {**block, "transactions": block["transactions"][:-1]},
        "hex without 0x": lambda block: {**block, "number": block["number"][2:]},
        "a block of another height": lambda block: {**block, "number": hex(int(block["number"], 16) + 1)},
    },
    "bitcoin": {
        "null below the head": lambda _: None,
        "another parent": lambda block: block[:8] + "ab" * 32 + block[72:],
        "a truncated list": lambda block: block[:-20],
        "hex without 0x": lambda block: "0x" + block,
        "a block of another height": lambda block: block[:-8] + "00000001",
    },
}
ANYTHING: dict[str, Fault] = {
    "429": rate_limited("1"),
    "HTML": html,
    "100 MB": huge,
    "100 MB without a length": huge_without_length,
    "half a body": truncated_body,
    "no answer": closed,
}
FAULTS = [*BLOCKS["bitcoin"], *ANYTHING]


def is_block(result: Any) -> bool:
    """Whether an answer is a whole block with transactions: an object on EVM, raw hex on Bitcoin."""
    if isinstance(result, dict):
        listed = result.get("transactions") or [None]
        return isinstance(listed[0], dict)
    return isinstance(result, str) and len(result) > 500


def fault_of(chain: str, name: str) -> Fault:
    if name in ANYTHING:
        return ANYTHING[name]
    change = BLOCKS[chain][name]
    return changed(lambda result: change(result) if is_block(result) else result)


@pytest.fixture
def sides(anvil: Anvil, bitcoind: Bitcoind) -> list[Side]:
    return [BitcoinSide(bitcoind), EvmSide(anvil)]


@pytest.fixture
def proxies(sides: list[Side]) -> Iterator[dict[str, FaultyNode]]:
    with ExitStack() as stack:
        yield {side.name: stack.enter_context(FaultyNode(upstream=side.url)) for side in sides}


def problems(ex: Exchange) -> set[str]:
    return {problem["chain"] for problem in ex.get("status")["problems"] if problem["stage"] in {"follow", "identify"}}


def test_the_only_endpoint_answers_nonsense_and_the_cursor_waits_until_it_is_well(
    sides: list[Side], proxies: dict[str, FaultyNode], tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", sides) as ex:
        for name, proxy in proxies.items():
            ex.chains[name]["endpoints"][0]["url"] = proxy.url
        ex.errors_expected = True  # what is provably false is logged as a lie
        ex.write_config()
        ex.start()
        stolen = set()
        for fault in FAULTS:
            cursors = {side.name: ex.cursor(side.name) for side in sides}
            for side in sides:
                proxies[side.name].fault = fault_of(side.name, fault)
                stolen.add(side.pay(side.hot, side.outside(), side.unit // 20))
            ex.wait(lambda: problems(ex) == {"bitcoin", "ethereum"}, f"{fault}: nothing is said")
            assert {side.name: ex.cursor(side.name) for side in sides} == cursors, fault
            for proxy in proxies.values():
                proxy.fault = None
            for side in sides:
                ex.wait_for_block(side.name, side.head())
            ex.wait(lambda: problems(ex) == set(), f"{fault}: the problem is still shown")
        cases = [case for case in ex.cases("all") if case["rule"] != "endpoint_lies"]
        assert {case["txid"] for case in cases} == stolen
        assert len(cases) == len(stolen)
        lies = {case["chain"] for case in ex.cases("all") if case["rule"] == "endpoint_lies"}
        assert lies == {"bitcoin", "ethereum"}, "some of it is provably false, and said so"
        for side in sides:
            (row,) = ex.rows("SELECT units FROM total WHERE wallet = ? AND asset = ?", side.hot, side.asset)
            assert int(row[0]) == side.held(side.hot)
        assert ex.records("rewound") == [], "an answer that is wrong is no reorganisation"


def test_the_next_endpoint_is_asked_while_the_first_answers_nonsense(
    sides: list[Side], proxies: dict[str, FaultyNode], tmp_path: Path
) -> None:
    with exchange(tmp_path / "exchange", sides) as ex:
        for name, proxy in proxies.items():
            (good,) = ex.chains[name]["endpoints"]
            ex.chains[name]["endpoints"] = [{**good, "url": proxy.url, "name": "bad"}, {**good, "name": "good"}]
            ex.chains[name]["quorum"] = 1
        ex.write_config()
        ex.start()
        stolen = set()
        for fault in FAULTS:
            for side in sides:
                proxies[side.name].fault = fault_of(side.name, fault)
                stolen.add(side.pay(side.hot, side.outside(), side.unit // 20))
            for side in sides:
                ex.wait_for_block(side.name, side.head())
        assert {case["txid"] for case in ex.cases("all") if case["rule"] != "endpoint_lies"} == stolen
        for side in sides:
            assert failures(ex, side.name, "bad") > 0
            assert failures(ex, side.name, "good") == 0


def failures(ex: Exchange, chain: str, endpoint: str) -> float:
    """How often an endpoint did not answer well."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(ex.metrics())
        for sample in family.samples
        if sample.name == "porwatch_rpc_requests_total"
        and (sample.labels["chain"], sample.labels["rpc_endpoint"]) == (chain, endpoint)
        and sample.labels["outcome"] not in {"ok", "node_error"}
    )
