"""A JSON-RPC node on loopback that answers well until it is told how to fail.

    with FaultyNode(answer) as node:          # answer(method, params) -> result
        node.fault = html                     # every answer from now on; None: well again
    with FaultyNode(upstream=anvil.url) as node: …   # passes everything on to a real node, faults included

`node.only` limits a fault to some methods, `node.requests` counts what arrived.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
HUGE_BYTES = 100 * 1024 * 1024
SLOW_SECONDS = 30.0

Answer = Callable[[str, Any], Any]
#: What a fault gets: the connection, and the reply (an object, or a list for a batch) that would have been right.
Fault = Callable[["Handler", Any], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: NodeServer

    def do_POST(self) -> None:
        node = self.server.node
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        node.requests.append(asked)
        node.headers.append(dict(self.headers))
        methods = {call["method"] for call in (asked if isinstance(asked, list) else [asked])}
        fault = node.fault if not node.only or methods & node.only else None
        # A client that has given up is what several faults are about.
        with suppress(ConnectionError):
            (fault or well)(self, node.reply(body, asked, self.headers.get("Authorization")))

    def do_GET(self) -> None:
        self.server.node.requests.append(self.path)
        with suppress(ConnectionError):
            self.send(self.path.encode(), content_type="application/octet-stream")

    def send(
        self,
        body: bytes,
        status: int = 200,
        content_type: str = "application/json",
        length: int | None = None,
        **headers: str,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_json(self, document: Any, status: int = 200) -> None:
        self.send(json.dumps(document).encode(), status)

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test's output quiet."""


class NodeServer(ThreadingHTTPServer):
    daemon_threads = True
    node: FaultyNode

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Ends kept connections as well, as a node that stops does."""
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up first is no error here."""


class FaultyNode:
    def __init__(
        self, answer: Answer | None = None, *, upstream: str = "", port: int = 0, certificate: Path | None = None
    ) -> None:
        """Answers by `answer`, or as the node at the URL `upstream`; `certificate` (PEM with key) makes it https."""
        self.fault: Fault | None = None
        self.only: frozenset[str] = frozenset()
        self.requests: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self._answer = answer or (lambda method, params: params[0] if params else method)
        self._upstream = urlsplit(upstream)
        self._server = NodeServer((LOOPBACK, port), Handler)
        self._server.node = self
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if certificate else 'http'}://{LOOPBACK}:{self.port}"
        # A short poll: the server is shut down after every test.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reply(self, body: bytes, asked: Any, authorization: str | None) -> Any:
        """The right reply to one request: an object, or a list for a batch."""
        if self._upstream.hostname:
            return self._pass_on(body, authorization)
        if isinstance(asked, list):
            return [self._result(call) for call in asked]
        return self._result(asked)

    def _result(self, call: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": call["id"], "result": self._answer(call["method"], call["params"])}

    def _pass_on(self, body: bytes, authorization: str | None) -> Any:
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=30)
        try:
            headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
            connection.request("POST", self._upstream.path or "/", body, headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def well(handler: Handler, reply: Any) -> None:
    handler.send_json(reply)


def null(handler: Handler, reply: Any) -> None:
    changed(lambda _: None)(handler, reply)


def html(handler: Handler, reply: Any) -> None:
    handler.send(b"<html><body>Maintenance</body></html>", content_type="text/html; charset=utf-8")


def bad_gateway(handler: Handler, reply: Any) -> None:
    handler.send(b"<html>502 Bad Gateway</html>", 502, "text/html")


def truncated_json(handler: Handler, reply: Any) -> None:
    """Whole as HTTP, cut as JSON."""
    whole = json.dumps(reply).encode()
    handler.send(whole[: len(whole) // 2])


def truncated_body(handler: Handler, reply: Any) -> None:
    """Cut as HTTP: the connection ends before the promised length."""
    whole = json.dumps(reply).encode()
    handler.send(whole[: len(whole) // 2], length=len(whole))
    handler.hang_up()


def hex_without_prefix(handler: Handler, reply: Any) -> None:
    changed(lambda result: result.removeprefix("0x") if isinstance(result, str) else result)(handler, reply)


def truncated_list(handler: Handler, reply: Any) -> None:
    changed(lambda result: result[:-1] if isinstance(result, list) else result)(handler, reply)


def rate_limited(seconds: str) -> Fault:
    return lambda handler, _: handler.send(b"slow down", 429, "text/plain", Retry_After=seconds)


def huge(handler: Handler, reply: Any) -> None:
    """A body of 100 MB that is good JSON to its end, made as it is sent."""
    piece = b" " * 65_536
    whole = json.dumps(reply).encode()
    handler.send(b"", length=HUGE_BYTES + len(whole))
    for _ in range(HUGE_BYTES // len(piece)):
        handler.wfile.write(piece)
    handler.wfile.write(whole)


def huge_without_length(handler: Handler, reply: Any) -> None:
    """The same in chunks, so that its size cannot be known before."""
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(HUGE_BYTES // 65_536):
        handler.wfile.write(piece)
    handler.wfile.write(b"0\r\n\r\n")


def slow(handler: Handler, reply: Any) -> None:
    time.sleep(SLOW_SECONDS)


def closed(handler: Handler, reply: Any) -> None:
    """Hangs up without a word."""
    handler.hang_up()


def hangs_up_after_the_answer(handler: Handler, reply: Any) -> None:
    """Answers, then closes the connection that the client means to keep: a node's idle time-out."""
    well(handler, reply)
    handler.hang_up()


def wrong_id(handler: Handler, reply: Any) -> None:
    items = reply if isinstance(reply, list) else [reply]
    for item in items:
        item["id"] += 1000
    handler.send_json(reply)


def missing_item(handler: Handler, reply: Any) -> None:
    handler.send_json(reply[:-1] if isinstance(reply, list) else reply)


def no_batches(handler: Handler, reply: Any) -> None:
    """One error for a whole batch; single calls are answered."""
    if isinstance(reply, list):
        reply = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch requests are not supported"}}
    handler.send_json(reply)


def node_error(code: int, text: str, status: int = 200) -> Fault:
    def fail(handler: Handler, reply: Any) -> None:
        items = [{"id": item["id"], "error": {"code": code, "message": text}} for item in _items(reply)]
        handler.send_json(items if isinstance(reply, list) else items[0], status)

    return fail


def redirect(handler: Handler, reply: Any) -> None:
    handler.send(b"", 307, "text/plain", Location=f"http://{LOOPBACK}:{handler.server.node.port}/elsewhere")


def unauthorized(handler: Handler, reply: Any) -> None:
    handler.send(b"", 401, "text/plain", WWW_Authenticate="Basic")


def not_http(handler: Handler, reply: Any) -> None:
    handler.wfile.write(b"220 mail.example ESMTP ready\r\n")
    handler.hang_up()


def broken_gzip(handler: Handler, reply: Any) -> None:
    handler.send(b"this is no gzip", Content_Encoding="gzip")


def echoes_the_url(handler: Handler, reply: Any) -> None:
    """A provider that repeats the key in its error."""
    node_error(-32000, f"quota of {handler.path} is used up")(handler, reply)


def needs(authorization: str) -> Fault:
    """401 unless the request carries this Authorization header."""

    def check(handler: Handler, reply: Any) -> None:
        (well if handler.headers.get("Authorization") == authorization else unauthorized)(handler, reply)

    return check


def changed(change: Callable[[Any], Any]) -> Fault:
    """Every result passed through `change`: e.g. a block with another parent."""

    def send(handler: Handler, reply: Any) -> None:
        for item in _items(reply):
            if "result" in item:
                item["result"] = change(item["result"])
        handler.send_json(reply)

    return send


def _items(reply: Any) -> list[dict[str, Any]]:
    return reply if isinstance(reply, list) else [reply]
