"""A file system without space: the whole folder of the ledger on a small one, filled to the last byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.real.exchange import Exchange
from tests.real.matrix.acts import Plants, behind, caught_up, cursors, nothing_lost, problem, success, timed
from tests.real.matrix.record import Row
from tests.real.servers import WebhookReceiver
from tests.real.sides import Side

#: room for a ledger, its log of writes and the lines that the monitor logs
MEGABYTES = 16


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own; needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None or os.geteuid() != 0:
        pytest.skip("missing component: the right to mount (run the tests as root)")
    made = [mount, "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "porwatch-test", str(folder)]
    mounted = subprocess.run(made, capture_output=True, text=True, timeout=30, check=False)
    if mounted.returncode:
        pytest.skip(f"missing component: the right to mount ({mounted.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", str(folder)], check=True, capture_output=True, timeout=30)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Nothing can be written to the file system any more: ENOSPC."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    assert os.statvfs(disk).f_bavail == 0
    try:
        yield
    finally:
        filler.unlink()


def refused(ex: Exchange) -> None:
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    command = [sys.executable, "-m", "monitor", "run", str(ex.config)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=unmeasured)
    assert found.returncode == 2, (found.returncode, found.stderr)
    assert "store:" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_file_system_without_space(
    row: Row, sides: list[Side], webhook: WebhookReceiver, small_disk: Path, tmp_path: Path
) -> None:
    """No space left on the device (ENOSPC). The ledger's file system is filled to the last byte: while a page waits for
    its receiver, which is down; a theft and an approved withdrawal meanwhile; then there is space again. And a start."""
    receivers = [{"url": webhook.url.rstrip("/")}]
    with behind({}, tmp_path, sides, alertmanagers=receivers, store=f"sqlite:///{small_disk}/porwatch.db") as ex:
        ex.errors_expected = True
        (ex.folder / "porwatch.db").symlink_to(small_disk / "porwatch.db")  # where this test reads it
        ex.start()
        plants = Plants(ex)
        webhook.down()
        for side in sides:
            plants.steal(side, side.cold)
        caught_up(ex, sides)
        stood, before = cursors(ex, sides), {case["id"] for case in ex.cases("all")}
        assert len(before) == len(sides)
        with full(small_disk):
            for side in sides:
                plants.steal(side)
                plants.pay(side)
            time.sleep(2)
            since = {side.name: success(ex, side.name) for side in sides}
            for side in sides:
                ex.wait(lambda side=side: problem(ex, side.name), "the status says nothing")
            webhook.up()
            ex.wait(lambda: before <= told(webhook), "what was committed before is not told", 90)
            assert cursors(ex, sides) == stood
            assert {case["id"] for case in ex.cases("all")} == before
            assert {side.name: success(ex, side.name) for side in sides} == since
        row.saw(
            "cursors frozen, the problem shown, age of the last success grows",
            "the page that waited is delivered although nothing can be written",
        )
        with timed(row, sum(side.head() - stood[side.name] for side in sides)):
            caught_up(ex, sides)
        ex.wait(lambda: {case["id"] for case in ex.cases("all")} <= told(webhook), "not every case was told", 90)
        row.saw("goes on by itself once there is space, and every page is delivered")
        nothing_lost(row, ex, sides, plants)
        ex.stop()
        with full(small_disk):
            refused(ex)
        row.saw("refuses to start without durable writes (exit 2)")
        ex.start()
        nothing_lost(row, ex, sides, plants)


def told(receiver: WebhookReceiver) -> set[str]:
    alerts = [alert for post in list(receiver.posts) for alert in post.body]
    return {alert["labels"]["case_id"] for alert in alerts if "case_id" in alert["labels"]}
