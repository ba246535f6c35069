"""The Bitcoin chain as ``chains.core.chain.Chain``: blocks by hash, holdings by scan, read-only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from chains.bitcoin import node
from chains.bitcoin.addresses import script_of
from chains.bitcoin.blocks import check_merkle_root, parse_header
from chains.bitcoin.hints import BlockHint
from chains.bitcoin.networks import NETWORKS, Network
from chains.bitcoin.opening import NO_PREVOUTS, coins_after
from chains.bitcoin.settings import Settings
from chains.bitcoin.transactions import transactions_of
from chains.bitcoin.walker import walk
from chains.bitcoin.watch import CoinWatch
from chains.core.chain import Observer, Watch
from chains.core.errors import AllEndpointsFailed, BadAnswer, ChainError, NodeError, Reorganised, Unreachable
from chains.core.rpc import Calls, Rpc
from chains.core.values import Account, Block, BlockRef, Capabilities, Coin, EndpointIdentity, Heads, Opening

T = TypeVar("T")


#: How far back a block with a payment is looked for to see whether the node gives prevouts.
PROBED_BLOCKS = 10


def open_chain(
    name: str, settings: Settings, decimals: dict[str, int], base: Path, observer: Observer | None = None
) -> BitcoinChain:
    """The chain of a configuration; opens no connection yet. Raises ValueError for an asset without 8 decimals."""
    settings.scales(decimals)
    return BitcoinChain(name, settings, Rpc(settings.endpoints, base, translate=node.translate, observer=observer))


class BitcoinChain:
    """A read-only view of one Bitcoin network; see ``chains.core.chain.Chain`` for what each method promises."""

    def __init__(self, name: str, settings: Settings, rpc: Rpc) -> None:
        self.rpc = rpc
        self._name = name
        self._asset = settings.native
        self._network: Network = settings.parameters()
        self._finality = settings.finality
        self._hint = BlockHint(settings.zmq)
        self._heads: Heads | None = None
        self._capabilities: Capabilities | None = None
        self._preferred = 0

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @property
    def assets(self) -> tuple[str, ...]:
        """Bitcoin has one asset."""
        return (self._asset,)

    def watch(self, locators: Iterable[str], coins: Iterable[Coin]) -> CoinWatch:
        """An index of these locators and coins. Raises AddressError for a locator of another network."""
        return CoinWatch(self._network, locators, coins)

    async def identify(self) -> tuple[EndpointIdentity, ...]:
        """The genesis block of every endpoint beside that of the network (CAIP-2)."""
        answers = await self.rpc.ask_each("getblockhash", [0], check=str, also_quarantined=True)
        return tuple(self._identity(endpoint, answer) for endpoint, answer in answers.items())

    def _identity(self, endpoint: str, answer: str | ChainError) -> EndpointIdentity:
        if isinstance(answer, NodeError) and answer.code == node.RPC_METHOD_NOT_FOUND:
            return EndpointIdentity(endpoint, "wrong", f"is no Bitcoin node: {answer}")
        if isinstance(answer, ChainError):
            return EndpointIdentity(endpoint, "unreachable", str(answer))
        if answer == self._network.genesis:
            return EndpointIdentity(endpoint, "right", self._network.caip2)
        other = {network.genesis: network.name for network in NETWORKS.values()}.get(answer)
        served = f"Bitcoin {other}" if other else f"a chain with genesis block {answer[:64]}"
        return EndpointIdentity(endpoint, "wrong", f"serves {served}, not Bitcoin {self._network.name}")

    async def capabilities(self) -> Capabilities:
        """History depends on pruning and prevouts; what a block moved is always complete."""
        if self._capabilities is None:
            self._capabilities = await self._agreed("capabilities", self._probe)
        return self._capabilities

    async def _probe(self, calls: Calls) -> Capabilities:
        lowest = await calls.call("getblockchaininfo", check=_lowest_block)
        limits = []
        history = "any block from the head down, by a scan of the UTXO set and blocks undone"
        if lowest:
            history = f"blocks from {lowest} on, by a scan of the UTXO set and blocks undone"
            limits.append(f"the node is pruned: it has no blocks below {lowest}")
        if not await _gives_prevouts(calls):
            history = "the head only"
            limits.append(NO_PREVOUTS)
        if self._hint.trouble:
            limits.append(self._hint.trouble)
        return Capabilities(history, "every input and output of every transaction", tuple(limits))

    async def heads(self) -> Heads:
        """The head, and the newest block with the configured number of confirmations."""
        known = self._heads
        self._heads = await self._agreed("heads", lambda calls: node.heads(calls, self._name, self._finality, known))
        return self._heads

    async def header(self, height: int) -> BlockRef:
        """The canonical block at ``height``. Raises HistoryUnavailable above the head."""
        return await self._agreed(f"block {height}", lambda calls: node.header_at(calls, self._name, height))

    async def is_canonical(self, ref: BlockRef) -> bool:
        """Whether the block at ``ref.height`` still has ``ref.hash``."""
        return await self._agreed(f"block {ref.height}", lambda calls: node.is_canonical(calls, ref))

    async def read(self, ref: BlockRef, watch: Watch) -> Block:
        """The block with exactly this hash. Raises Reorganised where no endpoint knows it any more."""
        try:
            return await self._agreed(
                f"block {ref.height}", lambda calls: self._block(calls, ref.hash, ref.height, ref.parent, watch)
            )
        except AllEndpointsFailed as failed:
            if all(isinstance(error, node.UnknownBlock) for error in failed.exceptions):
                raise Reorganised(f"no endpoint of {self._name} knows block {ref.height} {ref.hash}") from failed
            raise

    async def read_next(self, after: BlockRef, watch: Watch) -> Block | None:
        """The block on top of ``after`` in two round trips; None where ``after`` is the head."""

        async def ask(calls: Calls) -> Block | None:
            here, above = await node.hashes_at(calls, [after.height, after.height + 1])
            if here != after.hash:
                await node.check_canonical(calls, after)
                raise BadAnswer(f"block {after.height} changed while it was read")
            if above is None:
                return None
            return await self._block(calls, above, after.height + 1, after.hash, watch)

        return await self._agreed(f"block after {after.height}", ask)

    async def _block(self, calls: Calls, block_hash: str, height: int, parent: str, watch: Watch) -> Block:
        """One raw block: its hash, parent and merkle root checked, then searched."""
        if not isinstance(watch, CoinWatch):
            raise TypeError("a Bitcoin block is read with the watch that this chain made")

        def check(value: str) -> Block:
            raw = bytes.fromhex(value)
            found = parse_header(raw)
            if found.hash != block_hash or found.parent != parent:
                raise BadAnswer(f"asked for block {block_hash} on {parent}, got {found.hash} on {found.parent}")
            walked = walk(raw, watch.scripts, watch.coins)
            check_merkle_root(raw, walked.spans, found.root)
            transactions = transactions_of(raw, walked, watch, self._name, self._asset, self._network)
            return Block(BlockRef(self._name, height, found.hash, found.parent, found.time), transactions)

        return await calls.call("getblock", [block_hash, 0], check=check)

    async def holdings(self, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        """What every account held after block ``at``; see ``open_at``."""
        for account in accounts:
            if account.chain != self._name or account.asset != self._asset:
                raise ValueError(f"{account} is no account of {self._name}, which has {self._asset}")
        opening = await self.open_at([account.locator for account in accounts], at)
        return {account: opening.holdings[account] for account in accounts}

    async def open_at(self, locators: Sequence[str], at: BlockRef) -> Opening:
        """Coins and holdings after block ``at``: the UTXO set scanned at the head, blocks above ``at`` undone.

        After the genesis block everything is empty without asking. On mainnet a scan takes minutes.
        """
        scripts = {script_of(locator, self._network).hex(): locator for locator in locators}
        coins = await self._agreed(
            f"holdings at block {at.height}", lambda calls: coins_after(calls, scripts, at, self._asset)
        )
        held = dict.fromkeys(scripts.values(), 0)
        for coin in coins:
            held[coin.locator] += coin.units
        accounts = {Account(self._name, locator, self._asset): units for locator, units in held.items()}
        return Opening(at, accounts, coins)

    async def last_block_before(self, time: int, final: BlockRef) -> BlockRef:
        """The newest block not above ``final`` whose own time is <= ``time``."""
        return await self._agreed(
            f"block before {time}", lambda calls: node.last_block_before(calls, self._name, time, final)
        )

    async def wait(self, seconds: float) -> None:
        """Sleep until a block is announced, ``seconds`` and one second at most."""
        await self._hint.wait(seconds)

    async def close(self) -> None:
        """Close every connection."""
        await self._hint.close()
        await self.rpc.close()

    async def _agreed(self, label: str, ask: Callable[[Calls], Awaitable[T]]) -> T:
        """A series of calls answered by one endpoint; where it fails, the series is begun anew with the next one.

        The endpoint that answered last is asked first.
        """
        names = self.rpc.names
        failures: list[ChainError] = []
        for step in range(len(names)):
            place = (self._preferred + step) % len(names)
            try:
                answer = await ask(self.rpc.on(names[place]))
            except (Unreachable, BadAnswer, NodeError) as error:
                failures.append(error)
                continue
            self._preferred = place
            return answer
        raise AllEndpointsFailed(f"{self._name}: {label}: every endpoint failed", failures)


def _lowest_block(info: dict[str, Any]) -> int:
    """The lowest block that a node still has, of its getblockchaininfo: 0 where it is not pruned."""
    return int(info["pruneheight"]) if info["pruned"] else 0


async def _gives_prevouts(calls: Calls) -> bool:
    """Whether getblock with verbosity 3 names what inputs spend; a chain without payments is asked by its help text."""

    def probe(block: dict[str, Any]) -> tuple[bool | None, str | None]:
        payments = block["tx"][1:]
        return "prevout" in payments[0]["vin"][0] if payments else None, block.get("previousblockhash")

    block_hash: str | None = await calls.call("getbestblockhash", check=str)
    for _ in range(PROBED_BLOCKS):
        if block_hash is None:
            break
        gives, block_hash = await calls.call("getblock", [block_hash, 3], check=probe)
        if gives is not None:
            return gives
    return "prevout" in await calls.call("help", ["getblock"], check=str)
