"""What the rows have in common: planted outflows, a proxy before each node, and what must hold at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.real.exchange import Exchange, exchange
from tests.real.faulty_node import FaultyNode
from tests.real.matrix.record import Row
from tests.real.sides import Side, coins

#: no grace: what must be a case is one at once
POLICY = {"approval_grace": {"cold": "0s", "hot": "0s", "up_to_percent": 1}}

Proxies = Callable[[list[Side]], dict[str, FaultyNode]]


@dataclass
class Plants:
    """Outflows by chain: those that somebody stole, in order, and the ids of the approvals that others used."""

    ex: Exchange
    stolen: dict[str, list[str]] = field(default_factory=dict)
    approvals: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def steal(self, side: Side, wallet: str = "", share: int = 20) -> str:
        txid = side.pay(wallet or side.hot, side.outside(), side.unit // share)
        self.stolen.setdefault(side.name, []).append(txid)
        return txid

    def pay(self, side: Side, share: int = 25, **more: str) -> str:
        """An approved withdrawal from the hot wallet."""
        customer, name = side.outside(), f"w-{next(self.numbers)}"
        amount = coins(side.unit // share, side.decimals)
        self.ex.approve(id=name, chain=side.name, asset=side.asset, amount=amount, destination=customer, **more)
        self.approvals[name] = side.pay(side.hot, customer, side.unit // share)
        return self.approvals[name]

    def count(self) -> int:
        return sum(len(txids) for txids in self.stolen.values())


@contextmanager
def behind(proxies: Mapping[str, FaultyNode], folder: Path, sides: list[Side], **extra: Any) -> Iterator[Exchange]:
    """An exchange whose only endpoint on each chain is the proxy, where there is one; not started yet."""
    with exchange(folder / "exchange", sides, policy=POLICY, **extra) as ex:
        for name, proxy in proxies.items():
            ex.chains[name]["endpoints"][0]["url"] = proxy.url
        ex.write_config()
        yield ex


def problem(ex: Exchange, chain: str) -> str:
    """What the status says is wrong with following a chain; "" if nothing."""
    stages = {"follow", "identify"}
    found = [p["problem"] for p in ex.get("status")["problems"] if p["stage"] in stages and p["chain"] == chain]
    return "; ".join(found)


def cursors(ex: Exchange, sides: Sequence[Side]) -> dict[str, int]:
    return {side.name: ex.cursor(side.name) for side in sides}


def success(ex: Exchange, chain: str) -> float:
    """When following last did its whole work, as the metric says it, waiting for the first time."""
    found: list[float] = []

    def told() -> bool:
        with suppress(AssertionError):
            found.append(ex.metric("porwatch_last_success_timestamp_seconds", stage="follow", chain=chain))
        return bool(found)

    ex.wait(told, "no metric of the last success")
    return found[0]


def caught_up(ex: Exchange, sides: Sequence[Side], seconds: float = 60) -> None:
    for side in sides:
        ex.wait_for_block(side.name, side.head(), seconds)


@contextmanager
def timed(row: Row, blocks: int = 0) -> Iterator[None]:
    begin = time.monotonic()
    yield
    row.took((time.monotonic() - begin) * 1000, blocks)


def nothing_lost(row: Row, ex: Exchange, sides: Sequence[Side], plants: Plants, others: int = 0) -> None:
    """Each planted outflow is one case, approved ones are none, ledger = node, and the journal verifies.

    ``others``: cases that are about no outflow.
    """
    ex.settle()
    cases = [case for case in ex.cases("all") if case["txid"]]
    planted = sorted(txid for txids in plants.stolen.values() for txid in txids)
    assert sorted(case["txid"] for case in cases) == planted, cases
    assert len(ex.cases("all")) == len(cases) + others, [case for case in ex.cases("all") if not case["txid"]]
    for name, txid in plants.approvals.items():
        ((used_by,),) = ex.rows("SELECT used_by FROM approval WHERE id = ?", name)
        assert txid in used_by
    for side in sides:
        for wallet in (side.cold, side.hot):
            query = "SELECT units FROM total WHERE chain = ? AND wallet = ? AND asset = ?"
            ((units,),) = ex.rows(query, side.name, wallet, side.asset)
            assert int(units) == side.held(wallet)
    verified = ex.command("journal", "verify", str(ex.config))
    assert verified.returncode == 0, verified.stderr
    approved = f", {len(plants.approvals)} approved payments: none" if plants.approvals else ""
    row.saw(f"nothing lost ({plants.count()} outflows: {plants.count()} cases{approved})")
