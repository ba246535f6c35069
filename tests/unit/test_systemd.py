"""What systemd is told, over a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.health import Health
from monitor.ledger.store import Ledger
from monitor.step.writer import Writer
from monitor.systemd import Notifier, from_environment, tell
from tests.scenarios.stage import setup_of


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The socket that the manager reads, and its name as it stands in the environment."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@porwatch-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if name.startswith("@") else name)
        manager.setblocking(False)
        yield name, manager


def messages(manager: socket.socket) -> list[str]:
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(manager.recv(4096).decode())
    return found


async def none() -> list[str]:
    return []


async def watching() -> str:
    return "watching\n1 chain"


async def told(notifier: Notifier, manager: socket.socket, turns: int = 2, **parts: object) -> list[str]:
    """What is told in a few turns."""
    given = {"pulse": none, "reasons": none, "status": watching, **parts}
    task = asyncio.create_task(tell(notifier, **given))  # type: ignore[arg-type]
    await asyncio.sleep(0.02 * turns)
    task.cancel()
    return messages(manager)


FAST = timedelta(milliseconds=30)


async def test_ready_is_told_once_and_a_sign_of_life_at_every_turn(systemd: tuple[str, socket.socket]) -> None:
    name, manager = systemd
    found = await told(Notifier(name, FAST), manager, turns=5)
    assert found[:3] == ["WATCHDOG=1", "READY=1", "STATUS=watching 1 chain"]
    assert found.count("READY=1") == 1
    assert found.count("WATCHDOG=1") >= 3


async def test_until_it_is_ready_the_reasons_are_told_and_more_time_is_asked_for(
    systemd: tuple[str, socket.socket],
) -> None:
    name, manager = systemd

    async def reasons() -> list[str]:
        return ["bitcoin: too few endpoints", "the ledger cannot be read"]

    found = await told(Notifier(name, FAST), manager, reasons=reasons)
    assert "STATUS=bitcoin: too few endpoints; the ledger cannot be read" in found
    assert "EXTEND_TIMEOUT_USEC=60000000" in found
    assert "READY=1" not in found


async def test_a_writer_that_hangs_lets_the_watchdog_fire(systemd: tuple[str, socket.socket], tmp_path: Path) -> None:
    name, manager = systemd
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    setup, _ = setup_of({"wallets": {}})
    hangs = threading.Event()
    async with Writer(ledger, setup, Health(datetime.now(UTC), ())) as writer:
        assert "WATCHDOG=1" in await told(Notifier(name, FAST), manager, pulse=writer.pulse)
        stuck = asyncio.get_running_loop().run_in_executor(writer._thread, hangs.wait)
        try:
            assert await told(Notifier(name, FAST), manager, turns=5, pulse=writer.pulse) == []
        finally:
            hangs.set()
            await stuck
        assert "WATCHDOG=1" in await told(Notifier(name, FAST), manager, pulse=writer.pulse)
    ledger.close()


async def test_a_reload_is_told_with_the_monotonic_clock_and_ends_with_ready(
    systemd: tuple[str, socket.socket],
) -> None:
    name, manager = systemd
    notifier = Notifier(name)
    notifier.reloading()
    notifier.ready()
    assert messages(manager) == []
    notifier.become_ready()
    notifier.reloading()
    notifier.ready()
    notifier.stopping()
    first, reloading, again, stopping = messages(manager)
    assert (first, again, stopping) == ("READY=1", "READY=1", "STOPPING=1\nSTATUS=stopping")
    lines = dict(line.split("=") for line in reloading.splitlines())
    assert lines["RELOADING"] == "1"
    assert int(lines["MONOTONIC_USEC"]) > 0


def test_the_environment_is_taken_and_programs_started_from_here_do_not_inherit_it() -> None:
    given = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "A": "b"}
    notifier = from_environment(given)
    assert notifier.watchdog == timedelta(seconds=30)
    assert notifier.listened_to
    assert given == {"A": "b"}


@pytest.mark.parametrize(
    ("given", "listened_to"),
    [
        ({}, False),
        ({"NOTIFY_SOCKET": "run/notify", "WATCHDOG_USEC": "1000000"}, False),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "soon"}, True),
        ({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}, True),
    ],
)
def test_an_environment_that_is_not_for_this_process_has_no_watchdog(given: dict[str, str], listened_to: bool) -> None:
    notifier = from_environment(given)
    assert notifier.watchdog is None
    assert notifier.listened_to is listened_to


def test_a_manager_that_is_gone_or_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    Notifier(str(tmp_path / "nobody")).send(READY=1)
    name = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        for _ in range(5000):
            Notifier(name).send(WATCHDOG=1)
