"""Claims pro rata: never more than is there, never more than is owed, the same whatever the order."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.publish.report.claims import Owed, Source, claims_block, share
from monitor.publish.report.schema import validate

from .samples import DECIMALS, HASH, full_report

SOURCE = Source("2026-09-30T00:00:00+09:00", "customers.csv", HASH)
UNITS = st.integers(0, 2**256)


def block(owed: list[Owed], available: Mapping[str, int]) -> dict[str, Any]:
    return claims_block(SOURCE, owed, available, {"BTC": Decimal("15000000.5")}, DECIMALS)


def test_a_shortfall_is_shared_and_rounded_down_and_another_asset_does_not_help() -> None:
    owed = [Owed("c", "BTC", 1), Owed("a", "BTC", 100), Owed("b", "BTC", 200), Owed("a", "ETH", 5)]
    claims = block(owed, {"BTC": 200, "ETH": 10**30})
    assert [(row["customer"], row["asset"], row["claim"]) for row in claims["tables"]["per_customer"]] == [
        ("a", "BTC", "66"),
        ("a", "ETH", "5"),
        ("b", "BTC", "132"),
        ("c", "BTC", "0"),
    ]
    assert claims["tables"]["pools"] == [
        {"asset": "BTC", "available": "200", "owed": "301", "paid": "198", "left": "103", "rate": "0.664451827242"},
        {"asset": "ETH", "available": str(10**30), "owed": "5", "paid": "5", "left": "0", "rate": "1.000000000000"},
    ]
    assert claims["facts"]["customers"] == 3


def test_the_value_of_a_claim_is_exact_and_null_without_a_price() -> None:
    rows = block([Owed("a", "BTC", 12345678901), Owed("a", "ETH", 7)], {"BTC": 2**256, "ETH": 7})["tables"][
        "per_customer"
    ]
    assert [row["value"] for row in rows] == ["1851851896.878394505", None]


def test_the_block_is_one_of_the_report() -> None:
    report = full_report(addresses=1)
    report["blocks"]["claims"] = block([Owed("a", "BTC", 1), Owed("b", "ETH", 0)], {"BTC": 0, "ETH": 0})
    validate(report)


@given(parts=st.lists(UNITS, min_size=1, max_size=8), available=UNITS)
def test_no_more_is_paid_than_is_there_or_owed_and_at_most_one_unit_a_customer_stays(
    parts: list[int], available: int
) -> None:
    paid = [share(units, sum(parts), available) for units in parts]
    assert sum(paid) <= available
    assert all(0 <= claim <= units for claim, units in zip(paid, parts, strict=True))
    assert min(available, sum(parts)) - sum(paid) < len(parts)


@given(
    owed=st.dictionaries(st.text(min_size=1, max_size=4), UNITS, min_size=1, max_size=6),
    available=UNITS,
    data=st.data(),
)
def test_the_order_of_the_file_changes_nothing(owed: dict[str, int], available: int, data: st.DataObject) -> None:
    rows = [Owed(customer, "BTC", units) for customer, units in owed.items()]
    again = data.draw(st.permutations(rows))
    assert block(rows, {"BTC": available}) == block(again, {"BTC": available})


@pytest.mark.parametrize(
    ("owed", "said"),
    [
        ([Owed("a", "BTC", -1)], "below zero"),
        ([Owed("a", "BTC", 1), Owed("a", "BTC", 1)], "stands twice"),
        ([Owed("a", "XRP", 1)], "what is held of XRP is unknown"),
    ],
)
def test_a_customer_file_that_cannot_be_right_is_refused(owed: list[Owed], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        block(owed, {"BTC": 10})
