"""A past made of a few words. Times are seconds after BEGIN."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.model import Direction, Part, Reason
from monitor.series import Change, Past, Payment, Step

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def step(seconds: int, units: int | None, cause: str = "liabilities") -> Step:
    return Step(at(seconds), units, cause)


def change(seconds: int, units: int, chain: str = "c", wallet: str = "hot", **more: Any) -> Change:
    told: dict[str, Any] = {"height": seconds, "txid": f"t{seconds}", "asset": "BTC", "kind": "transaction", **more}
    return Change(chain=chain, at=at(seconds), wallet=wallet, units=units, **told)


def past(*changes: Change, opening: int = 0, until: int = 100, chain: str = "c", **more: Any) -> Past:
    """One wallet, ``hot``, with one asset."""
    told: dict[str, Any] = {
        "begin": BEGIN,
        "opening": {("hot", "BTC"): opening},
        "closing": {("hot", "BTC"): opening + sum(c.units for c in changes)},
        "payments": (),
        "known_from": {},
        **more,
    }
    return Past(chain=chain, assets=("BTC",), until=at(until), changes=changes, **told)


def came(seconds: int, units: int, party: str = "", *, own: bool = False, **more: Any) -> Payment:
    """Into wallet ``hot``."""
    reason = Reason.INTERNAL if own else Reason.DEPOSIT
    return payment(seconds, units, Direction.IN, Part.RECEIPT, reason, party, own=own, **more)


def went(seconds: int, units: int, party: str, *, own: bool = False, **more: Any) -> Payment:
    """Out of wallet ``hot``."""
    reason, part = (Reason.INTERNAL, Part.OWN) if own else (Reason.APPROVED, Part.DESTINATION)
    return payment(seconds, units, Direction.OUT, part, reason, party, own=own, **more)


def payment(
    seconds: int,
    units: int,
    direction: Direction,
    part: Part,
    reason: Reason,
    party: str,
    *,
    own: bool = False,
    **more: Any,
) -> Payment:
    told: dict[str, Any] = {
        "chain": "c",
        "height": seconds,
        "txid": f"{direction}{seconds}",
        "wallet": "hot",
        "asset": "BTC",
        **more,
    }
    return Payment(
        at=at(seconds), direction=direction, part=part, reason=reason, party=party, own=own, units=units, **told
    )
