"""The form of every answer, for the OpenAPI document; a test holds real answers against it.

Answers are rendered elsewhere and go out as they are. Amounts are strings of coins, times RFC 3339 in UTC.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

_Data = TypeVar("_Data")


class Envelope(BaseModel, Generic[_Data]):
    """The form of every good answer."""

    status: Literal["success"]
    data: _Data


class ErrorBody(BaseModel):
    """The form of every error."""

    status: Literal["error"]
    errorType: str  # noqa: N815 - the name that readers of Prometheus's API know
    error: str


class NotReady(ErrorBody):
    """Why porwatch is not ready."""

    reasons: list[str]


class Exact(BaseModel):
    """Every key is there, and no other."""

    model_config = ConfigDict(extra="forbid")


class Age(Exact):
    """When something last succeeded."""

    last_success: str | None
    age_seconds: float | None


class Cursor(Exact):
    """The newest followed block."""

    height: int
    hash: str
    time: str


class ChainBody(Exact):
    """How a chain is followed."""

    chain: str
    identified: bool
    following: bool
    head: int | None
    cursor: Cursor | None
    final: int | None
    block_age_seconds: float | None
    quarantined: list[str]
    limits: list[str]
    followed: Age


class StageBody(Age):
    """How a stage fares."""

    stage: str
    chain: str | None


class ProblemBody(Exact):
    """What does not work now, as a sentence."""

    stage: str
    chain: str | None
    problem: str


class BookBody(Exact):
    """How a book is read."""

    source: str
    read_at: str | None
    heartbeat: str | None
    records: int
    malformed: int


class HoldingBody(Exact):
    """What a wallet holds of an asset."""

    chain: str
    wallet: str
    tier: str
    owner: str
    asset: str
    seen: str | None
    final: str | None


class OutboxBody(Exact):
    """What a receiver has not taken yet."""

    receiver: str
    pending: int
    oldest: str | None


class ReceiverBody(Exact):
    """Who is told by a receiver; ``redact``: what it is told without amounts and names."""

    receiver: str
    redact: bool
    recipients: list[str]


class StatusBody(BaseModel):
    """The state of porwatch."""

    version: str
    at: str
    started_at: str
    ready: bool
    chains: list[ChainBody]
    stages: list[StageBody]
    problems: list[ProblemBody]
    books: list[BookBody]
    cases: dict[str, int]
    holdings: list[HoldingBody]
    outbox: list[OutboxBody]
    receivers: list[ReceiverBody]


class WalletHolding(Exact):
    """What a wallet holds of an asset."""

    asset: str
    seen: str | None
    final: str | None


class WalletBody(BaseModel):
    """A configured wallet."""

    name: str
    chain: str
    tier: str
    owner: str
    custodian: str
    addresses: int
    holdings: list[WalletHolding]


class WalletList(Exact):
    """The configured wallets, in their order."""

    wallets: list[WalletBody]


class Anchor(Exact):
    """The final block that a verdict was read at; ``time`` in seconds since 1970, as the chain has it."""

    height: int
    hash: str
    time: int


class PositionBody(BaseModel):
    """What is held and owed of an asset."""

    asset: str
    held: str | None
    owed: str | None
    in_transit: str | None
    coverage: str | None
    verified_ratio: str | None


class CheckBody(BaseModel):
    """A check of a profile, and why."""

    profile: str
    id: str
    asset: str | None
    verdict: Literal["PASS", "BREACH", "UNVERIFIED"]
    value: str | None
    threshold: str | None
    margin: str | None
    operands: dict[str, Any]
    basis: str


class VerdictBody(BaseModel):
    """The result of a cycle, sealed by its hash."""

    cycle: int
    kind: Literal["provisional", "close"]
    at: str
    anchors: dict[str, Anchor]
    positions: list[PositionBody]
    residuals: list[dict[str, Any]]
    checks: list[CheckBody]
    open_cases: int
    previous_hash: str
    hash: str


class ApprovalBody(BaseModel):
    """An approval as it was declared, and what became of it."""

    id: str
    chain: str
    asset: str
    amount: str | None
    destination: str
    tag: str | None
    wallet: str | None
    not_before: str | None
    not_after: str
    max_fee: str | None
    txid: str | None
    batch: str | None
    batch_size: int | None
    safe_tx_hash: str | None
    outputs_hash: str | None
    state: Literal["open", "used", "cancelled"]
    first_read: str


class ApprovalPage(Exact):
    """Approvals; ``next`` is what to pass as ``after``, null on the last page."""

    approvals: list[ApprovalBody]
    next: str | None


class SubmissionBody(Exact):
    """What became of a submitted approval."""

    id: str
    outcome: Literal["created", "repeated"]
    message: str


class AddedBody(Exact):
    """Addresses that are watched now, as porwatch spells them."""

    wallet: str
    addresses: list[str]


class ChallengeBody(Exact):
    """A challenge; the text ``challenge`` is to be signed byte for byte."""

    wallet: str
    chain: str
    address: str
    expires_at: str
    challenge: str


class ChallengeList(Exact):
    """The challenges that were issued."""

    challenges: list[ChallengeBody]


class ProofBody(BaseModel):
    """What became of an answer to a challenge."""

    kind: str
    address: str | None
    result: Literal["shown", "bad", "undetermined"]
    reason: str


class ProofList(Exact):
    """What became of the answers."""

    proofs: list[ProofBody]


class ReadBody(Exact):
    """Who was shown a case, for the first time in an hour. ``how``: password, certificate, proxy or none."""

    at: str
    name: str | None
    how: Literal["none", "password", "certificate", "proxy"]
    role: str | None
    client: str
    case: str


class ReadPage(Exact):
    """Reads, newest first; ``next`` is what to pass as ``before``, null on the last page."""

    reads: list[ReadBody]
    next: int | None


def gives(body: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses=`` of a route: ``body`` in the envelope with these statuses (200 where none), or an error."""
    good = {"model": Envelope[body], "description": (body.__doc__ or "").strip()}  # type: ignore[valid-type]
    return {
        **dict.fromkeys(statuses or (200,), good),
        "default": {"model": ErrorBody, "description": "An error."},
    }


def error_of(body: type[BaseModel], description: str) -> dict[str, Any]:
    """A response in JSON of a route that otherwise answers text."""
    return {"description": description, "content": {"application/json": {"schema": body.model_json_schema()}}}
