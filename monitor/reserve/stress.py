"""What would be left uncovered if one wallet, or one custodian, were lost with everything in it.

The legal test says nothing about this: a requirement with a cap may be met while one wallet holds more than the reserve
and all insurance together. A custodian other than the exchange itself is lost as a whole, own wallets one by one.
A policy pays for a loss at most the value of the lost wallets that it covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from monitor.reserve.insurance import Eligible
from monitor.reserve.money import ZERO, Money, Unknown, combine, exact, missing, total
from monitor.reserve.values import OWN_CUSTODY, Place

#: A report shows the worst few; a list of ten thousand wallets helps nobody.
MOST_LINES = 10


@dataclass(frozen=True, slots=True)
class StressLine:
    """One loss. ``uncovered`` = max(0, loss − (fund + insurance))."""

    kind: Literal["wallet", "custodian"]
    name: str
    loss: Decimal
    fund: Money
    insurance: Money
    uncovered: Money


@dataclass(frozen=True, slots=True)
class Stress:
    """``largest``: the largest single loss; ``worst``: the lines with most uncovered, worst first.

    Both are unknown as long as the value of one wallet is, since that one might be the largest. ``worst`` is also
    unknown while the fund or the insurance is.
    """

    largest: StressLine | Unknown
    worst: tuple[StressLine, ...] | Unknown


@exact
def stress(places: Sequence[Place], fund: Money, policies: Sequence[Eligible]) -> Stress:
    """Every single loss worked out. ``places``: every customer wallet; ``fund``: what counts of the reserve fund."""
    unknown = missing(place.value for place in places)
    if unknown or not places:
        nothing = Unknown(unknown or ("wallets of customers",))
        return Stress(nothing, nothing)
    groups: dict[str, list[Place]] = {}
    for place in places:
        if place.custodian != OWN_CUSTODY:
            groups.setdefault(place.custodian, []).append(place)
    paying = [each for each in policies if each.amount != ZERO]
    lines = [_line("wallet", place.wallet, [place], fund, paying) for place in places]
    lines += [_line("custodian", name, members, fund, paying) for name, members in groups.items()]
    largest = min(lines, key=lambda line: (-line.loss, line.kind, line.name))
    open_ends = missing(line.uncovered for line in lines)
    return Stress(largest, Unknown(open_ends) if open_ends else _worst(lines))


def _worst(lines: Iterable[StressLine]) -> tuple[StressLine, ...]:
    def rank(line: StressLine) -> tuple[Decimal, Decimal, str, str]:
        assert isinstance(line.uncovered, Decimal), "no line is unknown here"
        return -line.uncovered, -line.loss, line.kind, line.name

    return tuple(sorted(lines, key=rank)[:MOST_LINES])


def _line(
    kind: Literal["wallet", "custodian"], name: str, lost: Sequence[Place], fund: Money, policies: Sequence[Eligible]
) -> StressLine:
    loss = _sum(lost)
    insurance = total(_paid(each, lost) for each in policies)
    uncovered = combine(lambda own, paid: max(ZERO, loss - own - paid), fund, insurance)
    return StressLine(kind, name, loss, fund, insurance, uncovered)


def _paid(each: Eligible, lost: Sequence[Place]) -> Money:
    at_most = _sum(place for place in lost if each.policy.covers(place))
    return ZERO if at_most == 0 else combine(lambda amount: min(amount, at_most), each.amount)


def _sum(places: Iterable[Place]) -> Decimal:
    return sum((place.value for place in places if isinstance(place.value, Decimal)), ZERO)
