"""Passwords against bcrypt hashes: slow once, then remembered; guesses are few, and tell nothing by their time."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from monitor.publish.door.limits import Buckets, neighbourhood

#: log-ins that are remembered
_MOST_REMEMBERED = 1_000
#: hashes at once and in the queue, of all callers: each takes up to seconds of a core
_AT_ONCE, _MOST_WAITING = 2, 32
#: tries of one address that are no remembered log-in
_TRY_EVERY_NS, _TRIES_AT_ONCE = 6_000_000_000, 10
#: bcrypt reads no further, and two passwords with the same beginning must not be one
_LONGEST = 72


class TooManyTries(Exception):
    """``wait``: whole seconds until another try may help."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"too many tries to log in: wait {wait} seconds")
        self.wait = wait


class Passwords:
    """Checks passwords; remembers good ones in memory, as HMACs under a key of this process alone.

    What is remembered holds for the very hash it was checked against: a changed password counts at once.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._tries = Buckets(clock_ns)
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def check(self, users: Mapping[str, str], user: str, password: bytes, client: str) -> bool:
        """Whether this is the user's password; ``users`` are not empty. Raises TooManyTries: nothing was computed."""
        wanted = users.get(user)
        token = self._token(user, password, wanted or "")
        if wanted is not None and token in self._good:
            self._good.move_to_end(token)
            return True
        wait = self._tries.take(neighbourhood(client), _TRY_EVERY_NS, _TRIES_AT_ONCE)
        if wait or self._waiting >= _MOST_WAITING:
            raise TooManyTries(max(1, -(-wait // 1_000_000_000)))
        self._waiting += 1
        try:
            async with self._free:
                same = await asyncio.to_thread(_same, password, wanted or _costliest(users))
        finally:
            self._waiting -= 1
        if not same or wanted is None:
            return False
        self._good[token] = None
        if len(self._good) > _MOST_REMEMBERED:
            self._good.popitem(last=False)
        return True

    def _token(self, user: str, password: bytes, wanted: str) -> bytes:
        parts = (user.encode(), wanted.encode(), password)
        return hmac.digest(self._key, b"".join(len(part).to_bytes(8, "big") + part for part in parts), "sha256")


def _costliest(users: Mapping[str, str]) -> str:
    """What a name that is none is held against, so that it takes as long as one that is."""
    return max(users.values(), key=lambda each: each[4:6])


def _same(password: bytes, wanted: str) -> bool:
    # Only needed where somebody logs in.
    import bcrypt  # noqa: PLC0415

    fits = 0 < len(password) <= _LONGEST
    # What does not fit is compared all the same, so that it takes as long.
    return bcrypt.checkpw(password if fits else b"-", wanted.encode()) and fits
