"""What the fuzzer calls, called with text that is nearly right; see tools/fuzz_targets.py."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tools.fuzz import NAMES, main
from tools.fuzz_targets import CHECKOUT, TARGETS, approval_line, configuration, web_configuration

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=20),
    st.sampled_from(
        [
            "w-1",
            "ethereum",
            "USDT",
            "1.5",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "2026-11-22T00:00:00Z",
            "cancel",
            "-0",
            "1e9",
            "NaN",
            "１",
        ]
    ),
)
_KEYS = st.sampled_from(
    [
        "id",
        "chain",
        "asset",
        "amount",
        "destination",
        "tag",
        "wallet",
        "not_before",
        "not_after",
        "max_fee",
        "txid",
        "batch",
        "op",
        "heartbeat",
        "signature",
        "surplus",
    ]
)
_EXAMPLE = (CHECKOUT / "config" / "example.yaml").read_bytes()


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.dictionaries(_KEYS, _SCALARS, max_size=12).map(lambda x: json.dumps(x).encode())
    )
)
@example(b'{"id": "a", "id": "b"}')
@example(b'{"amount": 1e77777777777777777777}')
@example(b"[" * 5_000)
@example(b'{"amount": 1' + b"0" * 5_000 + b"}")
def test_an_approval_line_is_read_or_refused_with_its_reason(raw: bytes) -> None:
    approval_line(raw)


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """The example's configuration, cut off, or with some bytes exchanged: a file that is saved half-way."""
    text = bytearray(_EXAMPLE)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text[start:end] = draw(st.binary(max_size=12))
    return bytes(text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text)


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.binary(max_size=200), edited()))
def test_a_configuration_that_was_saved_half_way_is_refused_with_lines(raw: bytes) -> None:
    configuration(raw)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(alphabet="abtls_{}[]:-\n\"' &*?|>", max_size=120).map(str.encode)))
@example(b"rate_limit: {interval: {}, burst: 1}")
@example(b"basic_auth_users: [a]")
def test_a_web_configuration_is_read_or_refused_with_lines(raw: bytes) -> None:
    web_configuration(raw)


def test_the_fuzzer_names_its_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(TARGETS) == NAMES
    assert main([]) == 2
    assert capsys.readouterr().out == "write one of approval, configuration, web\n"
