"""One life of a monitor: started in one of two ways, killed, and what it was doing then."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Self

from tools.crashtest.stages import VARIABLE, Page, Stage

CHECKOUT = Path(__file__).resolve().parents[2]
_HOOK = Path(__file__).parent / "hook"
_END_SECONDS = 60.0


class Kind(StrEnum):
    """How a life begins."""

    EXEC = "exec"
    FORK = "fork"


@dataclass(frozen=True, slots=True)
class Plan:
    """One kill: the kind of life, and when, as a fraction of such a life's length."""

    kind: Kind
    fraction: float


def plan(kills: int, seed: str) -> list[Plan]:
    """Half of the kills of each kind, in random order, at uniform times; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311  reproducible, no secret
    kinds = [Kind.EXEC, Kind.FORK] * (kills // 2) + [Kind.EXEC] * (kills % 2)
    chance.shuffle(kinds)
    return [Plan(kind, chance.random()) for kind in kinds]


class EndedEarly(Exception):
    """A life ended before it was killed: a failed start or a fault of the monitor."""


@dataclass(frozen=True, slots=True)
class Life:
    """A monitor that runs. ``wait`` waits for its end and returns its exit code, negative for a signal."""

    pid: int
    wait: Callable[[], int]
    page: Page

    @property
    def alive(self) -> bool:
        """Whether it runs; one that has ended and was not waited for does not."""
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"

    def kill(self) -> frozenset[Stage]:
        """SIGKILL; what was active when it died. Raises EndedEarly where it had died before."""
        os.kill(self.pid, signal.SIGKILL)
        code = self.wait()
        if code != -signal.SIGKILL:
            raise EndedEarly(f"a monitor ended by itself with exit code {code}")
        return self.page.active()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()


class Lives:
    """Starts lives of both kinds on one configuration; at most one at a time. A context manager."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self.log = config.parent / "monitor.log"
        file = config.parent / "stages"
        self._page = Page.made(file)
        # What slows a start down for nothing: coverage of a process that is killed, compiling every module again.
        dropped = ("COVERAGE_", "PYTHONDONTWRITEBYTECODE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        path = os.pathsep.join([str(_HOOK), str(CHECKOUT)])
        self._environment = {**kept, "PYTHONPATH": path, VARIABLE: str(file)}
        self._preloaded: subprocess.Popen[str] | None = None
        self._output: IO[str] | None = None

    def __enter__(self) -> Self:
        self._output = self.log.open("a")
        command = [sys.executable, "-m", "tools.crashtest.preloaded", str(self._config)]
        self._preloaded = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            text=True,
            env=self._environment,
            cwd=CHECKOUT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._preloaded is not None
        assert self._output is not None
        self._preloaded.communicate()
        self._output.close()

    def start(self, kind: Kind) -> Life:
        """Begin a life."""
        self._page.begin()
        if kind is Kind.FORK:
            return Life(self._ask("fork"), lambda: self._ask("wait"), self._page)
        command = [sys.executable, "-m", "monitor", "--log-format", "json", "run", str(self._config)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env=self._environment,
            cwd=CHECKOUT,
        )
        return Life(process.pid, lambda: process.wait(_END_SECONDS), self._page)

    def _ask(self, word: str) -> int:
        assert self._preloaded is not None
        assert self._preloaded.stdin is not None
        assert self._preloaded.stdout is not None
        self._preloaded.stdin.write(f"{word}\n")
        self._preloaded.stdin.flush()
        answer = self._preloaded.stdout.readline()
        if not answer:
            raise EndedEarly(f"the preloaded process ended: see {self.log}")
        return int(answer)
