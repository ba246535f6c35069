"""How a running monitor ends, and what its supervisor is told meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from chains.lab.anvil import Anvil
from chains.lab.process import free_port
from tests.real.exchange import exchange
from tests.real.sides import EvmSide


@pytest.fixture
def side(anvil: Anvil) -> EvmSide:
    return EvmSide(anvil)


def test_an_alert_that_nobody_took_is_still_in_the_outbox_after_the_end(side: EvmSide, tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with exchange(tmp_path / "exchange", [side], alertmanagers=[{"url": nobody}]) as ex:
        ex.start()
        side.pay(side.cold, side.outside(), side.unit)
        ex.only_case()
        # A client that never ends its request holds nothing up.
        with closing(socket.create_connection(("127.0.0.1", ex.port))) as slow:
            slow.sendall(b"POST /api/v1/approvals HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{")
            begin = time.monotonic()
            assert ex.stop() == 0
            assert time.monotonic() - begin < 15
        assert ex.rows("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == [(1,)]


def test_a_second_signal_ends_it_at_once(side: EvmSide, tmp_path: Path) -> None:
    with exchange(tmp_path / "exchange", [side]) as ex:
        ex.start()
        assert ex.process is not None
        with closing(socket.create_connection(("127.0.0.1", ex.port))) as slow:
            # An unfinished request keeps the first signal waiting.
            slow.sendall(b"POST /api/v1/approvals HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n")
            slow.sendall(b"Content-Type: application/json\r\n\r\n{")
            ex.process.send_signal(signal.SIGTERM)
            ex.wait(lambda: "stopping" in ex.log.read_text(), "the first signal did nothing")
            ex.process.send_signal(signal.SIGINT)
            assert ex.process.wait(3) == 128 + signal.SIGINT
        ex.process = None


def test_systemd_is_told_of_readiness_of_life_and_of_the_end(side: EvmSide, tmp_path: Path) -> None:
    with (
        exchange(tmp_path / "exchange", [side]) as ex,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        with ex.log.open("ab") as log:
            command = [sys.executable, "-m", "monitor", "--log-format", "json", "run", str(ex.config)]
            ex.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

        def until(wanted: str) -> str:
            while True:
                message = manager.recv(4096).decode()
                if message.startswith(wanted):
                    return message

        until("READY=1")
        assert ex.status_of("/-/ready") == 200
        until("STATUS=watching ethereum; 0 open cases")
        until("WATCHDOG=1")
        # A process that stands still gives no sign of life: systemd would end it.
        ex.process.send_signal(signal.SIGSTOP)
        manager.setblocking(False)
        time.sleep(0.3)
        with suppress(BlockingIOError):
            while manager.recv(4096):
                pass
        time.sleep(0.7)
        with pytest.raises(BlockingIOError):
            manager.recv(4096)
        ex.process.send_signal(signal.SIGCONT)
        manager.settimeout(30)
        until("WATCHDOG=1")
        ex.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in until("RELOADING=1")
        until("READY=1")
        ex.process.send_signal(signal.SIGTERM)
        until("STOPPING=1")
        assert ex.process.wait(20) == 0
        ex.process = None
