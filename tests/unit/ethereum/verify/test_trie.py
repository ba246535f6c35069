from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.ethereum.verify.trie import EMPTY_ROOT, ordered_root
from tests.unit.ethereum.verify.tries import root_of_list


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 127, 128, 129, 255, 256, 257, 300])
def test_the_root_of_a_list_of_any_length_is_the_one_that_py_trie_builds(count: int) -> None:
    values = [b"value %d " % n * (n % 7 + 1) for n in range(count)]
    assert ordered_root(values) == root_of_list(values)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=40))
def test_short_values_that_stand_in_their_parents_give_the_same_root(values: list[bytes]) -> None:
    assert ordered_root(values) == root_of_list(values)


def test_the_root_of_nothing_is_the_empty_one() -> None:
    assert ordered_root([]) == EMPTY_ROOT == root_of_list([])


def test_order_counts() -> None:
    assert ordered_root([b"one", b"two"]) != ordered_root([b"two", b"one"])
