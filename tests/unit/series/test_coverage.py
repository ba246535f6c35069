"""Coverage over a period: worked by hand, and equal to asking every single second."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.series import Change, Coverage, Past, Step, coverage, declared, down, held, moments, up
from monitor.series.coverage import MOST_OWED
from tests.unit.series.sample import BEGIN, at, change, past, step

END = 60


def series(*pasts: Past, owed: list[Step], end: int = END, wallets: frozenset[str] = frozenset({"hot"})) -> Coverage:
    tracks = [held(each, wallets, "BTC", BEGIN, at(end)) for each in pasts]
    return coverage("BTC", tracks, declared(owed), BEGIN, at(end))


def lines(found: Coverage) -> list[tuple[int, int, int | None, int | None]]:
    return [((s.begin - BEGIN).seconds, (s.end - BEGIN).seconds, s.held, s.owed) for s in found.spans]


def test_a_loan_over_the_snapshot_shows_in_minimum_and_mean() -> None:
    found = series(past(change(20, 50), change(40, -50), opening=50), owed=[step(-5, 100)])
    assert lines(found) == [(0, 20, 50, 100), (20, 40, 100, 100), (40, 60, 50, 100)]
    assert found.minimum is not None
    assert (found.minimum.ratio, found.minimum.begin, found.minimum.cause) == (Fraction(1, 2), BEGIN, "c, liabilities")
    # (40 s · 1/2 + 20 s · 1) / 60 s
    assert found.mean == Fraction(2, 3)
    assert (down(found.mean), up(found.mean)) == ("0.666666666666", "0.666666666667")
    assert found.below == timedelta(seconds=40)
    assert (found.below_share, found.unknown_share) == (Fraction(2, 3), Fraction(0))


def test_two_chains_are_one_by_the_time_of_their_blocks() -> None:
    found = series(
        past(change(10, 5), opening=50),
        past(change(10, -5, "d"), change(30, 7, "d"), opening=50, chain="d"),
        owed=[step(0, 100)],
    )
    # what the one gives and the other takes at the same moment is no change
    assert lines(found) == [(0, 30, 100, 100), (30, 60, 107, 100)]
    assert found.spans[1].cause == "d 30"


def test_two_blocks_of_the_same_moment_leave_no_state_between_them() -> None:
    found = series(past(change(10, -50), change(10, 50, height=11), opening=50), owed=[step(0, 50)])
    assert lines(found) == [(0, 60, 50, 50)]
    assert found.minimum is not None
    assert found.minimum.ratio == 1


def test_before_the_first_line_of_the_liabilities_coverage_is_unknown() -> None:
    found = series(past(opening=50), owed=[step(15, 25)])
    assert lines(found) == [(0, 15, 50, None), (15, 60, 50, 25)]
    assert (found.mean, found.unknown_share) == (Fraction(2), Fraction(1, 4))


def test_no_liabilities_at_all_give_no_figure() -> None:
    found = series(past(opening=50), owed=[])
    assert (found.minimum, found.mean, found.unknown_share) == (None, None, Fraction(1))


def test_a_later_correction_of_a_line_replaces_it() -> None:
    found = series(past(opening=50), owed=[step(0, 25), step(30, 50), step(0, 100)])
    assert lines(found) == [(0, 30, 50, 100), (30, 60, 50, 50)]


def test_a_line_that_is_too_old_is_not_in_force_any_more() -> None:
    owed = declared([step(0, 100), step(20, 50), step(50, 25)], max_age=timedelta(seconds=25))
    assert [((s.at - BEGIN).seconds, s.units) for s in owed] == [(0, 100), (20, 50), (45, None), (50, 25), (75, None)]


def test_where_nothing_is_owed_there_is_no_ratio_and_nothing_is_unknown() -> None:
    found = series(past(opening=50), owed=[step(0, 0), step(30, 100)])
    assert (found.nothing_owed, found.measured, found.unknown) == (
        timedelta(seconds=30),
        timedelta(seconds=30),
        timedelta(0),
    )
    assert found.mean == Fraction(1, 2)


def test_one_chain_that_was_not_followed_makes_the_sum_unknown() -> None:
    found = series(past(opening=50), past(opening=50, chain="d", until=45), owed=[step(0, 100)])
    assert lines(found) == [(0, 45, 100, 100), (45, 60, None, 100)]
    assert found.unknown_share == Fraction(1, 4)
    # and the known part alone says nothing of the rest
    assert found.mean == 1


def test_what_was_regrouped_is_unknown_before() -> None:
    found = series(past(opening=50, begin=at(12)), owed=[step(0, 100)])
    assert lines(found) == [(0, 12, None, 100), (12, 60, 50, 100)]
    lost = series(past(opening=50, begin=at(70)), owed=[step(0, 100)])
    assert lines(lost) == [(0, 60, None, 100)]


def test_an_asset_is_unknown_until_it_is_followed_and_begins_with_what_is_there_then() -> None:
    opened = change(20, 70, kind="opened")
    found = series(past(opened, change(30, 5), known_from={"BTC": at(20)}), owed=[step(0, 100)])
    assert lines(found) == [(0, 20, None, 100), (20, 30, 70, 100), (30, 60, 75, 100)]


def test_wallets_of_others_do_not_count() -> None:
    found = series(past(change(20, 500, wallet="house"), opening=50), owed=[step(0, 100)])
    assert lines(found) == [(0, 60, 50, 100)]


def test_a_moment_is_the_earliest_time_of_a_block_or_one_above_it() -> None:
    # 102's miner had a clock that ran ahead: 103 shows that 102 was there by 20 at the latest
    assert moments({101: at(10), 102: at(50), 103: at(20), 104: at(60)}) == {
        101: at(10),
        102: at(20),
        103: at(20),
        104: at(60),
    }


@pytest.mark.parametrize("end", [0, -5])
def test_a_period_without_time_is_refused(end: int) -> None:
    with pytest.raises(ValueError, match="has no time: write a later end"):
        coverage("BTC", [], [], BEGIN, at(end))


def test_steps_that_run_backwards_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be in order of time"):
        coverage("BTC", [[step(5, 1), step(4, 2)]], [], BEGIN, at(END))


def test_too_many_amounts_owed_are_refused_with_what_to_do() -> None:
    owed = [step(n, n + 1) for n in range(MOST_OWED + 1)]
    with pytest.raises(ValueError, match="ask for less time"):
        coverage("BTC", [[step(0, 5)]], owed, BEGIN, at(MOST_OWED + 1))


_changes = st.lists(st.tuples(st.integers(1, END - 1), st.integers(-40, 60)), max_size=12)
_lines = st.lists(st.tuples(st.integers(-10, END + 5), st.none() | st.integers(0, 90)), max_size=6)


@given(
    chains=st.lists(st.tuples(st.integers(0, 90), _changes, st.integers(0, END + 5)), min_size=1, max_size=3),
    owed=_lines,
)
def test_the_series_is_what_one_finds_who_asks_every_second(
    chains: list[tuple[int, list[tuple[int, int]], int]], owed: list[tuple[int, int | None]]
) -> None:
    pasts = [
        past(
            *(change(t, u, f"c{n}") for t, u in sorted(moves) if t <= until),
            opening=opening,
            until=until,
            chain=f"c{n}",
        )
        for n, (opening, moves, until) in enumerate(chains)
    ]
    found = series(*pasts, owed=[step(t, u) for t, u in owed])
    asked = [_asked(chains, owed, second) for second in range(END)]
    told = [(s.held, s.owed) for s in found.spans for _ in range((s.end - s.begin).seconds)]
    assert told == asked
    assert (
        all(a != b for a, b in zip(lines(found), lines(found)[1:], strict=False) if a[2:] == b[2:]) or not found.spans
    )
    ratios = [Fraction(h, o) for h, o in asked if h is not None and o]
    assert found.mean == (sum(ratios, Fraction(0)) / len(ratios) if ratios else None)
    assert (None if found.minimum is None else found.minimum.ratio) == (min(ratios) if ratios else None)
    assert found.below == timedelta(seconds=sum(ratio < 1 for ratio in ratios))
    assert found.measured + found.nothing_owed + found.unknown == timedelta(seconds=END)


def _asked(
    chains: list[tuple[int, list[tuple[int, int]], int]], owed: list[tuple[int, int | None]], second: int
) -> tuple[int | None, int | None]:
    known = all(second < until for _, _, until in chains)
    units = sum(opening + sum(u for t, u in moves if t <= second) for opening, moves, _ in chains)
    due: tuple[int, int | None] | None = None
    for line in owed:
        if line[0] <= second and (due is None or line[0] >= due[0]):
            due = line
    return (units if known else None), (None if due is None else due[1])


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(-9, 9)), max_size=30), st.randoms(use_true_random=False))
def test_the_order_in_which_movements_are_told_does_not_matter(moves: list[tuple[int, int]], random: object) -> None:
    told: list[Change] = [change(t, u, height=n) for n, (t, u) in enumerate(moves)]
    shuffled = list(told)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert series(past(*told), owed=[step(0, 7)]) == series(past(*shuffled), owed=[step(0, 7)])
