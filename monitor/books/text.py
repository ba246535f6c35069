"""How books write times, amounts and names; every function raises ValueError with what to write instead."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from chains.core.amounts import parse_units

#: How far a clock of the exchange may run ahead of ours before a time counts as being in the future.
CLOCK_SKEW = timedelta(minutes=5)
#: A table may carry the close of the business day in which it is made, in any time zone.
BUSINESS_DAY = timedelta(hours=24)
_RFC3339 = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
#: More decimals than any price feed gives.
_PRICE_DECIMALS = 36


def parse_time(text: object) -> datetime:
    """A UTC datetime of RFC 3339 text with an offset; digits beyond microseconds are dropped."""
    match = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{_shown(text)} is no time: write RFC 3339 with an offset, e.g. 2026-11-22T00:00:00Z")
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset in "Zz" else offset
    try:
        return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{_shown(text)} is no time of the calendar: correct it") from error


def parse_past(text: object, now: datetime, ahead: timedelta = CLOCK_SKEW) -> datetime:
    """As ``parse_time``, and at most ``ahead`` of now: what lies further ahead would stay fresh for too long."""
    moment = parse_time(text)
    if moment > now + ahead:
        raise ValueError(f"{_shown(text)} lies in the future: write the time the record was made")
    return moment


def parse_day(text: object, now: datetime) -> date:
    """A calendar day (ISO 8601) that has begun somewhere on earth."""
    try:
        if not isinstance(text, str) or len(text) != len("2026-11-22"):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is no day: write e.g. 2026-11-22") from None
    if day > (now + BUSINESS_DAY).date():
        raise ValueError(f"{_shown(text)} lies in the future: write days that have begun")
    return day


def parse_coins(text: object, decimals: int, asset: str, *, zero: bool) -> int:
    """Base units of a decimal string of coins, exactly; not negative, and zero only where allowed."""
    if not isinstance(text, str):
        raise ValueError(f'{_shown(text)} is no decimal string: write the amount in quotes, e.g. "1.50"')  # noqa: TRY004
    try:
        units = parse_units(text, decimals)
    except ValueError as error:
        raise ValueError(f"{error} ({asset} has {decimals} decimals)") from error
    if units < 0 or (units == 0 and (not zero or text.startswith("-"))):
        raise ValueError(f"{text!r} must be {'zero or more' if zero else 'more than zero'}")
    return units


def parse_price(text: str) -> str:
    """A plain decimal string above zero, as written."""
    if parse_units(text, _PRICE_DECIMALS) <= 0:
        raise ValueError(f"{text!r} must be more than zero")
    return text


def parse_money(text: str) -> str:
    """A plain decimal string of zero or more, as written."""
    if parse_units(text, _PRICE_DECIMALS) < 0 or text.startswith("-"):
        raise ValueError(f"{text!r} must be zero or more")
    return text


def parse_signed(text: str) -> str:
    """A plain decimal string, as written; it may be below zero."""
    parse_units(text, _PRICE_DECIMALS)
    return text


def parse_share(text: str) -> str:
    """A plain decimal string from 0 to 1, as written."""
    if not 0 <= parse_units(text, _PRICE_DECIMALS) <= 10**_PRICE_DECIMALS or text.startswith("-"):
        raise ValueError(f"{text!r} must be a share from 0 to 1, e.g. '0.02'")
    return text


def parse_sha256(text: str) -> str:
    """64 lower-case hexadecimal digits."""
    if _SHA256.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is no SHA-256: write 64 hexadecimal digits in lower case")
    return text


def parse_currency(text: str) -> str:
    """Three capital letters (ISO 4217)."""
    if _CURRENCY.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is no currency: write three capital letters, e.g. JPY")
    return text


def parse_name(text: object, longest: int = 200) -> str:
    """Printable text without spaces around it."""
    if not isinstance(text, str) or not text or text != text.strip() or not text.isprintable() or len(text) > longest:
        raise ValueError(f"{_shown(text)} is no name: write 1 to {longest} printable characters, no spaces around them")
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
