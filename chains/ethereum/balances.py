"""Balances of many accounts after one block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from chains.core.errors import BadAnswer, NodeError
from chains.core.hex import data, quantity
from chains.core.rpc import Calls
from chains.core.values import Account, BlockRef
from chains.ethereum.nodes import explain
from chains.ethereum.profiles import Profile, question

#: Bounds the memory of one read; each part is split further into the batches that the client sends.
_PART = 50_000


class BalanceReader(Protocol):
    """A way to read balances from one endpoint."""

    async def read(self, one: Calls, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        """What every account held after block ``at``, in units of this chain: all of them, or an error.

        Raises HistoryUnavailable where the node dropped that state, Reorganised where the block left
        the chain, BadAnswer, and as Calls does.
        """


class BatchReader:
    """Raw JSON-RPC batches of eth_getBalance and balanceOf or sharesOf, each pinned to the block's hash (EIP-1898).

    ``native``: the native asset. ``contracts``: by token. ``profiles``: of the tokens that are not plain.
    """

    def __init__(
        self, native: str, contracts: Mapping[str, str], profiles: Mapping[str, Profile] = MappingProxyType({})
    ) -> None:
        self._native = native
        self._contracts = contracts
        self._questions = {asset: question(profiles.get(asset, "plain")) for asset in contracts}

    async def read(self, one: Calls, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        held: dict[Account, int] = {}
        for first in range(0, len(accounts), _PART):
            part = accounts[first : first + _PART]
            held.update(zip(part, await self._part(one, part, at), strict=True))
        return held

    async def _part(self, one: Calls, accounts: Sequence[Account], at: BlockRef) -> list[int]:
        block = {"blockHash": at.hash, "requireCanonical": True}
        calls = [self._call(account, block) for account in accounts]

        def check(answers: list[Any]) -> list[int]:
            return [self._units(account, answer) for account, answer in zip(accounts, answers, strict=True)]

        try:
            units: list[int] = await one.batch(calls, check=check)
        except NodeError as error:
            raise await explain(one, error, at) from error
        return units

    def _call(self, account: Account, block: dict[str, Any]) -> tuple[str, list[Any]]:
        if account.asset == self._native:
            return "eth_getBalance", [account.locator, block]
        call = {"to": self._contracts[account.asset], "data": self._questions[account.asset].call + account.locator[2:]}
        return "eth_call", [call, block]

    def _units(self, account: Account, answer: Any) -> int:
        if account.asset == self._native:
            return quantity(answer, f"the balance of {account.locator}")
        name = self._questions[account.asset].name
        if answer == "0x":
            contract = self._contracts[account.asset]
            raise BadAnswer(f"{account.asset}: there is no token at {contract}: {name} gave nothing")
        return int(data(answer, f"{name}({account.locator}) of {account.asset}", 32), 16)
