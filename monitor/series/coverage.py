"""Coverage over a period: every change of held or owed, the minimum, and the time-weighted mean. Pure and exact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from chains.core.amounts import format_coins
from monitor.series.values import Step

#: digits after the point of a printed ratio
DIGITS = 12
#: different amounts owed in one period: hourly liabilities of more than two years
MOST_OWED = 20_000
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From ``begin`` until just before ``end`` these were held and owed (None: unknown). ``cause``: what began it."""

    begin: datetime
    end: datetime
    held: int | None
    owed: int | None
    cause: str

    @property
    def ratio(self) -> Fraction | None:
        """Held / owed; None where either is unknown or nothing is owed."""
        return Fraction(self.held, self.owed) if self.held is not None and self.owed else None


@dataclass(frozen=True, slots=True)
class Coverage:
    """One asset's coverage from ``begin`` until just before ``end``.

    ``minimum``: the first span with the lowest ratio. ``mean``: time-weighted, over ``measured``, the time with a
    ratio. ``below``: the time with less held than owed. ``measured`` + ``nothing_owed`` + ``unknown`` is the
    whole period. Minimum and mean say nothing of unknown time: they are shown with it or not at all.
    """

    asset: str
    begin: datetime
    end: datetime
    spans: tuple[Span, ...]
    minimum: Span | None
    mean: Fraction | None
    measured: timedelta
    below: timedelta
    nothing_owed: timedelta
    unknown: timedelta

    @property
    def below_share(self) -> Fraction:
        """The share of the whole period that is known to have been below 1."""
        return Fraction(self.below // _TICK, (self.end - self.begin) // _TICK)

    @property
    def unknown_share(self) -> Fraction:
        """The share of the whole period of which coverage is unknown."""
        return Fraction(self.unknown // _TICK, (self.end - self.begin) // _TICK)


def coverage(
    asset: str, held: Sequence[Sequence[Step]], owed: Sequence[Step], begin: datetime, end: datetime
) -> Coverage:
    """``held``: one step function for each chain or custodian, added up; any unknown one makes the sum unknown.

    Each is in order of time, in force until its next step, and unknown before its first. Raises ValueError for a
    period without time, steps out of order, and more than MOST_OWED different amounts owed.
    """
    if end <= begin:
        raise ValueError(f"the period from {begin} to {end} has no time: write a later end")
    spans = tuple(_spans(held, owed, begin, end))
    rated = [(span, ratio) for span in spans if (ratio := span.ratio) is not None]
    minimum = min(rated, key=lambda each: each[1])[0] if rated else None
    return Coverage(
        asset=asset,
        begin=begin,
        end=end,
        spans=spans,
        minimum=minimum,
        mean=_mean([span for span, _ in rated]),
        measured=_time(span for span, _ in rated),
        below=_time(span for span, ratio in rated if ratio < 1),
        nothing_owed=_time(span for span in spans if span.held is not None and span.owed == 0),
        unknown=_time(span for span in spans if span.held is None or span.owed is None),
    )


def _spans(held: Sequence[Sequence[Step]], owed: Sequence[Step], begin: datetime, end: datetime) -> Iterable[Span]:
    """The merge: at every moment all steps of that moment are taken, then equal neighbours are made one."""
    sources = [*held, owed]
    for steps in sources:
        if any(later.at < earlier.at for earlier, later in pairwise(steps)):
            raise ValueError("steps must be in order of time")
    events = sorted(
        (
            (max(step.at, begin), source, number, step)
            for source, steps in enumerate(sources)
            for number, step in enumerate(steps)
        ),
        key=lambda event: event[:3],
    )
    # Step functions that have not begun are unknown.
    current: list[int | None] = [None] * len(sources)
    unknown, total = len(held), 0
    open_: Span | None = None
    position, at = 0, begin
    while at < end:
        causes = []
        while position < len(events) and events[position][0] == at:
            _, source, _, step = events[position]
            if source < len(held):
                unknown += (step.units is None) - (current[source] is None)
                total += (step.units or 0) - (current[source] or 0)
            current[source] = step.units
            causes.append(step.cause)
            position += 1
        following = min(events[position][0], end) if position < len(events) else end
        state = (None if unknown else total, current[-1])
        if open_ is not None and (open_.held, open_.owed) == state:
            open_ = Span(open_.begin, following, *state, open_.cause)
        else:
            if open_ is not None:
                yield open_
            open_ = Span(at, following, *state, ", ".join(dict.fromkeys(causes)))
        at = following
    if open_ is not None:
        yield open_


def _mean(spans: Sequence[Span]) -> Fraction | None:
    """Σ ratio · time / Σ time. Spans that owe the same are added up first: there are few different amounts owed."""
    if not spans:
        return None
    weighted: dict[int, int] = {}
    for span in spans:
        assert span.held is not None
        assert span.owed is not None
        weighted[span.owed] = weighted.get(span.owed, 0) + span.held * ((span.end - span.begin) // _TICK)
    if len(weighted) > MOST_OWED:
        raise ValueError(
            f"{len(weighted)} different amounts were owed, at most {MOST_OWED} can be averaged: ask for less time"
        )
    numerator, denominator = _sum([(units, owed) for owed, units in weighted.items()])
    return Fraction(numerator, denominator * (_time(spans) // _TICK))


def _sum(fractions: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The exact sum, halved again and again: reducing after every addition would cost the square of their number."""
    if len(fractions) == 1:
        return fractions[0]
    middle = len(fractions) // 2
    (a, b), (c, d) = _sum(fractions[:middle]), _sum(fractions[middle:])
    return a * d + c * b, b * d


def _time(spans: Iterable[Span]) -> timedelta:
    return sum((span.end - span.begin for span in spans), timedelta(0))


def down(value: Fraction) -> str:
    """As a plain decimal of 12 digits, rounded down: coverage never looks better than it is."""
    return format_coins(value.numerator * 10**DIGITS // value.denominator, DIGITS)


def up(value: Fraction) -> str:
    """As a plain decimal of 12 digits, rounded up: a share of bad or unknown time never looks smaller than it is."""
    return format_coins(-(-value.numerator * 10**DIGITS // value.denominator), DIGITS)
