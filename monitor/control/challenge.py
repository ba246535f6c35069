"""A challenge: the one text that is signed, bound to entity, purpose, chain, address, a recent block and an expiry.

The text is for people as much as for machines. Each challenge has exactly one spelling: what does not read
back to itself is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from chains.core.ownership import BadProof

#: How long a challenge may be answered, at most: longer, and keys change hands meanwhile.
VALID_MOST = timedelta(days=90)
#: A block that was older than this when the challenge was issued does not show when the answer was made.
BLOCK_AGE_MOST = timedelta(days=1)
#: How far the clock of a block's maker may run ahead (Bitcoin's rule), and that of another machine of ours.
AHEAD_MOST = timedelta(hours=2)
PURPOSE_LONGEST = 200
_TEXT_LONGEST = 4_000
_VALUE_LONGEST = 1_000
_HEAD = (
    "porwatch proof of control, version 1",
    "Whoever signs this text, or makes the movement it names, shows control of the address. It moves nothing itself.",
)
_CAIP2 = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
_HEIGHT = re.compile(r"0|[1-9][0-9]{0,17}")
_BLOCK_HASH = re.compile(r"(?:0x)?[0-9a-f]{64}")
_NONCE = re.compile(r"[0-9a-f]{32}")
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: The full-width space of Japanese names is a letter to people, and no control character to a terminal.
_WIDE_SPACE = "\u3000"


@dataclass(frozen=True, slots=True)
class Instruction:
    """A movement that only the holder can make: ``amount`` of ``asset`` in coins, to an address of our own."""

    asset: str
    amount: str
    destination: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is asked of the holder of one address.

    ``chain``: CAIP-2. ``address``: the canonical locator. ``height``, ``block`` and ``block_time``: of a final
    block, which nobody knew before. ``nonce``: 32 hex digits, never used twice. Times are whole seconds in UTC.
    """

    entity: str
    purpose: str
    chain: str
    address: str
    height: int
    block: str
    block_time: datetime
    nonce: str
    issued_at: datetime
    expires_at: datetime
    instruction: Instruction | None = None

    @property
    def text(self) -> str:
        """What is signed, as UTF-8 without a newline at its end."""
        lines = [*_HEAD, *(f"{label}: {value}" for label, value in self._values())]
        return "\n".join(lines)

    @property
    def id(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.text.encode()).hexdigest()

    def _values(self) -> list[tuple[str, str]]:
        values = [
            ("Entity", self.entity),
            ("Purpose", self.purpose),
            ("Chain", self.chain),
            ("Address", self.address),
            ("Block", f"{self.height} {self.block}"),
            ("Block time", _written(self.block_time)),
            ("Nonce", self.nonce),
            ("Issued", _written(self.issued_at)),
            ("Expires", _written(self.expires_at)),
        ]
        if self.instruction is not None:
            move = self.instruction
            values += [("Move", f"{move.amount} {move.asset}"), ("To", move.destination)]
        return values


_LABELS = ("Entity", "Purpose", "Chain", "Address", "Block", "Block time", "Nonce", "Issued", "Expires", "Move", "To")


def parse(text: str) -> Challenge:
    """The challenge that a text is. Raises BadProof for anything but the one spelling of one."""
    if len(text) > _TEXT_LONGEST:
        raise BadProof(f"the challenge is longer than {_TEXT_LONGEST} characters: it is none of porwatch's")
    lines = text.split("\n")
    if tuple(lines[:2]) != _HEAD:
        raise BadProof("the text is no challenge of porwatch (version 1): hand in the text that was issued, unchanged")
    body = lines[2:]
    if len(body) not in (len(_LABELS) - 2, len(_LABELS)):
        raise BadProof(f"the challenge has {len(lines)} lines, and none has as many")
    values = {}
    for label, line in zip(_LABELS, body, strict=False):
        found, colon, value = line.partition(": ")
        if not colon or found != label:
            raise BadProof(f"the challenge lacks the line {label!r} at its place")
        values[label] = value
    try:
        challenge = _challenge(values)
        check_form(challenge)
    except ValueError as error:
        raise BadProof(f"the challenge is malformed: {error}") from error
    if challenge.text != text:
        raise BadProof("the challenge is not spelled as it was issued: hand in the text unchanged")
    return challenge


def _challenge(values: dict[str, str]) -> Challenge:
    height, _, block = values["Block"].partition(" ")
    if _HEIGHT.fullmatch(height) is None:
        raise ValueError("Block is no height and hash")
    instruction = None
    if "Move" in values:
        amount, _, asset = values["Move"].partition(" ")
        instruction = Instruction(asset, amount, values["To"])
    return Challenge(
        entity=values["Entity"],
        purpose=values["Purpose"],
        chain=values["Chain"],
        address=values["Address"],
        height=int(height),
        block=block,
        block_time=_moment(values["Block time"]),
        nonce=values["Nonce"],
        issued_at=_moment(values["Issued"]),
        expires_at=_moment(values["Expires"]),
        instruction=instruction,
    )


def check_form(challenge: Challenge) -> None:
    """Raises ValueError where a field is not what it must be, or the times do not fit together."""
    _line("Entity", challenge.entity, _VALUE_LONGEST)
    _line("Purpose", challenge.purpose, PURPOSE_LONGEST)
    _line("Address", challenge.address, _VALUE_LONGEST)
    for label, pattern, value in (
        ("Chain", _CAIP2, challenge.chain),
        ("Block", _BLOCK_HASH, challenge.block),
        ("Nonce", _NONCE, challenge.nonce),
    ):
        if pattern.fullmatch(value) is None:
            raise ValueError(f"{label} is {value[:80]!r}")
    if challenge.instruction is not None:
        _line("Move", challenge.instruction.asset, _VALUE_LONGEST)
        _line("To", challenge.instruction.destination, _VALUE_LONGEST)
        if _AMOUNT.fullmatch(challenge.instruction.amount) is None:
            raise ValueError("Move is no plain decimal amount")
    if not timedelta(0) < challenge.expires_at - challenge.issued_at <= VALID_MOST:
        raise ValueError(f"it may be answered for {VALID_MOST.days} days at most, and must expire after its issue")
    if challenge.issued_at - challenge.block_time > BLOCK_AGE_MOST:
        raise ValueError(f"its block was older than {BLOCK_AGE_MOST} when it was issued: too old to show a date")
    if challenge.block_time - challenge.issued_at > AHEAD_MOST:
        raise ValueError(f"its block is more than {AHEAD_MOST} younger than the challenge")


def _line(label: str, value: str, longest: int) -> None:
    """One line that looks to people as it is: nothing invisible, nothing that begins another line."""
    if not 0 < len(value) <= longest or value != value.strip() or not value.replace(_WIDE_SPACE, " ").isprintable():
        raise ValueError(f"{label} must be one line of 1 to {longest} printable characters")


def compare(shown: Challenge, issued: Challenge) -> None:
    """Raises BadProof naming the first thing in which a challenge differs from the issued one of its nonce."""
    for field in fields(Challenge):
        there, here = getattr(shown, field.name), getattr(issued, field.name)
        if there != here:
            name = field.name.replace("_", " ")
            raise BadProof(f"the challenge was issued for another {name}: {here}, not {there}")


def check_time(challenge: Challenge, now: datetime) -> None:
    """Raises BadProof where a challenge cannot be answered at ``now``."""
    if now >= challenge.expires_at:
        raise BadProof(f"the challenge expired at {_written(challenge.expires_at)}: ask for a new one")
    if challenge.issued_at - now > AHEAD_MOST:
        raise BadProof(f"the challenge was issued at {_written(challenge.issued_at)}, which is still to come")


def _written(moment: datetime) -> str:
    return moment.strftime(_TIME)


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
