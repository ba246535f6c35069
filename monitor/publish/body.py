"""JSON that callers send: bounded, and read in one way only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import NoReturn

LARGEST_BODY = 1 << 20


class BodyTooLarge(ValueError):
    """More than LARGEST_BODY bytes."""


async def read_body(stream: AsyncIterator[bytes]) -> bytes:
    """All bytes of a request. Raises BodyTooLarge as soon as there are too many."""
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge(f"the body is larger than {LARGEST_BODY} bytes")
    return bytes(body)


def parse_body(body: bytes) -> object:
    """Decoded JSON. Raises ValueError for anything that two readers could understand differently.

    That is: other encodings than UTF-8, NaN and Infinity, a key twice in one object, and nesting
    too deep to be read.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError("the body is not UTF-8") from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:60]!r} stands twice in one object")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
