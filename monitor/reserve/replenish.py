"""What may be taken out of the reserve, and by when it must be put back.

An outflow from outside (外部流出) and an accident (事故) may be paid at once; anything else needs the authority's
approval, and what was taken without it is due back at once.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date
from decimal import Decimal
from enum import StrEnum

from monitor.reserve.money import ZERO, Exchange, Money, Unknown, exact, missing
from monitor.reserve.values import Cause, Use

IMMEDIATE = frozenset({Cause.EXTERNAL_OUTFLOW, Cause.ACCIDENT})


class TopUp(StrEnum):
    """Where the replenishment stands; ``nothing_due`` also while the reserve was never complete."""

    NOTHING_DUE = "nothing_due"
    DUE = "due"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class UseLine:
    """One use. ``allowed``: at once by its cause, or with an approval. ``outstanding``: not yet put back."""

    use: Use
    amount: Money
    allowed: bool
    outstanding: Money
    due: date


@dataclass(frozen=True, slots=True)
class Replenishment:
    """``immediate``: what may be paid today for an outflow from outside or an accident, and for nothing else without
    an approval. ``shortfall``: what is missing from the fund. ``due``: the earliest day of what is outstanding.
    """

    immediate: Money
    shortfall: Money
    lines: tuple[UseLine, ...]
    due: date | None
    state: TopUp


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last day of that month; the calendar's end at the latest."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if years > MAXYEAR:
        return date.max
    return date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))


def may_use(use: Use) -> bool:
    """Whether this use is allowed: by its cause at once, else with a reference to the approval."""
    return use.cause in IMMEDIATE or bool(use.approval_ref.strip())


@exact
def replenishment(
    uses: Sequence[Use], fund: Money, shortfall: Money, exchange: Exchange, months: int, today: date
) -> Replenishment:
    """The plan. What is put back repays the oldest use first, so a shortfall belongs to the newest uses."""
    newest = sorted(uses, key=lambda use: (use.day, use.amount, use.currency, use.cause, use.approval_ref))[::-1]
    amounts = [exchange.value(use.amount, use.currency) for use in newest]
    unknown = missing((shortfall, *amounts)) if uses else ()
    lines: list[UseLine] = []
    rest = shortfall if isinstance(shortfall, Decimal) else ZERO
    for use, amount in zip(newest, amounts, strict=True):
        allowed = may_use(use)
        outstanding: Money = Unknown(unknown) if unknown else ZERO
        if isinstance(amount, Decimal) and not unknown:
            outstanding = min(amount, rest)
            rest -= outstanding
        lines.append(UseLine(use, amount, allowed, outstanding, add_months(use.day, months if allowed else 0)))
    due = min((line.due for line in lines if line.outstanding != ZERO), default=None)
    if unknown:
        state = TopUp.UNKNOWN
    elif due is None:
        state = TopUp.NOTHING_DUE
    else:
        state = TopUp.OVERDUE if due < today else TopUp.DUE
    return Replenishment(fund, shortfall, tuple(reversed(lines)), due, state)
