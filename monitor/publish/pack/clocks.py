"""Whom the active profiles ask to tell, and until when: clocks from the case's own time. Pure.

A clock that porwatch cannot know (no number is recorded, or it starts when a person classifies the event) says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.model import rfc3339
from monitor.publish.pack.facts import Row
from monitor.rules.calendar import OutOfRange
from monitor.rules.profile import Notification, Profile

_DURATION = re.compile(r"([1-9][0-9]{0,3})([hd])")


def checklist(profiles: Iterable[Profile], detected: datetime) -> list[Row]:
    """One row for each notification of each profile. ``due`` and ``due_local``: "" where no clock can be computed,
    and ``clock`` says why.
    """
    return [_row(profile, each, detected) for profile in profiles for each in profile.notifications]


def _row(profile: Profile, each: Notification, detected: datetime) -> Row:
    until, clock = due(each, detected)
    zone = ZoneInfo(profile.valuation.timezone)
    return {
        "profile": profile.id,
        "version": profile.version,
        "event": each.event,
        "authority": each.authority,
        "template": each.template,
        "deadline": each.deadline,
        "from": each.starts,
        "verified": each.verified.value,
        "detected": rfc3339(detected),
        "due": "" if until is None else rfc3339(until),
        "due_local": "" if until is None else f"{until.astimezone(zone).isoformat(timespec='minutes')} {zone.key}",
        "due_business_day": "" if until is None else _business_day(profile, until.astimezone(zone)),
        "clock": clock,
    }


def due(each: Notification, detected: datetime) -> tuple[datetime | None, str]:
    """When it is to be told at the latest, and why there is such a time or none: running, promptly, unrecorded or
    classified.
    """
    match = _DURATION.fullmatch(each.deadline)
    if match is None:
        return None, "promptly" if each.deadline == "promptly" else "unrecorded"
    if each.starts != "detected":
        return None, "classified"
    length = timedelta(hours=int(match[1])) if match[2] == "h" else timedelta(days=int(match[1]))
    return detected + length, "running"


def _business_day(profile: Profile, until: datetime) -> str:
    """Whether it falls on a business day of the profile's calendar; the profiles' clocks themselves count all days."""
    try:
        return "yes" if profile.calendar.is_business_day(until.date()) else "no"
    except OutOfRange:
        return "unknown"
