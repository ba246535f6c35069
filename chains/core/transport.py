"""The wire: HTTP to one endpoint, its secrets read from their files, its answers limited in size and time.

No message raised here holds a URL, a host or a secret, and none has a cause that does.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import aiohttp

from chains.core.errors import BadAnswer, ChainError, Unreachable
from chains.core.jsonrpc import Reply
from chains.core.settings import SCHEMES, Endpoint

#: A reachable host accepts a connection within this time; a black hole must not eat the whole deadline.
CONNECT_SECONDS = 5.0
#: bitcoind closes idle connections after 30 s (rpcservertimeout); ours are closed well before, so that
#: no call meets a connection that the node is just giving up.
KEEPALIVE_SECONDS = 15.0
#: No secret is longer; a wrong path (a log, a block file) is not read whole.
SECRET_BYTES = 65_536
#: Shorter parts of a URL ("v1", "rpc") are no keys, and hiding them would garble messages.
_SHORTEST_SECRET = 8


class Transport(Protocol):
    """One endpoint's wire: what tests replace."""

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        """POST ``body`` to the endpoint, or GET ``path`` below it where ``body`` is None.

        Raises Unreachable or BadAnswer for what never became a reply.
        """

    async def close(self) -> None:
        """Close every connection."""


@dataclass(frozen=True, slots=True, repr=False)
class _Target:
    """Where to send and with what: everything secret about an endpoint."""

    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | bool
    hide: tuple[str, ...]


class HttpTransport:
    """HTTP with aiohttp. Nothing is read or opened before the first ``send``.

    Secrets are read again after every failure and every refusal of credentials: bitcoind writes a
    new cookie at each start, and a rotated key counts without a restart of porwatch.
    """

    def __init__(self, endpoint: Endpoint, base: Path, *, concurrency: int, body_bytes: int) -> None:
        self._endpoint = endpoint
        self._base = base
        self._body_bytes = body_bytes
        self._slots = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None
        self._target: _Target | None = None

    async def send(self, path: str, body: bytes | None, timeout: float) -> Reply:
        try:
            async with asyncio.timeout(timeout), self._slots:
                return await self._exchange(path, body)
        except ChainError:
            self._target = None
            raise
        except aiohttp.ServerTimeoutError:
            failure: ChainError = Unreachable(f"no connection within {CONNECT_SECONDS:g} s")
        except TimeoutError:
            failure = Unreachable(f"no answer within {timeout:.3g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _plain(error)
        # Raised out here so that the library's error, which holds the address, is no context of ours.
        self._target = None
        raise failure

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(self, path: str, body: bytes | None) -> Reply:
        target = self._target = self._target or _Secrets(self._endpoint, self._base).target()
        session = self._session = self._session or _session()
        async with session.request(
            "GET" if body is None else "POST",
            _below(target.url, path),
            data=body,
            headers=target.headers,
            ssl=target.tls,
            proxy=self._endpoint.proxy,
            allow_redirects=False,
        ) as response:
            content = await self._content(response)
            if response.status in (401, 403):
                self._target = None
            return Reply(
                response.status,
                content,
                response.content_type if "Content-Type" in response.headers else "",
                response.headers.get("Retry-After"),
                target.hide,
            )

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        total = response.content_length or 0
        if total <= self._body_bytes:
            total = 0
            async for chunk in response.content.iter_any():
                total += len(chunk)
                if total > self._body_bytes:
                    break
                chunks.append(chunk)
        if total > self._body_bytes:
            # Without this the rest would be read to keep the connection.
            response.close()
            raise BadAnswer(f"answered more than {self._body_bytes} bytes")
        return b"".join(chunks)


class _Secrets:
    """Reads what an endpoint's keys name. Every fault is Unreachable and names the key, never the content."""

    def __init__(self, endpoint: Endpoint, base: Path) -> None:
        self._endpoint = endpoint
        self._base = base

    def target(self) -> _Target:
        url, user_info = self._url()
        headers = {"Content-Type": "application/json", "User-Agent": "porwatch"}
        headers.update(self._headers())
        authorization, secrets = self._authorization(user_info)
        if authorization is not None:
            headers["Authorization"] = authorization
        parts = urlsplit(url)
        queries = [value for _, value in parse_qsl(parts.query)]
        hide = [url, parts.netloc, parts.hostname or "", *parts.path.split("/"), *queries, *secrets]
        hide += [value for name, value in headers.items() if name not in ("Content-Type", "User-Agent")]
        longest_first = sorted({part for part in hide if len(part) >= _SHORTEST_SECRET}, key=len, reverse=True)
        return _Target(url, headers, self._tls(), tuple(longest_first))

    def _url(self) -> tuple[str, str | None]:
        endpoint = self._endpoint
        text = endpoint.url if endpoint.url is not None else self._read("url_file", endpoint.url_file or "").strip()
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if host is None or parts.scheme not in SCHEMES:
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
            raise Unreachable(f"ca_file cannot be used: {_reason(error)}: name a PEM file") from None

    def _read(self, key: str, written: str) -> str:
        try:
            with (self._base / written).open("rb") as file:
                content = file.read(SECRET_BYTES + 1)
            text = content.decode() if len(content) <= SECRET_BYTES else ""
        except UnicodeDecodeError:
            text = ""
        except OSError as error:
            raise Unreachable(f"{key} cannot be read: {_reason(error)}") from None
        if not text.strip():
            raise Unreachable(f"{key} holds no text of 1 to {SECRET_BYTES} bytes: check what the key names")
        return text


def _line(value: str, key: str) -> str:
    """A value fit for an HTTP header."""
    if not value.isascii() or not value.isprintable():
        raise Unreachable(f"{key} holds characters that no HTTP header may have: write one line of ASCII")
    return value


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # The semaphore bounds the connections; a second limit here would only hide waiting from it.
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _below(url: str, path: str) -> str:
    if not path:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def _plain(error: Exception) -> ChainError:
    """A library's error in our words: its own hold addresses."""
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return Unreachable("the proxy does not connect: check proxy")
    if isinstance(error, aiohttp.ClientSSLError):
        return Unreachable("TLS failed: the certificate is not trusted or not for this host: check url and ca_file")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Unreachable("the host name is not known: check url or url_file, and name resolution")
    if isinstance(error, aiohttp.InvalidURL):
        return Unreachable("the URL is not valid: check url or url_file")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"no connection: {_reason(error.os_error)}")
    if isinstance(error, aiohttp.ClientResponseError):
        return BadAnswer("answered something that is not HTTP")
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return Unreachable("the request could not be built: check url, headers_file and proxy")
    return Unreachable("the connection broke before the answer was whole")


def _reason(error: OSError) -> str:
    """The system's text for an error number: ``str`` of an error may hold an address or a path."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
