"""Bitcoin over the RPC of Bitcoin Core and its kin: read-only, block by block.

Exports what ``chains.core.chain.ChainKind`` names. Nothing here but settings and address parsing is
imported until it is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from chains.bitcoin.settings import Settings
from chains.core.chain import Chain, Observer
from chains.core.ownership import ProofKind, Shown
from chains.core.testimony import Rechecked

__all__ = ["Settings", "connect", "derive", "parse_address", "recheck", "verify_offline"]


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


def verify_offline(kind: ProofKind, locator: str, message: bytes, proof: str, settings: BaseModel) -> Shown:
    """What a proof of control shows, offline; see ``ownership.verify_offline``. Raises BadProof."""
    from chains.bitcoin.ownership import verify_offline as verify  # noqa: PLC0415  loads the verifiers

    return verify(kind, locator, message, proof, cast("Settings", settings))


def recheck(
    chain: str,
    lines: Iterable[Mapping[str, Any]],
    settings: BaseModel,
    decimals: Mapping[str, int] | None = None,
) -> Rechecked:
    """What the lines of a testimony show, offline: see ``ChainKind.recheck``."""
    from chains.bitcoin.rechecking import recheck as read  # noqa: PLC0415

    return read(chain, lines, cast("Settings", settings), decimals)
