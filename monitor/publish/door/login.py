"""Who calls, from what a request and its connection show; or why nobody could tell."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from starlette.datastructures import Headers

from monitor.publish.door.caller import Caller
from monitor.publish.door.door import Door
from monitor.publish.door.passwords import TooManyTries
from monitor.publish.door.settings import Settings
from monitor.publish.guard import Refusal

_log = structlog.get_logger(__name__)

#: name, ':' and password as base64
_LONGEST_LOGIN = 2_000
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="porwatch", charset="UTF-8"'}
#: how ssl.getpeercert names a kind of name, and how porwatch does
_KINDS = {"DNS": "DNS", "URI": "URI", "email": "EMAIL", "IP Address": "IP"}


def forged(settings: Settings, headers: Headers, client: str) -> Refusal | None:
    """Refuse a proxy's header from anybody else, and one that comes twice: somebody lies about who calls."""
    if not settings.proxy_header or settings.proxy_header not in headers:
        return None
    if not settings.trusts(client):
        _log.warning("proxy header from elsewhere refused", client=client, header=settings.proxy_header)
        return Refusal(403, "forbidden", f"{settings.proxy_header} is taken from the configured proxy only")
    given = headers.getlist(settings.proxy_header)
    if len(given) != 1 or "," in given[0]:
        _log.warning("proxy header given twice refused", client=client, header=settings.proxy_header)
        return Refusal(400, "bad_data", f"{settings.proxy_header} must come exactly once, with one name")
    return None


async def identify(
    door: Door, headers: Headers, client: str, certificate: Mapping[str, Any] | None
) -> Caller | Refusal:
    """Who calls: by the proxy's header, by password, or by certificate, in that order.

    ``certificate``: as ssl.getpeercert gives a verified one. A name without a role is a caller without a role.
    """
    settings = door.settings
    if not settings.authentication:
        return Caller("", None, "none", client)
    if settings.proxy_header and settings.proxy_header in headers:
        name = headers[settings.proxy_header].strip()
        if not name:
            return Refusal(401, "unauthenticated", "the proxy names nobody")
        return Caller(name, settings.roles.get(name), "proxy", client)
    if settings.users and "authorization" in headers:
        return await _by_password(door, headers, client)
    if settings.client_certificates and certificate:
        return _by_certificate(settings, certificate, client)
    return Refusal(401, "unauthenticated", "log in", _CHALLENGE if settings.users else {})


async def _by_password(door: Door, headers: Headers, client: str) -> Caller | Refusal:
    settings = door.settings
    wrong = Refusal(401, "unauthenticated", "this is no name with its password", _CHALLENGE)
    login = _basic(headers.getlist("authorization"))
    if login is None:
        return wrong
    user, password = login
    try:
        good = await door.passwords.check(settings.users, user, password, client)
    except TooManyTries as error:
        _log.warning("too many tries to log in", client=client)
        return Refusal(429, "too_many_requests", str(error), {"Retry-After": str(error.wait)})
    if not good:
        _log.warning("wrong password", client=client)
        return wrong
    return Caller(user, settings.roles.get(user), "password", client)


def _basic(given: Sequence[str]) -> tuple[str, bytes] | None:
    """User and password of a header (RFC 7617), None for anything else."""
    if len(given) != 1 or len(given[0]) > _LONGEST_LOGIN:
        return None
    scheme, _, encoded = given[0].partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def names(certificate: Mapping[str, Any]) -> list[str]:
    """The names in a certificate, each with its kind, e.g. ``CN:soc`` and ``DNS:soc.example``."""
    found = [f"CN:{text}" for part in certificate.get("subject", ()) for key, text in part if key == "commonName"]
    alternatives = certificate.get("subjectAltName", ())
    return found + [f"{_KINDS[kind]}:{text}" for kind, text in alternatives if kind in _KINDS]


def unlisted(settings: Settings, certificate: Mapping[str, Any] | None) -> Refusal | None:
    """Refuse a client without one of the names of client_allowed_sans."""
    if not settings.allowed_sans:
        return None
    alternatives = {name.partition(":")[2] for name in names(certificate or {}) if not name.startswith("CN:")}
    if alternatives & settings.allowed_sans:
        return None
    return Refusal(403, "forbidden", "no name in this certificate stands in client_allowed_sans")


def _by_certificate(settings: Settings, certificate: Mapping[str, Any], client: str) -> Caller | Refusal:
    known = names(certificate)
    matched = [name for name in known if name in settings.certificates]
    roles = {settings.certificates[name] for name in matched}
    if len(roles) > 1:
        return Refusal(403, "forbidden", "the names in this certificate have different roles")
    name = matched[0] if matched else (known or ["a certificate without a name"])[0]
    return Caller(name, roles.pop() if roles else None, "certificate", client)
