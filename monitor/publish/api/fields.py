"""What callers may write in a path or a query: bounded, and without characters that a database refuses."""

from __future__ import annotations

import re
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.exceptions import HTTPException

LARGEST_PAGE = 500
_LONGEST = 128
_PLAIN = r"^[^\x00-\x1f\x7f]*$"
_COINS = re.compile(r"[0-9]{1,60}(\.[0-9]{1,40})?")

Text = Annotated[str | None, Query(max_length=_LONGEST, pattern=_PLAIN)]
#: a part of an address, a txid or an id: what stands in no other text by chance
Search = Annotated[str | None, Query(min_length=4, max_length=_LONGEST, pattern=r"^[0-9A-Za-z:._-]+$")]
Size = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="How many at most.")]
#: what any database takes for a whole number
Number = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
NumberInPath = Annotated[int, Path(ge=0, le=2**63 - 1)]
NameInPath = Annotated[str, Path(max_length=_LONGEST, pattern=_PLAIN)]


def moment(name: str, text: str) -> datetime:
    """A time with its offset. Raises HTTPException 400."""
    try:
        found = datetime.fromisoformat(text)
        if found.utcoffset() is None:
            raise ValueError(text)
        # A time of the first or last year may have no equivalent in UTC.
        found.timestamp()
    except (ValueError, OverflowError) as error:
        raise HTTPException(
            400, f"{name}: write a time with its offset (RFC 3339), e.g. 2026-11-24T00:00:00+09:00"
        ) from error
    return found


def coins(name: str, text: str) -> Fraction:
    """A decimal number of coins, exact. Raises HTTPException 400."""
    if _COINS.fullmatch(text) is None:
        raise HTTPException(400, f"{name}: write coins as a plain decimal number, e.g. 0.5")
    return Fraction(text)


def body_of(description: str) -> dict[str, Any]:
    """The entry of a JSON body in the OpenAPI document."""
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"requestBody": {"required": True, "description": description, "content": content}}
