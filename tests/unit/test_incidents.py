"""Which cases are one incident, and which of them page."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.core.values import BlockRef
from monitor.detect.incidents import (
    LONGEST,
    MOST_DESTINATIONS,
    WINDOW,
    Growth,
    Incident,
    Span,
    Standing,
    in_order,
    join,
    keys_of,
    opens,
    recorded,
)
from monitor.model import Case, CaseState, Destination, Event, Severity, Tier, utc

START = 1_790_000_000
VALUE = {"currency": "JPY", "price_as_of": "2026-09-21T00:00:00Z"}


def outflow(number: int, seconds: int = 0, yen: str | None = "100.00", **changes: object) -> Case:
    """A case that opens now; by default all are of one wallet, and to one destination."""
    at = utc(START + seconds)
    case = Case(
        id=f"{number:016x}",
        rule="unexplained_outflow",
        rules=("unexplained_outflow",),
        severity=Severity.CRITICAL,
        state=CaseState.OPEN,
        opened_at=at,
        chain="ethereum",
        wallet="eth-hot",
        tier=Tier.HOT,
        asset="USDT",
        units=1_000,
        destinations=(Destination("0xthief", 1_000, known=False),),
        block=BlockRef("ethereum", number, f"0x{number:x}", "0x", START + seconds),
        value=None if yen is None else {"amount": yen, **VALUE},
        history=(Event(at, "opened", "porwatch", ""),),
    )
    return replace(case, **changes)  # type: ignore[arg-type]


class Night:
    """Commits one after another, as the ledger remembers them."""

    def __init__(self) -> None:
        self.standing: dict[str, Standing] = {}
        self.cases: list[Case] = []

    def commit(self, *cases: Case) -> tuple[Case, ...]:
        joined = join(cases, self.standing.values())
        for case in in_order(joined):
            before = self.standing.get(case.incident or "")
            keys = dict(before.keys) if before else {}
            at = utc(case.block.time) if case.block else case.opened_at
            for key in keys_of(case):
                keys[key] = keys.get(key, Span(at, at)).with_(at)
            self.standing[case.incident or ""] = Standing(recorded(before and before.incident, case), keys)
        self.cases.extend(joined)
        return joined

    def pages(self) -> list[str]:
        return [case.id for case in self.cases if case.pages]

    def incident(self) -> Incident:
        (one,) = self.standing.values()
        return one.incident


def test_a_night_with_24_tokens_and_hundreds_of_transactions_is_a_handful_of_pages() -> None:
    night = Night()
    for number in range(600):
        token = f"T{number % 24}"
        priced = "50000.00" if number % 24 < 12 else None
        night.commit(outflow(number, number * 60 // 10, priced, asset=token, units=10**6 + number))
    assert len({case.incident for case in night.cases}) == 1
    assert len(night.pages()) <= 15
    assert night.incident().cases == 600


def test_what_leaves_in_one_commit_is_one_page_however_much_it_is() -> None:
    night = Night()
    night.commit(*(outflow(n, 0, f"{10**n}.00", asset=f"T{n}") for n in range(1, 25)))
    assert night.pages() == [f"{1:016x}"]
    night.commit(outflow(30, 10, "1000.00"))
    assert night.pages() == [f"{1:016x}"], "the first page spoke for the whole commit"


def test_the_value_pages_when_it_has_exactly_doubled_since_the_last_page() -> None:
    night = Night()
    night.commit(outflow(1, 0, "100.00"))
    assert night.commit(outflow(2, 60, "99.99"))[0].growth == ()
    assert night.commit(outflow(3, 120, "0.01"))[0].growth == (Growth.DOUBLED,)
    assert night.commit(outflow(4, 180, "199.99"))[0].growth == ()
    assert night.commit(outflow(5, 240, "0.01"))[0].growth == (Growth.DOUBLED,)
    assert night.incident().told_value == {"JPY": Decimal("400.00")}


def test_a_worthless_first_case_hides_nothing() -> None:
    night = Night()
    night.commit(outflow(1, 0, "0.00", units=0))
    assert night.commit(outflow(2, 60, "0.00", units=0))[0].growth == ()
    assert night.commit(outflow(3, 120, "1.00"))[0].growth == (Growth.DOUBLED,)


def test_without_a_price_the_units_of_an_asset_double() -> None:
    night = Night()
    night.commit(outflow(1, 0, None, asset="A", units=10))
    assert night.commit(outflow(2, 60, None, asset="B", units=10**30))[0].growth == ()
    assert night.commit(outflow(3, 120, None, asset="A", units=9))[0].growth == ()
    assert night.commit(outflow(4, 180, None, asset="A", units=1))[0].growth == (Growth.DOUBLED,)
    assert night.commit(outflow(5, 240, None, asset="B", units=10**30))[0].growth == (), "another asset doubled already"
    assert night.commit(outflow(6, 300, None, asset="B", units=2 * 10**30))[0].growth == (Growth.DOUBLED,)


def test_the_first_asset_without_a_price_pages_because_the_value_is_unknown_from_then_on() -> None:
    night = Night()
    night.commit(outflow(1))
    assert night.commit(outflow(2, 60, None, asset="A", units=1))[0].growth == (Growth.UNPRICED,)
    assert night.commit(outflow(3, 120, None, asset="B", units=1))[0].growth == ()


def test_a_new_chain_and_a_new_tier_page_once_each() -> None:
    night = Night()
    night.commit(outflow(1, yen="100000.00"))
    other = {"chain": "bitcoin", "wallet": "btc-hot", "destinations": (), "yen": "1.00"}
    assert night.commit(outflow(2, 60, **other))[0].growth == (Growth.CHAIN, Growth.WALLET)  # type: ignore[arg-type]
    assert night.commit(outflow(3, 120, **other))[0].growth == ()  # type: ignore[arg-type]
    both = night.commit(outflow(4, 180, **other, tier=Tier.COLD))[0]  # type: ignore[arg-type]
    assert both.growth == (Growth.TIER,)


def test_a_case_that_is_more_urgent_than_its_incident_is_never_hidden_in_it() -> None:
    night = Night()
    night.commit(
        outflow(1, 0, None, rule="inventory_gap", rules=("inventory_gap",), severity=Severity.WARNING, units=None)
    )
    (theft,) = night.commit(outflow(2, 60))
    assert theft.incident == f"{1:016x}"
    assert Growth.URGENCY in theft.growth


def test_of_several_that_open_together_the_most_urgent_is_the_first() -> None:
    surplus = outflow(1, 0, None, rule="residual", rules=("residual",), severity=Severity.WARNING, units=-5)
    theft = outflow(2, 0)
    joined = join([surplus, theft], [])
    assert [case.incident for case in joined] == [theft.id, theft.id]


@pytest.mark.parametrize("rule", ["approvals_blind", "deep_reorg", "check_breach", "window_dressing"])
def test_cases_of_quality_and_compliance_stand_alone(rule: str) -> None:
    assert not opens(outflow(1, rule=rule, rules=(rule,)))


def test_two_ranges_that_are_nearly_used_are_two_things() -> None:
    gap = {"rule": "inventory_gap", "rules": ("inventory_gap",), "destinations": ()}
    one, two = join([outflow(1, wallet="a", **gap), outflow(2, wallet="b", **gap)], [])
    assert one.incident != two.incident


def test_a_pending_case_and_one_that_has_joined_do_not_join() -> None:
    assert opens(outflow(1))
    assert not opens(outflow(1, state=CaseState.PENDING))
    assert not opens(outflow(1, incident="x"))
    assert not opens(outflow(1, history=(Event(utc(START), "mined again", "porwatch", ""),)))


def test_half_an_hour_is_near_and_a_second_more_is_another_incident() -> None:
    night, step = Night(), int(WINDOW.total_seconds())
    night.commit(outflow(1))
    assert night.commit(outflow(2, step))[0].incident == f"{1:016x}"
    assert night.commit(outflow(3, 2 * step + 1))[0].incident == f"{3:016x}"


def test_a_noisy_day_ends_its_incident_so_that_its_sum_hides_no_theft() -> None:
    night = Night()
    for number in range(26 * 4):
        night.commit(outflow(number, number * 900))
    first, *others = dict.fromkeys(case.incident for case in night.cases)
    assert len(others) == 1
    assert sum(case.incident == first for case in night.cases) == LONGEST // timedelta(minutes=15) + 1


def test_an_address_is_one_destination_on_every_chain() -> None:
    night = Night()
    night.commit(outflow(1, rules=("a",)))
    assert night.commit(outflow(2, 60, rules=("b",), chain="other", wallet="w"))[0].incident == f"{1:016x}"
    assert night.commit(outflow(3, 60, rules=("c",), chain="x", wallet="v", destinations=()))[0].incident == f"{3:016x}"


def test_a_payout_to_thousands_is_compared_by_its_largest_destinations() -> None:
    many = tuple(Destination(f"0x{n}", n, known=False) for n in range(5_000))
    keys = keys_of(outflow(1, destinations=many))
    assert len(keys) == MOST_DESTINATIONS + 2
    assert "destination 0x4999" in keys


def fate(case: Case) -> tuple[str, str | None, tuple[str, ...]]:
    return case.id, case.incident, case.growth


_CASES = st.builds(
    outflow,
    st.integers(1, 10**6),
    st.integers(0, 3 * 3600),
    st.sampled_from([None, "0.00", "0.01", "5.00", "1000000.00"]),
    chain=st.sampled_from(["bitcoin", "ethereum"]),
    wallet=st.sampled_from(["a", "b", "c"]),
    tier=st.sampled_from(list(Tier)),
    asset=st.sampled_from(["X", "Y"]),
    units=st.integers(-5, 2**20),
    severity=st.sampled_from([Severity.CRITICAL, Severity.WARNING]),
    rules=st.sampled_from([("unexplained_outflow",), ("residual",), ("inventory_gap",)]),
    destinations=st.sampled_from([(), (Destination("t", 1, known=False),)]),
)
_COMMIT = st.lists(_CASES, min_size=1, max_size=6, unique_by=lambda case: case.id)


@settings(max_examples=60)
@given(st.lists(_COMMIT, min_size=1, max_size=8), st.randoms())
def test_every_case_is_in_one_incident_whatever_the_order_within_a_commit(
    commits: list[list[Case]], chance: random.Random
) -> None:
    straight, shuffled, seen = Night(), Night(), set[str]()
    for commit in commits:
        fresh = [case for case in commit if case.id not in seen]
        seen |= {case.id for case in fresh}
        mixed = list(fresh)
        chance.shuffle(mixed)
        assert set(map(fate, straight.commit(*fresh))) == set(map(fate, shuffled.commit(*mixed)))
    assert straight.standing == shuffled.standing
    ids = {case.id for case in straight.cases}
    assert all(case.incident in ids for case in straight.cases)
    assert sum(one.incident.cases for one in straight.standing.values()) == len(straight.cases)
    for first in straight.standing:
        assert [case.id for case in straight.cases if case.incident == first and case.id == first] == [first]


@settings(max_examples=60)
@given(st.lists(_COMMIT, min_size=1, max_size=12))
def test_the_pages_of_an_incident_are_bounded_by_what_it_became(commits: list[list[Case]]) -> None:
    """One, and one for each further chain and tier, for urgency (twice), for the unknown value, and for each doubling."""
    night, seen = Night(), set[str]()
    for commit in commits:
        night.commit(*(case for case in commit if case.id not in seen))
        seen |= {case.id for case in commit}
    for one in (standing.incident for standing in night.standing.values()):
        pages = [case for case in night.cases if case.pages and case.incident == one.id]
        cents = max((int(value * 100) for value in one.value.values()), default=0)
        doublings = cents.bit_length() + 1 + one.doublings
        assert len(pages) <= 1 + (len(one.chains) - 1) + (len(one.tiers) - 1) + 2 + 1 + doublings
        assert sum(case.growth == () for case in pages) == 1
        assert one.told_doublings <= one.doublings
