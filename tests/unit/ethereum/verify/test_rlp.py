from __future__ import annotations

import re

import pytest
import rlp as other
from hypothesis import given
from hypothesis import strategies as st

from chains.core.errors import BadAnswer
from chains.ethereum.verify import rlp
from chains.ethereum.verify.proof import _BRANCH

TREES = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6), max_leaves=30)


@given(TREES)
def test_every_value_is_encoded_as_by_the_rlp_package_and_read_back(tree: rlp.Tree) -> None:
    item = rlp.encode(tree)
    assert item == other.encode(tree)
    assert rlp.decode(item) == tree


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 65_535, 65_536])
def test_lengths_at_every_border_are_encoded_as_by_the_rlp_package(size: int) -> None:
    for tree in (b"\x81" * size, [b"\x01"] * size):
        assert rlp.encode(tree) == other.encode(tree)
        assert rlp.decode(rlp.encode(tree)) == tree


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_numbers_are_encoded_without_leading_zeros_and_read_back(number: int) -> None:
    assert rlp.encode_int(number) == other.encode(number)
    assert rlp.integer(rlp.encode_int(number)) == number


#: Bytes in which prefixes, and with them every border of the format, are frequent.
HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            [0x00, 0x01, 0x37, 0x38, 0x7F, 0x80, 0x81, 0x82, 0xB7, 0xB8, 0xB9, 0xC0, 0xC1, 0xC2, 0xF7, 0xF8]
        ),
        st.integers(0, 255),
    ),
    max_size=70,
).map(bytes)


@given(HOSTILE)
def test_bytes_are_accepted_exactly_where_the_rlp_package_accepts_them_and_they_are_canonical(data: bytes) -> None:
    try:
        tree = other.decode(data)
    except other.DecodingError:
        tree = None
    if tree is not None and other.encode(tree) == data:
        assert rlp.decode(data) == tree
    else:
        with pytest.raises(BadAnswer):
            rlp.decode(data)


@given(HOSTILE)
def test_a_list_is_split_into_exactly_its_items_or_refused(data: bytes) -> None:
    try:
        items = rlp.items(data)
    except BadAnswer:
        return
    assert rlp.encode_list(items) == data


@given(HOSTILE)
def test_a_string_and_a_number_have_one_spelling(data: bytes) -> None:
    try:
        assert rlp.encode_bytes(rlp.payload(data)) == data
        assert rlp.encode_int(rlp.integer(data)) == data
    except BadAnswer:
        pass


@given(
    st.lists(st.sampled_from([b"\x80", b"\xa0" + b"\x11" * 32, b"\xa0" + b"\x80\xa0" * 16]), min_size=17, max_size=17)
)
def test_the_fast_way_to_split_a_branch_gives_its_items(items: list[bytes]) -> None:
    raw = rlp.encode_list(items)
    match = _BRANCH.fullmatch(raw, rlp.body(raw))
    assert (match is not None) == (items[16] == b"\x80")
    if match is not None:
        assert list(match.groups()) == rlp.items(raw) == items


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "empty"),
        ("8101", "single byte with a prefix"),
        ("b800", "longer than needed"),
        ("b90038" + "00" * 56, "longer than needed"),
        ("c180" + "00", "3 bytes where 2 were announced"),
        ("c3820102" + "01", "5 bytes where 4 were announced"),
        ("c2820102", "4 bytes where 3 were announced"),
        ("c28201", "ends within an item"),
        ("f8", "longer than needed"),
        ("83010203" + "04", "5 bytes where 4 were announced"),
    ],
)
def test_other_spellings_are_refused_and_the_error_says_why(data: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=re.escape(why)):
        rlp.decode(bytes.fromhex(data))


def test_lists_nest_only_so_deep() -> None:
    item = rlp.EMPTY_LIST
    for _ in range(16):
        item = rlp.encode_list([item])
    with pytest.raises(BadAnswer, match="nest deeper"):
        rlp.decode(item)


def test_a_list_is_no_string_and_a_string_no_list() -> None:
    with pytest.raises(BadAnswer, match="a list where a string must be"):
        rlp.payload(b"\xc0")
    with pytest.raises(BadAnswer, match="a string where a list must be"):
        rlp.items(b"\x80")
    with pytest.raises(BadAnswer, match="leading zeros"):
        rlp.integer(b"\x00")
