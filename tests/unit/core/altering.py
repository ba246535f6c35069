"""Every single change of a line of a testimony that a test can make: the forger's and the failing disk's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chains.core.testimony import BadTestimony, Rechecked, seal

Path = tuple[str | int, ...]


def altered(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Copies of a JSON value with one thing changed: a character, a number, a boolean, an item or a key."""
    if isinstance(value, bool):
        yield path, not value
    elif isinstance(value, int):
        yield from ((path, other) for other in (value - 1, value + 1, 0, 1 << 60) if other != value)
    elif isinstance(value, str):
        yield from ((path, other) for other in _texts(value))
    elif isinstance(value, list):
        yield from _lists(value, path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key), {k: v for k, v in value.items() if k != key}
            yield from ((p, value | {key: new}) for p, new in altered(inner, (*path, key)))
        yield path, value | {"more": "1"}


def _texts(text: str) -> Iterator[str]:
    for place in sorted({0, 1, 2, len(text) // 2, len(text) - 1}):
        if 0 <= place < len(text):
            old = text[place]
            yield (
                text[:place]
                + ("1" if old == "0" else "0" if old.isdigit() else "e" if old == "d" else "d")
                + text[place + 1 :]
            )
    yield text + "0"
    yield text[:-1]
    yield ""


def _lists(items: list[Any], path: Path) -> Iterator[tuple[Path, Any]]:
    yield path, [*items, *items[:1]] if items else ["0"]
    for place, inner in enumerate(items):
        yield (*path, place), items[:place] + items[place + 1 :]
        yield from (
            (p, [*items[:place], new, *items[place + 1 :]]) for p, new in altered(inner, (*path, place)) if new != inner
        )
    if len(items) > 1 and items[0] != items[-1]:
        yield path, [items[-1], *items[1:-1], items[0]]


def forged(lines: Sequence[Any]) -> Iterator[tuple[int, Path, list[Any]]]:
    """All lines with one thing changed in one of them, and the seal made anew: line number, place, lines."""
    body = [json.loads(json.dumps(line)) for line in lines[:-1]]
    for n, line in enumerate(body):
        for path, new in altered(line):
            if new != line:
                yield n + 1, path, list(seal([*body[:n], new, *body[n + 1 :]]))
    for n in range(len(body)):
        yield n + 1, ("dropped",), list(seal(body[:n] + body[n + 1 :]))
        yield n + 1, ("twice",), list(seal([*body[: n + 1], *body[n:]]))
        if n:
            yield n + 1, ("swapped",), list(seal([*body[: n - 1], body[n], body[n - 1], *body[n + 1 :]]))


def outcome(read: Callable[[], Rechecked]) -> Rechecked | None:
    """What a reading shows; None where it was refused, and said in which line."""
    try:
        return read()
    except BadTestimony as error:
        if not str(error).startswith(f"line {error.line}: ") or error.line < 1:
            raise AssertionError(f"names no line: {error}") from error
        return None


HOSTILE: tuple[Any, ...] = (
    0,
    -1,
    1 << 52,
    True,
    "",
    "0x",
    "0x0",
    "é\ud800",
    [],
    ["x"],
    [[]],
    {},
    {"a": "b"},
    [0],
    "9" * 70,
)


def confused(value: Any) -> Iterator[Any]:
    """Copies of a JSON value in which one part is something else altogether."""
    yield from HOSTILE
    if isinstance(value, list):
        for place, inner in enumerate(value[:3]):
            yield from ([*value[:place], new, *value[place + 1 :]] for new in confused(inner))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (value | {key: new} for new in confused(inner))
