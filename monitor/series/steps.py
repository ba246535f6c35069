"""Step functions over time: what a chain's wallets held, and what was owed. Pure.

One time for all chains: a block counts from its **moment** on, the earliest time that it or a block above it
carries. So the state of a chain at a time t is the one after its highest block whose own time is not after t, which is
the rule for the as-of block of liabilities (docs/decisions/0006), and a chain never runs backwards however its
miners' clocks do. Between chains nothing is ordered but by their moments; a state that lasts no time is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import groupby

from monitor.series.values import Past, Step

_NOT_FOLLOWED = "not followed"


def moments(times: Mapping[int, datetime]) -> dict[int, datetime]:
    """By height, from when on each block of one chain counts. ``times``: the blocks' own, by height."""
    found: dict[int, datetime] = {}
    least: datetime | None = None
    for height in sorted(times, reverse=True):
        least = times[height] if least is None else min(least, times[height])
        found[height] = least
    return found


def held(past: Past, wallets: Collection[str], asset: str, begin: datetime, end: datetime) -> tuple[Step, ...]:
    """What ``wallets`` of one chain held together of an asset, from ``begin`` to ``end``."""
    since = max(past.begin, past.known_from.get(asset, past.begin))
    if since > past.until or since >= end:
        return (Step(begin, None, f"{past.chain} {_NOT_FOLLOWED}"),)
    units = sum(past.opening.get((wallet, asset), 0) for wallet in wallets)
    steps = [] if since <= begin else [Step(begin, None, f"{past.chain} {_NOT_FOLLOWED}")]
    mine = sorted(
        (change for change in past.changes if change.asset == asset and change.wallet in wallets),
        key=lambda change: (change.at, change.height),
    )
    early = [change for change in mine if change.at <= since]
    units += sum(change.units for change in early)
    steps.append(Step(max(since, begin), units, _cause(past.chain, early[-1].height if early else None)))
    for at, changes in groupby(mine, key=lambda change: change.at):
        if at > since:
            group = list(changes)
            units += sum(change.units for change in group)
            steps.append(Step(at, units, _cause(past.chain, group[-1].height)))
    if past.until < end:
        steps.append(Step(past.until, None, f"{past.chain} {_NOT_FOLLOWED}"))
    return tuple(steps)


def _cause(chain: str, height: int | None) -> str:
    return chain if height is None else f"{chain} {height}"


def declared(lines: Iterable[Step], max_age: timedelta | None = None) -> tuple[Step, ...]:
    """What was owed: the newest line not after each moment is in force; before the first it is unknown.

    ``lines`` in the order in which they were declared: of two as of the same time the later one corrects the
    earlier. ``max_age``: how long a line stays in force without a newer one; behind that it is unknown.
    """
    by_time = {line.at: line for line in lines}
    ordered = [by_time[at] for at in sorted(by_time)]
    if max_age is None:
        return tuple(ordered)
    steps = []
    for line, following in zip(ordered, [*ordered[1:], None], strict=True):
        steps.append(line)
        ends = line.at + max_age
        if line.units is not None and (following is None or ends < following.at):
            steps.append(Step(ends, None, "liabilities too old"))
    return tuple(steps)
