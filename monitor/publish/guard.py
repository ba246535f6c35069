"""Who may call: the rules that hold before any route is looked at.

Browsers are the danger on loopback: a page from elsewhere may post here (cross-origin), or make its
own name point here (DNS rebinding). Both are refused by what the browser itself says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

_READING = ("GET", "HEAD", "OPTIONS")
_LONGEST_PATH = 2_000
_FORM = "application/x-www-form-urlencoded"
#: forms are taken below this path, and JSON everywhere else
CONSOLE = "/console/"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Access:
    """``listen_host``: the configured address without port."""

    listen_host: str
    external_url: str

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.listen_host == "localhost":
            return True
        try:
            return ip_address(self.listen_host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further."""

    status: int
    kind: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(
    access: Access, method: str, path: str, headers: Mapping[str, str], *, authentication: bool
) -> Refusal | None:
    """Whether a request is refused whoever sends it. ``headers``: names in lower case; ``path``: decoded.

    ``authentication``: whether callers must log in.
    """
    if not _is_plain_path(path):
        return Refusal(404, "not_found", "there is nothing under this path")
    host = headers.get("host", "")
    if access.loopback and _host_name(host) not in _known_hosts(access):
        return Refusal(403, "forbidden", "this Host is not served here: use the address that porwatch listens on")
    if method in _READING:
        return None
    if _cross_origin(access, host, headers):
        return Refusal(403, "forbidden", "a request from a page of another origin is refused")
    if not access.loopback and not authentication:
        message = "a change needs authentication on an address that others reach: listen on 127.0.0.1"
        return Refusal(403, "forbidden", message)
    if not _has_body(headers):
        # Nothing is sent, so nothing has a type: POST /-/reload as other programs call it.
        return None
    # The console works without JavaScript: its forms carry a token of their own (publish.door.forms).
    wanted = _FORM if path.startswith(CONSOLE) else "application/json"
    if headers.get("content-type", "").partition(";")[0].strip().lower() != wanted:
        return Refusal(415, "unsupported_media_type", f"send it with Content-Type: {wanted}")
    return None


def _has_body(headers: Mapping[str, str]) -> bool:
    return "content-type" in headers or "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _is_plain_path(path: str) -> bool:
    """Whether no part of a path climbs, hides a separator or breaks a line."""
    printable = all(" " <= character != "\x7f" for character in path)
    return printable and len(path) <= _LONGEST_PATH and "\\" not in path and not {".", ".."} & set(path.split("/"))


def _cross_origin(access: Access, host: str, headers: Mapping[str, str]) -> bool:
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    netloc = urlsplit(origin).netloc.lower()
    return netloc not in {host.lower(), urlsplit(access.external_url).netloc.lower()} or not netloc


def _known_hosts(access: Access) -> frozenset[str]:
    external = urlsplit(access.external_url).hostname or ""
    return _LOOPBACK_NAMES | {access.listen_host.lower(), external} - {""}


def _host_name(host: str) -> str:
    """The name or address of a Host header, without port and brackets; "" for anything else."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
