"""What the HTTP interface asks of the program; whoever carries it out is matched by shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

from monitor.detect.ceremonies import Announcement, Ceremony
from monitor.model import Case, Notice


class Submission(Protocol):
    """What became of a submitted approval. ``message`` says why, in a sentence fit for the sender."""

    @property
    def outcome(self) -> Literal["created", "repeated", "conflict", "malformed", "no_source"]: ...

    @property
    def id(self) -> str: ...

    @property
    def message(self) -> str: ...


class Unknown(Exception):
    """What was asked cannot be determined now; the message says what is missing."""


class Actions(Protocol):
    """State-changing requests; each returns after its commit."""

    async def approve(self, body: object) -> Submission:
        """Take one approval or cancellation, given as decoded JSON."""

    async def act(
        self, case_id: str, action: Literal["ack", "close"], name: str, reason: str, how: str = "none"
    ) -> Case:
        """Acknowledge or close a case. ``how``: by what the person had logged in ("none": nobody logs in).

        Raises KeyError where there is no such case, ValueError where its state does not allow it.
        """

    async def notified(self, case_id: str, notice: Notice, name: str, reason: str, how: str = "none") -> Case:
        """Note that somebody outside was told of a case. Raises as ``act``."""

    async def add_addresses(self, wallet: str, addresses: Sequence[str], by: str) -> list[str]:
        """Watch more addresses of a wallet, all or none; returns their canonical spelling.

        Raises KeyError for an unknown wallet, ValueError that says which address is wrong and why.
        """

    async def announce(self, wanted: Announcement, name: str, user: str) -> Ceremony:
        """Announce work on cold wallets. ``user``: who is logged in, or "". Raises ValueError for what cannot be."""

    async def confirm(self, ceremony_id: str, name: str, user: str) -> Ceremony:
        """Confirm an announced ceremony as a second person. Raises KeyError, ValueError."""

    async def cancel(self, ceremony_id: str, name: str, reason: str, user: str) -> Ceremony:
        """Cancel a ceremony. Raises KeyError, ValueError."""

    async def ask_control(self, body: object) -> list[dict[str, Any]]:
        """Issue challenges to show control of addresses. Raises ValueError for what cannot be asked, Unknown."""

    async def show_control(self, body: object) -> list[dict[str, Any]]:
        """Judge one answer to a challenge, and remember a good one. Raises ValueError for what is none, Unknown."""
