from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from chains.core.amounts import format_coins
from monitor.publish.console.forms import age, grouped, moment, percent, permille, short, shown, visible


@given(st.integers(-(10**40), 10**40), st.integers(0, 30))
def test_grouping_loses_no_digit(units: int, decimals: int) -> None:
    coins = format_coins(units, decimals)
    assert grouped(coins).replace(",", "").replace("−", "-") == coins


def test_digits_are_grouped_before_the_point_only() -> None:
    assert grouped("8490000.000001") == "8,490,000.000001"
    assert grouped("-1234") == "−1,234"
    assert grouped("not a number") == "not a number"


@given(st.decimals(min_value=0, max_value=1000, places=12))
def test_a_percentage_is_never_more_than_the_ratio(ratio: Decimal) -> None:
    said = Decimal(percent(str(ratio)).replace(",", ""))
    assert said <= ratio * 100 < said + Decimal("0.01")


def test_a_shortfall_of_one_unit_is_not_a_hundred_percent() -> None:
    assert percent("0.999999999999") == "99.99"
    assert permille("0.999999999999", 1500) == 999


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("USDT", "USDT"),
        ("USD\u202eT", "USD⟦U+202E⟧T"),
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("\x1b[31m", "⟦U+001B⟧[31m"),
        ("一\u3000二", "一\u3000二"),
        ("a\u2028b", "a⟦U+2028⟧b"),
        ("a\u00a0b", "a⟦U+00A0⟧b"),
    ],
)
def test_what_prints_nothing_or_turns_its_neighbours_round_is_written_out(text: str, seen: str) -> None:
    assert visible(text) == seen


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert "\u202e" not in visible(text)


@pytest.mark.parametrize("value", [1.5, None, True, ["a"]])
def test_a_page_refuses_to_write_what_is_no_text_and_no_whole_number(value: object) -> None:
    with pytest.raises(TypeError):
        shown(value)


def test_a_template_writes_texts_numbers_and_its_own_parts() -> None:
    assert (shown("x\u202e"), shown(7), shown(Markup("<b>"))) == ("x⟦U+202E⟧", "7", Markup("<b>"))
    assert len(shown("x" * 10_000)) < 1_000


def test_a_moment_is_told_in_the_zone_of_the_entity_with_its_offset() -> None:
    said = moment(datetime(2026, 11, 24, 15, 30, 5, tzinfo=UTC), ZoneInfo("Asia/Tokyo"))
    assert (said.text, said.zone, said.machine) == ("2026-11-25 00:30:05", "+09:00", "2026-11-24T15:30:05.000Z")
    winter = moment(datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("America/New_York"))
    assert (winter.text, winter.zone) == ("2025-12-31 19:00:00", "-05:00")


@pytest.mark.parametrize(
    ("seconds", "key", "n"),
    [
        (-3, "age.seconds", "0"),
        (119.9, "age.seconds", "119"),
        (120, "age.minutes", "2"),
        (7200, "age.hours", "2"),
        (10**9, "age.days", "11,574"),
    ],
)
def test_an_age_is_told_in_whole_units_and_never_less_than_nothing(seconds: float, key: str, n: str) -> None:
    assert age(seconds) == (key, {"n": n})


def test_a_hash_may_be_shortened() -> None:
    assert short("0x" + "ab" * 32) == "0xabababab…abababab"
    assert short("w-1001") == "w-1001"
