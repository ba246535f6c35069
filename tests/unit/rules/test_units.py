from __future__ import annotations

import pytest

from monitor.rules.grammar import GrammarError, parse
from monitor.rules.units import Names, Per, Unit, check_units

NAMES = Names(
    {"own_funds": Unit.MONEY, "days": Unit.NUMBER, "audit": None}, {"share": Unit.NUMBER, "floor": Unit.MONEY}
)


@pytest.mark.parametrize(
    ("text", "per", "unit"),
    [
        ("sum(A.cust_*) + T >= L", Per.ASSET, Unit.UNITS),
        ("A.guarantee >= A.cust_hot", Per.ASSET, Unit.UNITS),
        ("sum(E.cust_cold) >= param.share * sum(E.cust_*)", Per.ASSET, Unit.MONEY),
        ("E.cust_cold >= 0.98 * (E.cust_cold + E.cust_hot)", Per.ASSET, Unit.MONEY),
        ("sum(E.cust_hot) <= 0.05 * sum(E.cust_*)", Per.AGGREGATE, Unit.MONEY),
        ("sum(E.cust_hot) <= 0.5 * (param.share * 2) * sum(E.cust_*)", Per.AGGREGATE, Unit.MONEY),
        ("declared.own_funds >= max(param.floor, 0.25 * declared.own_funds)", Per.ENTITY, Unit.MONEY),
        ("declared.days <= 93", Per.ENTITY, Unit.NUMBER),
        ("cover.total >= clamp(sum(E.cust_hot), param.floor, 2 * param.floor)", Per.AGGREGATE, Unit.MONEY),
    ],
)
def test_what_has_one_unit_is_accepted(text: str, per: Per, unit: Unit) -> None:
    assert check_units(parse(text), per, NAMES) is unit


@pytest.mark.parametrize(
    ("text", "per", "words", "position"),
    [
        ("sum(A.cust_*) >= L", Per.AGGREGATE, "units of different assets cannot be added", 0),
        ("sum(E.cust_hot) >= L", Per.AGGREGATE, "L is in units of one asset", 19),
        ("E.cust_hot <= 0.05 * sum(E.cust_*)", Per.AGGREGATE, "write sum(E.cust_hot)", 0),
        ("A.cust_hot >= 1", Per.ASSET, "units of an asset cannot be compared with a pure number", 14),
        ("A.cust_hot + E.cust_hot >= L", Per.ASSET, "a sum of units of an asset and money", 13),
        ("min(L, 1) >= T", Per.ASSET, "min of units of an asset and a pure number", 7),
        ("clamp(sum(E.own), 0, 1) >= cover.total", Per.AGGREGATE, "clamp of money and a pure number", 18),
        ("L * T >= L", Per.ASSET, "two factors of a product are not constant", 4),
        ("param.floor * sum(E.own) >= cover.total", Per.AGGREGATE, "money times money has no unit", 14),
        ("param.floor * L >= L", Per.ASSET, "has no unit", 14),
        ("L >= cover.total", Per.ASSET, "cover.total is a figure of the whole firm", 5),
        ("E.cust_hot <= declared.own_funds", Per.ASSET, "a figure of the whole firm", 14),
        ("param.missing * L >= L", Per.ASSET, "param.missing is not defined under parameters", 0),
        ("declared.nothing >= cover.total", Per.ENTITY, "declared.nothing is not listed under declared", 0),
        ("declared.audit >= cover.total", Per.ENTITY, "is no figure: use it in a predicate", 0),
        ("sum(E.own) >= cover.total", Per.ENTITY, "with per: aggregate, not per: entity", 0),
        ("cover.total >= 0", Per.WALLET, "write a predicate instead", 0),
        ("param.floor >= 2 * param.floor", Per.ENTITY, "both sides are constants", 0),
    ],
)
def test_what_mixes_units_is_refused_at_its_place(text: str, per: Per, words: str, position: int) -> None:
    with pytest.raises(GrammarError) as caught:
        check_units(parse(text), per, NAMES)
    assert words in caught.value.message
    assert caught.value.position == position
