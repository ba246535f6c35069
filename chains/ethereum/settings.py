"""Configuration keys of an EVM chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from chains.core.settings import ChainSettings, Strict
from chains.ethereum.address import canonical_address
from chains.ethereum.profiles import Profile

#: Ether and the native coin of every EVM chain count in wei.
NATIVE_DECIMALS = 18


class Token(Strict):
    """One ERC-20 token. ``decimals``: its own on this chain; default the asset's. Checked on chain.

    ``profile``: how its contract tells what it does. ``plain``: Transfer events and balanceOf (EIP-20).
    ``shares``: a rebasing token such as stETH, counted in shares (TransferShares, SharesBurnt, sharesOf);
    every amount of the asset, in the books too, is then in shares: a rebase moves nothing, and shares that
    go without an event are a residual. ``wrapped``: the native asset one to one, as WETH9 (Deposit and
    Withdrawal beside Transfer).
    """

    contract: str
    decimals: Annotated[int | None, Field(ge=0, le=77)] = None
    profile: Profile = "plain"

    @field_validator("contract")
    @classmethod
    def _spelled(cls, contract: str) -> str:
        return canonical_address(contract)


class Settings(ChainSettings):
    """Keys of ``chains.NAME`` with ``kind: evm``.

    ``finality``: the node's tag ``finalized`` or ``safe``, or a number of blocks n: the final height
    is then the head minus n (never below 0), for chains whose nodes have no such tag.

    ``verify``: ``full`` computes every block's hash and what it commits to again (transactions, receipts,
    withdrawals), so that an endpoint that leaves out or changes anything is found. ``hashes`` only compares
    the hashes that endpoints state, for chains that do not hash their blocks as Ethereum does.
    """

    kind: Literal["evm"]
    chain_id: Annotated[int, Field(ge=1, lt=2**63)]
    finality: Literal["finalized", "safe"] | Annotated[int, Field(ge=0, le=100_000)] = "finalized"
    verify: Literal["full", "hashes"] = "full"
    tokens: Annotated[dict[str, Token], Field(default_factory=dict, max_length=1_000)]

    @model_validator(mode="after")
    def _tokens_agree(self) -> Settings:
        if self.native in self.tokens:
            raise ValueError(f"{self.native} is the native asset and also a token: remove it from tokens")
        seen: dict[str, str] = {}
        for asset, token in self.tokens.items():
            other = seen.setdefault(token.contract, asset)
            if other != asset:
                raise ValueError(f"{other} and {asset} name the same contract {token.contract}: remove one")
        return self

    @property
    def caip2(self) -> str:
        return f"eip155:{self.chain_id}"

    def tokens_by_asset(self) -> dict[str, str]:
        return {asset: token.contract for asset, token in self.tokens.items()}

    def profiles(self) -> dict[str, Profile]:
        """How each token tells what it does, by asset."""
        return {asset: token.profile for asset, token in self.tokens.items()}

    def token_decimals(self, asset: str, decimals: Mapping[str, int]) -> int:
        """Decimals of a token on this chain: its own where given, else the asset's."""
        own = self.tokens[asset].decimals
        return decimals[asset] if own is None else own

    def scales(self, decimals: Mapping[str, int]) -> dict[str, int]:
        """Factor from units on this chain to units of the asset, for the native asset and every token.

        ``decimals``: of the assets, by symbol. Raises ValueError where the chain counts finer than
        the asset does: the asset's decimals must be the largest, since nothing is ever rounded.
        """
        on_chain = {self.native: NATIVE_DECIMALS}
        on_chain |= {asset: self.token_decimals(asset, decimals) for asset in self.tokens}
        for asset, finer in on_chain.items():
            if finer > decimals[asset]:
                raise ValueError(
                    f"{asset} has {finer} decimals on this chain and {decimals[asset]} as an asset: "
                    f"write decimals: {finer} under assets"
                )
        return {asset: 10 ** (decimals[asset] - own) for asset, own in on_chain.items()}
