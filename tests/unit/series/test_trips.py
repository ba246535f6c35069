"""Round trips around a snapshot: a loan is found, ordinary traffic is none."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Direction, Part, Reason, RoundTrip, TripEvidence
from monitor.series import Payment, round_trips
from tests.unit.series.sample import at, came, payment, went

HOUR = 3600
#: the snapshot, two days after the first moment
SNAP = 48 * HOUR
CUSTOMERS = ("hot", "cold")


def trips(*payments: Payment, least: int = 100) -> tuple[RoundTrip, ...]:
    return round_trips(payments, CUSTOMERS, at(SNAP), "BTC", least)


def told(found: tuple[RoundTrip, ...]) -> list[tuple[int, str, str, str]]:
    return [(trip.units, str(trip.evidence), trip.txid_in, trip.txid_out) for trip in found]


def test_a_loan_of_the_house_is_found_whichever_of_its_wallets_take_it_back() -> None:
    found = trips(
        came(SNAP - HOUR, 900, "house-1", own=True),
        went(SNAP + HOUR, 500, "house-2", own=True),
        went(SNAP + 2 * HOUR, 300, "reserve", own=True),
    )
    a, b, c = f"in{SNAP - HOUR}", f"out{SNAP + HOUR}", f"out{SNAP + 2 * HOUR}"
    assert told(found) == [(500, "own", a, b), (300, "own", a, c)]
    assert (found[0].giver, found[0].taker, found[0].units_in, found[0].units_out) == ("house-1", "house-2", 900, 500)


def test_an_address_that_gave_and_took_is_evidence_however_small() -> None:
    found = trips(came(SNAP - HOUR, 5, "0xlender"), went(SNAP + HOUR, 4, "0xlender"), went(SNAP + HOUR, 5, "0xother"))
    assert [(t.units, t.evidence, t.taker) for t in found] == [(4, TripEvidence.ADDRESS, "0xlender")]


def test_large_payments_of_nobody_knows_whom_are_matched_by_size() -> None:
    found = trips(came(SNAP - HOUR, 700), came(SNAP - HOUR, 99, txid="small"), went(SNAP + HOUR, 650, "0xb"))
    assert told(found) == [(650, "size", f"in{SNAP - HOUR}", f"out{SNAP + HOUR}")]


def test_an_address_that_is_changed_for_the_way_back_does_not_hide_the_trip() -> None:
    found = trips(came(SNAP - HOUR, 700, "0xa"), went(SNAP + HOUR, 700, "0xb"))
    assert [(t.units, t.evidence, t.giver, t.taker) for t in found] == [(700, TripEvidence.SIZE, "0xa", "0xb")]


def test_each_unit_is_matched_once_at_its_strongest_evidence() -> None:
    found = trips(
        came(SNAP - HOUR, 1000, "0xa"),
        came(SNAP - HOUR, 400, txid="unknown"),
        went(SNAP + HOUR, 600, "0xa"),
        went(SNAP + HOUR, 500, "0xb", txid="b"),
    )
    a, b = f"in{SNAP - HOUR}", f"out{SNAP + HOUR}"
    assert told(found) == [(600, "address", a, b), (400, "size", a, "b"), (100, "size", "unknown", "b")]


@pytest.mark.parametrize(
    ("before", "after", "inside"),
    [
        (0, 1, True),
        (-24 * HOUR + 1, 24 * HOUR, True),
        (-24 * HOUR, 1, False),
        (1, 2, False),
        (0, 0, False),
        (0, 24 * HOUR + 1, False),
    ],
    ids=[
        "at the snapshot and just after it",
        "a day",
        "a day before",
        "both after",
        "both at it",
        "more than a day after",
    ],
)
def test_the_window_is_a_day_on_either_side(before: int, after: int, inside: bool) -> None:
    assert bool(trips(came(SNAP + before, 500), went(SNAP + after, 500, "0xb"))) is inside


def test_moves_between_customers_wallets_and_fees_and_rewards_are_no_trips() -> None:
    assert (
        trips(
            came(SNAP - HOUR, 500, "cold", own=True),
            went(SNAP + HOUR, 500, "cold", own=True),
            payment(SNAP - HOUR, 500, Direction.IN, Part.RECEIPT, Reason.REWARD, ""),
            payment(SNAP - HOUR, 500, Direction.IN, Part.RECEIPT, Reason.WITHDRAWAL, ""),
            payment(SNAP + HOUR, 500, Direction.OUT, Part.FEE, Reason.FEE, ""),
        )
        == ()
    )


def test_other_assets_and_the_houses_own_payments_are_no_trips() -> None:
    assert (
        trips(
            came(SNAP - HOUR, 500, asset="ETH"),
            came(SNAP - HOUR, 500, wallet="house"),
            went(SNAP + HOUR, 500, "0xb"),
        )
        == ()
    )


def test_an_outflow_that_nobody_approved_takes_as_well() -> None:
    out = payment(SNAP + HOUR, 500, Direction.OUT, Part.DESTINATION, Reason.UNEXPLAINED, "0xb")
    assert [t.units for t in trips(came(SNAP - HOUR, 500), out)] == [500]


def test_a_least_that_is_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="least must be positive units, not 0"):
        trips(least=0)


_seconds = st.integers(SNAP - 30 * HOUR, SNAP + 30 * HOUR)
#: customers: many, each with an address of its own, none of whom moves a hundred
_traffic = st.lists(
    st.one_of(
        st.builds(lambda t, u, n: came(t, u, f"in-{n}"), _seconds, st.integers(1, 99), st.integers(0, 9)),
        st.builds(came, _seconds, st.integers(1, 99)),
        st.builds(lambda t, u, n: went(t, u, f"out-{n}"), _seconds, st.integers(1, 99), st.integers(0, 9)),
        st.builds(lambda t, u: went(t, u, "cold", own=True), _seconds, st.integers(1, 999)),
        st.builds(lambda t, u: came(t, u, "cold", own=True), _seconds, st.integers(1, 999)),
    ),
    max_size=40,
)


@given(_traffic)
def test_ordinary_traffic_is_no_round_trip(traffic: list[Payment]) -> None:
    assert trips(*traffic) == ()


@given(
    _traffic,
    st.integers(100, 10**30),
    st.integers(0, 24 * HOUR - 1),
    st.integers(1, 24 * HOUR),
    st.sampled_from(["own", "address", "size"]),
)
def test_a_trip_planted_in_traffic_is_found(
    traffic: list[Payment], units: int, before: int, after: int, evidence: str
) -> None:
    own = evidence == "own"
    giver, taker = {"own": ("house", "house"), "address": ("0xlender", "0xlender"), "size": ("", "0xpayee")}[evidence]
    lent = came(SNAP - before, units, giver, own=own, txid="lent")
    back = went(SNAP + after, units, taker, own=own, txid="back")
    assert told(trips(*traffic, lent, back)) == [(units, evidence, "lent", "back")]


@given(
    st.lists(
        st.one_of(
            st.builds(came, _seconds, st.integers(1, 999), st.sampled_from(["", "a", "b"])),
            st.builds(went, _seconds, st.integers(1, 999), st.sampled_from(["a", "b", "c"])),
            st.builds(lambda t, u: came(t, u, "house", own=True), _seconds, st.integers(1, 999)),
            st.builds(lambda t, u: went(t, u, "house", own=True), _seconds, st.integers(1, 999)),
        ),
        max_size=30,
    ),
    st.integers(1, 200),
)
def test_no_unit_is_in_two_trips_and_nothing_is_left_that_fits(payments: list[Payment], least: int) -> None:
    named = [_named(p, n) for n, p in enumerate(payments)]
    found = trips(*named, least=least)
    given_, taken = Counter[str](), Counter[str]()
    for trip in found:
        assert trip.units > 0
        given_[trip.txid_in] += trip.units
        taken[trip.txid_out] += trip.units
    units = {p.txid: p.units for p in named}
    assert all(used <= units[txid] for side in (given_, taken) for txid, used in side.items())
    came_in = [p for p in named if p.direction is Direction.IN and at(SNAP - 24 * HOUR) < p.at <= at(SNAP)]
    went_out = [p for p in named if p.direction is Direction.OUT and at(SNAP) < p.at <= at(SNAP + 24 * HOUR)]
    left_in = [p for p in came_in if p.units - given_[p.txid] >= least]
    left_out = [p for p in went_out if p.units - taken[p.txid] >= least]
    assert not (left_in and left_out)


def _named(item: Payment, number: int) -> Payment:
    return Payment(**{**{name: getattr(item, name) for name in item.__slots__}, "txid": f"t{number}"})
