"""Kills a running monitor again and again, at times uniform over its life, and counts what is lost or told twice.

Use: python -m tools.crashtest [-n KILLS] [--seed SEED] [--lanes LANES] [--write PAGE] [--folder FOLDER]
Exit status 1 on any loss, duplicate or other problem.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from tools.crashtest.lane import run_lane
from tools.crashtest.report import Run, render, write

_LANES_MAX = 8


def main(arguments: list[str] | None = None) -> int:
    """Runs every lane, prints the record and returns the exit status."""
    options = _options(arguments)
    folder = options.folder.resolve() if options.folder else Path(tempfile.mkdtemp(prefix="porwatch-crashtest-"))
    shares = [options.n // options.lanes + (lane < options.n % options.lanes) for lane in range(options.lanes)]
    with ProcessPoolExecutor(options.lanes, mp_context=get_context("spawn")) as pool:
        running = [
            pool.submit(run_lane, share, f"{options.seed}/{lane}", folder / f"lane-{lane}")
            for lane, share in enumerate(shares)
        ]
        run = Run(options.n, options.seed, [lane.result() for lane in running], datetime.now(UTC).date())
    print(render(run))
    if options.write is not None:
        write(options.write, run)
    if run.ok and options.folder is None:
        shutil.rmtree(folder)
    else:
        print(f"ledgers and logs are in {folder}")
    return 0 if run.ok else 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.crashtest", description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="how many kills")
    parser.add_argument("--seed", type=int, default=1, help="decides kinds, times and planted traffic")
    parser.add_argument("--lanes", type=int, default=1, choices=range(1, _LANES_MAX + 1), help="monitors side by side")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also put the record into this page")
    parser.add_argument("--folder", type=Path, help="where nodes, ledgers and logs live; kept")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
