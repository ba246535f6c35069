"""JSON-RPC to a local node. It refuses any address that is not loopback: nothing in lab can reach a public chain."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import itertools
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from chains.lab.errors import LabError, RpcError

# Mining a thousand blocks in one call takes well below a second; an answer that takes longer is a hang.
CALL_SECONDS = 30.0
ANSWER_BYTES_MAX = 64 * 1024 * 1024


def require_loopback(url: str) -> tuple[str, int]:
    """(host, port) of an http URL. Raises LabError unless the host is a loopback address, written as a number."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        raise LabError(
            f"{url}: lab speaks to a loopback address and port only, such as http://127.0.0.1:8545"
        ) from error
    if not loopback or port is None or parts.scheme != "http":
        raise LabError(f"{url}: lab speaks to a loopback address and port only, such as http://127.0.0.1:8545")
    return host, port


class LabRpc:
    """Calls to one local node, one connection each. Fractions in answers are Decimal."""

    def __init__(self, url: str, username: str | None = None, password: str | None = None) -> None:
        """`url` must be loopback (LabError otherwise)."""
        self.url = url
        self._address = require_loopback(url)
        self._ids = itertools.count(1)
        self._headers = {"Content-Type": "application/json"}
        if username is not None:
            pair = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"

    def call(self, method: str, *params: object, path: str = "/") -> Any:
        """The result of one call. Raises RpcError when the node refuses it, LabError when it does not answer."""
        answer = self._post({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}, path)
        if not isinstance(answer, dict):
            raise LabError(f"{self.url} {method}: not a JSON-RPC answer")
        error = answer.get("error")
        if error is not None:
            raise RpcError(method, error["code"], error["message"])
        return answer["result"]

    def batch(self, calls: list[tuple[str, list[object]]]) -> list[Any]:
        """The results of many calls sent as one request, in their order. Raises RpcError for the first refused one."""
        requests = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": params}
            for index, (method, params) in enumerate(calls)
        ]
        answers = {answer["id"]: answer for answer in self._post(requests, "/")}
        for index, (method, _) in enumerate(calls):
            error = answers[index].get("error")
            if error is not None:
                raise RpcError(method, error["code"], error["message"])
        return [answers[index]["result"] for index in range(len(calls))]

    def answers(self, method: str) -> bool:
        """Whether the node answers `method` yet."""
        try:
            self.call(method)
        except LabError:
            return False
        return True

    def _post(self, body: object, path: str) -> Any:
        connection = http.client.HTTPConnection(*self._address, timeout=CALL_SECONDS)
        try:
            connection.request("POST", path, json.dumps(body), self._headers)
            response = connection.getresponse()
            text = response.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise LabError(f"{self.url} does not answer: {error}") from error
        finally:
            connection.close()
        try:
            return json.loads(text, parse_float=Decimal)
        except ValueError as error:
            raise LabError(f"{self.url} answered HTTP {response.status} without JSON") from error
