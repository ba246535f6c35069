"""Hexadecimal values of Ethereum's JSON-RPC (EIP-1474): quantities and byte strings, read strictly."""

from __future__ import annotations

import re

from chains.core.errors import BadAnswer

#: No leading zeros, and 64 digits at most: no quantity of the protocol is wider than 256 bits.
_QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,63})")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
#: What of a wrong value is shown in an error.
_SHOWN = 40


def quantity(value: object, field: str) -> int:
    """The number of a quantity such as "0x1b4". Raises BadAnswer naming ``field``."""
    if not isinstance(value, str) or _QUANTITY.fullmatch(value) is None:
        raise BadAnswer(f"{field} is {_shown(value)}, not a quantity: 0x and hex digits without leading zeros")
    return int(value, 16)


def data(value: object, field: str, length: int | None = None) -> str:
    """Whole bytes as lower-case hex with 0x in front. ``length``: how many bytes. Raises BadAnswer naming ``field``."""
    if not isinstance(value, str) or _DATA.fullmatch(value) is None:
        raise BadAnswer(f"{field} is {_shown(value)}, not data: 0x and two hex digits a byte")
    if length is not None and len(value) != 2 + 2 * length:
        raise BadAnswer(f"{field} has {len(value) // 2 - 1} bytes, not {length}")
    return value.lower()


def data_bytes(value: object, field: str, length: int | None = None) -> bytes:
    """The bytes of ``data``. Raises BadAnswer naming ``field``."""
    return bytes.fromhex(data(value, field, length)[2:])


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
    return f"a {type(value).__name__}"
