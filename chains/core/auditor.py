"""What a node of the auditor's own says of a block and of sampled accounts: what ties a testimony to the chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.core.chain import ChainKind
from chains.core.errors import Unreachable, WrongChain
from chains.core.settings import ChainSettings, Endpoint
from chains.core.values import Account, BlockRef


@dataclass(frozen=True, slots=True)
class Looked:
    """``canonical``: whether the block is on the node's chain; ``units``: what the accounts hold after it there.

    Without the block there are no units.
    """

    canonical: bool
    units: Mapping[Account, int]


async def look(
    kind: ChainKind,
    name: str,
    settings: ChainSettings,
    endpoint: Endpoint,
    decimals: Mapping[str, int],
    base: Path,
    at: BlockRef,
    accounts: Sequence[Account],
) -> Looked:
    """Ask ``endpoint`` alone, in place of those configured.

    ``settings``: of the chain; ``decimals``: of the assets by symbol; ``base``: the folder that paths of the
    endpoint are relative to. Raises WrongChain for a node of another chain, and other ChainErrors where the
    node cannot tell (it lags behind, or has dropped that state): that is no answer, and not a no.
    """
    alone = type(settings).model_validate(settings.model_dump() | {"endpoints": [endpoint.model_dump()], "quorum": 1})
    chain = kind.connect(name, alone, dict(decimals), base, None)
    try:
        (identity,) = await chain.identify()
        if identity.state == "unreachable":
            raise Unreachable(f"{name}: {identity.detail}")
        if identity.state != "right":
            raise WrongChain(f"{name}: the endpoint {identity.detail}")
        if not await chain.is_canonical(at):
            return Looked(False, {})
        if not accounts:
            return Looked(True, {})
        return Looked(True, (await chain.holdings(accounts, at)).units)
    finally:
        await chain.close()
