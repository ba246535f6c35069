"""How values look on a page. Whatever comes from outside is shown so that it cannot pass for something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_FLOOR, Decimal
from unicodedata import category

from markupsafe import Markup

_LONGEST = 600
_SHOWN_SPACES = frozenset(" \u3000")


def visible(text: str) -> str:
    """``text`` with every character that prints nothing, or reorders its neighbours, written out as its code point."""
    return "".join(_plain(character) for character in text)


def _plain(character: str) -> str:
    kind = category(character)
    if character in _SHOWN_SPACES or kind[0] not in "CZ":
        return character
    return f"⟦U+{ord(character):04X}⟧"


def shown(value: object) -> str | Markup:
    """What a template writes. A float is refused, as no amount is one, and None: each place says what is missing."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return visible(value[:_LONGEST]) + ("…" if len(value) > _LONGEST else "")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"a page writes texts and whole numbers, not {type(value).__name__}")


def grouped(amount: str) -> str:
    """``8490000.000001`` → ``8,490,000.000001``: all digits, in threes before the point."""
    sign, digits = ("−", amount[1:]) if amount.startswith("-") else ("", amount)
    whole, point, rest = digits.partition(".")
    if not whole.isascii() or not whole.isdigit():
        return amount
    return f"{sign}{int(whole):,}{point}{rest}"


def some(amount: str) -> bool:
    """Whether an amount is known and not zero."""
    return bool(amount) and bool(Decimal(amount))


def percent(ratio: str) -> str:
    """A ratio in percent with two places, rounded down: a shortfall never looks like enough."""
    return grouped(str((Decimal(ratio) * 100).quantize(Decimal("0.01"), rounding=ROUND_FLOOR)))


def permille(ratio: str, most: int) -> int:
    """A ratio in thousandths for a drawing, cut off at 0 and ``most``."""
    return max(0, min(most, int((Decimal(ratio) * 1000).to_integral_value(rounding=ROUND_FLOOR))))


@dataclass(frozen=True, slots=True)
class Shown:
    """A moment: ``machine`` in UTC for programs, ``text`` and ``zone`` for people."""

    machine: str
    text: str
    zone: str


def moment(at: datetime, zone: tzinfo) -> Shown:
    """ISO 8601 in the entity's zone, to the second, with the zone's offset."""
    local = at.astimezone(zone)
    offset = local.strftime("%z")
    machine = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Shown(machine, local.strftime("%Y-%m-%d %H:%M:%S"), f"{offset[:3]}:{offset[3:]}")


def age(seconds: float) -> tuple[str, Mapping[str, str]]:
    """The key of the catalogue for so long ago, and what goes into it; whole units, rounded down."""
    whole = max(0, int(seconds))
    if whole < 120:
        return "age.seconds", {"n": str(whole)}
    if whole < 7200:
        return "age.minutes", {"n": str(whole // 60)}
    if whole < 172_800:
        return "age.hours", {"n": str(whole // 3600)}
    return "age.days", {"n": f"{whole // 86_400:,}"}


def short(text: str) -> str:
    """The two ends of a hash. Never used for an address: look-alikes have the same ends."""
    return text if len(text) <= 20 else f"{text[:10]}…{text[-8:]}"
