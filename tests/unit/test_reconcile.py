"""Holdings beside the ledger: no tolerance, no netting, no unknown taken for zero."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core.values import Account, BlockRef, Coin
from monitor.detect import residual_cases
from monitor.model import Case, CoinChange, Owner, Residual, Severity, Tier, Wallet
from monitor.reconcile import coin_change, gaps, residuals

AT = BlockRef("c", 7, "h7", "h6", 0)
NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
HOT = Wallet("hot", "c", Tier.HOT, Owner.CUSTOMER, "self", 0)
COLD = Wallet("cold", "c", Tier.COLD, Owner.CUSTOMER, "self", 1)
WALLETS = {
    "hot": HOT,
    "cold": COLD,
    **{owner.value: Wallet(owner.value, "c", Tier.HOT, owner, "self", 9) for owner in Owner},
}
OWNERS = {"a": HOT, "b": HOT, "x": COLD}


def compare(holdings: dict[str, int], ledger: dict[str, int], compared: str = "abx") -> tuple[Residual, ...]:
    return residuals(
        {Account("c", name, "A"): units for name, units in holdings.items()},
        {(name, "A"): units for name, units in ledger.items()},
        OWNERS,
        compared,
        AT,
    )


def cases(found: tuple[Residual, ...]) -> tuple[Case, ...]:
    return residual_cases(found, WALLETS, NOW, {})


@given(
    st.dictionaries(st.sampled_from("abx"), st.integers(0, 2**256 - 1)),
    st.dictionaries(st.sampled_from("abx"), st.integers(0, 2**256 - 1)),
)
def test_every_account_that_differs_by_one_unit_is_found_and_no_other(
    held: dict[str, int], booked: dict[str, int]
) -> None:
    read = {name: held.get(name, 0) for name in "abx"}
    found = {r.locator: r.units for r in compare(read, booked)}
    assert found == {n: read[n] - booked.get(n, 0) for n in read if read[n] != booked.get(n, 0)}


def test_equal_holdings_leave_no_residual() -> None:
    assert compare({"a": 5, "b": 0}, {"a": 5}) == ()


def test_plus_and_minus_five_in_two_accounts_of_a_wallet_are_one_case_with_two_lines() -> None:
    found = compare({"a": 5, "b": 5}, {"a": 10, "b": 0})
    assert [(r.locator, r.units) for r in found] == [("a", -5), ("b", 5)]
    (case,) = cases(found)
    assert (case.units, case.severity, case.wallet, case.rule) == (5, Severity.CRITICAL, "hot", "residual")
    assert case.evidence["accounts"] == [["a", "-5"], ["b", "5"]]


def test_a_surplus_alone_is_a_warning_with_a_negative_amount() -> None:
    (case,) = cases(compare({"a": 7, "b": 8}, {"a": 5, "b": 5}))
    assert (case.units, case.severity) == (-5, Severity.WARNING)


def test_wallets_are_not_netted_against_one_another() -> None:
    found = cases(compare({"a": 4, "x": 6}, {"a": 5, "x": 5}))
    assert [(c.wallet, c.units, c.severity) for c in found] == [
        ("hot", 1, Severity.CRITICAL),
        ("cold", -1, Severity.WARNING),
    ]


def test_assets_are_not_netted_against_one_another() -> None:
    lines = tuple(Residual("c", "hot", "a", asset, units, AT) for asset, units in (("A", -5), ("B", 5)))
    found = cases(lines)
    assert [(c.asset, c.units) for c in found] == [("A", 5), ("B", -5)]
    assert len({c.id for c in found}) == 2


def test_another_anchor_is_another_case() -> None:
    line = Residual("c", "hot", "a", "A", -5, AT)
    other = Residual("c", "hot", "a", "A", -5, BlockRef("c", 8, "h8", "h7", 0))
    assert cases((line,))[0].id == cases((line,))[0].id != cases((other,))[0].id


def test_what_the_node_could_not_enumerate_is_said_in_the_case() -> None:
    (case,) = residual_cases(compare({"a": 4}, {"a": 5}), WALLETS, NOW, {"c": ("internal transfers",)})
    assert case.evidence["not_enumerated"] == ["internal transfers"]


def test_an_account_that_was_opened_after_the_anchor_is_not_compared() -> None:
    assert compare({"a": 9, "b": 5}, {"a": 1, "b": 5}, compared="b") == ()


def test_a_holding_that_was_not_read_is_an_error_not_a_zero() -> None:
    with pytest.raises(KeyError, match="no holding was read for"):
        compare({"a": 5}, {"a": 5, "b": 0})
    with pytest.raises(KeyError, match="and 1 more"):
        compare({"a": 5}, {"a": 5, "b": 1, "x": 1})


def coin(name: str, locator: str, units: int = 5) -> Coin:
    return Coin(name, locator, "A", units)


def test_the_same_coins_in_any_order_have_not_changed() -> None:
    coins = [coin("1", "a"), coin("2", "b")]
    assert coin_change(coins, coins[::-1], "ab", AT) is None
    assert coin_change([], [], "ab", AT) is None


def test_a_coin_that_one_side_alone_has_appeared_or_vanished() -> None:
    found = coin_change([coin("1", "a"), coin("2", "a")], [coin("2", "a"), coin("3", "b")], "ab", AT)
    assert found == CoinChange(AT, (coin("1", "a"),), (coin("3", "b"),))


def test_a_coin_of_another_amount_or_owner_is_another_coin() -> None:
    found = coin_change([coin("1", "a", 6), coin("2", "b")], [coin("1", "a", 5), coin("2", "a")], "ab", AT)
    assert found == CoinChange(AT, (coin("1", "a", 6), coin("2", "b")), (coin("1", "a", 5), coin("2", "a")))


def test_coins_of_locators_that_are_not_compared_are_left_out_on_both_sides() -> None:
    assert coin_change([coin("1", "x")], [coin("2", "x")], "ab", AT) is None


def test_a_counter_ahead_or_behind_is_a_gap_and_an_equal_or_unknown_one_is_none() -> None:
    assert gaps({"a": 7, "b": 3, "x": 4, "new": 9}, {"a": 5, "b": 4, "x": 4, "gone": 1}) == {"a": 2, "b": -1}
