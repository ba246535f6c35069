"""An EVM chain as the monitor sees it: the Chain protocol over its endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.core.chain import Observer, Watch
from chains.core.errors import AllEndpointsFailed, BadAnswer, ChainError, HistoryUnavailable
from chains.core.hex import quantity
from chains.core.rpc import Calls, Rpc
from chains.core.values import (
    Account,
    Block,
    BlockRef,
    Capabilities,
    Coin,
    EndpointIdentity,
    Heads,
    Opening,
)
from chains.ethereum.balances import BalanceReader, BatchReader
from chains.ethereum.blocks import header_at, header_ref
from chains.ethereum.extract import Assets, Extractor
from chains.ethereum.hints import HeadHints
from chains.ethereum.nodes import Nodes, translate
from chains.ethereum.reader import BlockReader
from chains.ethereum.settings import Settings
from chains.ethereum.watch import AddressWatch

#: How often a chain is polled: well below the shortest time between blocks that a person could notice.
POLL_SECONDS = 1.0


class EvmChain:
    """One EVM chain on its endpoints. Values are in units of the assets, not of this chain's tokens."""

    def __init__(self, name: str, settings: Settings, decimals: Mapping[str, int], rpc: Rpc) -> None:
        """``decimals``: of the assets, by symbol. Raises ValueError where the chain counts finer than an asset."""
        scale = settings.scales(decimals)
        contracts = settings.tokens_by_asset()
        by_contract = {contract.lower(): asset for asset, contract in contracts.items()}
        self._name = name
        self._settings = settings
        self._contracts = contracts
        self._token_decimals = {asset: settings.token_decimals(asset, decimals) for asset in contracts}
        self._scale = scale
        self._rpc = rpc
        self._nodes = Nodes(rpc)
        extractor = Extractor(name, Assets(settings.native, by_contract, scale, settings.profiles()))
        self._reader = BlockReader(name, self._nodes, extractor, list(by_contract))
        self._balances: BalanceReader = BatchReader(settings.native, contracts, settings.profiles())
        hints = [endpoint.url for endpoint in settings.endpoints if endpoint.hint_only and endpoint.url is not None]
        self._hints = HeadHints(hints, poll_seconds=POLL_SECONDS)
        self._wrong: set[str] = set()
        self._capabilities: Capabilities | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def assets(self) -> tuple[str, ...]:
        return (self._settings.native, *self._contracts)

    def watch(self, locators: Iterable[str], coins: Iterable[Coin]) -> AddressWatch:
        return AddressWatch(locators)

    async def identify(self) -> tuple[EndpointIdentity, ...]:
        """Chain id and tokens of every endpoint. One of another chain is quarantined until it answers right again."""
        answers = await self._rpc.each(self._identity, also_quarantined=True)
        found = []
        for endpoint, answer in answers.items():
            state, detail = ("unreachable", str(answer)) if isinstance(answer, ChainError) else answer
            found.append(EndpointIdentity(endpoint, state, detail))
            if state == "wrong":
                self._wrong.add(endpoint)
                self._rpc.quarantine(endpoint, detail)
            elif state == "right" and endpoint in self._wrong:
                self._wrong.remove(endpoint)
                self._rpc.release(endpoint)
        return tuple(found)

    async def _identity(self, one: Calls) -> tuple[str, str]:
        served = await one.call("eth_chainId", check=lambda answer: quantity(answer, "eth_chainId"))
        if served != self._settings.chain_id:
            return "wrong", f"serves chain id {served}, {self._settings.chain_id} is configured"
        if not self._contracts:
            return "right", f"chain id {served}"
        from chains.ethereum.tokens import check_tokens  # noqa: PLC0415  web3 takes two seconds: only where tokens are

        tokens = await check_tokens(one, self._contracts, self._token_decimals)
        if tokens.mistakes:
            return "wrong", "; ".join(tokens.mistakes)
        return "right", "; ".join((f"chain id {served}", *tokens.remarks))

    async def capabilities(self) -> Capabilities:
        if self._capabilities is None:
            self._capabilities = await self._probe()
        return self._capabilities

    async def _probe(self) -> Capabilities:
        answers = await self._rpc.each(self._reader.probe)
        given = {name: answer for name, answer in answers.items() if not isinstance(answer, ChainError)}
        if not given:
            failures = [answer for answer in answers.values() if isinstance(answer, ChainError)]
            raise AllEndpointsFailed("no endpoint said what it can do", failures)
        limits = []
        for name, (offers, whole_history) in given.items():
            if not offers.receipts:
                limits.append(f"{name} has no eth_getBlockReceipts: token transfers come from eth_getLogs instead")
            if not offers.traces:
                limits.append(f"{name} traces no internal transfers: the residual catches them")
            if not whole_history:
                limits.append(f"{name} keeps the state of recent blocks only: older balances cannot be read from it")
        methods = {offers.traces for offers, _ in given.values()}
        return Capabilities(
            history="archive" if any(whole for _, whole in given.values()) else "recent",
            traces=next((m for m in ("debug_traceBlockByHash", "trace_block") if m in methods), "none"),
            limits=tuple(limits),
        )

    async def heads(self) -> Heads:
        return await self._nodes.anywhere(self._heads)

    async def _heads(self, one: Calls) -> Heads:
        finality = self._settings.finality
        if isinstance(finality, int):
            seen = await one.call(
                "eth_getBlockByNumber", ["latest", False], check=lambda raw: header_ref(self._name, raw)
            )
            height = max(0, seen.height - finality)
            final = seen if height == seen.height else await self._header(one, height)
            return Heads(seen, final)

        def check(answers: list[Any]) -> Heads:
            if answers[1] is None:
                raise BadAnswer(f"knows no {finality} block: it is syncing, or write finality as a number of blocks")
            heads = Heads(header_ref(self._name, answers[0]), header_ref(self._name, answers[1]))
            if heads.final.height > heads.seen.height:
                raise BadAnswer(f"has its {finality} block above its head")
            return heads

        tags = ("latest", finality)
        heads: Heads = await one.batch([("eth_getBlockByNumber", [tag, False]) for tag in tags], check=check)
        return heads

    async def header(self, height: int) -> BlockRef:
        return await self._header(self._rpc, height)

    async def _header(self, calls: Calls, height: int) -> BlockRef:
        if height < 0:
            raise ValueError(f"a height must not be negative: {height}")
        return await calls.call(
            "eth_getBlockByNumber", [hex(height), False], check=lambda raw: header_at(self._name, raw, height)
        )

    async def read(self, ref: BlockRef, watch: Watch) -> Block:
        return await self._reader.read(ref, self._own(watch))

    async def read_next(self, after: BlockRef, watch: Watch) -> Block | None:
        return await self._reader.read_next(after, self._own(watch))

    def _own(self, watch: Watch) -> AddressWatch:
        if not isinstance(watch, AddressWatch):
            raise TypeError(f"{self._name}: the watch must come from this chain's watch()")
        return watch

    async def is_canonical(self, ref: BlockRef) -> bool:
        return (await self.header(ref.height)).hash == ref.hash

    async def holdings(self, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        foreign = [a for a in accounts if a.chain != self._name or a.asset not in self._scale]
        if foreign:
            raise ValueError(f"{self._name} does not hold {foreign[0].asset} of chain {foreign[0].chain}")
        held = await self._nodes.anywhere(lambda one: self._balances.read(one, accounts, at))
        return {account: units * self._scale[account.asset] for account, units in held.items()}

    async def open_at(self, locators: Sequence[str], at: BlockRef) -> Opening:
        accounts = [Account(self._name, locator, asset) for locator in locators for asset in self.assets]
        return Opening(at, await self.holdings(accounts, at))

    async def last_block_before(self, time: int, final: BlockRef) -> BlockRef:
        """By halving: an EVM block is never earlier than its parent. HistoryUnavailable before the first block."""
        if final.time <= time:
            return final
        # Invariant: `low` is early enough, the block at `high` is too late.
        low, high = await self.header(0), final.height
        if low.time > time:
            raise HistoryUnavailable(f"{self._name} began at {low.time}, after {time}")
        while high - low.height > 1:
            middle = await self.header((low.height + high) // 2)
            if middle.time <= time:
                low = middle
            else:
                high = middle.height
        return low

    async def wait(self, seconds: float) -> None:
        await self._hints.wait(seconds)

    async def close(self) -> None:
        await self._hints.close()
        await self._rpc.close()


def open_chain(
    name: str, settings: Settings, decimals: Mapping[str, int], base: Path, observer: Observer | None = None
) -> EvmChain:
    """A chain on the configured endpoints; secrets are read and connections opened by the first call."""
    return EvmChain(name, settings, decimals, Rpc(settings.endpoints, base, translate=translate, observer=observer))
