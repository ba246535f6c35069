"""The load-time unit check: what is added or compared has one unit, and an operand fits what a check is made per."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from monitor.rules.grammar import (
    Addition,
    Call,
    Comparison,
    Expression,
    GrammarError,
    Number,
    Operand,
    Product,
    Sum,
    parts,
)


class Per(StrEnum):
    """What one result of a check is about: each asset, all together, each wallet, the firm, each move, each block."""

    ASSET = "asset"
    AGGREGATE = "aggregate"
    WALLET = "wallet"
    ENTITY = "entity"
    MOVEMENT = "movement"
    BLOCK = "block"


class Unit(StrEnum):
    """``UNITS`` are of one asset; ``MONEY`` is in the profile's valuation currency; ``NUMBER`` has no unit."""

    NUMBER = "number"
    UNITS = "units"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Names:
    """The names that an expression may use, with their units. What is declared but no figure has unit None."""

    declared: Mapping[str, Unit | None]
    parameters: Mapping[str, Unit]


def check_units(comparison: Comparison, per: Per, names: Names) -> Unit:
    """The unit of both sides. Raises GrammarError at the first place that does not fit."""
    if per in {Per.WALLET, Per.MOVEMENT}:
        raise GrammarError(f"nothing is computed per {per}: write a predicate instead", 0)
    left, right = _unit(comparison.left, per, names), _unit(comparison.right, per, names)
    if left is not right:
        raise GrammarError(f"{_named(left)} cannot be compared with {_named(right)}", comparison.right.position)
    if is_constant(comparison.left) and is_constant(comparison.right):
        raise GrammarError("both sides are constants, so nothing is checked: name an operand", 0)
    return left


def is_constant(expression: Expression) -> bool:
    """Whether only numbers and parameters stand in it."""
    if isinstance(expression, Number):
        return True
    if isinstance(expression, Operand):
        return expression.kind == "param"
    return not isinstance(expression, Sum) and all(is_constant(part) for part in parts(expression))


def varying_part(expression: Expression) -> Expression:
    """What a product multiplies by constants; any other expression is itself."""
    varying = (
        [] if not isinstance(expression, Product) else [each for each in expression.factors if not is_constant(each)]
    )
    return varying[0] if varying else expression


def _unit(expression: Expression, per: Per, names: Names) -> Unit:
    if isinstance(expression, Number):
        return Unit.NUMBER
    if isinstance(expression, Operand):
        return _operand(expression, per, names)
    if isinstance(expression, Sum):
        return _sum(expression, per)
    if isinstance(expression, Product):
        return _product(expression, per, names)
    return _same(expression, per, names)


def _operand(operand: Operand, per: Per, names: Names) -> Unit:
    if operand.kind in {"L", "T", "A"}:
        if per is not Per.ASSET:
            raise GrammarError(
                f"{operand} is in units of one asset: with per: {per} write values, e.g. sum(E.cust_hot)",
                operand.position,
            )
        return Unit.UNITS
    if operand.kind == "E":
        if per is not Per.ASSET:
            raise GrammarError(f"with per: {per} write sum({operand}), with per: aggregate", operand.position)
        return Unit.MONEY
    if operand.kind in {"cover", "reserve"}:
        _of_the_firm(operand, per)
        return Unit.MONEY
    if operand.kind == "param":
        if operand.name not in names.parameters:
            raise GrammarError(
                f"{operand} is not defined under parameters: add it{_known(names.parameters)}", operand.position
            )
        return names.parameters[operand.name]
    _of_the_firm(operand, per)
    if operand.name not in names.declared:
        raise GrammarError(f"{operand} is not listed under declared: add it{_known(names.declared)}", operand.position)
    unit = names.declared[operand.name]
    if unit is None:
        raise GrammarError(f"{operand} is no figure: use it in a predicate", operand.position)
    return unit


def _known(names: Mapping[str, object]) -> str:
    return f", or write one of {', '.join(names)}" if names else ""


def _of_the_firm(operand: Operand, per: Per) -> None:
    if per is Per.ASSET:
        raise GrammarError(f"{operand} is a figure of the whole firm: write it with per: aggregate", operand.position)


def _sum(series: Sum, per: Per) -> Unit:
    if per is Per.ASSET:
        return Unit.UNITS if series.kind == "A" else Unit.MONEY
    if series.kind == "A":
        raise GrammarError(f"units of different assets cannot be added: write sum(E.{series.pattern})", series.position)
    if per is not Per.AGGREGATE:
        raise GrammarError(f"values of all assets are summed with per: aggregate, not per: {per}", series.position)
    return Unit.MONEY


def _product(product: Product, per: Per, names: Names) -> Unit:
    units = [_unit(factor, per, names) for factor in product.factors]
    varying = [factor for factor in product.factors if not is_constant(factor)]
    if len(varying) > 1:
        raise GrammarError("two factors of a product are not constant: keep one", varying[1].position)
    with_unit = [(unit, factor) for unit, factor in zip(units, product.factors, strict=True) if unit is not Unit.NUMBER]
    if len(with_unit) > 1:
        raise GrammarError(f"{_named(units[0])} times {_named(with_unit[1][0])} has no unit", with_unit[1][1].position)
    return with_unit[0][0] if with_unit else Unit.NUMBER


def _same(expression: Call | Addition, per: Per, names: Names) -> Unit:
    inside = parts(expression)
    units = [_unit(part, per, names) for part in inside]
    for unit, part in zip(units[1:], inside[1:], strict=True):
        if unit is not units[0]:
            what = expression.function if isinstance(expression, Call) else "a sum"
            raise GrammarError(f"{what} of {_named(units[0])} and {_named(unit)}: write one unit", part.position)
    return units[0]


def _named(unit: Unit) -> str:
    return {Unit.NUMBER: "a pure number", Unit.UNITS: "units of an asset", Unit.MONEY: "money"}[unit]
