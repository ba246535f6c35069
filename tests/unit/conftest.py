"""Unit tests reach nobody: opening a network socket or looking up a host fails the test."""

from __future__ import annotations

import socket
from typing import Any, NoReturn

import pytest


class ClosedSocket(socket.socket):
    """Refuses network families; a pair of connected local sockets (an event loop's own wake-up) is no network."""

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        if fileno is None and family != socket.AF_UNIX:
            refuse()
        super().__init__(family, type, proto, fileno)


def refuse(*_: Any, **__: Any) -> NoReturn:
    pytest.fail("a unit test opened a network socket: tests that speak to somebody belong to tests/real")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", ClosedSocket)
    for name in ("getaddrinfo", "gethostbyname", "create_connection", "create_server"):
        monkeypatch.setattr(socket, name, refuse)
