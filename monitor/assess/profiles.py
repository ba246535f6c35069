"""The rules of every configured profile against one cycle's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from monitor.assess.cure import remedy
from monitor.assess.figures import Moment, business_date, moment
from monitor.assess.inputs import Inputs, Storage
from monitor.assess.quantities import Stock, owed
from monitor.model import Check, Outcome
from monitor.rules.calendar import OutOfRange, due
from monitor.rules.evaluate import Judged, evaluate
from monitor.rules.grammar import Comparison, Operand, leaves
from monitor.rules.operands import Missing, Value
from monitor.rules.predicates import Fact
from monitor.rules.profile import Profile, Rule, plain
from monitor.rules.units import Per


def judge(
    stock: Stock, profile: Profile, figures: Mapping[str, Value], facts: Mapping[str, Fact | Missing]
) -> list[Check]:
    """Every rule of a profile, in its own order; per-asset rules once for each asset that is held or owed."""
    inputs = stock.inputs
    day = business_date(inputs, profile.valuation)
    if profile.effective_to is not None and day > profile.effective_to:
        why = f"ended on {profile.effective_to}: write its successor"
        return [Check(profile.id, "profile", None, Outcome.UNVERIFIED, None, None, None, {}, why)]
    moments: dict[datetime | None, Moment] = {}

    def at(as_of: datetime | None) -> Moment:
        if as_of not in moments:
            moments[as_of] = moment(stock, profile, figures, facts, as_of)
        return moments[as_of]

    lines = owed(inputs)
    checks = []
    for rule in profile.rules:
        for asset in _assets(inputs, rule, at(None)):
            # What is owed is set beside what was held at that very time, never beside what is held now.
            line = lines.get(asset or "")
            then = at(line.as_of) if line is not None and _about_liabilities(rule) else at(None)
            judged = evaluate(rule, profile, then.figures, asset)
            checks.append(_check(stock, profile, rule, _doubted(rule, judged, then), at(None), day))
    return checks


def _assets(inputs: Inputs, rule: Rule, now: Moment) -> list[str | None]:
    if rule.per is not Per.ASSET:
        return [None]
    lines = owed(inputs)
    return [asset for asset in inputs.facts.assets if asset in lines or _held(now, asset)]


def _held(now: Moment, asset: str) -> bool:
    """Whether anything is held, or might be: what is unknown might."""
    amounts = (now.figures.held.get((asset, storage.value)) for storage in Storage)
    return any(isinstance(amount, Missing) or (amount is not None and amount != 0) for amount in amounts)


def _about_liabilities(rule: Rule) -> bool:
    condition = rule.condition
    if not isinstance(condition, Comparison):
        return False
    found = (*leaves(condition.left), *leaves(condition.right))
    return any(isinstance(leaf, Operand) and leaf.kind in {"L", "T"} for leaf in found)


def _doubted(rule: Rule, judged: Judged, then: Moment) -> Judged:
    """A PASS that rests on what one endpoint claims, or a custodian states, is not verified; a BREACH stays one."""
    if judged.outcome is not Outcome.PASS:
        return judged
    doubts = _doubts(rule, judged, then)
    if not doubts:
        return judged
    return replace(
        judged, outcome=Outcome.UNVERIFIED, basis=f"the condition holds, but {'; '.join(doubts)}; {judged.basis}"
    )


def _doubts(rule: Rule, judged: Judged, then: Moment) -> list[str]:
    used = {name.partition(".")[2] for name in judged.operands if name.startswith(("A.", "E."))}
    doubts = [
        (asset, doubt.why)
        for (asset, storage), doubt in then.doubts.items()
        if storage in used and not (doubt.stated and rule.stated)
    ]
    return sorted({why for asset, why in doubts if judged.asset in (None, asset)})


def _check(stock: Stock, profile: Profile, rule: Rule, judged: Judged, now: Moment, day: date) -> Check:
    breached = judged.outcome is Outcome.BREACH
    currency = profile.valuation.currency
    begun = profile.applies(day)
    basis = judged.basis if begun else f"not in force yet, {_begins(profile)}; {judged.basis}"
    return Check(
        profile=profile.id,
        id=rule.id,
        asset=judged.asset,
        verdict=judged.outcome,
        value=_text(judged.value),
        threshold=_text(judged.threshold),
        margin=_text(judged.margin),
        operands=dict(judged.operands),
        basis=basis,
        ratio=judged.ratio,
        ratio_of=judged.ratio_of,
        severity=str(rule.severity),
        warn=judged.warn,
        in_force=begun,
        cure=remedy(rule, judged, stock, now.figures.prices, currency) if breached else "",
        due=_due(stock.inputs, profile, rule) if breached else "",
        parameters=tuple(
            {"name": p.name, "value": plain(p.used), "status": p.status, "basis": p.basis} for p in judged.parameters
        ),
    )


def _begins(profile: Profile) -> str:
    starts = profile.starts()
    return "its first day is not set" if starts is None else f"from {starts} at the latest"


def _due(inputs: Inputs, profile: Profile, rule: Rule) -> str:
    """The day by which a breach found now must be cured, or why that is not known; "" where there is no clock."""
    if rule.cure is None:
        return ""
    try:
        return due(inputs.at, ZoneInfo(profile.valuation.timezone), rule.cure, profile.calendar).isoformat()
    except OutOfRange as error:
        return f"unknown: {error}"


def _text(number: Decimal | None) -> str | None:
    return None if number is None else plain(number)
