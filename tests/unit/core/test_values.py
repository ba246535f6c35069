"""The values that every chain speaks in cannot change, mix assets or hold what is not whole."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.core import values
from chains.core.values import Account, Amount, BlockRef, TransactionKind

UNITS = st.integers(-(2**256), 2**256)


@given(UNITS, UNITS)
def test_amounts_of_one_asset_add_and_subtract_exactly(left: int, right: int) -> None:
    total = Amount("BTC", left) + Amount("BTC", right)
    assert total == Amount("BTC", left + right)
    assert total - Amount("BTC", right) == Amount("BTC", left)


def test_amounts_of_two_assets_do_not_mix() -> None:
    with pytest.raises(ValueError, match="BTC and ETH"):
        Amount("BTC", 1) + Amount("ETH", 1)
    with pytest.raises(ValueError, match="BTC and ETH"):
        Amount("BTC", 1) - Amount("ETH", 1)


@pytest.mark.parametrize("other", [1, 1.0, "1", None])
def test_only_an_amount_is_added_to_an_amount(other: Any) -> None:
    with pytest.raises(TypeError, match="only an Amount"):
        Amount("BTC", 1) + other
    with pytest.raises(TypeError):
        other + Amount("BTC", 1)


@pytest.mark.parametrize("units", [1.0, True, False, None, "1", Decimal(1), 2.0**53])
def test_units_are_an_int_and_nothing_else(units: Any) -> None:
    with pytest.raises(TypeError, match="units of BTC must be an int"):
        Amount("BTC", units)


def test_amounts_are_not_multiplied() -> None:
    with pytest.raises(TypeError):
        Amount("BTC", 1) * 2  # type: ignore[operator]


def dataclasses_of_values() -> list[type[Any]]:
    return [kind for kind in vars(values).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


@pytest.mark.parametrize("kind", dataclasses_of_values(), ids=lambda kind: kind.__name__)
def test_every_value_is_frozen_and_slotted(kind: type[Any]) -> None:
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in vars(kind)


def test_a_value_cannot_be_changed() -> None:
    block = BlockRef("bitcoin", 1, "aa", "bb", 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        block.height = 2  # type: ignore[misc]


def test_equal_accounts_are_one_key() -> None:
    assert {Account("bitcoin", "a", "BTC"): 1}[Account("bitcoin", "a", "BTC")] == 1
    assert Account("bitcoin", "a", "BTC") != Account("litecoin", "a", "BTC")


def test_kinds_of_transactions_print_as_words() -> None:
    assert [str(kind) for kind in TransactionKind] == ["transaction", "reward", "withdrawal"]
