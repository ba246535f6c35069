"""How many requests a day porwatch makes to one endpoint: a formula whose parts were counted (bench/rpc_cost.py).

Use: python -m tools.rpc_cost   prints the table of docs/explanation/rpc-cost.md
A request is one HTTP exchange, as porwatch_rpc_requests_total counts it; a batch is one request with up to
BATCH calls. Providers bill calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

DAY_SECONDS = 86_400
#: calls in one batch (chains.core.peer.Limits.batch_items) and scripts in one scan of Bitcoin's coins
BATCH, SCAN = 500, 50_000
ADDRESSES = (100, 10_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Chain:
    """What was counted. ``rest``: requests a second while no block comes; ``block``: more for each block without
    movements; ``cycle``: of each cycle at a new anchor, whatever is watched; ``reads``: what a cycle asks of each
    address, ``size`` addresses in one request; ``seconds`` between blocks.
    """

    name: str
    seconds: int
    rest: Fraction
    block: int
    cycle: int
    reads: int
    size: int
    batched: bool

    def cycle_requests(self, addresses: int) -> int:
        """Requests of one cycle."""
        return self.cycle + self.reads * ceil(addresses / self.size)

    def cycle_calls(self, addresses: int) -> int:
        """Calls of one cycle: every one of a batch counts."""
        return self.cycle + self.reads * addresses if self.batched else self.cycle_requests(addresses)

    def day(self, addresses: int, cycle_seconds: int) -> tuple[int, int]:
        """Requests and calls of a day to one endpoint: a chain without movements of ours, one asset."""
        steady = DAY_SECONDS * self.rest + Fraction(DAY_SECONDS * self.block, self.seconds)
        cycles = Fraction(DAY_SECONDS, cycle_seconds)
        return (
            ceil(steady + cycles * self.cycle_requests(addresses)),
            ceil(steady + cycles * self.cycle_calls(addresses)),
        )


EVM = Chain("Ethereum", 12, rest=Fraction(7, 5), block=2, cycle=2, reads=2, size=BATCH, batched=True)
BITCOIN = Chain("Bitcoin", 600, rest=Fraction(7, 5), block=7, cycle=7, reads=1, size=SCAN, batched=False)


def table(cycle_seconds: int) -> str:
    """Markdown: requests and calls a day at each number of addresses."""
    lines = [
        "| addresses | Ethereum: requests | Ethereum: calls | Bitcoin: requests |",
        "|---:|---:|---:|---:|",
    ]
    for addresses in ADDRESSES:
        evm, bitcoin = EVM.day(addresses, cycle_seconds), BITCOIN.day(addresses, cycle_seconds)
        lines.append(f"| {addresses:,} | {evm[0]:,} | {evm[1]:,} | {bitcoin[0]:,} |")
    return "\n".join(lines)


if __name__ == "__main__":
    for every in (60, 600):
        print(f"cycle: {every}s\n\n{table(every)}\n")
