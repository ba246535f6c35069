"""What the address of a page asks for, and the words where that is nothing."""

from __future__ import annotations

from fastapi import Request

#: characters of a text in an address
LONGEST_TEXT = 128
_LARGEST = 10**15


class NotAsked(Exception):
    """An address that asks for nothing the console has: ``status`` and the key of what it says."""

    def __init__(self, status: int, key: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key


def text_of(request: Request, name: str) -> str:
    """A text, "" where it is not asked for. Raises NotAsked for one that is too long."""
    value = request.query_params.get(name, "")
    if len(value) > LONGEST_TEXT:
        raise NotAsked(400, "error.long")
    return value


def one_of(request: Request, name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of the ``allowed``. Raises NotAsked for another."""
    value = request.query_params.get(name, default)
    if value not in allowed:
        raise NotAsked(400, "error.choice")
    return value


def number_of(request: Request, name: str) -> int | None:
    """A whole number, None where it is not asked for. Raises NotAsked."""
    value = text_of(request, name)
    return count_of(value, "error.place", 400) if value else None


def count_of(value: str, key: str = "error.page", status: int = 404) -> int:
    """A whole number. Raises NotAsked with ``key`` and ``status`` for what is none."""
    if not value.isascii() or not value.isdigit() or int(value[:20]) > _LARGEST:
        raise NotAsked(status, key)
    return int(value)
