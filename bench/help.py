"""How long ``porwatch --help`` takes, and of it Python itself: a person waits for it, and completion at each Tab."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

TIMES = 15
GOAL = 0.3


def run() -> list[str]:
    """Lines to print: the median of several runs, once the files are in the page cache."""
    whole, bare = _seconds("-m", "monitor", "--help"), _seconds("-c", "pass")
    return [
        f"help: porwatch --help in {whole * 1000:.0f} ms (goal {GOAL * 1000:.0f} ms), median of {TIMES}",
        f"help: of it {bare * 1000:.0f} ms are Python's own start",
    ]


def _seconds(*words: str) -> float:
    taken = []
    for _ in range(TIMES + 1):
        begin = time.perf_counter()
        subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - begin)
    return median(taken[1:])


if __name__ == "__main__":
    print("\n".join(run()))
