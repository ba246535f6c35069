"""What may enter the ledger. One observation is one step, and one step is one database transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from chains.core.values import Account, Block, BlockRef, Fault, Holdings, Opening, Witness
from monitor.assess import Books
from monitor.detect.ceremonies import Announcement
from monitor.model import Approval, BadSignature, Cancellation, ControlChallenge, ControlProof, Notice


@dataclass(frozen=True, slots=True)
class Opened:
    """Locators begin to be followed: at the cursor, or, for a chain's first opening, wherever it begins."""

    opening: Opening
    wallets: Mapping[str, str]
    assets: tuple[str, ...]
    final_height: int
    first: bool


@dataclass(frozen=True, slots=True)
class Configured:
    """What the configuration says of what the ledger already follows: dropped, or of another wallet."""

    chain: str
    retired: tuple[str, ...]
    assigned: Mapping[str, str]
    assets_retired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetsOpened:
    """The followed locators of a chain are followed for more assets from the cursor on."""

    opening: Opening
    assets: tuple[str, ...]
    wallets: Mapping[str, str]
    final_height: int


@dataclass(frozen=True, slots=True)
class RangeNearlyUsed:
    """An address near the end of a descriptor's range was used: what comes behind the end is not watched."""

    chain: str
    wallet: str
    range: str


@dataclass(frozen=True, slots=True)
class Added:
    """Somebody asks for more locators of a wallet to be followed."""

    chain: str
    wallets: Mapping[str, str]
    by: str


@dataclass(frozen=True, slots=True)
class BlockSeen:
    """The block on top of the cursor. ``noticed``: when we first heard of it; ``live``: we were at the head then."""

    block: Block
    noticed: datetime
    live: bool
    final_height: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What some accounts held, and where counters stood, after one block: to be equal to the ledger there.

    ``located``: transactions of that block which changed an account, where a node could tell.
    """

    at: BlockRef
    holdings: Mapping[Account, int]
    sequences: Mapping[str, int]
    tier: str
    located: Mapping[Account, tuple[str, ...]] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A block that too few endpoints show: judged for cases only, nothing is booked and no approval is used."""

    witness: Witness
    noticed: datetime


@dataclass(frozen=True, slots=True)
class EndpointFault:
    """An endpoint lied. ``file``: where its evidence was written; ``quorum_holds``: whether enough others remain."""

    fault: Fault
    file: str
    quorum_holds: bool


@dataclass(frozen=True, slots=True)
class ContractsSeen:
    """What stood behind the contracts of a chain's assets after a final block, by asset and by what is looked at."""

    at: BlockRef
    states: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class FinalSeen:
    """The newest final block of a chain has moved up, without a new block to take."""

    chain: str
    height: int


@dataclass(frozen=True, slots=True)
class Rewound:
    """The blocks above ``to`` have left the chain."""

    to: BlockRef
    final_height: int


@dataclass(frozen=True, slots=True)
class ReorgTooDeep:
    """No stored header above the final height is still canonical."""

    cursor: BlockRef
    final_height: int


@dataclass(frozen=True, slots=True)
class ApprovalsRead:
    """Lines read from an approvals source, in order. ``position``: where the source is to be read on (None: POST).

    ``bad_signatures`` are not among ``malformed``, and are counted with them.
    """

    source: str
    records: tuple[Approval | Cancellation, ...]
    malformed: tuple[str, ...]
    heartbeat: datetime | None
    position: str | None
    bad_signatures: tuple[BadSignature, ...] = ()


@dataclass(frozen=True, slots=True)
class TableRead:
    """A declared table (liabilities, prices) was read: whole, or not at all.

    ``lines`` None: it has ``mistakes``, and the last good one stays. ``as_of``: of its oldest line.
    """

    source: str
    lines: tuple[Mapping[str, str], ...] | None
    mistakes: tuple[str, ...]
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """Time has passed: grace periods may have ended, a feed may have fallen silent."""


@dataclass(frozen=True, slots=True)
class Acted:
    """A person acknowledges or closes a case. ``how``: by what that person had logged in ("none": not asked)."""

    case_id: str
    action: str
    name: str
    reason: str
    how: str = "none"


@dataclass(frozen=True, slots=True)
class Notified:
    """A person has told somebody outside of a case. ``how``: as of Acted."""

    case_id: str
    notice: Notice
    name: str
    reason: str
    how: str = "none"


@dataclass(frozen=True, slots=True)
class AsOf:
    """The anchor of one chain for one liabilities' as-of. ``holdings`` None: the ledger covers that block."""

    chain: str
    as_of: datetime
    at: BlockRef | None
    holdings: Holdings | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A cycle's readings: one final block a chain with every holding there, or why there is none.

    ``proved``: accounts whose last state proof is young enough and was equal to the ledger.
    ``books``: what was declared when the cycle began.
    """

    kind: str
    anchors: Mapping[str, BlockRef]
    holdings: Mapping[str, Holdings]
    proved: Mapping[str, frozenset[Account]]
    failures: Mapping[str, str]
    as_of: tuple[AsOf, ...]
    books: Books
    unseen: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ControlAsked:
    """Challenges to show control were drawn up: they are issued by being remembered."""

    challenges: tuple[ControlChallenge, ...]


@dataclass(frozen=True, slots=True)
class ControlShown:
    """An answer to an issued challenge was verified against the chain."""

    nonce: str
    proof: ControlProof


@dataclass(frozen=True, slots=True)
class EvidenceKept:
    """The evidence of a verdict was written: ``files`` are SHA-256 by path, in ``folder`` of evidence/closes."""

    cycle: int
    folder: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HaltAnswered:
    """The exchange's endpoint took the request of outbox row ``row``.

    ``contained_at``: since when withdrawals are halted; ``said_by``: who says so, "endpoint" or "porwatch" (the time
    of the answer, where the endpoint named none that can be used).
    """

    row: int
    case_id: str
    contained_at: datetime
    said_by: str


@dataclass(frozen=True, slots=True)
class HaltWithdrawn:
    """The request of outbox row ``row`` is not sent any more."""

    row: int
    case_id: str
    why: str


@dataclass(frozen=True, slots=True)
class ShadowAsked:
    """The configuration of this start: until when cases are not told, None for no shadow."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class ShadowOver:
    """The time of the shadow's end has come: from now on cases are told."""


@dataclass(frozen=True, slots=True)
class CeremonyAnnounced:
    """A person announces work on cold wallets. ``user``: the account that is logged in, "" where there is none."""

    announcement: Announcement
    name: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class CeremonyConfirmed:
    """Another person confirms an announced ceremony."""

    id: str
    name: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class CeremonyCancelled:
    """A person cancels a ceremony."""

    id: str
    name: str
    reason: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Another configuration judges from here on: SHA-256 of both files, and the sections that differ."""

    config: str
    previous: str
    changed: tuple[str, ...]


Observation = (
    Opened
    | AssetsOpened
    | Added
    | RangeNearlyUsed
    | ContractsSeen
    | Configured
    | BlockSeen
    | Checked
    | Witnessed
    | EndpointFault
    | FinalSeen
    | Rewound
    | ReorgTooDeep
    | ApprovalsRead
    | TableRead
    | Due
    | Acted
    | Notified
    | Measured
    | EvidenceKept
    | ControlAsked
    | ControlShown
    | HaltAnswered
    | HaltWithdrawn
    | ShadowAsked
    | ShadowOver
    | CeremonyAnnounced
    | CeremonyConfirmed
    | CeremonyCancelled
    | Reloaded
)
