"""The one door for JSON from outside (nodes, files, people): read in one way only, with no digit lost."""

from __future__ import annotations

import json
import sys
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

#: A number written longer, or further from 1, is no amount and no difficulty; as an int it would fill the memory.
_NUMBER_CHARACTERS = 100
_NUMBER_MAGNITUDE = 400
#: Python's own limit. A library that we load raises it a hundredfold, to where nested brackets overflow the C stack.
_DEPTH = 1000


def loads(body: bytes) -> Any:
    """JSON with exact numbers: int of any size, Decimal for everything with a point or an exponent.

    Raises ValueError for what two readers could understand differently or what would harm this
    one: anything but strict JSON in UTF-8, NaN and Infinity, a key twice in one object, numbers
    beyond any use, and nesting too deep to be read.
    """
    try:
        if sys.getrecursionlimit() > _DEPTH:
            sys.setrecursionlimit(_DEPTH)
        return _DECODER.decode(body.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"a key is written twice in one object: {twice[:60]!r}")
    return found


def _decimal(text: str) -> Decimal:
    if len(text) > _NUMBER_CHARACTERS:
        raise ValueError("a number is too long")
    try:
        number = Decimal(text)
    except InvalidOperation:
        # An exponent of more digits than decimal can hold; its error is no ValueError.
        raise ValueError("a number is too large or too small") from None
    if abs(number.adjusted()) > _NUMBER_MAGNITUDE:
        raise ValueError("a number is too large or too small")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_float=_decimal, parse_constant=_refuse_constant, object_pairs_hook=_object)
