"""The tables about a whole period: coverage over time, roll-forward, flows, round trips.

They are of customers' wallets: what moves between two of these is no movement.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

from monitor import series
from monitor.assess.inputs import CUSTOMER
from monitor.canonical import Json
from monitor.model import rfc3339
from monitor.publish.bundle.cells import money
from monitor.publish.bundle.context import Context, Point, Rows
from monitor.publish.bundle.past import liabilities, pasts
from monitor.series import Coverage, Past, Payment, Span, Step

_GROUP = "customers"


def customers(context: Context) -> frozenset[str]:
    """The wallets of customers."""
    return frozenset(each.wallet for each in context.inputs.facts.wallets if each.storage in CUSTOMER)


def coverage_series(context: Context) -> Json:
    """Coverage at every change of held or owed, its minimum and its time-weighted mean."""
    summary: Rows = []
    points: Rows = []
    known, owed, mine = pasts(context), liabilities(context), customers(context)
    for asset in context.inputs.facts.assets:
        end = _end(context, known, asset)
        if end <= context.begin or asset not in owed:
            continue
        found = series.coverage(
            asset, _held(context, known, asset, mine, end), _owed(context, owed[asset]), context.begin, end
        )
        summary.append(_summary(found))
        points += [_point(asset, span) for span in found.spans]
    return {"facts": {}, "tables": {"summary": summary, "points": points}}


def _end(context: Context, known: tuple[Past, ...], asset: str) -> datetime:
    """The earliest anchor of the chains that carry the asset: behind it nothing is final."""
    return min((past.until for past in known if asset in past.assets), default=context.inputs.at)


def _held(
    context: Context, known: tuple[Past, ...], asset: str, mine: frozenset[str], end: datetime
) -> list[tuple[Step, ...]]:
    begin = context.begin
    found = [series.held(past, mine, asset, begin, end) for past in known if asset in past.assets]
    found += [
        (Step(begin, None, f"{reading.chain} was not read"),)
        for reading in context.inputs.readings
        if reading.as_of is None and reading.lines is None and asset in reading.assets
    ]
    stated = [line for line in context.inputs.books.statements or () if (line.asset, line.owner) == (asset, "customer")]
    return found + [(Step(line.as_of, line.units, f"statement of {line.custodian}"),) for line in stated]


def _owed(context: Context, lines: tuple[Step, ...]) -> tuple[Step, ...]:
    return series.declared(lines, timedelta(seconds=context.inputs.facts.limits.liabilities))


def _summary(found: Coverage) -> Json:
    least = None if found.minimum is None else found.minimum.ratio
    return {
        "asset": found.asset,
        "from": rfc3339(found.begin),
        "to": rfc3339(found.end),
        "points": len(found.spans),
        "minimum": None if least is None else series.down(least),
        "minimum_at": None if found.minimum is None else rfc3339(found.minimum.begin),
        "mean": None if found.mean is None else series.down(found.mean),
        "unverified_share": series.up(found.unknown_share),
    }


def _point(asset: str, span: Span) -> Json:
    ratio = span.ratio
    if ratio is not None:
        verdict = "PASS" if ratio >= 1 else "BREACH"
    else:
        verdict = "PASS" if span.held is not None and span.owed == 0 else "UNVERIFIED"
    at, coverage = rfc3339(span.begin), None if ratio is None else series.down(ratio)
    return {"asset": asset, "at": at, "coverage": coverage, "verdict": verdict}


def movements(context: Context) -> Json:
    """The tables of the reconciliation block that are about a period."""
    known, mine = pasts(context), customers(context)
    return {
        "roll_forward": _roll_forward(context, known, mine),
        "flows": _flows(context, known, mine),
        "round_trips": _round_trips(context, known, mine),
    }


def _roll_forward(context: Context, known: tuple[Past, ...], mine: frozenset[str]) -> Rows:
    """By asset over all chains: opening, with what new addresses held at first, and everything up to the closing."""
    sums: dict[str, dict[str, int]] = {}
    for past in known:
        for roll in series.roll_forward(past, dict.fromkeys(mine, _GROUP)):
            line = sums.setdefault(
                roll.asset, dict.fromkeys(("opening", "in", "out", "fees", "residual", "closing"), 0)
            )
            line["opening"] += roll.opening + roll.begun
            line["in"] += sum(roll.inflow.values())
            line["out"] += sum(roll.outflow.values())
            line["fees"] += roll.fees
            line["residual"] += roll.residual
            line["closing"] += roll.closing
    return [_roll(asset, sums[asset]) for asset in context.inputs.facts.assets if asset in sums]


def _roll(asset: str, line: dict[str, int]) -> Json:
    moved = line["in"] - line["out"] - line["fees"] + line["residual"]
    return {
        "asset": asset,
        "opening": str(line["opening"]),
        "inflow": str(line["in"]),
        "outflow": str(line["out"]),
        "fees": str(line["fees"]),
        "residual": str(line["residual"]),
        "closing": str(line["closing"]),
        "difference": str(line["closing"] - line["opening"] - moved),
    }


def _flows(context: Context, known: tuple[Past, ...], mine: frozenset[str]) -> Rows:
    found: dict[tuple[str, str, str], list[int]] = {}
    for past in known:
        for payment in past.payments:
            if payment.wallet in mine and not _within(payment, mine):
                key = (payment.asset, payment.direction.value, payment.reason.value)
                found.setdefault(key, []).append(payment.units)
    return [
        {
            "asset": asset,
            "direction": direction,
            "reason": reason,
            "parts": len(parts),
            "quantity": str(sum(parts)),
            "value": money(context.prices.worth(asset, sum(parts))),
        }
        for (asset, direction, reason), parts in sorted(found.items())
        if asset in context.inputs.facts.assets
    ]


def _within(payment: Payment, mine: frozenset[str]) -> bool:
    return payment.own and payment.party in mine


def _round_trips(context: Context, known: tuple[Past, ...], mine: frozenset[str]) -> Rows:
    """Around the time of the liabilities: what came in shortly before it and left again after it, up to the close."""
    payments = [payment for past in known for payment in past.payments]
    rows: Rows = []
    for line in context.inputs.books.liabilities or ():
        # As the monitor looks for them: smaller payments of different parties are ordinary traffic.
        least = max(1, int(Fraction(context.inputs.facts.window_dressing_percent) * line.units / 100))
        for trip in series.round_trips(payments, mine, line.as_of, line.asset, least):
            rows.append(
                {
                    "wallet": trip.wallet_in,
                    "asset": trip.asset,
                    "in_at": rfc3339(trip.in_at),
                    "quantity_in": str(trip.units_in),
                    "txid_in": trip.txid_in,
                    "out_at": rfc3339(trip.out_at),
                    "quantity_out": str(trip.units_out),
                    "txid_out": trip.txid_out,
                }
            )
    return rows


def unfilled(context: Context) -> list[Point]:
    """What these tables do not show, as the report's limitations say it."""
    owed, known = liabilities(context), pasts(context)
    return [
        *(
            ("no_coverage_series", asset)
            for asset in context.inputs.facts.assets
            if asset not in owed or _end(context, known, asset) <= context.begin
        ),
        ("round_trips_after_close", ""),
        ("opening_derived", ""),
    ]
