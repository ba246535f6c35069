"""Coverage and the verdict: decided on integers, and an unknown is never fine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.assess.baseline import coverage_check, ratio, residual_check
from monitor.model import Check, Outcome, Position

LARGE = st.integers(0, 10**140)


def coverage(held: int | None, owed: int | None, verified: int | None = None, stale: str = "") -> Check:
    item = Position("A", held, owed, 0, held or 0 if verified is None else verified, "no node answered")
    found = coverage_check(item, stale, 8)
    assert found is not None
    return found


@given(LARGE, st.integers(1, 10**140))
def test_a_ratio_is_rounded_down_to_twelve_digits_whatever_its_size(part: int, whole: int) -> None:
    text = ratio(part, whole)
    digits = int(text.replace(".", ""))
    assert len(text.partition(".")[2]) == 12
    assert digits * whole <= part * 10**12 < (digits + 1) * whole


@given(st.integers(1, 10**140))
def test_a_ratio_never_shows_one_where_one_unit_is_missing(owed: int) -> None:
    assert ratio(owed, owed) == "1.000000000000"
    assert ratio(owed - 1, owed).startswith("0.")


def test_enough_and_verified_passes() -> None:
    check = coverage(100, 100)
    assert (check.verdict, check.value, check.threshold, check.margin) == (
        Outcome.PASS,
        "1.000000000000",
        "1",
        "0.00000000",
    )
    assert check.operands == {"held": "0.00000100", "owed": "0.00000100", "in_transit": "0.00000000"}


def test_one_unit_short_is_a_breach() -> None:
    check = coverage(99, 100)
    assert (check.verdict, check.margin) == (Outcome.BREACH, "-0.00000001")


def test_a_shortfall_is_a_breach_also_where_everything_is_only_claimed() -> None:
    assert coverage(99, 100, verified=0).verdict is Outcome.BREACH


def test_enough_that_is_only_claimed_is_unverified() -> None:
    check = coverage(100, 100, verified=99)
    assert (check.verdict, check.value) == (Outcome.UNVERIFIED, "1.000000000000")


def test_what_is_in_transit_counts() -> None:
    check = coverage_check(Position("A", 90, 100, 10, 90), "", 0)
    assert check is not None
    assert check.verdict is Outcome.PASS
    short = coverage_check(Position("A", 90, 100, 9, 90), "", 0)
    assert short is not None
    assert short.verdict is Outcome.BREACH


def test_nothing_owed_passes_without_a_ratio() -> None:
    check = coverage(5, 0, verified=0)
    assert (check.verdict, check.value, check.margin) == (Outcome.PASS, None, None)
    assert coverage(None, 0).verdict is Outcome.PASS


def test_an_asset_that_is_neither_held_nor_owed_has_no_check() -> None:
    assert coverage_check(Position("A", 0, None, 0, 0), "", 8) is None


def test_held_without_a_line_in_the_liabilities_is_unverified() -> None:
    check = coverage(5, None)
    assert (check.verdict, check.value, check.operands["owed"]) == (Outcome.UNVERIFIED, None, "unknown")
    assert "held without a line in the liabilities" in check.basis


def test_held_unknown_and_owed_unknown_is_unverified() -> None:
    assert coverage(None, None).verdict is Outcome.UNVERIFIED


def test_what_could_not_be_read_is_unverified_and_not_zero() -> None:
    check = coverage(None, 100)
    assert (check.verdict, check.value, check.operands["held"]) == (Outcome.UNVERIFIED, None, "unknown")
    assert "no node answered" in check.basis


def test_a_line_without_any_wallet_is_a_breach() -> None:
    assert coverage(0, 1).verdict is Outcome.BREACH


@pytest.mark.parametrize(("held", "owed"), [(100, 100), (99, 100), (0, 0), (5, None), (0, None), (None, None)])
def test_stale_or_missing_liabilities_are_unverified_whatever_else_is_known(held: int | None, owed: int | None) -> None:
    check = coverage(held, owed, stale="too old")
    assert (check.verdict, check.basis) == (Outcome.UNVERIFIED, "too old")


def test_an_open_residual_is_a_breach_and_an_account_that_was_not_compared_is_unverified() -> None:
    assert residual_check(0, ()).verdict is Outcome.PASS
    assert residual_check(0, ("c: refused",)).verdict is Outcome.UNVERIFIED
    assert residual_check(1, ("c: refused",)).verdict is Outcome.BREACH
