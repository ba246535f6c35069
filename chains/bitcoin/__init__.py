"""Bitcoin over the RPC of Bitcoin Core and its kin: read-only, block by block.

Exports what ``chains.core.chain.ChainKind`` names. Nothing here but settings and address parsing is
imported until it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pydantic import BaseModel

from chains.bitcoin.settings import Settings
from chains.core.chain import Chain, Observer

__all__ = ["Settings", "connect", "derive", "parse_address"]


def parse_address(text: str, settings: BaseModel) -> str:
    """The canonical locator of an address of this network, offline. Raises AddressError."""
    from chains.bitcoin.addresses import parse  # noqa: PLC0415

    return parse(text, cast("Settings", settings).parameters())


def derive(descriptor: str, first: int, last: int, settings: BaseModel) -> tuple[str, ...]:
    """Locators first..last (inclusive) of an output descriptor, offline; see ``descriptors.derive`` for multipath."""
    from chains.bitcoin.descriptors import derive as locators  # noqa: PLC0415

    return locators(descriptor, first, last, cast("Settings", settings).parameters())


def connect(
    name: str, settings: BaseModel, decimals: dict[str, int], base: Path, observer: Observer | None = None
) -> Chain:
    """A Bitcoin chain on the configured endpoints; opens no connection yet. ``base``: folder of the configuration."""
    from chains.bitcoin.reader import open_chain  # noqa: PLC0415

    return open_chain(name, cast("Settings", settings), decimals, base, observer)
