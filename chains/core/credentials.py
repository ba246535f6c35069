"""What an endpoint's keys name (URL, password, cookie, token, headers, certificates), read from its files.

No message raised here holds a URL, a host or a secret, and none has a cause that does.
"""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from chains.core.errors import Unreachable
from chains.core.settings import HINT_SCHEMES, SCHEMES, Endpoint

#: No secret is longer; a wrong path (a log, a block file) is not read whole.
SECRET_BYTES = 65_536
#: Shorter parts of a URL ("v1", "rpc") are no keys, and hiding them would garble messages.
_SHORTEST_SECRET = 8
#: The keys of an endpoint that name files.
_FILES = ("url_file", "password_file", "cookie_file", "bearer_token_file", "headers_file", "ca_file")


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """Where to send and with what: everything secret about an endpoint."""

    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | bool
    hide: tuple[str, ...]


def target_of(endpoint: Endpoint, base: Path) -> Target:
    """Read an endpoint's files, relative to ``base``. Raises Unreachable, naming the key that cannot be used."""
    return _Secrets(endpoint, base).target()


def stamp_of(endpoint: Endpoint, base: Path) -> tuple[tuple[int, int, int] | None, ...]:
    """Which state each of an endpoint's files is in: another stamp means that one of them was written or replaced."""
    return tuple(_stamp(base / name) for key in _FILES if (name := getattr(endpoint, key)) is not None)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    # The inode too: files that are replaced whole, as mounted secrets are, may keep time and size.
    return found.st_mtime_ns, found.st_size, found.st_ino


class _Secrets:
    """Reads what an endpoint's keys name. Every fault is Unreachable and names the key, never the content."""

    def __init__(self, endpoint: Endpoint, base: Path) -> None:
        self._endpoint = endpoint
        self._base = base

    def target(self) -> Target:
        url, user_info = self._url()
        headers = {"User-Agent": "porwatch"}
        headers.update(self._headers())
        authorization, secrets = self._authorization(user_info)
        if authorization is not None:
            headers["Authorization"] = authorization
        parts = urlsplit(url)
        queries = [value for _, value in parse_qsl(parts.query)]
        hide = [url, parts.netloc, parts.hostname or "", *parts.path.split("/"), *queries, *secrets]
        hide += [value for name, value in headers.items() if name != "User-Agent"]
        longest_first = sorted({part for part in hide if len(part) >= _SHORTEST_SECRET}, key=len, reverse=True)
        return Target(url, headers, self._tls(), tuple(longest_first))

    def _url(self) -> tuple[str, str | None]:
        endpoint = self._endpoint
        text = endpoint.url if endpoint.url is not None else self._read("url_file", endpoint.url_file or "").strip()
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        # Which of the two kinds is meant is said by ``url``; a URL in a file is asked for facts.
        if host is None or parts.scheme not in (HINT_SCHEMES if endpoint.hint_only else SCHEMES):
            # `from None` and out of the handler: the library's message repeats the URL.
            raise Unreachable("url_file holds no http:// or https:// URL with a host: write one line with the URL")
        user, at, place = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=place, fragment="")), unquote(user) if at else None

    def _authorization(self, user_info: str | None) -> tuple[str | None, list[str]]:
        endpoint = self._endpoint
        if endpoint.bearer_token_file is not None:
            token = self._read("bearer_token_file", endpoint.bearer_token_file).strip()
            return f"Bearer {_line(token, 'bearer_token_file')}", [token]
        pair = user_info
        if endpoint.cookie_file is not None:
            pair = self._read("cookie_file", endpoint.cookie_file).strip()
        elif endpoint.password_file is not None:
            password = self._read("password_file", endpoint.password_file).rstrip("\r\n")
            pair = f"{endpoint.username}:{password}"
        if pair is None:
            return None, []
        return "Basic " + b64encode(pair.encode()).decode(), [pair, pair.partition(":")[2]]

    def _headers(self) -> dict[str, str]:
        if self._endpoint.headers_file is None:
            return {}
        headers = {}
        for line in self._read("headers_file", self._endpoint.headers_file).splitlines():
            if not line.strip():
                continue
            name, colon, value = line.partition(":")
            if not colon or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
                raise Unreachable("headers_file holds a line that is no header: write one `Name: value` a line")
            headers[name] = _line(value.strip(), "headers_file")
        return headers

    def _tls(self) -> ssl.SSLContext | bool:
        if self._endpoint.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=self._base / self._endpoint.ca_file)
        except OSError as error:
            # SSLError is an OSError as well: a file that holds no certificate.
            raise Unreachable(f"ca_file cannot be used: {reason(error)}: name a PEM file") from None

    def _read(self, key: str, written: str) -> str:
        try:
            with (self._base / written).open("rb") as file:
                content = file.read(SECRET_BYTES + 1)
            text = content.decode() if len(content) <= SECRET_BYTES else ""
        except UnicodeDecodeError:
            text = ""
        except OSError as error:
            raise Unreachable(f"{key} cannot be read: {reason(error)}") from None
        if not text.strip():
            raise Unreachable(f"{key} holds no text of 1 to {SECRET_BYTES} bytes: check what the key names")
        return text


def _line(value: str, key: str) -> str:
    """A value fit for an HTTP header."""
    if not value.isascii() or not value.isprintable():
        raise Unreachable(f"{key} holds characters that no HTTP header may have: write one line of ASCII")
    return value


def reason(error: OSError) -> str:
    """The system's text for an error number: ``str`` of an error may hold an address or a path."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
