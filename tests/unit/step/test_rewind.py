"""Whatever is mined, undone and mined again: the state is as if the chain had never forked, and the journal gives it back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from monitor.ledger import journal, schema
from monitor.ledger.store import rebuild
from tests.scenarios.stage import Stage
from tests.scenarios.world import coins_of

SCRIPT: dict[str, Any] = {
    "wallets": {
        "btc-hot": {"chain": "bitcoin", "tier": "hot", "addresses": ["hot-1", "hot-2"]},
        "btc-cold": {"chain": "bitcoin", "tier": "cold", "addresses": ["cold-1"]},
        "eth-hot": {"chain": "ethereum", "tier": "hot", "addresses": ["0xhot", "0xhot-2"]},
        "eth-cold": {"chain": "ethereum", "tier": "cold", "addresses": ["0xcold"]},
    },
    "coins": {"c1": "hot-1 3 BTC", "c2": "hot-2 2 BTC", "c3": "cold-1 9 BTC"},
    "holds": {"0xhot": ["50 ETH", "700 USDT"], "0xhot-2": ["1 ETH"], "0xcold": ["900 ETH"]},
}
ETH_ENDS = ("0xhot", "0xhot-2", "0xcold", "0xanna")
BTC_ENDS = ("hot-1", "hot-2", "cold-1", "anna", "ben")
#: what a rewind leaves as it was: cases tell their story, everything else is as if nothing had been
CASES = (schema.cases, schema.incident, schema.incident_key)
WITHOUT_CASES = tuple(table for table in schema.STATE if table not in CASES)

moves = st.tuples(
    st.sampled_from(ETH_ENDS), st.sampled_from(ETH_ENDS), st.integers(1, 5), st.sampled_from(("ETH", "USDT"))
)
eth_transactions = st.tuples(st.sampled_from((*ETH_ENDS[:3], None)), st.lists(moves, max_size=3))
btc_transactions = st.tuples(
    st.integers(0, 3), st.integers(0, 5), st.lists(st.sampled_from(BTC_ENDS), min_size=1, max_size=3)
)
blocks = st.lists(st.tuples(st.lists(eth_transactions, max_size=2), st.lists(btc_transactions, max_size=2)), max_size=4)


class Miner:
    """Turns drawn numbers into transactions that can be mined on the stage as it stands."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.count = stage, 0

    def mine(self, drawn: list[Any], branch: str) -> None:
        for eth, btc in drawn:
            for chain, specs in (("ethereum", map(self._eth, eth)), ("bitcoin", map(self._btc, btc))):
                height = self.stage.cursor(chain).height + 1
                self._play(chain, height, branch, list(specs))

    def _play(self, chain: str, height: int, branch: str, specs: list[dict[str, Any]]) -> None:
        if chain == "bitcoin":
            spent: set[str] = set()
            for spec in specs:  # two transactions of a block cannot spend the same coin
                spec["spends"] = [coin for coin in spec["spends"] if coin not in spent]
                spent.update(spec["spends"])
                spec["pays"] = self._outputs(spec)
            specs = [spec for spec in specs if spec["pays"]]
        self.stage.play({"block": f"{chain} {height}{branch}", "transactions": specs})

    def _eth(self, drawn: tuple[str | None, list[Any]]) -> dict[str, Any]:
        self.count += 1
        sender, parts = drawn
        spec: dict[str, Any] = {"id": f"e{self.count}", "from": sender}
        spec["moves"] = [f"{source} -> {to} {units} {asset}" for source, to, units, asset in parts]
        return {**spec, "fee": "0.01 ETH"} if sender else spec

    def _btc(self, drawn: tuple[int, int, list[str]]) -> dict[str, Any]:
        self.count += 1
        inputs, fee, ends = drawn
        ours = sorted(n for n, coin in self.stage.worlds["bitcoin"].coins.items() if coin.locator in BTC_ENDS[:3])
        return {"id": f"b{self.count}", "spends": ours[:inputs], "fee": fee, "ends": ends}

    def _outputs(self, spec: dict[str, Any]) -> list[str]:
        coins = self.stage.worlds["bitcoin"].coins
        left = sum(coins[name].units for name in spec["spends"]) - spec["fee"] if spec["spends"] else 1000
        share = left // len(spec["ends"])
        return [f"{end} {coins_of(share, 'BTC')}" for end in spec["ends"]] if share > 0 else []


def state(connection: Connection, tables: tuple[Any, ...] = schema.STATE) -> dict[str, list[tuple[Any, ...]]]:
    """All rows that say something: an account or total of zero says no more than none."""
    rows = {t.name: [tuple(r) for r in connection.execute(select(t).order_by(*t.primary_key.columns))] for t in tables}
    for name in ("account", "total"):
        if name in rows:
            rows[name] = [row for row in rows[name] if row[-1] != 0]
    return rows


def approvals(stage: Stage) -> None:
    """Some that fit what is drawn: so that a rewind has something to give back."""
    lines = [
        {"id": f"{asset}-{to}-{units}-{n}", "amount": f"{units} {asset}", "to": to}
        for asset in ("ETH", "USDT")
        for to in ("0xanna", "0xhot")
        for units in (1, 2, 3)
        for n in range(2)
    ]
    stage.play({"at": "09:30", "approve": lines})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(blocks, blocks, blocks)
def test_a_rewind_of_any_depth_and_what_follows_is_as_if_the_chain_had_never_forked(
    common: list[Any], lost: list[Any], won: list[Any]
) -> None:
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        forked, straight = Stage(Path(first), SCRIPT), Stage(Path(second), SCRIPT)
        try:
            for stage, detour in ((forked, True), (straight, False)):
                approvals(stage)
                miner = Miner(stage)
                miner.mine(common, "")
                miner.count = 1000
                if detour:
                    heights = {chain: stage.cursor(chain).height for chain in stage.worlds}
                    miner.mine(lost, "b")
                    for chain, height in heights.items():
                        stage.play({"at": "10:00", "rewind": f"{chain} {height}"})
                miner.count = 2000
                stage.play({"at": "11:00", "due": True})
                miner.mine(won, "c")
            with forked.ledger.write() as left, straight.ledger.read() as right:
                list(journal.verified(left))
                before = state(left)
                assert {k: v for k, v in before.items() if k not in {table.name for table in CASES}} == state(
                    right, WITHOUT_CASES
                )
                rebuild(left)
                assert state(left) == before
        finally:
            forked.close()
            straight.close()
