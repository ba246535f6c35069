"""Token buckets by caller, in whole nanoseconds and bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from ipaddress import IPv6Address, ip_address

#: so many callers are remembered; the one that was silent longest is forgotten first
MOST_CALLERS = 10_000


class Buckets:
    """One bucket a key (the generic cell rate algorithm of ITU-T I.371: one number a key)."""

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns, most: int = MOST_CALLERS) -> None:
        self._clock_ns = clock_ns
        self._most = most
        self._due: OrderedDict[Hashable, int] = OrderedDict()

    def take(self, key: Hashable, interval_ns: int, burst: int) -> int:
        """Take one token: 0, or the nanoseconds to wait where there is none, and then nothing is taken."""
        if interval_ns == 0:
            return 0
        now = self._clock_ns()
        due = max(self._due.get(key, now), now)
        wait = due - now - interval_ns * (burst - 1)
        if wait > 0:
            return wait
        self._due[key] = due + interval_ns
        self._due.move_to_end(key)
        if len(self._due) > self._most:
            self._due.popitem(last=False)
        return 0

    def __len__(self) -> int:
        return len(self._due)


def neighbourhood(client: str) -> str:
    """Whom an address belongs to, for counting: of IPv6 the /64, which any one customer has whole."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if not isinstance(address, IPv6Address):
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))
