"""A process that has imported a whole monitor and forks one for each life.

Use (by the crash test): python -m tools.crashtest.preloaded CONFIG. A line `fork` on standard input is
answered with the process id of a new monitor, a line `wait` with how that monitor ended. Before each
fork this process has one thread, no event loop and no open ledger: a life inherits code, nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

#: imported lazily by a running monitor
_MODULES = (
    "monitor.__main__",
    "monitor.commands",
    "monitor.daemon",
    "monitor.publish.web",
    "monitor.step",
    "uvicorn",
    "uvicorn.protocols.http.auto",
    "uvicorn.loops.auto",
    "alembic.command",
    "alembic.config",
    "sqlalchemy.dialects.sqlite",
    "chains.bitcoin.reader",
    "chains.ethereum.chain",
    "zmq.asyncio",
)


def main(config: str) -> None:
    """Serve until standard input ends."""
    for name in _MODULES:
        importlib.import_module(name)
    gc.freeze()
    child = 0
    try:
        for line in sys.stdin:
            if line.strip() == "fork":
                child = _fork(config)
                answer = child
            else:
                _, status = os.waitpid(child, 0)
                child, answer = 0, os.waitstatus_to_exitcode(status)
            sys.stdout.write(f"{answer}\n")
            sys.stdout.flush()
    finally:
        if child:
            os.kill(child, signal.SIGKILL)


def _fork(config: str) -> int:
    _bare(Path(config).parent)
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)
        sys.argv = ["porwatch", "--log-format", "json", "run", config]
        from monitor.__main__ import main as porwatch  # noqa: PLC0415  imported by now: this names it

        porwatch()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  whatever it is, a child never goes on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _bare(store: Path) -> None:
    """Nothing is here that a life must not inherit."""
    tasks = len(list(Path("/proc/self/task").iterdir()))
    if tasks != 1 or threading.active_count() != 1:
        raise RuntimeError(f"{tasks} threads before a fork: the monitor's imports start one")
    if asyncio._get_running_loop() is not None:  # noqa: SLF001  the public one raises instead of answering
        raise RuntimeError("an event loop runs before a fork")
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own handle
            if str(handle.readlink()).startswith(str(store / "porwatch.db")):
                raise RuntimeError("the ledger is open before a fork")


if __name__ == "__main__":
    main(sys.argv[1])
