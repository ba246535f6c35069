"""The Chain protocol: all that the monitor may ask of a chain. Nothing here signs or sends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from chains.core.ownership import ProofKind, Shown
from chains.core.settings import ChainSettings
from chains.core.testimony import Rechecked, Testimony
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
    def account_based(self) -> bool:
        """Whether balances and counters of single accounts can be read at every block (not so on UTXO chains)."""

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
        """The block on top of ``after`` that a quorum of endpoints agrees on, read whole and re-computed.

        None where a quorum has nothing above ``after`` yet. Raises Reorganised where a quorum says that
        ``after`` is not canonical any more, QuorumLost and Disagreement where there is no quorum.
        """

    async def is_canonical(self, ref: BlockRef) -> bool:
        """Whether the block at ``ref.height`` still has ``ref.hash``."""

    async def holdings(self, accounts: Sequence[Account], at: BlockRef) -> Holdings:
        """What every account held after block ``at``, by quorum: total, or an error (HistoryUnavailable if pruned)."""

    async def prove(self, accounts: Sequence[Account], at: BlockRef) -> dict[Account, int]:
        """Units of those accounts whose holding after block ``at`` could be proved, against a header agreed by quorum.

        EVM: eth_getProof (EIP-1186) against the state root. Bitcoin: the UTXO set of an endpoint marked
        ``own`` on headers with re-checked proof of work. What cannot be proved is left out.
        """

    async def testify(self, accounts: Sequence[Account], at: BlockRef) -> Testimony:
        """What nodes answer and prove of these accounts after block ``at``, kept so that ``recheck`` can read it later.

        Every endpoint is asked, and a quorum must say the same. For once a day: it reads more than ``holdings``
        and ``prove`` together, and 100,000 accounts are some 300 MB of proofs on mainnet. Raises as they do.
        """

    async def sequences(self, locators: Sequence[str], at: BlockRef) -> dict[str, int]:
        """The chain's own counter of each locator after block ``at`` (EVM: the nonce); empty on UTXO chains."""

    async def locate(self, account: Account, at: BlockRef) -> tuple[str, ...]:
        """Transactions of block ``at`` that changed this account, where a node can trace; empty where none can."""

    async def witnesses(self, after: BlockRef, watch: Watch) -> tuple[Witness, ...]:
        """Blocks on top of ``after`` that too few endpoints showed at the last ``read_next``, each at most once."""

    def faults(self) -> tuple[Fault, ...]:
        """The endpoints' faults found since the last call."""

    def quarantined(self) -> Mapping[str, str]:
        """Endpoints that are not asked any more, and why."""

    async def open_at(self, locators: Sequence[str], at: BlockRef) -> Opening:
        """Holdings and coins of all assets of these locators after block ``at``."""

    async def last_block_before(self, time: int, final: BlockRef) -> BlockRef:
        """The newest block not above ``final`` whose own time is <= ``time`` (Unix seconds)."""

    async def wait(self, seconds: float) -> None:
        """Sleep until a new block is likely, ``seconds`` at most: a hint wakes it early, never instead of polling."""

    async def close(self) -> None:
        """Close every connection."""


@runtime_checkable
class ShowsControl(Protocol):
    """A chain that can be asked about control of an address, for the kinds of proof that need a node."""

    async def show_control(self, kind: ProofKind, locator: str, message: bytes, proof: str, at: BlockRef) -> Shown:
        """What ``proof`` over ``message`` shows after the final block ``at``, by quorum.

        Takes every kind of the chain; one that needs no node may say more here (EVM: the code at the address).
        Raises BadProof where it shows nothing, ChainError where that cannot be determined now.
        """


@runtime_checkable
class HasContracts(Protocol):
    """A chain on which an asset is a contract, which somebody may be able to exchange for another."""

    async def contract_states(self, at: BlockRef) -> Mapping[str, Mapping[str, str]]:
        """By asset and what is looked at (code, implementation, decimals …): a value after block ``at``, by quorum."""


class ChainKind(Protocol):
    """What a chain package exports as module attributes; the registry loads it by name."""

    Settings: type[ChainSettings]

    def parse_address(self, text: str, settings: BaseModel) -> str:
        """The canonical locator of an address of this network, offline. Raises AddressError."""

    def derive(self, descriptor: str, first: int, last: int, settings: BaseModel) -> tuple[str, ...]:
        """Locators first..last (inclusive) of an output descriptor, offline. Raises AddressError."""

    def verify_offline(self, kind: ProofKind, locator: str, message: bytes, proof: str, settings: BaseModel) -> Shown:
        """What a proof of control that needs no node shows. Raises BadProof, and nothing else, for bad input."""

    def connect(
        self, name: str, settings: BaseModel, decimals: dict[str, int], base: Path, observer: Observer | None
    ) -> Chain:
        """A chain on the configured endpoints; opens no connection yet.

        ``decimals``: of the assets by symbol; ``base``: the configuration's folder; ``observer`` is
        told of every HTTP exchange: endpoint name, outcome, seconds.
        """

    def recheck(
        self,
        chain: str,
        lines: Iterable[Mapping[str, Any]],
        settings: BaseModel,
        decimals: Mapping[str, int] | None = None,
    ) -> Rechecked:
        """What the lines of a testimony of ``chain`` show, offline: every hash, proof and sum is computed again.

        ``settings``: of the chain, by which tokens and endpoints are known; ``decimals``: of the assets by
        symbol, where they are known (without them the lines' own word on units is taken). Raises
        BadTestimony, with the number of the line, for whatever is not as it must be.

        Offline this shows consistency. That the block is on the chain shows only a node: ``auditor.look``.
        """
