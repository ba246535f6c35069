"""Strings of coins and whole base units: there and back without a digit lost, and nothing else let in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.amounts import format_coins, parse_units

EDGES = [0, 1, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63 + 1, 2**64 - 1, 2**64 + 1, 2**128, 2**256 - 1]
DECIMALS = st.integers(0, 36)


@pytest.mark.parametrize("units", EDGES + [-units for units in EDGES])
@pytest.mark.parametrize("decimals", [0, 1, 6, 8, 18, 36])
def test_edge_amounts_survive_the_round_trip(units: int, decimals: int) -> None:
    assert parse_units(format_coins(units, decimals), decimals) == units


@given(st.integers(-(2**256) + 1, 2**256 - 1), DECIMALS)
def test_every_amount_survives_the_round_trip(units: int, decimals: int) -> None:
    text = format_coins(units, decimals)
    assert parse_units(text, decimals) == units
    assert Decimal(text).as_tuple().exponent == -decimals


@given(st.integers(0, 2**256 - 1), DECIMALS, DECIMALS)
def test_trailing_zeros_change_nothing(units: int, decimals: int, more: int) -> None:
    text = format_coins(units, decimals)
    text = text if "." in text else text + "."
    padded = text + "0" * (more + 1)
    if len(padded) <= 120:
        assert parse_units(padded, decimals) == units


@pytest.mark.parametrize(
    ("units", "decimals", "coins"),
    [
        (150_000_000, 8, "1.50000000"),
        (1, 18, "0.000000000000000001"),
        (-1, 8, "-0.00000001"),
        (0, 8, "0.00000000"),
        (7, 0, "7"),
    ],
)
def test_coins_are_written_with_all_their_decimals(units: int, decimals: int, coins: str) -> None:
    assert format_coins(units, decimals) == coins


@pytest.mark.parametrize("text", ["1.5", "1.50", "1.500000000000"])
def test_the_same_amount_may_be_written_with_more_or_fewer_zeros(text: str) -> None:
    assert parse_units(text, 8) == 150_000_000


@pytest.mark.parametrize("text", ["0.000000001", "1.123456789", "-0.000000001", "0.0000000010"])
def test_more_decimals_than_the_asset_has_are_refused_and_never_rounded(text: str) -> None:
    with pytest.raises(ValueError, match="more than 8 decimals"):
        parse_units(text, 8)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1.",
        ".5",
        "+1",
        "--1",
        "01",
        "00.1",
        "1e3",
        "1E-8",
        "0x10",
        "1,000",
        "1_000",
        " 1",
        "1 ",
        "1\n",
        "1.5 BTC",
        "NaN",
        "Infinity",
        "١",
        "１",
        "1.٥",
        "1..5",
        "1.5.5",
        "1" * 121,
    ],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain decimal amount"):
        parse_units(text, 8)


@pytest.mark.parametrize("value", [1, 1.0, True, None, Decimal(1), b"1", ["1"]])
def test_an_amount_of_coins_is_a_string_and_nothing_else(value: Any) -> None:
    with pytest.raises(TypeError, match="must be a string of coins"):
        parse_units(value, 8)


@pytest.mark.parametrize("value", [1.0, True, False, None, "1", Decimal(1)])
def test_base_units_are_an_int_and_nothing_else(value: Any) -> None:
    with pytest.raises(TypeError, match="must be an int"):
        format_coins(value, 8)


@given(st.text(alphabet="0123456789.-+eE _,x", max_size=12))
def test_what_is_accepted_means_what_decimal_says_it_means(text: str) -> None:
    try:
        units = parse_units(text, 8)
    except ValueError:
        return
    assert Decimal(units) == Decimal(text).scaleb(8)
