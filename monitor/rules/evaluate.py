"""One rule of a profile against its operands. Pure and exact: Decimal without rounding, no tolerance, no netting.

A missing operand is never a PASS and never a BREACH. A PASS that rests on a number of which the law was
not read is UNVERIFIED until the entity confirms the number; a BREACH stays one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext

from monitor.model import Check, Outcome
from monitor.rules.calendar import OutOfRange
from monitor.rules.grammar import Addition, Call, Comparison, Expression, Number, Operand, Product, Sum, leaves, show
from monitor.rules.marks import Parameter, Verified
from monitor.rules.operands import EXACT, Missing, Operands, exact
from monitor.rules.predicates import Fact, NoAnswer, Predicate, Records, judge
from monitor.rules.profile import Profile, Rule, Staked, plain
from monitor.rules.units import Per, varying_part

#: digits after the point of a ratio; it is for display only, no decision rests on it
RATIO_DIGITS = 12
#: numbers that a sentence names; the marks after it list them all
_MOST_TOLD = 3
#: more digits than a ratio of any two amounts has before and after the point
_WIDE = Context(prec=1_000)


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule applied. ``value`` and ``threshold``: its two sides, None where one cannot be computed.

    ``margin``: how far the value is on the lawful side; below zero in a BREACH. ``ratio``: for display,
    ``ratio_of`` says of what, rounded to 12 digits so that it never looks better than it is. ``operands``: every
    value that was used, or "unknown". ``parameters``: every number of the profile that value or threshold
    used. ``warn``: lawful, but the internal limit ``warn_at`` does not hold or cannot be computed.
    """

    profile: str
    rule: str
    asset: str | None
    outcome: Outcome
    value: Decimal | None
    threshold: Decimal | None
    margin: Decimal | None
    ratio: str | None
    ratio_of: str
    operands: Mapping[str, str]
    parameters: tuple[Parameter, ...]
    basis: str
    warn: bool


def as_check(judged: Judged) -> Check:
    """The line of a verdict: numbers as plain decimal strings."""
    value, threshold, margin = (
        None if side is None else plain(side) for side in (judged.value, judged.threshold, judged.margin)
    )
    return Check(
        profile=judged.profile,
        id=judged.rule,
        asset=judged.asset,
        verdict=judged.outcome,
        value=value,
        threshold=threshold,
        margin=margin,
        operands=judged.operands,
        basis=judged.basis,
    )


def evaluate(rule: Rule, profile: Profile, operands: Operands, asset: str | None = None) -> Judged:
    """``rule`` judged; ``asset`` exactly where the rule is per asset."""
    if (rule.per is Per.ASSET) != (asset is not None):
        raise ValueError(f"{profile.id} {rule.id} is per {rule.per}: asset is {asset}")
    if isinstance(rule.condition, Predicate):
        return _predicate(rule, rule.condition, profile, operands)
    return _comparison(rule, rule.condition, profile, operands, asset)


def used_parameters(condition: Comparison | Predicate, profile: Profile) -> tuple[Parameter, ...]:
    """Every number of the profile that a condition rests on; a figure of the reserve rests on the whole model."""
    if isinstance(condition, Predicate):
        return ()
    found: dict[str, Parameter] = {}
    for side in (condition.left, condition.right):
        for leaf in leaves(side):
            if isinstance(leaf, Operand) and leaf.kind == "param":
                found[leaf.name] = profile.parameters[leaf.name]
            elif isinstance(leaf, Operand) and leaf.kind == "reserve" and profile.reserve is not None:
                found.update(profile.reserve.parameters())
    return tuple(found[name] for name in sorted(found))


def _comparison(rule: Rule, condition: Comparison, profile: Profile, operands: Operands, asset: str | None) -> Judged:
    used = used_parameters(condition, profile)
    values, missing = _look_up(condition, profile, operands, asset)
    shown = {name: plain(values[name]) if name in values else "unknown" for name in sorted({*values, *missing})}
    value = threshold = margin = ratio = None
    ratio_of, warn = "", False
    if not missing:
        sides = Sides(profile.parameters, profile.staked_counts_as, values)
        try:
            value, threshold = sides.compute(condition.left), sides.compute(condition.right)
        except NoValue as error:
            missing = {"clamp": str(error)}
    if value is None or threshold is None:
        outcome, basis = Outcome.UNVERIFIED, "; ".join(f"{name}: {why}" for name, why in sorted(missing.items()))
    else:
        holds, margin = _holds(condition.relation, value, threshold)
        ratio, ratio_of = _ratio(condition, value, sides)
        outcome, basis = _outcome(rule, used, holds=holds)
        if outcome is not Outcome.BREACH and rule.warn_at is not None:
            warn, note = _warns(rule.warn_at, profile, operands, asset)
            basis += note
    basis = f"{basis} ({rule.basis}; {_marks(rule, profile)})"
    return Judged(
        *(profile.id, rule.id, asset, outcome, value, threshold, margin, ratio, ratio_of, shown, used, basis, warn)
    )


def _predicate(rule: Rule, predicate: Predicate, profile: Profile, operands: Operands) -> Judged:
    facts: dict[str, Fact] = {}
    missing: dict[str, str] = {}
    for name in predicate.facts:
        fact = operands.fact(name)
        if isinstance(fact, Missing):
            missing[name] = fact.reason
        else:
            facts[name] = fact
    value = threshold = margin = None
    try:
        if missing:
            raise NoAnswer("; ".join(f"{name}: {why}" for name, why in missing.items()))
        found, limit, what = judge(predicate, facts, operands.on, profile.calendar)
    except (NoAnswer, OutOfRange) as error:
        outcome, basis = Outcome.UNVERIFIED, str(error)
    else:
        value, threshold, margin = Decimal(found), Decimal(limit), Decimal(limit - found)
        outcome, basis = _outcome(rule, (), holds=found <= limit)
        basis = f"{basis}; {what}"
    shown = {name: "unknown" if name in missing else _shown(facts[name]) for name in predicate.facts}
    basis = f"{basis} ({rule.basis}; {_marks(rule, profile)})"
    return Judged(*(profile.id, rule.id, None, outcome, value, threshold, margin, None, "", shown, (), basis, False))


def _shown(fact: Fact) -> str:
    """Addresses and wallets are counted: a verdict is read by people who need not know them."""
    if isinstance(fact, bool):
        return str(fact).lower()
    if isinstance(fact, frozenset | Mapping):
        return str(len(fact))
    return f"{len(fact.days)} from {fact.first}" if isinstance(fact, Records) else fact.isoformat()


def _look_up(
    condition: Comparison, profile: Profile, operands: Operands, asset: str | None
) -> tuple[dict[str, Decimal], dict[str, str]]:
    """(values, reasons) of every operand that a comparison names, classes written out."""
    values: dict[str, Decimal] = {}
    missing: dict[str, str] = {}
    for leaf in (*leaves(condition.left), *leaves(condition.right)):
        for name in _names(leaf, profile.staked_counts_as):
            number = exact(name, operands.number(name, asset))
            if isinstance(number, Missing):
                missing[name] = number.reason
            else:
                values[name] = number
    return values, missing


def _names(leaf: Number | Operand | Sum, staked: Staked) -> tuple[str, ...]:
    """The operands behind a leaf. Staked assets are also in the class that the profile counts them as."""
    if isinstance(leaf, Number) or (isinstance(leaf, Operand) and leaf.kind == "param"):
        return ()
    if isinstance(leaf, Operand) and leaf.kind not in {"A", "E"}:
        return (str(leaf),)
    classes = leaf.classes if isinstance(leaf, Sum) else (leaf.name,)
    if f"cust_{staked}" in classes and "cust_staked" not in classes:
        classes = (*classes, "cust_staked")
    return tuple(f"{leaf.kind}.{name}" for name in classes)


class NoValue(Exception):
    """Operands are there, but the expression has no value for them."""


class Sides:
    """Computes expressions of one profile over values that are all there."""

    def __init__(self, parameters: Mapping[str, Parameter], staked: Staked, values: Mapping[str, Decimal]) -> None:
        self._parameters, self._staked, self._values = parameters, staked, values

    def compute(self, expression: Expression) -> Decimal:
        """The exact value. Raises NoValue."""
        with localcontext(EXACT):
            return self._of(expression)

    def _of(self, expression: Expression) -> Decimal:
        if isinstance(expression, Number):
            return expression.value
        if isinstance(expression, Operand) and expression.kind == "param":
            return self._parameters[expression.name].used
        if isinstance(expression, Operand | Sum):
            names = _names(expression, self._staked)
            return sum((self._values[name] for name in names), Decimal(0))
        if isinstance(expression, Call):
            return self._call(expression.function, [self._of(each) for each in expression.arguments])
        if isinstance(expression, Product):
            product = Decimal(1)
            for factor in expression.factors:
                product *= self._of(factor)
            return product
        return self._added(expression)

    def _added(self, addition: Addition) -> Decimal:
        total = Decimal(0)
        for sign, term in zip(addition.signs, addition.terms, strict=True):
            total = total + self._of(term) if sign == "+" else total - self._of(term)
        return total

    def _call(self, function: str, arguments: list[Decimal]) -> Decimal:
        if function == "min":
            return min(arguments)
        if function == "max":
            return max(arguments)
        value, low, high = arguments
        if low > high:
            raise NoValue(f"its lower bound {plain(low)} is above its upper bound {plain(high)}")
        return min(max(value, low), high)


def _holds(relation: str, value: Decimal, threshold: Decimal) -> tuple[bool, Decimal]:
    """(whether the relation holds, the margin)."""
    with localcontext(EXACT):
        if relation == "==":
            return value == threshold, -abs(value - threshold)
        margin = value - threshold if relation.startswith(">") else threshold - value
    return margin > 0 or (margin == 0 and relation.endswith("=")), margin


def _ratio(condition: Comparison, value: Decimal, sides: Sides) -> tuple[str | None, str]:
    """The value as a share of what the threshold is a fixed part of: hot of all, not hot of 5 % of all."""
    base = varying_part(condition.right)
    divisor = sides.compute(base)
    of = f"({show(condition.left)}) / ({show(base)})"
    if divisor == 0:
        return None, of
    # An upper limit is rounded up and a lower one down.
    rounding = ROUND_CEILING if condition.relation.startswith("<") else ROUND_FLOOR
    with localcontext(_WIDE) as context:
        context.rounding = rounding
        return format((value / divisor).quantize(Decimal(1).scaleb(-RATIO_DIGITS)), "f"), of


def _outcome(rule: Rule, used: tuple[Parameter, ...], *, holds: bool) -> tuple[Outcome, str]:
    """The outcome of a condition whose sides are known, and the sentence that says what it rests on."""
    unread = [each for each in used if not each.passes]
    doubtful = [_told(each) for each in unread[:_MOST_TOLD]]
    if len(unread) > _MOST_TOLD:
        doubtful.append(f"and {len(unread) - _MOST_TOLD} more such numbers")
    doubtful.extend(_doubtful_rule(rule, used))
    confirmed = [each.name for each in used if each.confirmed is not None]
    if not holds:
        return Outcome.BREACH, "; ".join(
            ("BREACH", *doubtful, *(f"{name} is confirmed by the entity" for name in confirmed))
        )
    if doubtful:
        return Outcome.UNVERIFIED, f"the condition holds, but not by a number that was verified: {'; '.join(doubtful)}"
    if confirmed:
        return Outcome.PASS, f"PASS, parameter confirmed by the entity, not by statute: {', '.join(confirmed)}"
    if rule.confirmed is not None:
        return Outcome.PASS, "PASS, rule confirmed by the entity, not by statute"
    return Outcome.PASS, "PASS"


def _told(parameter: Parameter) -> str:
    what = "a placeholder of this project, not law" if parameter.placeholder else "not verified"
    return f"{parameter.name} {plain(parameter.used)} is {what}"


def _doubtful_rule(rule: Rule, used: tuple[Parameter, ...]) -> list[str]:
    """A rule without parameters rests on its own words and constants alone."""
    if rule.verified is not Verified.FALSE or rule.confirmed is not None:
        return []
    condition = rule.condition
    constants = not isinstance(condition, Predicate) and any(
        isinstance(leaf, Number) for side in (condition.left, condition.right) for leaf in leaves(side)
    )
    return [] if used and not constants else ["the rule itself is not verified"]


def _marks(rule: Rule, profile: Profile) -> str:
    """What is printed beside a verdict and decides nothing."""
    marks = [f"rule {rule.verified}", f"frequency {rule.frequency.legal} {rule.frequency.verified}"]
    if rule.per in {Per.AGGREGATE, Per.ASSET} and _priced(rule.condition):
        marks.append(f"price {profile.valuation.basis} {profile.valuation.verified}")
    if rule.cure is not None:
        mark = rule.cure.verified if rule.cure.confirmed is None else "confirmed"
        marks.append(f"cure {rule.cure.n} {rule.cure.unit} {mark}")
    marks.extend(f"{each.name} {plain(each.used)} {each.status}" for each in used_parameters(rule.condition, profile))
    return "verified: " + ", ".join(marks)


def _priced(condition: Comparison | Predicate) -> bool:
    if isinstance(condition, Predicate):
        return False
    sides = (*leaves(condition.left), *leaves(condition.right))
    return any(isinstance(leaf, Operand | Sum) and leaf.kind == "E" for leaf in sides)


def _warns(limit: Comparison, profile: Profile, operands: Operands, asset: str | None) -> tuple[bool, str]:
    """Whether the internal limit calls, and the words for it."""
    values, missing = _look_up(limit, profile, operands, asset)
    if missing:
        return True, f"; the internal limit cannot be computed ({', '.join(sorted(missing))} unknown)"
    sides = Sides(profile.parameters, profile.staked_counts_as, values)
    try:
        holds, _ = _holds(limit.relation, sides.compute(limit.left), sides.compute(limit.right))
    except NoValue as error:
        return True, f"; the internal limit cannot be computed ({error})"
    return (False, "") if holds else (True, f"; the internal limit {show(limit)} does not hold")
