"""What a monitor is doing, in bytes that outlive it: the monitor writes them, who killed it reads them."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

#: names the file of a life's stages; the monitor itself knows nothing of it
VARIABLE = "PORWATCH_CRASHTEST_STAGES"


class Stage(IntEnum):
    """Where a kill can hit; the value is the stage's byte. Several may be active at once, IDLE is none of them."""

    STARTING = 0
    OPENING = 1
    RECOVERING = 2
    READING = 3
    REWINDING = 4
    BOOKS = 5
    CYCLE = 6
    ACTING = 7
    JUDGING = 8
    WRITING = 9
    COMMITTING = 10
    UNDELIVERED = 11
    DELIVERING = 12
    MARKING = 13
    IDLE = 14


MEANING = {
    Stage.STARTING: "the process began; interpreter, imports, configuration",
    Stage.OPENING: "the ledger is locked, opened and migrated",
    Stage.RECOVERING: "from the open ledger until every chain is at its head again",
    Stage.READING: "the next block is asked for and read",
    Stage.REWINDING: "a reorganisation is followed back to its fork and begun anew there",
    Stage.BOOKS: "the declared files are read",
    Stage.CYCLE: "a cycle: holdings are read, a verdict is made",
    Stage.ACTING: "a person acknowledges or closes a case",
    Stage.JUDGING: "inside a step's transaction, before its first write",
    Stage.WRITING: "inside a step's transaction, journal and state being written",
    Stage.COMMITTING: "COMMIT itself",
    Stage.UNDELIVERED: "committed with a page, its delivery not begun",
    Stage.DELIVERING: "a request to Alertmanager under way",
    Stage.MARKING: "delivered, not yet marked so in the ledger",
    Stage.IDLE: "none of these: waiting",
}


class Page:
    """The bytes of one life, a counter for each stage. Shared memory on a file: a killed writer's last state stays."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._bytes = mmap.mmap(opened.fileno(), len(Stage))

    @classmethod
    def made(cls, file: Path) -> Page:
        """A page on a new file."""
        file.write_bytes(bytes(len(Stage)))
        return cls(file)

    @classmethod
    def given(cls) -> Page | None:
        """The page that the environment names, if it names one."""
        name = os.environ.get(VARIABLE)
        return None if name is None else cls(Path(name))

    def begin(self) -> None:
        """A new life: it is starting, and nothing else."""
        self._bytes[:] = bytes(len(Stage))
        self._bytes[Stage.STARTING] = 1

    def set(self, stage: Stage, *, active: bool) -> None:
        self._bytes[stage] = active

    @contextmanager
    def inside(self, stage: Stage) -> Iterator[None]:
        """``stage`` is active in the block; entered by several tasks of a thread, until the last has left."""
        self._bytes[stage] += 1
        try:
            yield
        finally:
            self._bytes[stage] -= 1

    def active(self) -> frozenset[Stage]:
        """The stages that are active; IDLE alone where none is."""
        found = frozenset(stage for stage in Stage if stage is not Stage.IDLE and self._bytes[stage])
        return found or frozenset({Stage.IDLE})
