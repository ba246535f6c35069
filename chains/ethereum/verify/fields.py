"""Values of a node's JSON as RLP items. Each raises BadAnswer naming the field.

Read more often than anything else, so hex is first tried the fast way; what fails there is read
again the strict way, which says what is wrong.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Mapping
from typing import Any

from chains.core.errors import BadAnswer
from chains.core.hex import data_bytes, quantity
from chains.ethereum.verify import rlp

Json = Mapping[str, Any]

#: A number that some nodes pad to 32 bytes: the halves of a signature.
_PADDED = re.compile(r"0x[0-9a-fA-F]{1,64}")


def raw_bytes(value: Any, field: str, length: int | None = None) -> bytes:
    """The bytes of data."""
    try:
        found = unhexlify(value[2:])
    except (KeyError, TypeError, ValueError):
        return data_bytes(value, field, length)
    if value[:2] != "0x" or (length is not None and len(found) != length):
        return data_bytes(value, field, length)
    return found


def text(value: Any, field: str, length: int) -> str:
    """Data of ``length`` bytes in lower case with 0x in front."""
    return "0x" + raw_bytes(value, field, length).hex()


def data_item(value: Any, field: str, length: int | None = None) -> bytes:
    """Data as an RLP item."""
    return rlp.encode_bytes(raw_bytes(value, field, length))


def hash_item(value: Any, field: str) -> bytes:
    """32 bytes as an RLP item."""
    return b"\xa0" + raw_bytes(value, field, 32)


def address_item(value: Any, field: str) -> bytes:
    """An address as an RLP item."""
    return b"\x94" + raw_bytes(value, field, 20)


def quantity_item(value: Any, field: str) -> bytes:
    """A quantity as an RLP item."""
    return rlp.encode_int(quantity(value, field))


def padded(value: Any, field: str) -> int:
    """A number that may be padded with zeros."""
    if not isinstance(value, str) or _PADDED.fullmatch(value) is None:
        return quantity(value, field)
    return int(value, 16)


def array(raw: Json, name: str, field: str) -> list[Any]:
    """The list that ``raw`` holds under a name."""
    value = raw.get(name)
    if not isinstance(value, list):
        raise BadAnswer(f"{field} must be a list, not {type(value).__name__}")
    return value


def mapping(value: Any, what: str) -> Json:
    """An object of JSON."""
    if not isinstance(value, Mapping):
        raise BadAnswer(f"{what} must be an object, not {type(value).__name__}")
    return value
