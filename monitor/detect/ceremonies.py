"""Announced work on cold wallets (コールドウォレット作業の事前届). Pure.

A ceremony is announced by one person and confirmed by another. It explains nothing and mutes nothing: a case says
beside everything else whether what happened lies inside a confirmed window.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.model import Case, Tier, Wallet, case_id, rfc3339
from monitor.people import same_person

RULE = "outside_window"
#: a window that is open for longer says nothing about when somebody works
LONGEST = timedelta(days=7)
#: nobody knows who stands where in a quarter
FURTHEST = timedelta(days=92)
MOST_WALLETS = 100


class Phase(StrEnum):
    """Where a ceremony stands at one moment. LAPSED: its window ended, and nobody had confirmed it."""

    ANNOUNCED = "announced"
    CONFIRMED = "confirmed"
    ACTIVE = "active"
    OVER = "over"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Signed:
    """Who did something, and when. ``user``: the account that was logged in, "" where there was none."""

    name: str
    user: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Announcement:
    """What somebody announces: ``begins_at`` is in the window, ``ends_at`` too."""

    purpose: str
    wallets: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime

    @property
    def id(self) -> str:
        """From the content: the same announcement again is the same ceremony."""
        return case_id("ceremony", self.purpose, rfc3339(self.begins_at), rfc3339(self.ends_at), *sorted(self.wallets))


@dataclass(frozen=True, slots=True)
class Ceremony:
    """An announced ceremony with what became of it."""

    id: str
    purpose: str
    wallets: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    announced: Signed
    confirmed: Signed | None = None
    cancelled: Signed | None = None
    cancel_reason: str = ""

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """From when until when it counts: not before it was confirmed, not after it was cancelled; None: never."""
        if self.confirmed is None:
            return None
        end = self.ends_at if self.cancelled is None else min(self.ends_at, self.cancelled.at)
        begin = max(self.begins_at, self.confirmed.at)
        return (begin, end) if begin <= end else None

    def phase(self, now: datetime) -> Phase:
        """Where it stands at ``now``."""
        if self.cancelled is not None:
            return Phase.CANCELLED
        if now > self.ends_at:
            return Phase.LAPSED if self.confirmed is None else Phase.OVER
        if self.confirmed is None:
            return Phase.ANNOUNCED
        return Phase.ACTIVE if now >= self.begins_at else Phase.CONFIRMED

    def covers(self, earliest: datetime, latest: datetime) -> bool:
        """Whether something first seen between these times may have been inside the window, as approvals are judged."""
        window = self.window
        return window is not None and window[0] <= latest and earliest <= window[1]


def announce(
    wanted: Announcement, by: Signed, wallets: Mapping[str, Wallet], stored: Ceremony | None
) -> Ceremony | None:
    """The new ceremony; None where it stands already. Raises ValueError that says what cannot be announced."""
    if stored is not None:
        if stored.cancelled is None and same_person(stored.announced.name, by.name):
            return None
        how = "was cancelled" if stored.cancelled is not None else f"was announced by {stored.announced.name}"
        raise ValueError(f"this ceremony {how}: write another window or purpose")
    _check_window(wanted, by.at)
    for name in wanted.wallets:
        if name not in wallets:
            raise ValueError(f"wallets: there is no wallet {name}: write names of the configuration")
        if wallets[name].tier is not Tier.COLD:
            raise ValueError(f"wallets: {name} is {wallets[name].tier.value}: ceremonies are for cold wallets")
    return Ceremony(wanted.id, wanted.purpose, wanted.wallets, wanted.begins_at, wanted.ends_at, by)


def _check_window(wanted: Announcement, now: datetime) -> None:
    if wanted.begins_at >= wanted.ends_at:
        raise ValueError("to: is not after from: write when the window ends")
    if wanted.begins_at <= now:
        raise ValueError(f"from: {rfc3339(wanted.begins_at)} has passed: a ceremony is announced before it begins")
    if wanted.ends_at - wanted.begins_at > LONGEST:
        raise ValueError(f"to: a window is at most {LONGEST.days} days long: announce several")
    if wanted.begins_at - now > FURTHEST:
        raise ValueError(f"from: is more than {FURTHEST.days} days ahead: announce it later")
    if not wanted.wallets or len(wanted.wallets) > MOST_WALLETS or len(set(wanted.wallets)) != len(wanted.wallets):
        raise ValueError(f"wallets: write 1 to {MOST_WALLETS} different names")


def confirm(ceremony: Ceremony, by: Signed) -> Ceremony | None:
    """As confirmed by a second person; None where the same one has confirmed it already. Raises ValueError."""
    settled = ceremony.confirmed is not None and same_person(ceremony.confirmed.name, by.name)
    if settled and ceremony.cancelled is None:
        return None
    first = ceremony.announced
    if same_person(first.name, by.name):
        raise ValueError(f"{first.name} announced it: a second person confirms it")
    if first.user and first.user == by.user:
        raise ValueError(f"it was announced as user {first.user}: a second person with another login confirms it")
    _still_ahead(ceremony, by.at, "confirmed")
    if ceremony.confirmed is not None:
        raise ValueError(f"it was confirmed by {ceremony.confirmed.name}")
    return replace(ceremony, confirmed=by)


def cancel(ceremony: Ceremony, by: Signed, reason: str) -> Ceremony:
    """As cancelled by anybody. Raises ValueError."""
    _still_ahead(ceremony, by.at, "cancelled")
    return replace(ceremony, cancelled=by, cancel_reason=reason)


def _still_ahead(ceremony: Ceremony, now: datetime, what: str) -> None:
    if ceremony.cancelled is not None:
        raise ValueError(f"it was cancelled by {ceremony.cancelled.name}: it cannot be {what}")
    if now > ceremony.ends_at:
        raise ValueError(f"its window ended at {rfc3339(ceremony.ends_at)}: it cannot be {what}")


def outside(ceremonies: Iterable[Ceremony], wallet: str, earliest: datetime, latest: datetime) -> bool:
    """Whether no confirmed window of ``wallet`` covers what was first seen between these times."""
    return not any(wallet in each.wallets and each.covers(earliest, latest) for each in ceremonies)


def told(ceremonies: Collection[Ceremony], wallet: str, earliest: datetime, latest: datetime) -> dict[str, object]:
    """What a case's evidence says of ceremonies. ``ceremonies``: whose announced windows touch these times."""
    mine = [each for each in ceremonies if wallet in each.wallets]
    for each in mine:
        if each.covers(earliest, latest) and each.confirmed is not None:
            by = f"announced by {each.announced.name}, confirmed by {each.confirmed.name}"
            return {"inside": True, "id": each.id, "text": f"inside ceremony {each.id} {by}"}
    for each in mine:
        return {"inside": False, "id": each.id, "text": f"outside ceremony {each.id}: {_why(each)}"}
    return {"inside": False, "id": None, "text": "no ceremony was announced"}


def _why(ceremony: Ceremony) -> str:
    by = f"announced by {ceremony.announced.name}"
    if ceremony.cancelled is not None:
        return f"{by}, cancelled by {ceremony.cancelled.name}"
    if ceremony.confirmed is None:
        return f"{by}, confirmed by nobody"
    return f"{by}, confirmed by {ceremony.confirmed.name} only at {rfc3339(ceremony.confirmed.at)}"


def beside(case: Case, ceremonies: Collection[Ceremony], earliest: datetime, latest: datetime) -> Case:
    """A case of a cold wallet with what is known of ceremonies in its evidence; any other case as it is."""
    if case.tier is not Tier.COLD or case.wallet is None:
        return case
    found = told(ceremonies, case.wallet, earliest, latest)
    return replace(case, evidence={**case.evidence, "ceremony": found})
