"""The kinds of value that configuration keys hold: how each is written, read and shown."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

_DURATION = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_SYMBOL = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$"
_CURRENCY = r"^[A-Z]{3}$"
_ACCOUNT = r"^[A-Za-z0-9](?:[A-Za-z0-9._@+ -]{0,126}[A-Za-z0-9._@+-])?$"
_CERTIFICATE = r"^(CN|DNS|URI|EMAIL|IP):[!-~](?:[ -~]{0,253}[!-~])?$"
_HEADER = r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$"
#: headers that mean something else already
_OTHER_HEADERS = frozenset(
    {"authorization", "connection", "content-length", "content-type", "cookie", "forwarded", "host", "origin"}
    | {"sec-fetch-site", "transfer-encoding", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"}
)
#: the same for people
FORMS = {
    _ACCOUNT: "letters, digits, '.', '_', '@', '+', '-' and spaces, 128 at most, beginning with a letter or digit",
    _CERTIFICATE: "CN:, DNS:, URI:, EMAIL: or IP: and the name, e.g. DNS:soc.example",
    _HEADER: "letters, digits and '-', e.g. X-Forwarded-User",
    _NAME: "letters, digits, '.', '_' and '-', 63 at most, beginning with a letter or digit",
    _SYMBOL: "letters, digits, '.', '_' and '-', 32 at most, beginning with a letter or digit",
    _CURRENCY: "three capital letters (ISO 4217), e.g. JPY",
}
#: Nothing here waits longer; a larger number is a slip.
_LONGEST = timedelta(days=3660)
#: unit, its seconds, and from how many of it the longer unit reads better ("120s", but "10m")
_UNITS = (("d", 86_400, 2), ("h", 3_600, 2), ("m", 60, 5))


def parse_duration(value: object) -> timedelta:
    """``60s``, ``10m``, ``26h``, ``40d`` or a combination in that order (``1h30m``). Raises ValueError."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        raise ValueError(f"{value!r} is no duration: write a number with a unit, e.g. 60s, 10m, 26h or 40d")
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    total = days * 86_400 + hours * 3_600 + minutes * 60 + seconds
    if total > _LONGEST.total_seconds():
        raise ValueError(f"{value!r} is longer than ten years: write a shorter duration")
    return timedelta(seconds=total)


def format_duration(duration: timedelta) -> str:
    """A duration as people write it, in the largest unit that reads well."""
    total = int(duration.total_seconds())
    for unit, seconds, least in _UNITS:
        if total % seconds == 0 and total // seconds >= least:
            return f"{total // seconds}{unit}"
    return f"{total}s"


def _duration(value: object) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(value)


def _positive(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("must be at least 1s")
    return value


def _time_of_day(value: object) -> time:
    if isinstance(value, time):
        return value
    match = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'{value!r} is no time of day: write hours and minutes, e.g. "00:00" or "18:30"')
    return time(int(match[1]), int(match[2]))


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        if not isinstance(value, str) or _DATE.fullmatch(value) is None:
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no date: write year-month-day, e.g. 2026-12-01") from None


def _percent(value: object) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise InvalidOperation
        number = Decimal(value)
        if not 0 <= number <= 100:
            raise InvalidOperation
        return number
    except InvalidOperation:
        raise ValueError(f"{value!r} is no percentage: write a number from 0 to 100, e.g. 1 or 0.5") from None


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"{value!r} is no time zone: write a name of the tz database, e.g. Asia/Tokyo or UTC"
        ) from error
    return value


def _web_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or any(character.isspace() for character in value):
        raise ValueError(f"{without_credentials(value)!r} is no web address: write http:// or https:// with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "holds a user name or password: secrets come from files, never inline; take them out of the URL"
        )
    if parts.query or parts.fragment:
        raise ValueError("holds a query or a fragment, which may be a key: write the address without '?' and '#'")
    return value.rstrip("/")


def _listen(value: str) -> str:
    host, port = split_listen(value)
    if not host or port is None:
        raise ValueError(f"{value!r} is no listening address: write host:port, e.g. 127.0.0.1:9899 or [::1]:9899")
    return value


def split_listen(value: str) -> tuple[str, int | None]:
    """Host (without brackets) and port of ``host:port``; ("", None) where it is none. Port 0 is any free one."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", value)
    if match is None or int(match[3]) > 65_535:
        return "", None
    return match[1] or match[2], int(match[3])


def without_credentials(url: str) -> str:
    """A URL fit to be shown: user name, password and query replaced."""
    return re.sub(r"\?.*", "?…", re.sub(r"//[^/@]*@", "//…@", url))


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError(f"{value!r} is no address or network: write e.g. 127.0.0.1, ::1 or 10.0.0.0/24") from None
    return value


def _user_header(value: str) -> str:
    if value.lower() in _OTHER_HEADERS:
        raise ValueError(f"{value} does not name a user: write the header that the proxy sets, e.g. X-Forwarded-User")
    return value


def _schema(example: str, pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


_DURATION_SCHEMA = _schema("60s", r"^(?=.)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$")

#: zero is allowed
Duration = Annotated[timedelta, BeforeValidator(_duration), _DURATION_SCHEMA]
#: one second at least
Interval = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive), _DURATION_SCHEMA]
TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    _schema("00:00", r"^([01][0-9]|2[0-3]):[0-5][0-9]$"),
]
Day = Annotated[date, BeforeValidator(_day), _schema("2026-12-01", r"^\d{4}-\d{2}-\d{2}$")]
Percent = Annotated[
    Decimal,
    BeforeValidator(_percent),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100}),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
#: an output script has at most 10,000 bytes, a descriptor or a query as many characters
LongText = Annotated[str, StringConstraints(min_length=1, max_length=20_100)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
#: names become labels of metrics and parts of URLs
Name = Annotated[str, StringConstraints(pattern=_NAME)]
Symbol = Annotated[str, StringConstraints(pattern=_SYMBOL)]
Currency = Annotated[str, StringConstraints(pattern=_CURRENCY)]
TimeZone = Annotated[Text, AfterValidator(_timezone)]
WebUrl = Annotated[Text, AfterValidator(_web_url)]
Listen = Annotated[Text, AfterValidator(_listen)]
#: who logs in: no ':' (RFC 7617), no ',' (what a doubled header would hold)
Account = Annotated[str, StringConstraints(pattern=_ACCOUNT)]
CertificateName = Annotated[str, StringConstraints(pattern=_CERTIFICATE)]
HeaderName = Annotated[str, StringConstraints(pattern=_HEADER), AfterValidator(_user_header)]
Network = Annotated[Text, AfterValidator(_network)]
#: 2^256 has 78 digits: more decimals than 36 leave no room for coins
Decimals = Annotated[int, Field(ge=0, le=36)]
