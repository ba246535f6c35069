"""The case of a snapshot that was dressed for: much came in before it and left again after it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from chains.core.amounts import format_coins
from monitor.detect.words import SYSTEM
from monitor.model import Case, CaseState, Event, RoundTrip, Severity, TripEvidence, case_id, rfc3339

RULE = "window_dressing"
#: trips that a case names, the largest of the strongest evidence first; the report has them all
MOST_SHOWN = 50


def window_dressing(
    trips: Sequence[RoundTrip], as_of: datetime, asset: str, owed: int, percent: Decimal, decimals: int, now: datetime
) -> Case | None:
    """One case for each asset and snapshot, a warning: a person must say what the trips were for.

    ``trips``: those of ``asset`` around ``as_of`` (monitor.series.round_trips), a day after it at the earliest.
    ``percent``: of ``owed`` (base units); exactly as much opens no case. None where there is nothing to say.
    """
    moved = sum(trip.units for trip in trips)
    if not trips or Fraction(moved) * 100 <= Fraction(percent) * owed:
        return None
    subject = f"{asset} {rfc3339(as_of)}"
    ordered = sorted(trips, key=lambda trip: (list(TripEvidence).index(trip.evidence), -trip.units, trip.in_at))
    sums = {kind: sum(trip.units for trip in trips if trip.evidence is kind) for kind in TripEvidence}
    return Case(
        id=case_id(RULE, subject),
        rule=RULE,
        rules=(RULE,),
        severity=Severity.WARNING,
        state=CaseState.OPEN,
        opened_at=now,
        asset=asset,
        units=moved,
        subject=subject,
        evidence={
            "as_of": rfc3339(as_of),
            "owed": format_coins(owed, decimals),
            "percent": format(percent, "f"),
            "by_evidence": {kind.value: format_coins(units, decimals) for kind, units in sums.items() if units},
            "count": len(trips),
            "trips": [_shown(trip, decimals) for trip in ordered[:MOST_SHOWN]],
        },
        history=(Event(now, "opened", SYSTEM, f"came in within a day before {rfc3339(as_of)} and left within a day"),),
    )


def _shown(trip: RoundTrip, decimals: int) -> dict[str, str]:
    return {
        "amount": format_coins(trip.units, decimals),
        "evidence": trip.evidence.value,
        "in": trip.txid_in,
        "in_at": rfc3339(trip.in_at),
        "from": trip.giver,
        "out": trip.txid_out,
        "out_at": rfc3339(trip.out_at),
        "to": trip.taker,
    }
