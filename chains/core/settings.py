"""Configuration keys that every chain has. Each chain package extends ``ChainSettings``.

Paths are kept as written; they are relative to the configuration file, and whoever opens one
joins it to that folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMES = ("http", "https")
HINT_SCHEMES = ("ws", "wss")


class Strict(BaseModel):
    """Unknown keys are errors, nothing is coerced, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Endpoint(Strict):
    """One RPC endpoint. The URL stands here or, where it holds a key, in ``url_file``."""

    name: Annotated[str | None, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] = None
    own: bool = False
    url: str | None = None
    url_file: str | None = None
    username: str | None = None
    password_file: str | None = None
    cookie_file: str | None = None
    bearer_token_file: str | None = None
    headers_file: str | None = None
    ca_file: str | None = None
    proxy: str | None = None

    @model_validator(mode="after")
    def _one_url(self) -> Endpoint:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("an endpoint needs either url or url_file: write one of them")
        if self.url is not None:
            parts = urlsplit(self.url)
            if parts.scheme not in (*SCHEMES, *HINT_SCHEMES) or not parts.hostname:
                raise ValueError("url must be http://, https://, ws:// or wss:// with a host")
            if parts.username or parts.password:
                raise ValueError("url holds a user name or password: write username and password_file instead")
            if parts.query:
                raise ValueError("url holds a query, which may be a key: put the whole URL into url_file")
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file belong together: write both")
        if self.username is not None and self.cookie_file is not None:
            raise ValueError("username and cookie_file exclude each other: write one")
        return self

    @property
    def hint_only(self) -> bool:
        """A WebSocket endpoint wakes porwatch up; it is never asked for facts."""
        return self.url is not None and urlsplit(self.url).scheme in HINT_SCHEMES


class ChainSettings(Strict):
    """The keys of ``chains.NAME`` that do not depend on the kind of chain."""

    kind: str
    native: str
    endpoints: Annotated[list[Endpoint], Field(min_length=1, max_length=16)]
    quorum: Annotated[int | None, Field(ge=1, le=16)] = None
    start: Annotated[int | None, Field(ge=0)] = None

    @model_validator(mode="after")
    def _endpoints_agree(self) -> ChainSettings:
        asked = sum(not endpoint.hint_only for endpoint in self.endpoints)
        if asked == 0:
            raise ValueError("only WebSocket endpoints: add at least one http:// or https:// endpoint")
        if self.quorum is not None and self.quorum > asked:
            raise ValueError(f"quorum {self.quorum} is more than the {asked} endpoints that are asked")
        names = [endpoint.name or f"endpoint-{i}" for i, endpoint in enumerate(self.endpoints, start=1)]
        if len(set(names)) != len(names):
            raise ValueError("two endpoints have the same name (without one they are called endpoint-1, …): rename one")
        return self

    @property
    def caip2(self) -> str:
        """The chain's id as CAIP-2 writes it: the same whatever the configuration calls the chain."""
        raise NotImplementedError

    def tokens_by_asset(self) -> dict[str, str]:
        """Contract locators by asset symbol; empty where the chain has no tokens."""
        return {}

    def scales(self, decimals: Mapping[str, int]) -> dict[str, int]:
        """Factor from units on this chain to units of the asset, for the native asset and every token.

        ``decimals``: of the assets, by symbol. Raises ValueError, naming the asset, where the chain
        counts finer than the asset does: nothing is ever rounded.
        """
        return {self.native: 1}

    def needed_quorum(self) -> int:
        """How many endpoints must agree: the configured number, else a majority of those asked."""
        if self.quorum is not None:
            return self.quorum
        return sum(not endpoint.hint_only for endpoint in self.endpoints) // 2 + 1
