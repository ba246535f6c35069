"""What callers send, bounded."""

from __future__ import annotations

from collections.abc import AsyncIterator

LARGEST_BODY = 1 << 20


class BodyTooLarge(ValueError):
    """More than LARGEST_BODY bytes."""


class BodyTooSlow(TimeoutError):
    """The body did not arrive in time."""


async def read_body(stream: AsyncIterator[bytes]) -> bytes:
    """All bytes of a request. Raises BodyTooLarge as soon as there are too many."""
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge(f"the body is larger than {LARGEST_BODY} bytes")
    return bytes(body)
