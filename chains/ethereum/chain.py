"""An EVM chain as the monitor sees it: the Chain protocol over its endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from chains.core.chain import Observer, Watch
from chains.core.errors import AllEndpointsFailed, ChainError, HistoryUnavailable
from chains.core.hex import quantity
from chains.core.ownership import ProofKind, Shown
from chains.core.quorum import Lie, Panel
from chains.core.rpc import Calls, Rpc
from chains.core.testimony import Testimony
from chains.core.values import (
    Account,
    Block,
    BlockRef,
    Capabilities,
    Coin,
    EndpointIdentity,
    Fault,
    Heads,
    Holdings,
    Opening,
    Witness,
)
from chains.ethereum.accounts import Accounts
from chains.ethereum.balances import BatchReader
from chains.ethereum.body import RECOVERS_FAST
from chains.ethereum.contracts import ContractReader
from chains.ethereum.control import ControlReader
from chains.ethereum.extract import Assets, Extractor
from chains.ethereum.headers import Headers
from chains.ethereum.hints import HeadHints, Messages, subscribed
from chains.ethereum.locate import locate
from chains.ethereum.nodes import Nodes, translate
from chains.ethereum.proofs import Prover
from chains.ethereum.reader import BlockReader
from chains.ethereum.settings import Settings
from chains.ethereum.testimony import Testifier
from chains.ethereum.watch import AddressWatch

#: How often a chain is polled: well below the shortest time between blocks that a person could notice.
POLL_SECONDS = 1.0


class EvmChain:
    """One EVM chain on its endpoints. Values are in units of the assets, not of this chain's tokens."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        decimals: Mapping[str, int],
        rpc: Rpc,
        hints: Sequence[Callable[[], Messages]] = (),
    ) -> None:
        """``decimals``: of the assets, by symbol; ``hints``: what opens each WebSocket endpoint (``HeadHints``).

        Raises ValueError where the chain counts finer than an asset.
        """
        scale = settings.scales(decimals)
        contracts = settings.tokens_by_asset()
        by_contract = {contract.lower(): asset for asset, contract in contracts.items()}
        self._name = name
        self._settings = settings
        self._contracts = contracts
        self._token_decimals = {asset: settings.token_decimals(asset, decimals) for asset in contracts}
        self._scale = scale
        self._rpc = rpc
        self._full = settings.verify == "full"
        self._panel = Panel(name, rpc, settings.needed_quorum())
        self._nodes = Nodes(self._panel)
        self._headers = Headers(self._panel, full=self._full)
        self._prover = Prover(settings.native, contracts)
        balances = BatchReader(settings.native, contracts, settings.profiles())
        self._accounts = Accounts(
            self._panel, self._nodes, self._headers, balances, self._prover, settings.native, settings.finality
        )
        self._testifier = Testifier(self._panel, self._nodes, self._headers, self._accounts, self._prover, settings)
        extractor = Extractor(name, Assets(settings.native, by_contract, scale, settings.profiles()))
        self._reader = BlockReader(
            self._panel,
            self._nodes,
            self._headers,
            extractor,
            list(by_contract),
            self._accounts.sequences,
            chain_id=settings.chain_id,
            full=self._full,
        )
        self._hints = HeadHints(hints, poll_seconds=POLL_SECONDS)
        self._control = ControlReader(self._panel, settings.chain_id)
        self._contract_reader = ContractReader(self._panel, contracts)
        self._right: set[str] = set()
        self._wrong: dict[str, str] = {}
        self._capabilities: Capabilities | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def account_based(self) -> bool:
        return True

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
            self._judge(endpoint, state, detail)
        return tuple(found)

    def _judge(self, endpoint: str, state: str, detail: str) -> None:
        reason = self._rpc.quarantined.get(endpoint)
        if state == "wrong" and reason is None:
            if endpoint in self._right:
                self._panel.condemn(endpoint, Lie("chain_id", detail, {"asked": "eth_chainId", "answered": detail}))
            else:
                self._wrong[endpoint] = detail
                self._rpc.quarantine(endpoint, detail)
        elif state == "right":
            self._right.add(endpoint)
            self._panel.release(endpoint, "chain_id")
            # Released is only who was in quarantine for just that.
            if reason is not None and reason == self._wrong.pop(endpoint, None):
                self._rpc.release(endpoint)

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
        limits = [] if self._full else ["verify: hashes: headers and blocks are not computed again"]
        if self._full and not RECOVERS_FAST:
            limits.append("senders are not recovered from signatures: install coincurve")
        for name, (offers, whole_history, proofs) in given.items():
            if not offers.receipts:
                limits.append(f"{name} has no eth_getBlockReceipts: token transfers come from eth_getLogs instead")
            if not offers.traces:
                limits.append(f"{name} traces no internal transfers: the residual catches them")
            if not whole_history:
                limits.append(f"{name} keeps the state of recent blocks only: older balances cannot be read from it")
            if not proofs:
                limits.append(f"{name} has no eth_getProof: it cannot prove what accounts hold")
        methods = {offers.traces for offers, _, _ in given.values()}
        return Capabilities(
            history="archive" if any(whole for _, whole, _ in given.values()) else "recent",
            traces=next((m for m in ("debug_traceBlockByHash", "trace_block") if m in methods), "none"),
            limits=tuple(limits),
        )

    async def heads(self) -> Heads:
        return await self._headers.heads(self._settings.finality)

    async def header(self, height: int) -> BlockRef:
        return await self._headers.at(height)

    async def read(self, ref: BlockRef, watch: Watch) -> Block:
        return await self._reader.read(ref, self._own(watch))

    async def read_next(self, after: BlockRef, watch: Watch) -> Block | None:
        return await self._reader.read_next(after, self._own(watch))

    def _own(self, watch: Watch) -> AddressWatch:
        if not isinstance(watch, AddressWatch):
            raise TypeError(f"{self._name}: the watch must come from this chain's watch()")
        return watch

    async def is_canonical(self, ref: BlockRef) -> bool:
        return await self._headers.canonical(ref)

    async def holdings(self, accounts: Sequence[Account], at: BlockRef) -> Holdings:
        """What every account held after block ``at``, and which endpoints said so."""
        self._check_ours(accounts)
        held, endpoints = await self._accounts.holdings(accounts, at)
        return Holdings(at, self._scaled(held), endpoints)

    async def prove(self, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        self._check_ours(accounts)
        names, proved = await self._accounts.prove(accounts, at)
        await self._reader.audit(at, [name for name in names if name not in self._rpc.quarantined])
        return self._scaled(proved)

    async def testify(self, accounts: Sequence[Account], at: BlockRef) -> Testimony:
        self._check_ours(accounts)
        return await self._testifier.testify(accounts, at, self._scale)

    def _check_ours(self, accounts: Sequence[Account]) -> None:
        foreign = [a for a in accounts if a.chain != self._name or a.asset not in self._scale]
        if foreign:
            raise ValueError(f"{self._name} does not hold {foreign[0].asset} of chain {foreign[0].chain}")

    def _scaled(self, held: Mapping[Account, int]) -> dict[Account, int]:
        return {account: units * self._scale[account.asset] for account, units in held.items()}

    async def contract_states(self, at: BlockRef) -> Mapping[str, Mapping[str, str]]:
        return await self._contract_reader.states(at)

    async def show_control(self, kind: ProofKind, locator: str, message: bytes, proof: str, at: BlockRef) -> Shown:
        return await self._control.show(kind, locator, message, proof, at)

    async def sequences(self, locators: Sequence[str], at: BlockRef) -> dict[str, int]:
        return dict(await self._accounts.sequences(locators, at))

    async def locate(self, account: Account, at: BlockRef) -> tuple[str, ...]:
        self._check_ours([account])
        contract = self._contracts.get(account.asset)
        if contract is None:
            return await locate(self._nodes, at, account.locator.lower(), None, token=False)
        layout = self._prover.layout(account.asset)
        slot = None if layout is None else layout.slot(account.locator)
        return await locate(self._nodes, at, contract.lower(), slot, token=True)

    async def witnesses(self, after: BlockRef, watch: Watch) -> tuple[Witness, ...]:
        return await self._reader.witnesses(after, self._own(watch))

    def faults(self) -> tuple[Fault, ...]:
        return self._panel.faults()

    def quarantined(self) -> Mapping[str, str]:
        return self._rpc.quarantined

    async def open_at(self, locators: Sequence[str], at: BlockRef) -> Opening:
        accounts = [Account(self._name, locator, asset) for locator in locators for asset in self.assets]
        held, counted = await asyncio.gather(self.holdings(accounts, at), self.sequences(locators, at))
        return Opening(at, held.units, sequences=counted)

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
    rpc = Rpc(settings.endpoints, base, translate=translate, observer=observer)
    hints = [partial(subscribed, endpoint, base) for endpoint in settings.endpoints if endpoint.hint_only]
    return EvmChain(name, settings, decimals, rpc, hints)
