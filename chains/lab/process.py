"""Local programs: started on loopback, in a session of their own, ended by their own process id, never outliving us."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from chains.lab.errors import LabError

LOOPBACK = "127.0.0.1"
# A node that needs longer than this on an empty folder will not come.
START_SECONDS = 60.0
# bitcoind writes its state on SIGTERM; beyond this it hangs.
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02
LOG_TAIL_BYTES = 2000


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ready: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Polls `ready` until it is true. Raises LabError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)


class Process:
    """One program with its log file; `start` and `stop` may alternate."""

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path) -> None:
        """`command` will run in `folder` (made if absent) with its output in `folder`/`name`.log."""
        self.name = name
        self.command = [str(word) for word in command]
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id while it runs. Raises LabError otherwise."""
        if self._running is None:
            raise LabError(f"{self.name} is not running")
        return self._running.pid

    @property
    def alive(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._running is not None and self._running.poll() is None

    def start(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Starts the program and waits until `ready()`. Raises LabError with the end of its log if it does not come."""
        if self.alive:
            raise LabError(f"{self.name} runs already")
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches porwatch, which then ends its nodes in order.
            self._running = subprocess.Popen(
                [*_die_with_parent(), *self.command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(lambda: not self.alive or ready(), f"{self.name} to answer", seconds)
            if not self.alive:
                raise LabError(f"{self.name} ended at once")
        except BaseException as error:
            # Ctrl-C too: no program is left behind that nobody will stop.
            self.stop()
            if isinstance(error, LabError):
                raise LabError(f"{error}; its last words: {self.last_words()}") from error
            raise

    def stop(self) -> None:
        """Ends the program and whatever it started, by process id; does nothing when it has ended already."""
        running, self._running = self._running, None
        if running is None:
            return
        _signal_group(running.pid, signal.SIGTERM)
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _signal_group(running.pid, signal.SIGKILL)
            running.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Ends the program without warning, as a power cut would."""
        running, self._running = self._running, None
        if running is not None:
            _signal_group(running.pid, signal.SIGKILL)
            running.wait(STOP_SECONDS)

    def last_words(self) -> str:
        """The end of the log."""
        if not self.log.exists():
            return "none"
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip() or "none"


class Node(ABC):
    """What local nodes share: a process, and `with` that starts and stops it."""

    process: Process

    @abstractmethod
    def start(self) -> None:
        """Starts the node and waits until it answers. Raises LabError."""

    def stop(self) -> None:
        """Ends the node; its folder and port stay, so that `start` brings it back."""
        self.process.stop()

    @property
    def pid(self) -> int:
        """Process id while it runs. Raises LabError otherwise."""
        return self.process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _die_with_parent() -> list[str]:
    """Words before a command that let the kernel end it when the thread that started it dies, however that dies."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _signal_group(pid: int, number: int) -> None:
    """Signals the session that `pid` leads; one that has ended already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
