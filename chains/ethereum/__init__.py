"""EVM chains: Ethereum, its layers on top and its likes.

What ``ChainKind`` names stands here. Nothing heavy is imported before ``connect``: web3 alone takes
two seconds, and checking a configuration needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from chains.core.errors import AddressError
from chains.core.ownership import ProofKind, Shown
from chains.ethereum.address import canonical_address
from chains.ethereum.settings import Settings

if TYPE_CHECKING:
    from chains.core.chain import Chain, Observer
    from chains.core.testimony import Rechecked

__all__ = ["Settings", "connect", "derive", "parse_address", "recheck", "verify_offline"]


def parse_address(text: str, settings: BaseModel) -> str:  # noqa: ARG001  every EVM chain spells alike
    """The checksummed spelling (EIP-55) of an address, offline. Raises AddressError."""
    return canonical_address(text)


def derive(descriptor: str, first: int, last: int, settings: BaseModel) -> tuple[str, ...]:  # noqa: ARG001  refuses any
    """Always raises AddressError: output descriptors (BIP-380) describe scripts, and EVM chains have none."""
    raise AddressError(
        "descriptors are for UTXO chains: write addresses or addresses_file for a wallet on an EVM chain"
    )


def verify_offline(kind: ProofKind, locator: str, message: bytes, proof: str, settings: BaseModel) -> Shown:  # noqa: ARG001  a personal message names no chain
    """What a proof that needs no node shows (EIP-191); ``proof`` is its signature. Raises BadProof, nothing else."""
    from chains.ethereum.ownership import verify_offline as verify  # noqa: PLC0415  needs a curve

    return verify(kind, locator, message, proof)


def connect(
    name: str, settings: BaseModel, decimals: dict[str, int], base: Path, observer: Observer | None = None
) -> Chain:
    """A chain on the configured endpoints; opens no connection yet.

    ``decimals``: of the assets, by symbol. ``base``: the configuration file's folder. Raises
    ValueError where an asset has fewer decimals than this chain counts in.
    """
    from chains.ethereum.chain import open_chain  # noqa: PLC0415  the readers are needed only from here on

    return open_chain(name, _ours(name, settings), decimals, base, observer)


def recheck(
    chain: str,
    lines: Iterable[Mapping[str, Any]],
    settings: BaseModel,
    decimals: Mapping[str, int] | None = None,
) -> Rechecked:
    """What the lines of a testimony show, offline: see ``ChainKind.recheck``."""
    from chains.ethereum.rechecking import recheck as read  # noqa: PLC0415  hashing is needed only from here on

    return read(chain, lines, _ours(chain, settings), decimals)


def _ours(name: str, settings: BaseModel) -> Settings:
    if not isinstance(settings, Settings):
        raise TypeError(f"settings of {name} must be those of an EVM chain, not {type(settings).__name__}")
    return settings
