"""What is wrong in a file that a person wrote: where, which key, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: one step of the way to a value in a YAML file: a key, or an index of a list
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake; prints as ``file:line: key: what is wrong, and what to write instead``."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; ``mistakes`` holds every one, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        assert self.mistakes, "a configuration error has at least one mistake"
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def in_order(mistakes: Iterable[Mistake], first_file: str) -> tuple[Mistake, ...]:
    """Every mistake once, those of ``first_file`` first, each file by line."""
    return tuple(
        sorted(set(mistakes), key=lambda each: (each.file != first_file, each.file, each.line, each.key, each.message))
    )


def dotted(path: Path) -> str:
    """``wallets[0].addresses[1]``; "configuration" for the whole file."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "configuration"
