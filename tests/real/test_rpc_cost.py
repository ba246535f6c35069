"""The table of RPC calls a day rests on what a running monitor is counted to ask."""

from __future__ import annotations

from pathlib import Path

from bench.rpc_cost import Watched, count
from chains.lab.anvil import Anvil
from chains.lab.bitcoind import Bitcoind
from tests.conftest import CHECKOUT
from tools.rpc_cost import BITCOIN, EVM, table


def test_what_a_running_monitor_asks_is_what_the_formula_says(anvil: Anvil, bitcoind: Bitcoind, tmp_path: Path) -> None:
    size = 600  # two batches of an EVM chain
    found = count(Watched(tmp_path / "watched", anvil, bitcoind, size), seconds=10, blocks=4)
    for chain in (EVM, BITCOIN):
        name = chain.name.lower()
        # A busy machine asks less often, and there is a look more or less at either end: never more in the long run.
        assert 0 < found.rest[name] < chain.rest + 0.4, found
        assert 0 < found.block[name] < chain.block + 1.5, found
        assert 0 < found.cycle[name] < chain.cycle_requests(size) + 3, found
    assert found.cycle["ethereum"] > EVM.cycle_requests(0), found


def test_the_page_shows_what_the_formula_gives() -> None:
    page = (CHECKOUT / "docs" / "explanation" / "rpc-cost.md").read_text(encoding="utf-8")
    assert table(60) in page
    assert table(600) in page
