"""What is configured, as plain names: the label sets of metrics and the rows of the status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.model import Wallet


@dataclass(frozen=True, slots=True)
class Channel:
    """A receiver of alerts, and everyone who is listed to get what it is told."""

    name: str
    redact: bool
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """``assets`` by chain, the native one first; ``decimals`` by asset; ``sources``: the configured books;
    ``endpoints``: names of those that are asked, by chain.
    """

    version: str
    wallets: tuple[Wallet, ...]
    assets: Mapping[str, tuple[str, ...]]
    decimals: Mapping[str, int]
    receivers: tuple[str, ...]
    sources: tuple[str, ...]
    endpoints: Mapping[str, tuple[str, ...]]
    channels: tuple[Channel, ...] = ()
