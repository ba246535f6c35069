"""How well a number of a profile is known, and who vouches for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from monitor.rules.units import Unit


class Verified(StrEnum):
    """Whether the law was read: itself, only what others say of it, or neither (from memory, or a proposal)."""

    TRUE = "true"
    SECONDARY = "secondary"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A person of the entity vouches for a value; ``document_sha256`` is of the document that it rests on."""

    value: str
    by: str
    on: date
    basis: str
    document_sha256: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of a profile. ``value`` is the profile's own; ``used`` is what checks compute with.

    ``placeholder``: a number of this project, no law has one yet. ``choices``: the values between
    which the law chooses by the kind of firm; ``choice`` names the one that ``value`` is.
    """

    name: str
    value: Decimal
    unit: Unit
    verified: Verified
    basis: str
    placeholder: bool = False
    choice: str = ""
    choices: Mapping[str, Decimal] = field(default_factory=dict)
    confirmed: Confirmation | None = None

    def __post_init__(self) -> None:
        if not self.used.is_finite():
            raise ValueError(f"{self.name} is no number")

    @property
    def used(self) -> Decimal:
        """The confirmed value, where there is one."""
        return self.value if self.confirmed is None else Decimal(self.confirmed.value)

    @property
    def passes(self) -> bool:
        """Whether a PASS may rest on it."""
        return self.verified is not Verified.FALSE or self.confirmed is not None

    @property
    def status(self) -> str:
        """The mark that stands beside it: verified, secondary, confirmed, placeholder or unverified."""
        if self.confirmed is not None:
            return "confirmed"
        if self.placeholder:
            return "placeholder"
        return {"true": "verified", "secondary": "secondary", "false": "unverified"}[self.verified]
