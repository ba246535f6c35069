"""The configuration keys of a Bitcoin chain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from chains.bitcoin.networks import NETWORKS, Network
from chains.core.settings import ChainSettings, Endpoint

#: satoshis in a bitcoin, as a power of ten
DECIMALS = 8
_ZMQ = re.compile(r"tcp://(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}")


class Settings(ChainSettings):
    """``finality`` is in confirmations: with 6 a block is final when it has 6, itself counted, so at head - 5.

    ``zmq`` is where the node publishes hashblock. It only wakes porwatch up: facts come from the endpoints.
    """

    kind: Literal["bitcoin"]
    network: Literal["mainnet", "testnet4", "signet", "regtest"]
    finality: Annotated[int, Field(ge=1, le=1000)] = 6
    zmq: str | None = None

    @field_validator("zmq")
    @classmethod
    def _publisher(cls, text: str | None) -> str | None:
        if text is not None and _ZMQ.fullmatch(text) is None:
            raise ValueError("zmq must be where the node publishes hashblock, e.g. tcp://127.0.0.1:28332")
        return text

    @field_validator("endpoints")
    @classmethod
    def _no_websocket(cls, endpoints: list[Endpoint]) -> list[Endpoint]:
        for number, endpoint in enumerate(endpoints, start=1):
            if endpoint.hint_only:
                called = endpoint.name or f"endpoint-{number}"
                raise ValueError(f"{called} is a WebSocket, which no Bitcoin node has: leave it out, and write zmq")
        return endpoints

    @property
    def caip2(self) -> str:
        return self.parameters().caip2

    def scales(self, decimals: Mapping[str, int]) -> dict[str, int]:
        """As ``ChainSettings.scales``: satoshis are the units on both sides, so an asset has 8 decimals here."""
        if decimals[self.native] != DECIMALS:
            raise ValueError(f"{self.native} is counted in satoshis on a Bitcoin chain: write decimals: {DECIMALS}")
        return {self.native: 1}

    def parameters(self) -> Network:
        """What the network fixes: address prefixes and genesis."""
        return NETWORKS[self.network]
