"""What a WebSocket endpoint is sent: its token, its headers, trust in its own certificate, by its proxy; on real sockets."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from chains.core.errors import Unreachable
from chains.core.settings import Endpoint
from chains.ethereum.hints import HeadHints, subscribed
from tests.real.certificates import self_signed

HEAD = '{"jsonrpc":"2.0","method":"eth_subscription","params":{"result":{"number":"0x1"}}}'
TOKEN = "token-0123456789"


class Node:
    """A WebSocket endpoint that lets in who sends the token, and announces one head to whoever subscribes."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.port = 0

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        if request.path == "/moved":
            raise web.HTTPFound("/elsewhere")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_str()
        await socket.send_str(HEAD)
        await socket.receive()
        return socket

    @asynccontextmanager
    async def up(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Node]:
        app = web.Application()
        app.router.add_get("/{anything:.*}", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return "token"


async def woken(endpoint: Endpoint, base: Path) -> bool:
    """Whether the endpoint's announcement ended a wait."""
    hints = HeadHints([partial(subscribed, endpoint, base)], poll_seconds=3.0)
    began = time.monotonic()
    await hints.wait(3.0)
    await hints.close()
    return time.monotonic() - began < 2.5


async def test_a_websocket_is_sent_its_token_and_its_headers(token: str, tmp_path: Path) -> None:
    (tmp_path / "headers").write_text("X-Team: treasury\nX-Key: 0123\n")
    async with Node().up() as node:
        url = f"ws://127.0.0.1:{node.port}/v1"
        assert await woken(Endpoint(url=url, bearer_token_file=token, headers_file="headers"), tmp_path)
        (asked,) = node.asked
        assert [asked.headers[name] for name in ("X-Team", "X-Key", "User-Agent")] == ["treasury", "0123", "porwatch"]
        assert not await woken(Endpoint(url=url), tmp_path), "nobody is let in without the token"


async def test_a_websockets_own_certificate_is_trusted_only_where_its_ca_file_is_named(
    token: str, tmp_path: Path
) -> None:
    certificate, both = self_signed(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(both)
    async with Node().up(tls) as node:
        url = f"wss://127.0.0.1:{node.port}"
        assert await woken(Endpoint(url=url, bearer_token_file=token, ca_file=certificate.name), tmp_path)
        node.asked.clear()
        assert not await woken(Endpoint(url=url, bearer_token_file=token), tmp_path)
        assert node.asked == []


async def test_a_websocket_is_reached_by_its_proxy(token: str, tmp_path: Path) -> None:
    through: list[bytes] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Opens the tunnel, or passes on what is for another host, whichever the client asks for."""
        first = await reader.readuntil(b"\r\n")
        through.append(first)
        there, back = await asyncio.open_connection("127.0.0.1", node.port)
        if first.startswith(b"CONNECT"):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            back.write(first)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    async with Node().up() as node:
        proxy = await asyncio.start_server(forward, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        url = f"ws://127.0.0.1:{node.port}/v1"
        assert await woken(Endpoint(url=url, bearer_token_file=token, proxy=address), tmp_path)
        assert len(through) == len(node.asked) == 1
        proxy.close()
        await proxy.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
    writer.close()


async def test_headers_are_not_carried_to_where_a_websocket_redirects(token: str, tmp_path: Path) -> None:
    async with Node().up() as node:
        url = f"ws://127.0.0.1:{node.port}/moved"
        assert not await woken(Endpoint(url=url, bearer_token_file=token), tmp_path)
        assert {request.path for request in node.asked} == {"/moved"}


async def test_a_file_that_a_websocket_names_in_vain_is_a_fault_that_names_the_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = Endpoint(url="ws://127.0.0.1:9/key-in-the-path", headers_file="headers")
    with pytest.raises(Unreachable, match="headers_file cannot be read"):
        async with subscribed(endpoint, tmp_path):
            pass
    assert not await woken(endpoint, tmp_path)
    assert "WebSocket endpoint 1: headers_file cannot be read: No such file or directory" in caplog.text
    assert "key-in-the-path" not in caplog.text
