from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome
from monitor.reserve import Exposure, Unknown, as_json, judge, reserve_check
from monitor.reserve.show import plain
from tests.unit.reserve.regimes import JAPAN, D, cash, facts, held, place, policy

MID = facts(
    held("238", "12", "12", "50"),
    spot="3000",
    margin="6000",
    policies=(policy("crime", "3", "0.2"),),
    fund=(cash("3"),),
    places=(place("cold-1", "238"),),
)


def test_the_check_shows_every_step_of_the_formula() -> None:
    found = reserve_check("jp-fiea-2026", "liability_reserve", "Act 64/2026", judge(JAPAN, MID))
    assert (found.verdict, found.value, found.threshold, found.margin) == (Outcome.PASS, "3", "2.435", "0.565")
    assert found.basis == "Act 64/2026"
    assert found.operands == {
        "vol": "0.3",
        "exp": "4.57",
        "rho": "1",
        "raw": "4.87",
        "required": "4.87",
        "eligible": "2.8",
        "credit": "2.435",
        "net": "2.435",
        "fund": "3",
        "surplus": "0.565",
        "accrual": "1.2175",
    }


def test_an_unverified_check_says_what_is_missing_and_shows_no_number_for_it() -> None:
    dark = Exposure("XRP", Unknown(("price of XRP in JPY",)), D(0), D(0), D(0), D(0))
    found = reserve_check("jp-fiea-2026", "liability_reserve", "Act 64/2026", judge(JAPAN, facts(dark)))
    assert (found.verdict, found.value, found.threshold, found.margin) == (Outcome.UNVERIFIED, "0", None, None)
    assert found.operands["exp"] == "unknown"
    assert found.basis == "Act 64/2026: unknown: price of XRP in JPY"


def test_the_json_holds_every_line_and_no_float() -> None:
    text = json.dumps(as_json(judge(JAPAN, MID)))
    found = json.loads(text, parse_float=lambda number: pytest.fail(f"a float: {number}"))
    assert found["exposure_lines"][0]["cold"] == "3.57"
    assert found["volume_lines"][1]["volumes"] == [[2026, "3000"], [2025, "3000"], [2024, "3000"]]
    assert found["policies"][0]["policy"]["expires"] == "2027-03-31"
    assert found["stress"]["largest"]["uncovered"] == "232.2"
    assert found["verdict"] == "PASS"


def test_an_unknown_amount_is_no_number_in_json() -> None:
    assert as_json(Unknown(("a", "b"))) == {"unknown": ["a", "b"]}


def test_a_float_has_no_json_here() -> None:
    with pytest.raises(TypeError, match="float"):
        as_json({"amount": 1.5})


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40, places=12))
def test_equal_amounts_have_equal_text_that_reads_back(amount: Decimal) -> None:
    text = plain(amount)
    assert Decimal(text) == amount
    assert plain(Decimal(f"{text}0" if "." in text else f"{text}.0")) == text


def test_the_order_of_declarations_leaves_the_same_bytes() -> None:
    two = (policy("a", "3"), policy("b", "4"))
    first = judge(JAPAN, replace(MID, policies=two))
    second = judge(JAPAN, replace(MID, policies=two[::-1]))
    assert json.dumps(as_json(first)) == json.dumps(as_json(second))
