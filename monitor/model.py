"""The exchange's side in values: wallets, what the books declare, what was judged, what was found.

Times are timezone-aware UTC datetimes; units are whole base units of the asset (chains.core.values).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

from chains.core.values import BlockRef, Coin, Transaction


class Tier(StrEnum):
    """Storage tier. Every customer wallet that is not cold counts as hot for the law."""

    COLD = "cold"
    WARM = "warm"
    HOT = "hot"


#: the order in which several own wallets of one transaction are asked to pay its sinks
TIER_ORDER = {Tier.COLD: 0, Tier.WARM: 1, Tier.HOT: 2}


class Owner(StrEnum):
    """Whose assets a wallet holds: 利用者, 自己, 履行保証暗号資産, 責任準備金."""

    CUSTOMER = "customer"
    HOUSE = "house"
    GUARANTEE = "guarantee"
    RESERVE = "reserve"


@dataclass(frozen=True, slots=True)
class Wallet:
    """Accounts under one custody arrangement. ``order`` is its place in the configuration."""

    name: str
    chain: str
    tier: Tier
    owner: Owner
    custodian: str
    order: int


@dataclass(frozen=True, slots=True)
class Approval:
    """A movement that the books know and allow (出庫承認); it explains at most one flow part, ever.

    ``units`` is what leaves the wallet; ``destination`` the canonical locator. ``not_before`` None
    is no limit; ``not_after`` is always set (its default has been filled in at first reading).
    ``digest`` identifies the content as written, so that a repetition can be told from a change.
    ``txid``, ``safe_tx_hash`` and ``outputs_hash`` each name the one transaction it is for (the last:
    by what it pays to whom). Approvals of one ``batch`` explain only together; ``batch_size`` says how many it has.
    """

    id: str
    chain: str
    asset: str
    units: int
    destination: str
    wallet: str | None
    tag: str | None
    not_before: datetime | None
    not_after: datetime
    max_fee: int | None
    txid: str | None
    batch: str | None
    digest: str
    safe_tx_hash: str | None = None
    outputs_hash: str | None = None
    batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An approval taken back before it was used."""

    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class BadSignature:
    """A record of the approvals source without a valid signature: its id, the key it names ("" for none), and why."""

    id: str
    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Liability:
    """What is owed to customers in one asset, as declared, at ``as_of``."""

    asset: str
    units: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Price:
    """Price of one whole coin, as a plain decimal string."""

    asset: str
    currency: str
    price: str
    as_of: datetime


class Direction(StrEnum):
    """Into a wallet (入庫) or out of it (出庫)."""

    IN = "in"
    OUT = "out"


class Part(StrEnum):
    """What a flow part paid (an outside destination, another own wallet, the fee), or what came in.

    Change left a wallet and came back to it in the same transaction: it counts for neither side.
    """

    DESTINATION = "destination"
    OWN = "own"
    FEE = "fee"
    RECEIPT = "receipt"
    CHANGE = "change"


class Reason(StrEnum):
    """Why something moved: a closed set, there is no "other"."""

    DEPOSIT = "deposit"
    CHANGE = "change"
    INTERNAL = "internal"
    FEE = "fee"
    APPROVED = "approved"
    REWARD = "reward"
    WITHDRAWAL = "validator_withdrawal"
    WRAP = "wrap"
    NOT_ATTRIBUTED = "not_attributed"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Flow:
    """What one wallet's change in one asset of one transaction was for, in parts.

    ``index`` numbers the parts of the transaction. ``units`` > 0. Per transaction, wallet and
    asset, change aside: Σ parts out − Σ parts in = −Σ deltas of its movements. ``destination`` is the locator
    paid, or "" for a fee; ``receiver`` the own wallet behind it, or "". Parts of one ``sink`` (the
    index of a leg) pay one and the same output, so one approval explains them together.
    """

    txid: str
    index: int
    wallet: str
    asset: str
    part: Part
    direction: Direction
    destination: str
    receiver: str
    sink: int
    units: int


@dataclass(frozen=True, slots=True)
class Attribution:
    """A flow with its reason; ``approval`` is the id of the approval that it used up, or "".

    ``batch``: the ids of all approvals that were used up together, where it was more than one.
    """

    flow: Flow
    reason: Reason
    approval: str = ""
    note: str = ""
    batch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a transaction was first seen: a moment, or on catch-up the block time ± the chain's skew."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """One transaction with its parts explained or not.

    ``owners``: wallet names of the locators that its movements touch.
    ``cold_unapproved``: cold wallets that signed it without an approval.
    """

    transaction: Transaction
    sighting: Sighting
    attributions: tuple[Attribution, ...]
    owners: Mapping[str, str]
    cold_unapproved: tuple[str, ...] = ()

    @property
    def fee(self) -> int:
        """Base units of fee that own wallets paid."""
        return sum(a.flow.units for a in self.attributions if a.flow.part is Part.FEE)


class Severity(StrEnum):
    """How urgent a case is; critical pages."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class CaseState(StrEnum):
    """Where a case stands; pending is inside the grace period, shown but not paged."""

    PENDING = "pending"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Destination:
    """An outside destination of a case; ``known`` where policy.allow lists it (never an explanation)."""

    address: str
    units: int
    known: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody outside was told of a case. ``event`` and ``authority``: as in the notifications of a profile, or
    others; ``content``: SHA-256 of what was sent, "" where nothing was kept.
    """

    event: str
    authority: str
    channel: str
    content: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a case's history: who did what, when, and why. ``how``: by what that person had logged in, or "".

    ``notice``: of the action "notified", who was told.
    """

    at: datetime
    action: str
    by: str
    note: str
    how: str = ""
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that happened and that a person must resolve (事案). Never deleted.

    ``units`` is positive for what left, the fee excluded; None where the case is not about an
    amount. ``fee_units`` are base units of the chain's native asset. ``incident``: the id of the first case
    of those that belong together, given at opening and for good; None for a case that stands alone.
    ``growth``: why its opening pages again for an incident that has paged (monitor.detect.incidents.Growth).
    """

    id: str
    rule: str
    rules: tuple[str, ...]
    severity: Severity
    state: CaseState
    opened_at: datetime
    chain: str | None = None
    wallet: str | None = None
    tier: Tier | None = None
    asset: str | None = None
    units: int | None = None
    fee_asset: str | None = None
    fee_units: int | None = None
    destinations: tuple[Destination, ...] = ()
    txid: str | None = None
    block: BlockRef | None = None
    seen_at: str | None = None
    due_at: datetime | None = None
    reorged_out: bool = False
    detected_after_ms: int | None = None
    subject: str | None = None
    value: Mapping[str, str] | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    history: tuple[Event, ...] = ()
    incident: str | None = None
    growth: tuple[str, ...] = ()

    @property
    def pages(self) -> bool:
        """Whether it is the one of its incident that people are woken for: the first, or one that made it grow."""
        return self.incident is not None and (self.incident == self.id or bool(self.growth))


def case_id(*parts: str) -> str:
    """The id of a case from its content: the same thing seen again has the same id.

    With a transaction: chain, txid, wallet, asset. Without one: chain, wallet, asset, rule,
    block hash. Without a wallet: rule and subject.
    """
    return sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def deep_reorg_id(cursor: BlockRef) -> str:
    """The id of the case of a reorganisation that undid ``cursor`` although it was final."""
    return case_id("deep_reorg", f"{cursor.chain} {cursor.hash}")


class Outcome(StrEnum):
    """How a check ended; UNVERIFIED is never PASS."""

    PASS = "PASS"  # noqa: S105  no password
    BREACH = "BREACH"
    UNVERIFIED = "UNVERIFIED"


@dataclass(frozen=True, slots=True)
class Position:
    """Held, owed and in transit of one asset at the liabilities' as-of; None where unknown (never zero).

    ``stated``: the part of what is held that stands only in custodians' statements.
    """

    asset: str
    held: int | None
    owed: int | None
    in_transit: int
    verified: int
    reason: str = ""
    stated: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of one profile applied: value and threshold are its two sides, as decimal strings.

    ``ratio`` is for display only, of ``ratio_of``. ``warn``: lawful, and beyond the exchange's own limit.
    ``in_force`` False: the law has not begun yet. ``cure``: what would end a breach; ``due``: the day by which
    the law wants it ended, "" where it names none. ``parameters``: the profile's numbers that it rests on.
    """

    profile: str
    id: str
    asset: str | None
    verdict: Outcome
    value: str | None
    threshold: str | None
    margin: str | None
    operands: Mapping[str, str]
    basis: str
    ratio: str | None = None
    ratio_of: str = ""
    severity: str = "critical"
    warn: bool = False
    in_force: bool = True
    cure: str = ""
    due: str = ""
    parameters: tuple[Mapping[str, str], ...] = ()

    @property
    def subject(self) -> str:
        """What it is about, in words that stay the same from cycle to cycle."""
        return " ".join(filter(None, (self.profile, self.id, self.asset)))


@dataclass(frozen=True, slots=True)
class Residual:
    """Holding minus ledger of one account at an anchor; never zero."""

    chain: str
    wallet: str
    locator: str
    asset: str
    units: int
    at: BlockRef


@dataclass(frozen=True, slots=True)
class CoinChange:
    """Coins that a node has and the ledger has not (appeared), and the reverse (vanished), after block ``at``."""

    at: BlockRef
    appeared: tuple[Coin, ...]
    vanished: tuple[Coin, ...]


@dataclass(frozen=True, slots=True)
class ControlChallenge:
    """A challenge that was issued for one locator of a wallet. ``id``: SHA-256 of ``text``, which is what is signed."""

    id: str
    nonce: str
    chain: str
    wallet: str
    locator: str
    text: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ControlProof:
    """An accepted answer to a challenge (its id). ``kind``: a ProofKind; ``proof``: as it was handed in.

    ``block``: the final block after which it was judged, or in which the movement is. ``txid``: of a movement,
    "" for a signature. ``detail`` and ``funds``: what it shows (chains.core.ownership).
    """

    challenge: str
    kind: str
    block: BlockRef
    proof: str
    txid: str
    detail: Mapping[str, str]
    funds: tuple[tuple[str, int], ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the proof's text."""
        return sha256(self.proof.encode()).hexdigest()


class TripEvidence(StrEnum):
    """How a round trip is known: own wallets gave and took, the same address did, or only the sizes fit."""

    OWN = "own"
    ADDRESS = "address"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """Into a customer wallet before a snapshot, and out of one after it. ``units``: what of both is the same trip.

    ``giver`` and ``taker``: own wallets or outside addresses, "" where unknown. ``units_in`` and ``units_out`` are
    the whole payments: one payment may be in several trips, none of its units in two.
    """

    asset: str
    units: int
    evidence: TripEvidence
    wallet_in: str
    in_at: datetime
    units_in: int
    txid_in: str
    giver: str
    wallet_out: str
    out_at: datetime
    units_out: int
    txid_out: str
    taker: str


def utc(timestamp: float) -> datetime:
    """A timezone-aware datetime of Unix seconds."""
    return datetime.fromtimestamp(timestamp, UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 with Z, microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
