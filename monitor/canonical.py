"""Canonical JSON: the one way to write a value, so that its hash and its signature can be made again.

Keys sorted by code point, no spaces, UTF-8, no floats (a float has no one way to be written).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

Json = dict[str, Any]


def canonical(value: Any) -> str:
    """The one way to write ``value`` as JSON. Raises TypeError for floats and unknown types."""
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parse(text: str) -> Any:
    """JSON without floats; the inverse of ``canonical``."""
    return json.loads(text, parse_float=_no_float, parse_constant=_no_float)


def parse_exactly(raw: bytes) -> Any:
    """The value of canonical JSON. Raises ValueError where these bytes are not the one way to write it.

    A key that stands twice, a space or another order is refused: what is signed has no second form.
    """
    try:
        text = raw.decode()
        value = parse(text)
        same = canonical(value) == text
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not same:
        raise ValueError("is not canonical JSON")
    return value


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("a float cannot be journalled: write a string or whole units")
    if isinstance(value, Mapping):
        for inner in value.values():
            _refuse_floats(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_floats(inner)


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"a float, which has no one way to be written: {text}")
