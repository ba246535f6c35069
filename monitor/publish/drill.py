"""A drill through every receiver: what `porwatch alerts test` does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.ledger.encode import Json
from monitor.publish.alert import drill_alert
from monitor.publish.deadman import read_url
from monitor.publish.deliver import Receiver
from monitor.publish.http import DeliveryFailed, new_session, post

_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Drilled:
    """How one receiver answered; ``detail`` is its HTTP status or what went wrong."""

    receiver: str
    ok: bool
    detail: str


async def drill(
    receivers: Sequence[Receiver], deadman_url_file: Path | None, external_url: str, now: datetime
) -> list[Drilled]:
    """Send PorwatchDrill through every receiver, and a heartbeat where one is configured; all at once."""
    alert = drill_alert(external_url, now)
    sends = [
        _send(receiver.name, receiver.alerts_url, [{**alert, "labels": {**receiver.labels, **alert["labels"]}}], now)
        for receiver in receivers
    ]
    if deadman_url_file is not None:
        sends.append(_beat(deadman_url_file, now))
    return await asyncio.gather(*sends)


async def _send(name: str, url: str, body: list[Json] | None, now: datetime) -> Drilled:
    async with new_session(_TIMEOUT) as session:
        try:
            status = await post(session, url, body, now, quote=body is not None)
        except DeliveryFailed as error:
            return Drilled(name, ok=False, detail=str(error))
        return Drilled(name, ok=True, detail=f"HTTP {status}")


async def _beat(url_file: Path, now: datetime) -> Drilled:
    try:
        url = await asyncio.to_thread(read_url, url_file)
    except (OSError, ValueError) as error:
        return Drilled("deadman", ok=False, detail=str(error))
    return await _send("deadman", url, None, now)
