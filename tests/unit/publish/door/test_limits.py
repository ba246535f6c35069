from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.publish.door.limits import Buckets, neighbourhood


class Clock:
    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


def test_a_burst_is_let_through_and_then_one_an_interval() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    assert [buckets.take("a", 10, 3) for _ in range(4)] == [0, 0, 0, 10]
    clock.now += 9
    assert buckets.take("a", 10, 3) == 1
    clock.now += 1
    assert buckets.take("a", 10, 3) == 0
    assert buckets.take("a", 10, 3) == 10
    assert buckets.take("b", 10, 3) == 0


@given(
    st.integers(1, 50),
    st.integers(1, 8),
    st.lists(st.integers(0, 60), min_size=1, max_size=60),
)
def test_no_window_ever_sees_more_than_its_share(interval: int, burst: int, pauses: list[int]) -> None:
    clock = Clock()
    buckets = Buckets(clock)
    taken = []
    for pause in pauses:
        clock.now += pause
        wait = buckets.take("a", interval, burst)
        if wait == 0:
            taken.append(clock.now)
        else:
            # Waiting as long as told is enough, and a nanosecond less is not.
            assert 0 < wait <= interval * burst
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            window = taken[last] - start
            assert last - first + 1 <= burst + window // interval


def test_without_an_interval_nothing_is_counted() -> None:
    buckets = Buckets(Clock())
    assert [buckets.take("a", 0, 1) for _ in range(100)] == [0] * 100
    assert len(buckets) == 0


def test_memory_is_bounded_and_whoever_was_silent_longest_is_forgotten() -> None:
    buckets = Buckets(Clock(), most=3)
    for key in ("a", "b", "c", "a", "d"):
        buckets.take(key, 10, 2)
    assert len(buckets) == 3
    # "a" has used its two; "b" was forgotten.
    assert buckets.take("a", 10, 2) > 0
    assert [buckets.take("b", 10, 2) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::"),
        ("2001:db8::ffff:1", "2001:db8::"),
        ("2001:db8:0:1::1", "2001:db8:0:1::"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_of_ipv6_a_whole_network_is_one_caller(client: str, counted: str) -> None:
    assert neighbourhood(client) == counted
