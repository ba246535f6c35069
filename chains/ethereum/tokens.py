"""Whether the configured tokens are on the chain as configured."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from eth_typing import ChecksumAddress
from web3 import AsyncWeb3
from web3.exceptions import Web3Exception

from chains.core.jsonrpc import printable
from chains.core.rpc import Calls
from chains.ethereum.provider import ReadOnlyProvider, reading_web3

#: decimals() and symbol() (EIP-20, both optional).
_ABI = [
    {"type": "function", "name": name, "stateMutability": "view", "inputs": [], "outputs": [{"type": kind, "name": ""}]}
    for name, kind in (("decimals", "uint8"), ("symbol", "string"))
]
#: Symbols are a few letters; some contracts return a page.
_SYMBOL_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class TokenFindings:
    """``mistakes``: what the configuration has to change. ``remarks``: what a person may want to know."""

    mistakes: tuple[str, ...]
    remarks: tuple[str, ...]


async def check_tokens(calls: Calls, contracts: Mapping[str, str], decimals: Mapping[str, int]) -> TokenFindings:
    """Compares decimals and symbol of each token with its contract.

    ``decimals``: as configured for this chain, by asset. Raises ChainError where the endpoint fails.
    """
    web3 = reading_web3(calls)
    checks = [_check(web3, asset, contract, decimals[asset]) for asset, contract in contracts.items()]
    found = await asyncio.gather(*checks)
    return TokenFindings(
        tuple(text for mistakes, _ in found for text in mistakes),
        tuple(text for _, remarks in found for text in remarks),
    )


async def _check(
    web3: AsyncWeb3[ReadOnlyProvider], asset: str, contract: str, expected: int
) -> tuple[list[str], list[str]]:
    address = ChecksumAddress(contract)  # type: ignore[arg-type]  # the settings have spelled it
    if not await web3.eth.get_code(address):
        return [f"{asset}: there is no contract at {contract} on this chain: correct tokens.{asset}.contract"], []
    functions = web3.eth.contract(address=address, abi=_ABI).functions
    try:
        decimals = await functions.decimals().call()
    except Web3Exception:
        # EIP-20 makes it optional: nothing to compare with.
        return [], [f"{asset}: its contract does not say its decimals, {expected} are configured"]
    if decimals != expected:
        remedy = f"write decimals: {decimals} under tokens.{asset}"
        return [f"{asset} has {decimals} decimals on chain and {expected} in the configuration: {remedy}"], []
    try:
        symbol = printable(await functions.symbol().call(), limit=_SYMBOL_CHARACTERS)
    except (Web3Exception, OverflowError, UnicodeDecodeError):
        # Optional as well, and 32 raw bytes in some old tokens.
        return [], []
    return [], [] if symbol == asset else [f"{asset}: its contract calls itself {symbol!r}"]
