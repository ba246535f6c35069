"""The Chain protocol: all that the monitor may ask of a chain. Nothing here signs or sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from chains.core.settings import ChainSettings
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

Observer = Callable[[str, str, float], None]


class Watch(Protocol):
    """The watched locators and open coins of one chain, indexed as the chain's reader wants them.

    Owned by the task that follows the chain; changed only after a commit.
    """

    def add(self, locators: Iterable[str]) -> None:
        """Watch more locators."""

    def add_coins(self, coins: Iterable[Coin]) -> None:
        """Watch more coins; a no-op on account chains."""

    def replace_coins(self, coins: Iterable[Coin]) -> None:
        """Forget all coins and watch these instead (after a rewind)."""

    def apply(self, block: Block) -> None:
        """Take over the coins that a committed block created and spent."""


class Chain(Protocol):
    """A read-only view of one public chain.

    Every method raises a ``ChainError`` (or ``AllEndpointsFailed``) instead of answering in part:
    a read is whole or it is an error.
    """

    @property
    def name(self) -> str:
        """The configured name."""

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets each locator is watched for: the native one first, then the tokens."""

    def watch(self, locators: Iterable[str], coins: Iterable[Coin]) -> Watch:
        """An index of these locators and coins for ``read``."""

    async def identify(self) -> tuple[EndpointIdentity, ...]:
        """Ask every endpoint which chain it serves; never raises for an endpoint's fault."""

    async def capabilities(self) -> Capabilities:
        """What the nodes can do (probed once, then remembered)."""

    async def heads(self) -> Heads:
        """The newest block and the newest final block."""

    async def header(self, height: int) -> BlockRef:
        """The canonical block at ``height``; BadAnswer where a node has none below its own head."""

    async def read(self, ref: BlockRef, watch: Watch) -> Block:
        """The block with exactly this hash and parent. Raises Reorganised where nodes no longer know it."""

    async def read_next(self, after: BlockRef, watch: Watch) -> Block | None:
        """The block on top of ``after``, read whole in as few round trips as the node allows.

        None where ``after`` is the head. Raises Reorganised where ``after`` is not canonical any more.
        """

    async def is_canonical(self, ref: BlockRef) -> bool:
        """Whether the block at ``ref.height`` still has ``ref.hash``."""

    async def holdings(self, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        """What every account held after block ``at``: total, or an error (HistoryUnavailable where pruned)."""

    async def open_at(self, locators: Sequence[str], at: BlockRef) -> Opening:
        """Holdings and coins of all assets of these locators after block ``at``."""

    async def last_block_before(self, time: int, final: BlockRef) -> BlockRef:
        """The newest block not above ``final`` whose own time is <= ``time`` (Unix seconds)."""

    async def wait(self, seconds: float) -> None:
        """Sleep until a new block is likely, ``seconds`` at most: a hint wakes it early, never instead of polling."""

    async def close(self) -> None:
        """Close every connection."""


class ChainKind(Protocol):
    """What a chain package exports as module attributes; the registry loads it by name."""

    Settings: type[ChainSettings]

    def parse_address(self, text: str, settings: BaseModel) -> str:
        """The canonical locator of an address of this network, offline. Raises AddressError."""

    def derive(self, descriptor: str, first: int, last: int, settings: BaseModel) -> tuple[str, ...]:
        """Locators first..last (inclusive) of an output descriptor, offline. Raises AddressError."""

    def connect(
        self, name: str, settings: BaseModel, decimals: dict[str, int], base: Path, observer: Observer | None
    ) -> Chain:
        """A chain on the configured endpoints; opens no connection yet.

        ``decimals``: of the assets by symbol; ``base``: the configuration's folder; ``observer`` is
        told of every HTTP exchange: endpoint name, outcome, seconds.
        """
