"""The heartbeat of a dead-man's switch outside: it falls silent when porwatch does, or when a chain is not seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from monitor.health import Health
from monitor.publish.deliver import utc_now
from monitor.publish.http import DeliveryFailed, new_session, post

_LONGEST_URL = 4096
_TIMEOUT = 10.0


class Deadman:
    """Sends a heartbeat every ``every``, while each chain was followed successfully within ``fresh``."""

    def __init__(
        self,
        url_file: Path,
        every: timedelta,
        fresh: timedelta,
        health: Health,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._url_file = url_file
        self._every = every.total_seconds()
        self._fresh = fresh
        self._health = health
        self._clock = clock

    async def run(self) -> None:
        """Beat until cancelled."""
        async with new_session(min(_TIMEOUT, self._every)) as session:
            while True:
                await self.beat(session)
                await asyncio.sleep(self._every)

    async def beat(self, session: aiohttp.ClientSession) -> None:
        """One heartbeat, or a problem that says why there was none."""
        now = self._clock()
        blind = self.blind(now)
        if blind:
            self._health.problem("deadman", "", f"no heartbeat: not followed: {', '.join(blind)}")
            return
        try:
            await post(session, await asyncio.to_thread(read_url, self._url_file), None, now, quote=False)
        except (DeliveryFailed, OSError, ValueError) as error:
            self._health.problem("deadman", "", f"the heartbeat was not taken: {error}")
        else:
            self._health.success("deadman", "", now)

    def blind(self, now: datetime) -> list[str]:
        """The chains whose last successful following is older than ``fresh``, or never was."""
        ages = {chain: self._health.last_success.get(("follow", chain)) for chain in self._health.chains}
        return [chain for chain, last in ages.items() if last is None or abs(now - last) > self._fresh]


def read_url(url_file: Path) -> str:
    """The URL in a file, read anew each time. Raises OSError, or ValueError that names the file, never the URL."""
    with url_file.open(encoding="utf-8") as file:
        url = file.read(_LONGEST_URL + 1).strip()
    parts = urlsplit(url)
    if len(url) > _LONGEST_URL or parts.scheme not in {"http", "https"} or not parts.hostname or len(url.split()) != 1:
        raise ValueError(f"{url_file.name} holds no web address: write one line, http:// or https:// with a host")
    return url
