"""Values that every chain speaks in: frozen, exact, and named as CAIP-2, CAIP-10 and CAIP-19 name them.

``chain`` is always the configured name ("ethereum"), ``asset`` the configured symbol ("USDT").
Units are whole base units of the asset as the books count it: where a token has fewer decimals
on one chain than the asset has, the chain package has already multiplied by the exact power of ten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Amount:
    """Whole base units of one asset. Refuses bool and float; there is no arithmetic across assets."""

    asset: str
    units: int

    def __post_init__(self) -> None:
        if type(self.units) is not int:
            raise TypeError(f"units of {self.asset} must be an int, not {type(self.units).__name__}")

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.asset, self.units + self._same(other).units)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.asset, self.units - self._same(other).units)

    def _same(self, other: Amount) -> Amount:
        if not isinstance(other, Amount):
            raise TypeError(f"{self.asset}: only an Amount can be added or subtracted")
        if other.asset != self.asset:
            raise ValueError(f"{self.asset} and {other.asset} cannot be added or subtracted")
        return other


@dataclass(frozen=True, slots=True)
class BlockRef:
    """One block. ``hash`` and ``parent`` are lower-case hex as the chain prints them; ``time`` is Unix seconds."""

    chain: str
    height: int
    hash: str
    parent: str
    time: int


@dataclass(frozen=True, slots=True)
class Account:
    """What a balance is asked for: a locator (canonical address or ``script:<hex>``) and an asset on a chain."""

    chain: str
    locator: str
    asset: str


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent output of ours on a UTXO chain. ``id`` is ``<txid>:<vout>``."""

    id: str
    locator: str
    asset: str
    units: int


@dataclass(frozen=True, slots=True)
class Movement:
    """What changed in one account. ``index`` numbers the movements of one transaction from 0.

    ``coin`` is the id of the coin created (delta > 0) or spent (delta < 0), "" on account chains.
    """

    txid: str
    index: int
    account: Account
    delta: int
    coin: str = ""


class TransactionKind(StrEnum):
    """A transaction, or what a block does by itself."""

    TRANSACTION = "transaction"
    REWARD = "reward"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True)
class Leg:
    """One transfer inside a transaction, before anyone asks whose wallet it was.

    Account chains know both ends; a UTXO chain knows only one end of each leg (an input has a
    source, an output a destination). ``units`` > 0. ``fee`` legs have a source on account chains
    and neither end on UTXO chains. ``wrap``: one side of changing the native asset into its
    wrapped token or back, one to one, at the token's contract; the other side is in the same transaction.
    """

    index: int
    asset: str
    units: int
    source: str | None
    destination: str | None
    fee: bool = False
    wrap: bool = False


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction that touches a watched account, with the movements of watched accounts only.

    ``legs``: every leg that touches a watched account; on a UTXO chain, where the transaction
    spends a watched coin, all its outputs. ``signers``: watched locators that authorised it
    (EVM: the sender; UTXO: the owners of the spent coins). ``foreign_inputs``: how many inputs
    of a transaction that spends our coins are not ours. ``txid`` is "" for what a block does by
    itself without one: rewards and validator withdrawals on account chains (a coinbase has a
    txid). ``succeeded`` is False for a reverted transaction.
    ``steps``: by how much the transaction advances the sequence (EVM: nonce) of watched locators;
    empty on UTXO chains, whose sequence is the set of their coins. ``parties``: lower-case display
    facts for evidence, e.g. {"to": "0x…", "nonce": "7"}.
    """

    txid: str
    position: int
    kind: TransactionKind
    movements: tuple[Movement, ...]
    legs: tuple[Leg, ...]
    signers: frozenset[str] = frozenset()
    foreign_inputs: int = 0
    succeeded: bool = True
    steps: Mapping[str, int] = field(default_factory=dict)
    parties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """One block as seen by the watched accounts.

    ``unseen``: what this node could not enumerate, as sentences ("internal transfers are not
    traced: the residual catches them"); empty where the enumeration is gross and complete.
    """

    ref: BlockRef
    transactions: tuple[Transaction, ...]
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heads:
    """``seen``: the newest block of the chain; ``final``: the newest block its finality rule will not undo."""

    seen: BlockRef
    final: BlockRef


@dataclass(frozen=True, slots=True)
class Opening:
    """What accounts held at one block, at which porwatch starts to follow them.

    ``holdings`` names every account asked for (zero included); ``coins`` the unspent outputs
    behind them on UTXO chains, empty elsewhere; ``sequences`` the chain's own counter of each
    locator (EVM: the nonce), empty on UTXO chains.
    """

    at: BlockRef
    holdings: Mapping[Account, int]
    coins: tuple[Coin, ...] = ()
    sequences: Mapping[str, int] = field(default_factory=dict)


class Evidence(StrEnum):
    """How well a holding is known. Claimed and stated never count as verified."""

    PROVED = "proved"
    AGREED = "agreed"
    CLAIMED = "claimed"
    STATED = "stated"


@dataclass(frozen=True, slots=True)
class Holdings:
    """What accounts held after block ``at``, and which endpoints said so.

    ``units`` names every account asked for, zero included. ``coins``: the unspent outputs behind
    them on UTXO chains, None on account chains.
    """

    at: BlockRef
    units: Mapping[Account, int]
    endpoints: tuple[str, ...]
    coins: tuple[Coin, ...] | None = None

    @property
    def evidence(self) -> Evidence:
        """Agreed by two endpoints or more, claimed by one."""
        return Evidence.AGREED if len(self.endpoints) > 1 else Evidence.CLAIMED


@dataclass(frozen=True, slots=True)
class Witness:
    """A block on top of ``after`` that fewer endpoints show than must agree: good enough to raise a case, no more."""

    block: Block
    endpoints: tuple[str, ...]
    needed: int


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer of an endpoint that is provably false, or that a quorum contradicts.

    ``kind`` is one word a person can look up (header_hash, receipts_root, balance, …); ``evidence``
    what was asked and answered, and what refutes it, as JSON text values: enough for its operator
    to see for himself.
    """

    chain: str
    endpoint: str
    kind: str
    detail: str
    evidence: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EndpointIdentity:
    """How one endpoint answered when asked which chain it serves: ``state`` is right, wrong or unreachable."""

    endpoint: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the nodes of a chain can do, found by asking them; sentences in ``limits`` are shown to people."""

    history: str
    traces: str
    limits: tuple[str, ...] = ()
