"""The checks of a profile: their conditions parsed, and their units, names and clocks checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from monitor.config.translate import validated
from monitor.profiles.models import CheckAddition, CheckEntry, Confirmed, Report
from monitor.profiles.parameters import CHECK, CURE, confirmation
from monitor.rules.calendar import MOST_DAYS, Calendar, Cure, DayUnit
from monitor.rules.evaluate import NoValue, Sides
from monitor.rules.grammar import (
    Comparison,
    Expression,
    GrammarError,
    Number,
    Operand,
    Product,
    Sum,
    leaves,
    parse,
    show,
)
from monitor.rules.marks import Parameter, Verified
from monitor.rules.predicates import NEEDS, Kind, Predicate, parse_predicate
from monitor.rules.profile import Every, Frequency, Retention, Rule, Staked
from monitor.rules.units import Names, Per, Unit, check_units, is_constant, varying_part

_COUNT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
#: what one result of a predicate is about
_PREDICATE_PER = {"storage_is": Per.WALLET, "destination_listed": Per.MOVEMENT}


@dataclass(frozen=True, slots=True)
class Setting:
    """What the checks of a profile stand on. ``calendar`` None: it is broken, which is reported already."""

    declared: Mapping[str, Unit | Kind]
    parameters: Mapping[str, Parameter]
    staked: Staked
    calendar: Calendar | None
    has_reserve: bool

    @property
    def names(self) -> Names:
        """For the unit check."""
        declared = {name: kind if isinstance(kind, Unit) else None for name, kind in self.declared.items()}
        return Names(declared, {name: each.unit for name, each in self.parameters.items()})


def read_rules(
    entries: Mapping[str, Any], inherited: tuple[Rule, ...], setting: Setting, report: Report
) -> tuple[Rule, ...]:
    """Inherited rules, with the internal limits that are added to them, and new ones."""
    rules = {rule.id: rule for rule in inherited}
    for rule in inherited:
        _staked_once(rule.condition, setting, ("staked_counts_as",), report)
    for name, value in entries.items():
        path = ("checks", name)
        if name in rules:
            rules[name] = _with_limit(rules[name], value, setting, path, report)
            continue
        entry, _ = validated(CheckEntry, value, path, report)
        made = None if entry is None else _rule(name, entry, setting, report)
        if made is not None:
            rules[name] = made
    return tuple(rules.values())


def _with_limit(rule: Rule, value: Any, setting: Setting, path: tuple[str, ...], report: Report) -> Rule:
    addition, _ = validated(CheckAddition, value, path, report)
    if addition is None:
        return rule
    if isinstance(rule.condition, Predicate):
        report((*path, "warn_at"), "belongs to checks with expr: remove it")
        return rule
    return replace(rule, warn_at=_limit(addition.warn_at, rule.condition, rule.per, setting, path, report))


def _rule(name: str, entry: CheckEntry, setting: Setting, report: Report) -> Rule | None:
    path = ("checks", name)
    condition: Comparison | Predicate | None
    warn_at = None
    if entry.predicate is not None:
        condition = _predicate(entry.predicate, entry.per, setting, path, report)
    else:
        condition = _comparison(entry.expr or "", entry.per, setting, (*path, "expr"), report)
        if condition is not None and entry.warn_at is not None:
            warn_at = _limit(entry.warn_at, condition, entry.per, setting, path, report)
    _business_days(entry, setting, path, report)
    if condition is None:
        return None
    cure, retain = entry.cure, entry.retain
    return Rule(
        id=name,
        per=entry.per,
        condition=condition,
        severity=entry.severity,
        frequency=Frequency(entry.freq.legal, entry.freq.monitor or entry.freq.legal, entry.freq.verified),
        basis=entry.basis,
        verified=entry.verified,
        warn_at=warn_at,
        stated=entry.stated,
        cure=None if cure is None else Cure(cure.n, cure.unit, cure.starts, cure.verified),
        retention=None if retain is None else Retention(retain.years, retain.place or "", retain.verified),
    )


def _comparison(text: str, per: Per, setting: Setting, path: tuple[str, ...], report: Report) -> Comparison | None:
    try:
        condition = parse(text)
        check_units(condition, per, setting.names)
    except GrammarError as error:
        report(path, str(error))
        return None
    for leaf in (*leaves(condition.left), *leaves(condition.right)):
        if isinstance(leaf, Operand) and leaf.kind == "reserve" and not setting.has_reserve:
            report(path, f"at character {leaf.position + 1}: {leaf} needs a reserve section: write reserve: …")
            return None
    return condition if _staked_once(condition, setting, path, report) else None


def _staked_once(condition: Comparison | Predicate, setting: Setting, path: tuple[str, ...], report: Report) -> bool:
    """Whether no side adds staked assets twice: once by name and once inside the class that they count as."""
    if isinstance(condition, Predicate) or setting.staked is Staked.NEITHER:
        return True
    inside = f"cust_{setting.staked}"
    for side in (condition.left, condition.right):
        named = [
            (leaf.name,) if isinstance(leaf, Operand) else leaf.classes
            for leaf in leaves(side)
            if isinstance(leaf, Operand | Sum) and leaf.kind in {"A", "E"}
        ]
        if ("cust_staked",) in named and (inside,) in named:
            report(
                path,
                f"cust_staked is already in {inside}, because staked_counts_as is {setting.staked}: remove it, "
                "or write staked_counts_as: neither",
            )
            return False
    return True


def _limit(
    text: str, law: Comparison, per: Per, setting: Setting, path: tuple[str, ...], report: Report
) -> Comparison | None:
    """An internal limit: the law's own comparison with another right side."""
    limit = _comparison(text, per, setting, (*path, "warn_at"), report)
    if limit is not None and (limit.left, limit.relation) != (law.left, law.relation):
        report((*path, "warn_at"), "must have the left side and the relation of expr: change the right side only")
        return None
    if limit is not None and _looser(limit, law, setting):
        report((*path, "warn_at"), "is not inside the law's own limit, so it would never warn: write a stricter one")
        return None
    return limit


def _looser(limit: Comparison, law: Comparison, setting: Setting) -> bool:
    """Whether an internal limit is no stricter than the law; only known where both are a multiple of the same thing."""
    (base, inner), (other, outer) = (_multiple(side.right, setting) for side in (limit, law))
    if base != other or inner is None or outer is None:
        return False
    return inner >= outer if law.relation.startswith("<") else inner <= outer


def _multiple(side: Expression, setting: Setting) -> tuple[Expression | None, Decimal | None]:
    """(thing, how many of it); a constant is a multiple of nothing."""
    sides = Sides(setting.parameters, setting.staked, {})
    try:
        if is_constant(side):
            return None, sides.compute(side)
        thing = varying_part(side)
        constants = [each for each in side.factors if each is not thing] if isinstance(side, Product) else []
        return thing, sides.compute(Product((Number(Decimal(1)), *constants)))
    except NoValue:
        return side, None


def _predicate(text: str, per: Per, setting: Setting, path: tuple[str, ...], report: Report) -> Predicate | None:
    try:
        predicate = parse_predicate(text)
    except GrammarError as error:
        report((*path, "predicate"), str(error))
        return None
    wanted = _PREDICATE_PER.get(predicate.function, Per.ENTITY)
    if per is not wanted:
        report((*path, "per"), f"{predicate.function} is judged per {wanted}: write per: {wanted}")
        return None
    kind = NEEDS.get(predicate.function)
    if kind is not None and setting.declared.get(predicate.name) is not kind:
        report(
            (*path, "predicate"),
            f"declared.{predicate.name} is not listed as a {kind}: write {predicate.name}: {kind} under declared",
        )
        return None
    return predicate


def _business_days(entry: CheckEntry, setting: Setting, path: tuple[str, ...], report: Report) -> None:
    if setting.calendar is None or setting.calendar.weekend or setting.calendar.holidays:
        return
    asks = (
        ("freq", Every.BUSINESS_DAY in {entry.freq.legal, entry.freq.monitor}),
        ("cure", entry.cure is not None and entry.cure.unit is DayUnit.BUSINESS_DAY),
    )
    for key, asked in asks:
        if asked:
            report((*path, key), f"counts business days, which {setting.calendar.name} does not have: change calendar")


def confirm_rules(confirmed: Mapping[str, Confirmed], rules: tuple[Rule, ...], report: Report) -> tuple[Rule, ...]:
    """Sets the confirmations of rules that rest on no parameter (``check.ID``) and of cure clocks (``cure.ID``)."""
    by_id = {rule.id: rule for rule in rules}
    for name, entry in confirmed.items():
        kind, _, rule_id = name.partition(".")
        if f"{kind}." not in {CHECK, CURE}:
            continue
        confirm = _confirm_rule if f"{kind}." == CHECK else _confirm_cure
        made = confirm(by_id.get(rule_id), entry, ("confirmed", name), report)
        if made is not None:
            by_id[rule_id] = made
    return tuple(by_id.values())


def _confirm_rule(rule: Rule | None, entry: Confirmed, path: tuple[str, ...], report: Report) -> Rule | None:
    if rule is None or rule.verified is not Verified.FALSE or _has_parameters(rule.condition):
        report(path, "is no check that is verified: false and has no parameters: confirm those, or remove it")
        return None
    words = str(rule.condition) if isinstance(rule.condition, Predicate) else show(rule.condition)
    if entry.value != words:
        report((*path, "value"), f"{entry.value!r} is not what the check asks: write {words!r}")
        return None
    return replace(rule, confirmed=confirmation(entry))


def _confirm_cure(rule: Rule | None, entry: Confirmed, path: tuple[str, ...], report: Report) -> Rule | None:
    if rule is None or rule.cure is None or rule.cure.verified is not Verified.FALSE:
        report(path, "is no cure clock that is verified: false: remove it")
        return None
    if _COUNT.fullmatch(entry.value) is None or int(entry.value) > MOST_DAYS:
        report((*path, "value"), f"{entry.value!r} is no number of days: write 1 to {MOST_DAYS}")
        return None
    return replace(rule, cure=replace(rule.cure, n=int(entry.value), confirmed=confirmation(entry)))


def _has_parameters(condition: Comparison | Predicate) -> bool:
    if isinstance(condition, Predicate):
        return False
    sides = (*leaves(condition.left), *leaves(condition.right))
    return any(isinstance(leaf, Operand) and leaf.kind in {"param", "reserve"} for leaf in sides)
