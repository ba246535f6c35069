"""The reserve requirement, step by step, so that a report can print it and a stranger can work it out again.

vol   = Σ_k rate_k · the largest of the last years' volumes of product k
exp   = Σ_a (w_cold·cold + w_hot·max(0, hot − guarantee) + w_third·third + w_other·other)
raw   = ρ·(vol + exp);  required = raw between floor and cap, or its tier
credit = min(κ·required, Σ eligible insurance);  net = required − credit;  surplus = fund − net
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from monitor.model import Outcome
from monitor.reserve.fund import FundLine, fund_line
from monitor.reserve.insurance import Eligible, eligible
from monitor.reserve.money import ONE, ZERO, Money, Unknown, combine, exact, missing, share_up, total, weighted
from monitor.reserve.replenish import Replenishment, replenishment
from monitor.reserve.rules import Clamp, ReserveRules
from monitor.reserve.stress import Stress, stress
from monitor.reserve.values import Exposure, Facts, Risk


@dataclass(frozen=True, slots=True)
class VolumeLine:
    """One product. ``volumes``: by fiscal year, this year first; ``amount`` = rate · peak."""

    product: str
    rate: Decimal
    volumes: tuple[tuple[int, Money], ...]
    peak: Money
    amount: Money
    #: rate · this year's volume, for the yearly share
    current: Money


@dataclass(frozen=True, slots=True)
class ExposureLine:
    """One asset: its four weighted terms and their sum. ``uncovered_hot`` is before the weight."""

    asset: str
    cold: Money
    uncovered_hot: Money
    hot: Money
    third: Money
    other: Money
    amount: Money


@dataclass(frozen=True, slots=True)
class Reserve:
    """Every step of the requirement and the test ``fund >= net``.

    ``set_by``: floor, cap, formula or a tier; "" while unknown. ``accrual``: what is to be set aside this year.
    ``eligible``: Σ of the policies before the cap; ``credit`` after it. ``unknown``: every operand that is missing for
    the test, which is UNVERIFIED then.
    """

    currency: str
    volume_lines: tuple[VolumeLine, ...]
    vol: Money
    exposure_lines: tuple[ExposureLine, ...]
    exp: Money
    risks: Mapping[Risk, Decimal]
    rho: Money
    raw: Money
    required: Money
    set_by: str
    accrual: Money
    policies: tuple[Eligible, ...]
    eligible: Money
    credit_most: Money
    credit: Money
    net: Money
    fund_lines: tuple[FundLine, ...]
    fund: Money
    surplus: Money
    verdict: Outcome
    unknown: tuple[str, ...]
    stress: Stress
    replenishment: Replenishment


@exact
def judge(rules: ReserveRules, facts: Facts) -> Reserve:
    """The whole reserve of one regime."""
    volume_lines = volumes(rules, facts)
    vol = total(line.amount for line in volume_lines)
    exposure_lines = tuple(exposure(rules, each) for each in sorted(facts.exposures, key=lambda each: each.asset))
    exp = total(line.amount for line in exposure_lines)
    rho, risks = risk_factor(rules, facts)
    raw = combine(lambda factor, first, second: factor * (first + second), rho, vol, exp)
    required, set_by = _required(rules, raw)
    policies = eligible(facts.policies, facts.places, rules.insurance, facts.exchange, facts.today)
    insurance = total(each.amount for each in policies)
    credit_most = weighted(rules.insurance.most, required)
    credit = combine(min, credit_most, insurance)
    net = combine(lambda whole, part: whole - part, required, credit)
    assets = sorted(facts.fund, key=lambda asset: asset.name)
    fund_lines = tuple(fund_line(asset, rules.fund, facts.exchange, facts.today) for asset in assets)
    fund = total(line.amount for line in fund_lines)
    surplus = combine(lambda have, need: have - need, fund, net)
    shortfall = combine(lambda value: max(ZERO, -value), surplus)
    current = total(line.current for line in volume_lines)
    return Reserve(
        currency=facts.exchange.currency,
        volume_lines=volume_lines,
        vol=vol,
        exposure_lines=exposure_lines,
        exp=exp,
        risks=risks,
        rho=rho,
        raw=raw,
        required=required,
        set_by=set_by,
        accrual=accrual(rules, (current, exp, rho), required if rules.accrual.target == "required" else net, fund),
        policies=policies,
        eligible=insurance,
        credit_most=credit_most,
        credit=credit,
        net=net,
        fund_lines=fund_lines,
        fund=fund,
        surplus=surplus,
        verdict=_verdict(surplus),
        unknown=missing((surplus,)),
        stress=stress(facts.places, fund, policies),
        replenishment=replenishment(facts.uses, fund, shortfall, facts.exchange, rules.replenish_months, facts.today),
    )


@exact
def volumes(rules: ReserveRules, facts: Facts) -> tuple[VolumeLine, ...]:
    """The volume term by product (art. 175(1)2). A traded product without a rate makes it unknown."""
    if not rules.rates:
        return ()
    years = range(facts.fiscal_year, facts.fiscal_year - rules.peak_years, -1)
    lines = []
    for product in sorted({*rules.rates, *facts.volumes}):
        rate = rules.rates.get(product)
        declared = facts.volumes.get(product, {})
        history = tuple((year, declared.get(year, Unknown((f"volume of {product} in {year}",)))) for year in years)
        peak = combine(max, *(volume for _, volume in history), ZERO)
        if rate is None:
            unrated = Unknown((f"rate of {product}",))
            lines.append(VolumeLine(product, ZERO, history, peak, unrated, unrated))
        else:
            lines.append(VolumeLine(product, rate, history, peak, weighted(rate, peak), weighted(rate, history[0][1])))
    return tuple(lines)


@exact
def exposure(rules: ReserveRules, held: Exposure) -> ExposureLine:
    """The exposure term of one asset. Guarantee assets offset the hot part of their own asset and nothing else."""
    weights = rules.weights
    guarantee = held.guarantee if rules.guarantee_offset else ZERO
    uncovered = combine(lambda hot, own: max(ZERO, hot - own), held.hot, guarantee)
    terms = (
        weighted(weights.cold, held.cold),
        weighted(weights.hot, uncovered),
        weighted(weights.third, held.third),
        weighted(weights.other, held.other),
    )
    return ExposureLine(held.asset, terms[0], uncovered, *terms[1:], total(terms))


@exact
def risk_factor(rules: ReserveRules, facts: Facts) -> tuple[Money, dict[Risk, Decimal]]:
    """ρ, and what each reason that holds adds to it."""
    unknown = sorted(f"risk {reason}" for reason in rules.risk_additions if reason not in facts.risks)
    holding = {reason: addition for reason, addition in rules.risk_additions.items() if facts.risks.get(reason)}
    if unknown:
        return Unknown(tuple(unknown)), holding
    return min(rules.risk_most, rules.risk_base + sum(holding.values(), ZERO)), holding


@exact
def accrual(rules: ReserveRules, terms: tuple[Money, Money, Money], target: Money, fund: Money) -> Money:
    """What is to be set aside this year. ``terms``: rates at this year's volumes, exposure, risk factor.

    max(0, min((rates · volumes + exposure) / years, target − fund)), rounded up at the 12th digit after the point.
    """
    floor_years = rules.accrual.floor_years
    floor = rules.amount.floor if isinstance(rules.amount, Clamp) and floor_years is not None else ZERO
    at_least = share_up(floor, floor_years or 1)

    def amount(current: Decimal, exp: Decimal, rho: Decimal, whole: Decimal, have: Decimal) -> Decimal:
        share = share_up((rho if rules.accrual.with_risk_factor else ONE) * (current + exp), rules.accrual.years)
        return max(ZERO, min(max(share, at_least), whole - have))

    current, exp, rho = terms
    return combine(amount, current, exp, rho, target, fund)


def _required(rules: ReserveRules, raw: Money) -> tuple[Money, str]:
    return (raw, "") if isinstance(raw, Unknown) else rules.amount.amount(raw)


def _verdict(surplus: Money) -> Outcome:
    if isinstance(surplus, Unknown):
        return Outcome.UNVERIFIED
    return Outcome.PASS if surplus >= 0 else Outcome.BREACH
