"""What a block costs as the watch list grows from 1,000 to 1,000,000 addresses, and what the list weighs.

The same block (300 transactions, 500 logs) is judged with both lists and must give the same
judgements first. Each list is built in a process of its own, as the monitor holds it (watch, wallet by
locator, owner by locator), and its resident memory is read there. Goals: at most 1.2 times the cost,
at most 400 MB. Run alone: python -m bench.growth
"""

from __future__ import annotations

import multiprocessing
import re
import statistics
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.evm_logs import Case, _judge

FEW, MANY = 1_000, 1_000_000
REPEATS = 25
RATIO_GOAL, MEMORY_GOAL = 1.2, 400.0


def run() -> list[str]:
    """The lines of the result. Raises AssertionError where the two lists judge the block differently."""
    few, many = _apart(FEW), _apart(MANY)
    assert few["judgements"] == many["judgements"]
    ratio = many["seconds"] / few["seconds"]
    cost = f"{few['seconds'] * 1e3:.1f} ms and {many['seconds'] * 1e3:.1f} ms, median of {REPEATS}: {ratio:.2f}x"
    memory = f"resident memory with {MANY:,}: {many['memory']:.0f} MB"
    return [
        f"growth: one block with {FEW:,} and {MANY:,} watched addresses, {few['count']} judgements, equal both ways",
        f"  {cost}; goal at most {RATIO_GOAL}x: {_reached(ratio <= RATIO_GOAL)}",
        f"  {memory}; goal at most {MEMORY_GOAL:.0f} MB: {_reached(many['memory'] <= MEMORY_GOAL)}",
    ]


def _apart(watched: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    parent, child = context.Pipe()
    process = context.Process(target=_measure, args=(watched, child))
    process.start()
    found: dict[str, Any] = parent.recv()
    process.join(30)
    return found


def _measure(watched: int, pipe: Any) -> None:
    case = Case(watched=watched)
    wallets = dict.fromkeys(case.watched, "hot")
    case.watched = []
    judgements = _judge(case)
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        _judge(case)
        seconds.append(time.process_time() - began)
    status = Path("/proc/self/status").read_text()
    memory = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1000  # type: ignore[index]
    assert len(wallets) == watched
    texts = sorted(
        f"{j.transaction.txid} {[(a.flow.units, a.reason.value) for a in j.attributions]}" for j in judgements
    )
    pipe.send({"seconds": statistics.median(seconds), "memory": memory, "judgements": texts, "count": len(texts)})


def _reached(reached: bool) -> str:
    return "reached" if reached else "NOT reached"


if __name__ == "__main__":
    print("\n".join(run()))
