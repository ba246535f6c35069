"""Round trips around a close, looked for once a day has passed behind it."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from sqlalchemy import Connection

from chains.core.amounts import parse_units
from monitor import detect, series
from monitor.ledger import history, reader
from monitor.model import Case
from monitor.step.setup import Setup

#: a close is looked at when it is between one and two of these old, so that one close is behind every other
WINDOW = series.WINDOW


def cases(connection: Connection, setup: Setup, now: datetime) -> tuple[Case, ...]:
    """One case for each asset and close of which too much came in before it and left after it.

    A chain that was not followed for the whole of both days says nothing: its trips are unknown.
    """
    found = []
    for at in reader.closes(connection):
        if now - 2 * WINDOW < at <= now - WINDOW:
            found += _around(connection, setup, at, now)
    return tuple(found)


def _around(connection: Connection, setup: Setup, at: datetime, now: datetime) -> list[Case]:
    pasts = history.past(connection, at - WINDOW, at + WINDOW)
    whole = [past for past in pasts if past.begin <= at - WINDOW and past.until >= at + WINDOW]
    payments = [payment for past in whole for payment in past.payments]
    customers = {name for chain in setup.owners for name in setup.customers(chain)}
    percent, found = setup.facts.window_dressing_percent, []
    for position in reader.verdict_at(connection, at)["positions"]:
        asset = position["asset"]
        if position["owed"] is None or asset not in setup.decimals:
            continue
        owed = parse_units(position["owed"], setup.decimals[asset])
        # A payment below the share could not open the case alone; rounding down only looks at more of them.
        least = max(1, int(Fraction(percent) * owed / 100))
        trips = series.round_trips(payments, customers, at, asset, least)
        case = detect.window_dressing(trips, at, asset, owed, percent, setup.decimals[asset], now)
        found += [] if case is None else [case]
    return found
