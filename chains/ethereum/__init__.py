"""EVM chains: Ethereum, its layers on top and its likes.

What ``ChainKind`` names stands here. Nothing heavy is imported before ``connect``: web3 alone takes
two seconds, and checking a configuration needs none of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from chains.core.errors import AddressError
from chains.ethereum.address import canonical_address
from chains.ethereum.settings import Settings

if TYPE_CHECKING:
    from chains.core.chain import Chain, Observer

__all__ = ["Settings", "connect", "derive", "parse_address"]


def parse_address(text: str, settings: BaseModel) -> str:  # noqa: ARG001  every EVM chain spells alike
    """The checksummed spelling (EIP-55) of an address, offline. Raises AddressError."""
    return canonical_address(text)


def derive(descriptor: str, first: int, last: int, settings: BaseModel) -> tuple[str, ...]:  # noqa: ARG001  refuses any
    """Always raises AddressError: output descriptors (BIP-380) describe scripts, and EVM chains have none."""
    raise AddressError(
        "descriptors are for UTXO chains: write addresses or addresses_file for a wallet on an EVM chain"
    )


def connect(
    name: str, settings: BaseModel, decimals: dict[str, int], base: Path, observer: Observer | None = None
) -> Chain:
    """A chain on the configured endpoints; opens no connection yet.

    ``decimals``: of the assets, by symbol. ``base``: the configuration file's folder. Raises
    ValueError where an asset has fewer decimals than this chain counts in.
    """
    from chains.ethereum.chain import open_chain  # noqa: PLC0415  the readers are needed only from here on

    if not isinstance(settings, Settings):
        raise TypeError(f"settings of {name} must be those of an EVM chain, not {type(settings).__name__}")
    return open_chain(name, settings, decimals, base, observer)
