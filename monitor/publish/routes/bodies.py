"""The form of every body, for the OpenAPI document. Routes read JSON themselves, strictly, and say what is wrong."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from monitor.publish.routes.answers import Exact


class Acting(Exact):
    """Who settles a case and why. Whoever is logged in may leave out ``name``; another than his own is refused."""

    name: str | None = Field(default=None, max_length=200)
    reason: str = Field(min_length=1, max_length=2000)


class Notifying(Acting):
    """Who told whom of a case, as what and how. ``content``: SHA-256 of what was sent, or "" where nothing is kept."""

    event: str = Field(min_length=1, max_length=200)
    authority: str = Field(min_length=1, max_length=200)
    channel: str = Field(min_length=1, max_length=200)
    content: str = Field(default="", pattern="^([0-9a-f]{64})?$")


class Adding(Exact):
    """Addresses to watch, and who adds them; see Acting for ``name``."""

    name: str | None = Field(default=None, max_length=200)
    addresses: list[str] = Field(min_length=1, max_length=10_000)


class Asking(Exact):
    """Whose control is to be shown."""

    wallet: str
    address: str | None = None
    purpose: str | None = None
    expires: str | None = None
    movement: bool | None = None
    destination: str | None = None


class Proving(Exact):
    """An answer to a challenge."""

    challenge: str
    kind: str
    proof: str


class Approving(BaseModel):
    """An approval as in the approvals file: see docs/reference/approvals.md for every key."""

    id: str | None = None
    chain: str | None = None
    asset: str | None = None
    amount: str | None = None
    destination: str | None = None


def takes(body: type[BaseModel], description: str) -> dict[str, Any]:
    """``openapi_extra=`` of a route: the JSON that it reads itself."""
    content = {"application/json": {"schema": body.model_json_schema()}}
    return {"requestBody": {"required": True, "description": description, "content": content}}
