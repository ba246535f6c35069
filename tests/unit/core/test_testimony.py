"""The form of a testimony's lines: one spelling, one seal, limits on everything, and one error that names the line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains import bitcoin, ethereum
from chains.bitcoin.settings import Settings as BitcoinSettings
from chains.core.testimony import BadTestimony, Lines, from_text, seal, to_text
from tests.unit.ethereum.made_testimony import SETTINGS, Made

BITCOIN = BitcoinSettings.model_validate(
    {"kind": "bitcoin", "network": "regtest", "native": "BTC", "endpoints": [{"url": "http://127.0.0.1:1"}]}
)
KINDS = ("testimony", "header", "headers", "account", "answers", "contract", "slot", "holdings", "set", "coins", "end")
KEYS = ("kind", "form", "chain", "fields", "hash", "endpoints", "accounts", "said", "nodes", "coins", "asset", "units")

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(KINDS), st.just("0x00")
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=4)), inner, max_size=5),
    ),
    max_leaves=12,
)
lines = st.lists(st.one_of(values, st.dictionaries(st.sampled_from(KEYS), values)), max_size=4)


def made() -> list[Any]:
    ether = {f"0x{n:02x}" + "ab" * 19: 10**18 + n for n in range(4)}
    return Made(ether, dict.fromkeys(ether, 7), {}).lines()


def walk(found: Any) -> int:
    read = Lines(found)
    return sum(1 for _ in read)


def test_lines_come_back_from_their_text() -> None:
    body = made()
    assert list(from_text(to_text(line) + "\n" for line in body)) == body
    assert list(from_text(to_text(line).encode() for line in body)) == body


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_byte_of_the_file_that_changes_is_found_and_its_line_named(data: st.DataObject) -> None:
    raw = b"".join(to_text(line).encode() + b"\n" for line in FILE)
    place = data.draw(st.integers(0, len(raw) - 1))
    changed = bytearray(raw)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadTestimony) as caught:
        ethereum.recheck("ethereum", from_text(bytes(changed).splitlines(keepends=True)), SETTINGS)
    assert 1 <= caught.value.line <= len(FILE) + 1


FILE = made()


@settings(max_examples=60, deadline=None)
@given(lines, st.booleans())
def test_hostile_lines_raise_nothing_but_bad_testimony(hostile: list[Any], sealed: bool) -> None:
    try:
        whole = list(seal(hostile)) if sealed else hostile
    except (TypeError, ValueError):
        whole = hostile
    good = FILE[:2]
    for start in ([], good[:1], good):
        with pytest.raises(BadTestimony):
            ethereum.recheck("ethereum", [*start, *whole], SETTINGS)
        with pytest.raises(BadTestimony):
            bitcoin.recheck("bitcoin", [*start, *whole], BITCOIN)


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (["kind"], "is a list, not an object"),
        ({"kind": "x", "a": 1.5}, "a float"),
        ({"kind": "x", "a": None}, "None"),
        ({"kind": "x", "a": 1 << 60}, "beyond 2"),
        ({"kind": "x", "a": "y" * 50_000}, "50,000 characters"),
        ({"kind": "x", "a": ["y"] * 30_000}, "more than 20,000 items"),
        ({"kind": "x", "a": nested(100_000)}, "nested deeper"),
        ({"kind": "x", 5: "a"}, "key that is not short text"),
        ({"kind": "x", "k" * 100: "a"}, "key that is not short text"),
        ({"a": "x"}, "kind must be a str, not None"),
        ({"kind": ["x"]}, "kind must be a str, not a list"),
    ],
)
def test_what_no_line_is_is_refused_within_limits(line: Any, why: str) -> None:
    with pytest.raises(BadTestimony, match=rf"^line 2: .*{why}"):
        walk([{"kind": "first"}, line])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "no JSON"),
        ('{"a":"1","a":"1"}', "twice"),
        ('{"a": "1"}', "one form"),
        ('{"b":"1","a":"1"}', "one form"),
        ('{"a":"\\u0041"}', "one form"),
        ('{"a":1.5}', "no JSON|one form"),
        ("[]", "one form"),
        ("", "no JSON"),
        ('{"a":"' + "y" * 4_000_001 + '"}', "bytes"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_text_that_is_not_in_the_one_form_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadTestimony, match=rf"^line 2: .*({why})"):
        list(from_text(['{"kind":"x"}', text]))


def test_the_seal_counts_the_lines_and_nothing_stands_behind_it() -> None:
    body = [{"kind": "a"}, {"kind": "b"}]
    whole = list(seal(body))
    assert walk(whole) == 2
    for changed, line in (
        (whole[:-1], 3),
        ([*whole, {"kind": "a"}], 4),
        ([whole[1], whole[0], whole[2]], 3),
        ([whole[0], whole[2]], 2),
        ([], 1),
    ):
        with pytest.raises(BadTestimony) as caught:
            walk(changed)
        assert caught.value.line == line


def test_a_seal_of_a_chain_that_nobody_asked_about_is_refused() -> None:
    with pytest.raises(BadTestimony, match="line 1: chain is 'ethereum', not 'polygon'"):
        ethereum.recheck("polygon", FILE, SETTINGS)
    with pytest.raises(BadTestimony, match="line 1: chain_kind is 'evm', not 'bitcoin'"):
        bitcoin.recheck("ethereum", FILE, BITCOIN)
