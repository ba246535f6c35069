"""The case of a snapshot that was dressed for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from monitor.detect import window_dressing
from monitor.detect.dressing import MOST_SHOWN
from monitor.ledger.encode import case_from_json, case_to_json
from monitor.model import Case, CaseState, RoundTrip, Severity, TripEvidence

AS_OF = datetime(2026, 11, 24, 15, tzinfo=UTC)
NOW = AS_OF + timedelta(days=1)


def trip(units: int, evidence: TripEvidence = TripEvidence.OWN, number: int = 1) -> RoundTrip:
    hour = timedelta(hours=1)
    return RoundTrip(
        "BTC",
        units,
        evidence,
        "hot",
        AS_OF - hour,
        units,
        f"in{number}",
        "house",
        "hot",
        AS_OF + hour,
        units,
        "out",
        "house",
    )


def case_of(*trips: RoundTrip, owed: int = 1000, percent: str = "5") -> Case | None:
    return window_dressing(trips, AS_OF, "BTC", owed, Decimal(percent), 0, NOW)


@pytest.mark.parametrize(
    ("units", "owed", "percent", "opens"),
    [
        (50, 1000, "5", False),
        (51, 1000, "5", True),
        (3 * 10**30 + 1, 10**32, "3", True),
        (3 * 10**30, 10**32, "3", False),
        (1, 10**40, "0", True),
        (1, 0, "5", True),
    ],
    ids=[
        "exactly the share",
        "one more",
        "one more of very many",
        "exactly of very many",
        "no share is too small",
        "nothing owed",
    ],
)
def test_only_more_than_the_share_of_what_is_owed_opens_a_case(
    units: int, owed: int, percent: str, opens: bool
) -> None:
    assert (case_of(trip(units), owed=owed, percent=percent) is not None) is opens


def test_no_trip_is_no_case() -> None:
    assert case_of(owed=0) is None


def test_the_case_warns_and_names_the_strongest_evidence_first() -> None:
    case = case_of(trip(200, TripEvidence.SIZE), trip(60), trip(70, TripEvidence.ADDRESS), trip(80))
    assert case is not None
    assert (case.rule, case.severity, case.state) == ("window_dressing", Severity.WARNING, CaseState.OPEN)
    assert (case.units, case.asset, case.subject) == (410, "BTC", "BTC 2026-11-24T15:00:00Z")
    assert case.evidence["by_evidence"] == {"own": "140", "address": "70", "size": "200"}
    shown = case.evidence["trips"]
    assert isinstance(shown, list)
    assert [(line["evidence"], line["amount"]) for line in shown] == [
        ("own", "80"),
        ("own", "60"),
        ("address", "70"),
        ("size", "200"),
    ]
    assert case_from_json(case_to_json(case)) == case


def test_the_same_snapshot_seen_again_is_the_same_case() -> None:
    first, again = case_of(trip(60)), window_dressing([trip(90)], AS_OF, "BTC", 1, Decimal(1), 0, NOW + timedelta(1))
    assert first is not None
    assert again is not None
    assert first.id == again.id


def test_a_case_names_a_bounded_number_of_trips_and_counts_them_all() -> None:
    case = case_of(*(trip(10, number=n) for n in range(MOST_SHOWN + 30)))
    assert case is not None
    shown = case.evidence["trips"]
    assert isinstance(shown, list)
    assert (len(shown), case.evidence["count"]) == (MOST_SHOWN, MOST_SHOWN + 30)
