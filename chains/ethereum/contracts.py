"""What stands behind a token's address: its code, what it points to, and its decimals, after one block, by quorum.

A proxy's own code never changes; where it points is in the storage slots of EIP-1967, and of older proxies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.core.errors import NodeError
from chains.core.hex import data_bytes
from chains.core.quorum import Panel
from chains.core.rpc import Calls, Request
from chains.core.values import BlockRef
from chains.ethereum.nodes import explain
from chains.ethereum.verify.hashing import keccak

#: name -> storage slot: EIP-1967, EIP-1822 and the proxies of ZeppelinOS
SLOTS = {
    "implementation": "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc",
    "admin": "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103",
    "beacon": "0xa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50",
    "proxiable": "0xc5f16f0fcc639fa48a6947836d9850f504798523bf8c9a3a87d5876cf622bcf7",
    "zos_implementation": "0x7050c9e0f4ca769c69bd3a8ef740bc37934f8e2c036e5a723fd8ee048ed3f8c3",
}
_DECIMALS = "0x313ce567"
#: the answer of a contract without that function
_NONE = "none"


class ContractReader:
    """Asks one chain's endpoints about its tokens. ``contracts``: by asset."""

    def __init__(self, panel: Panel, contracts: Mapping[str, str]) -> None:
        self._panel = panel
        self._contracts = dict(contracts)

    async def states(self, at: BlockRef) -> dict[str, dict[str, str]]:
        """By asset: ``code`` (keccak-256), each of SLOTS (32 bytes in hex), ``decimals``. All, or an error."""
        return {asset: await self._state(asset, contract, at) for asset, contract in self._contracts.items()}

    async def _state(self, asset: str, contract: str, at: BlockRef) -> dict[str, str]:
        block = {"blockHash": at.hash, "requireCanonical": True}
        asked: list[Request] = [
            ("eth_getCode", [contract, block]),
            *(("eth_getStorageAt", [contract, slot, block]) for slot in SLOTS.values()),
            ("eth_call", [{"to": contract, "data": _DECIMALS}, block]),
        ]
        what = f"the contract of {asset}"

        async def ask(one: Calls) -> tuple[str, ...]:
            *storage, decimals = await one.batch(asked, keep_errors=True)
            found = [data_bytes(await _sound(one, answer, at), what) for answer in storage]
            return (keccak(found[0]).hex(), *(each.hex() for each in found[1:]), await _decimals(one, decimals, at))

        vote = await self._panel.agree(ask, " ".join, f"{what} after block {at.height} {at.hash}")
        return dict(zip(("code", *SLOTS, "decimals"), vote.value, strict=True))


async def _sound(one: Calls, answer: Any, at: BlockRef) -> Any:
    if isinstance(answer, NodeError):
        raise await explain(one, answer, at) from answer
    return answer


async def _decimals(one: Calls, answer: Any, at: BlockRef) -> str:
    """As the contract says; "none" where it refuses, which EIP-20 allows."""
    if isinstance(answer, NodeError):
        why = await explain(one, answer, at)
        if why is not answer:
            raise why from answer
        return _NONE
    raw = data_bytes(answer, "decimals")
    return str(int.from_bytes(raw, "big")) if len(raw) == 32 else _NONE
