"""The one application that the server knows, in front of the one that answers now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: asked for while everything is held
RELOAD_PATH = "/-/reload"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Front:
    """Hands every request to ``application``, which is replaced whole. Requests that change something can be held."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._open = asyncio.Event()
        self._open.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._changing = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READING or scope["path"] == RELOAD_PATH:
            await self.application(scope, receive, send)
            return
        await self._open.wait()
        self._changing += 1
        self._idle.clear()
        try:
            await self.application(scope, receive, send)
        finally:
            self._changing -= 1
            if not self._changing:
                self._idle.set()

    async def hold(self, seconds: float) -> bool:
        """Let new changes wait, and wait for those that run; False, and all as before, where one does not end."""
        self._open.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            self._open.set()
            return False
        return True

    def release(self) -> None:
        """Let changes go on, in the application of now."""
        self._open.set()
