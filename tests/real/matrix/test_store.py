"""A ledger that cannot be written: no space, locked by another program, taken by another porwatch."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.real.exchange import Exchange
from tests.real.matrix.acts import Plants, behind, caught_up, cursors, nothing_lost, problem, success, timed
from tests.real.matrix.record import Row
from tests.real.sides import Side

#: no file can grow beyond this: smaller than the ledger's log of writes, larger than the first lines of a start
FULL_BYTES = 4096
#: longer than the 10 s for which porwatch waits for a lock
LOCKED_SECONDS = 14


@contextmanager
def disk_full(ex: Exchange) -> Iterator[None]:
    """Every write of the running monitor beyond the first bytes of a file fails, as on a disk without space."""
    assert ex.process is not None
    pid = ex.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FULL_BYTES, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def journal(ex: Exchange) -> int:
    ((count,),) = ex.rows("SELECT count(*) FROM journal")
    return int(count)


def test_a_full_disk(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Disk full. No file of the running monitor can grow; a theft and an approved withdrawal; then there is space
    again. And a start on a full disk."""
    with behind({}, tmp_path, sides) as ex:
        ex.errors_expected = True
        ex.start()
        plants, stood = Plants(ex), cursors(ex, sides)
        with disk_full(ex):
            for side in sides:
                plants.steal(side)
                plants.pay(side)
            time.sleep(2)
            written, since = journal(ex), {side.name: success(ex, side.name) for side in sides}
            for side in sides:
                ex.wait(lambda side=side: problem(ex, side.name), "the status says nothing")
            time.sleep(4)
            assert cursors(ex, sides) == stood
            assert (journal(ex), ex.cases("all")) == (written, [])
            assert {side.name: success(ex, side.name) for side in sides} == since
            row.saw("cursors frozen, the problem shown, age of the last success grows", "nothing half-written")
            missed = sum(side.head() - stood[side.name] for side in sides)
        with timed(row, missed):
            caught_up(ex, sides)
        row.saw("goes on by itself once there is space")
        nothing_lost(row, ex, sides, plants)
        ex.kill()
        _drop_torn_lines(ex.log)
        _refuses_to_start(row, ex)
        ex.start()
        nothing_lost(row, ex, sides, plants)


def _drop_torn_lines(log: Path) -> None:
    """The log was on the full disk too."""
    whole = []
    for line in log.read_text().splitlines(keepends=True):
        with suppress(json.JSONDecodeError):
            json.loads(line)
            whole.append(line)
    log.write_text("".join(whole))


def _refuses_to_start(row: Row, ex: Exchange) -> None:
    """Neither where not even the lock can be written, nor where the database cannot grow."""
    # Coverage cannot write on a full disk either, and would say so on stderr.
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    for limit in (0, FULL_BYTES):
        result = subprocess.run(
            ["prlimit", f"--fsize={limit}:", sys.executable, "-m", "monitor", "run", str(ex.config)],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env=unmeasured,
        )
        assert result.returncode == 2, (result.returncode, result.stderr)
        assert "store:" in result.stderr
        assert "Traceback" not in result.stderr
    row.saw("refuses to start without durable writes (exit 2)")


def test_a_locked_database(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Database locked. Another program holds a write transaction on the ledger's file for 14 s, longer than porwatch
    waits (10 s); a theft and an approved withdrawal meanwhile."""
    with behind({}, tmp_path, sides) as ex:
        ex.errors_expected = True
        ex.start()
        plants = Plants(ex)
        ex.settle()
        with closing(sqlite3.connect(ex.folder / "porwatch.db", isolation_level=None)) as other:
            other.execute("PRAGMA busy_timeout=5000")
            other.execute("BEGIN IMMEDIATE")
            stood, written = cursors(ex, sides), journal(ex)
            begin = time.monotonic()
            for side in sides:
                plants.steal(side)
                plants.pay(side)
            ex.wait(lambda: "database is locked" in ex.log.read_text(), "the log says nothing")
            time.sleep(max(0, LOCKED_SECONDS - (time.monotonic() - begin)))
            assert cursors(ex, sides) == stood
            assert (journal(ex), ex.cases("all")) == (written, [])
            assert ex.status_of("/-/healthy") == 200
            row.saw("cursors frozen, “database is locked” in the log, pages and metrics still served")
            other.execute("ROLLBACK")
        with timed(row, sum(side.head() - stood[side.name] for side in sides)):
            caught_up(ex, sides)
        nothing_lost(row, ex, sides, plants)


def test_two_instances_on_one_file(row: Row, sides: list[Side], tmp_path: Path) -> None:
    """Two instances on one SQLite file. A second `run`, a second `once`, and a second `run` while the first is frozen
    (SIGSTOP); a theft after each."""
    with behind({}, tmp_path, sides) as ex:
        ex.start()
        plants = Plants(ex)
        for command in ("run", "once"):
            _refused(ex, command)
            plants.steal(sides[0])
        assert ex.process is not None
        ex.process.send_signal(signal.SIGSTOP)
        _refused(ex, "run")
        plants.steal(sides[1])
        ex.process.send_signal(signal.SIGCONT)
        with timed(row, 1):
            caught_up(ex, sides)
        row.saw("the second refuses (exit 2) and names the file", "the first goes on")
        nothing_lost(row, ex, sides, plants)


def _refused(ex: Exchange, command: str) -> None:
    result = ex.command(command, str(ex.config))
    assert (result.returncode, result.stdout) == (2, "")
    assert "porwatch.db is in use by another porwatch" in result.stderr
