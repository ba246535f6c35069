"""The first line of a page: what must be known at three in the morning, and what of it is unknown. One line of text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from monitor.detect import Incident
from monitor.detect.incidents import WINDOW, recorded
from monitor.ledger.reader import Cursor
from monitor.ledger.store import FeedState
from monitor.model import Case, rfc3339
from monitor.publish.band import band, coins_band
from monitor.publish.render import coins
from monitor.publish.rules import Category, rule_of
from monitor.step.setup import HEARTBEAT_LATE

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Present:
    """What the ledger says at one moment that a page needs besides its case.

    ``approvals``: how far the feed has been read, None where it never was; ``source``: whether one is configured.
    ``incidents`` by id.
    """

    at: datetime
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    source: bool = True
    approvals: FeedState | None = None
    incidents: Mapping[str, Incident] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """How a channel is told. ``redact``: without addresses, transactions and exact amounts; ``decimals`` by asset."""

    decimals: Mapping[str, int]
    external_url: str
    redact: bool = False

    def coins(self, asset: str, units: int) -> str:
        """An amount of an asset, or its magnitude."""
        if self.redact:
            return coins_band(asset, units, self.decimals)
        amount = coins(asset, units, self.decimals)
        return f"{units} base units of {asset}" if amount is None else f"{amount} {asset}"

    def money(self, amount: Decimal, currency: str) -> str:
        """A value, or its magnitude."""
        return f"{currency} {band(amount) if self.redact else format(amount, 'f')}"


def first_line(case: Case, present: Present, form: Form) -> str:
    """Value, tier, assets, destination, confirmations, still running?, approvals, blind time; else the rule's sentence.

    A case that pages speaks for its whole incident, every other one for itself.
    """
    if rule_of(case.rule).category is not Category.OUTFLOW:
        return rule_of(case.rule).summary
    whole = present.incidents.get(case.incident or "") if case.pages else None
    told = recorded(None, case) if whole is None else whole
    parts = [
        _value(told, form),
        ", ".join(told.tiers) or "tier unknown",
        _listed(sorted(told.units)) or "assets unknown",
        _destinations(told),
        _confirmations(case, present),
        *([] if case.incident is None else [_running(present.incidents.get(case.incident), present.at)]),
        _approvals(present),
        _blind(case),
    ]
    if told.cases > 1:
        parts[0] += f" in {told.cases} cases"
    return " · ".join(parts)


def _value(told: Incident, form: Form) -> str:
    parts = [form.money(amount, currency) for currency, amount in sorted(told.value.items())]
    if parts and told.priced_at is not None:
        parts[-1] += f" (price of {told.priced_at})"
    unpriced = [form.coins(asset, units) for asset, (_, units) in sorted(told.unpriced.items())]
    if unpriced:
        parts.append(f"value unknown, no price: {_listed(unpriced)}")
    return " and ".join(parts) or "value unknown"


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _destinations(told: Incident) -> str:
    if not told.destinations:
        return "destination unknown"
    known = "new" if told.new_destinations else "known"
    if told.destinations == 1:
        return f"destination {known}"
    return f"{told.destinations} destinations, {'a new one among them' if told.new_destinations else 'all known'}"


def _confirmations(case: Case, present: Present) -> str:
    if case.reorged_out:
        return "its block has left the chain"
    if case.evidence.get("unconfirmed"):
        return "unconfirmed, too few endpoints show it"
    cursor = present.cursors.get(case.chain or "")
    if case.block is None or cursor is None or cursor.at.height < case.block.height:
        return "confirmations unknown"
    count = cursor.at.height - case.block.height + 1
    return f"{count} confirmation{'' if count == 1 else 's'}"


def _running(incident: Incident | None, at: datetime) -> str:
    """Nobody can know that it is over; what is known is when the last case of it opened."""
    if incident is None:
        return "still running: unknown"
    seconds = max(0, (at - incident.last_opened_at) // timedelta(seconds=1))
    if at - incident.last_opened_at <= WINDOW:
        return f"still running, last case {seconds} s ago"
    return f"no further case for {seconds // 60} min"


def _approvals(present: Present) -> str:
    feed = present.approvals
    if not present.source:
        return "no approvals source configured"
    if feed is None:
        return "approvals never read"
    if feed.heartbeat is None:
        return "approvals without heartbeat"
    if present.at - feed.heartbeat > HEARTBEAT_LATE:
        return f"approvals BLIND since {rfc3339(feed.heartbeat)}"
    return "approvals healthy"


def _blind(case: Case) -> str:
    seconds = case.evidence.get("blind_before_seconds")
    return "blind time before unknown" if seconds is None else f"blind for {seconds} s before"
