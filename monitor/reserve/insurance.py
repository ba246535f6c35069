"""Which part of each insurance policy counts against the requirement, with the reason for every part that does not.

Order of operations: the limit per event is capped by what is left of the aggregate limit, then by the value that the
policy insures; the deductible comes off; the rating factor comes last. The cap on the share of all insurance is over
the sum, in ``requirement``.

A policy whose scope is not everything counts at most for the value at the wallets that it covers, and no value is
counted for two policies: those with the fewest wallets take theirs first (then by name), because what they do not take
only a wider policy can use. A policy without any restriction of scope is not capped by value: its limit is its measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from monitor.reserve.money import ONE, ZERO, Exchange, Money, Unknown, combine, exact, missing, total
from monitor.reserve.rules import InsuranceRules
from monitor.reserve.values import Basis, Exclusion, Payee, Place, Policy


class Ineligible(StrEnum):
    """Why a policy counts nothing: a closed list."""

    EXPIRED = "expired"
    NEAR_EXPIRY = "near_expiry"
    NOT_STARTED = "not_started"
    PERIOD_NOT_DECLARED = "period_not_declared"
    AFFILIATE = "affiliated_insurer"
    AFFILIATE_NOT_DECLARED = "affiliation_not_declared"
    EXCLUDES_HACKING = "excludes_hacking"
    EXCLUDES_STATE_ACTOR = "excludes_state_actor"
    EXCLUDES_OTHER = "excludes_what_the_rules_require"
    EXCLUSIONS_NOT_DECLARED = "exclusions_not_declared"
    RATING_NOT_ACCEPTED = "rating_not_accepted"
    INSURER_NOT_DECLARED = "insurer_not_declared"
    AGGREGATE_NOT_DECLARED = "aggregate_left_not_declared"
    AGGREGATE_USED_UP = "aggregate_used_up"
    DEDUCTIBLE_NOT_DECLARED = "deductible_not_declared"
    BELOW_DEDUCTIBLE = "below_deductible"
    SCOPE_NOT_DECLARED = "scope_not_declared"
    OUT_OF_SCOPE = "out_of_scope"
    NOTHING_LEFT = "nothing_left_to_insure"
    BASIS_NOT_DECLARED = "basis_not_declared"
    RETROACTIVE_DATE = "retroactive_date_missing_or_ahead"
    PAYEE_NOT_DECLARED = "loss_payee_not_declared"
    PAYEE = "pays_somebody_else"
    NO_DOCUMENT = "document_not_declared"
    NOT_CONFIRMED = "not_confirmed_lately"


@dataclass(frozen=True, slots=True)
class Eligible:
    """One policy worked out. ``amount`` counts; it is zero for each of ``reasons``.

    ``per_event``: limit capped by the aggregate left; ``insured``: value of the wallets that it covers and that
    no narrower policy has taken; ``payable``: the smaller of the two less the deductible. ``stops_on``: the first day
    on which it counts no longer; ``warning``: that day is near.
    """

    policy: Policy
    reasons: tuple[Ineligible, ...]
    per_event: Money
    insured: Money
    payable: Money
    factor: Decimal
    amount: Money
    stops_on: date | None
    warning: bool


def ineligible(policy: Policy, rules: InsuranceRules, today: date) -> tuple[Ineligible, ...]:
    """Every reason in the policy's own terms why it counts nothing. Reading this list is reading the rule."""
    excluded = policy.exclusions or frozenset()
    others = rules.disqualifying - {Exclusion.HACKING, Exclusion.STATE_ACTOR}
    starts, expires, seen = policy.starts, policy.expires, policy.confirmed_on
    retroactive = policy.retroactive_date
    named = bool(policy.insurer and (policy.rating or rules.rating_factors is None))
    tests = (
        (Ineligible.PERIOD_NOT_DECLARED, starts is None or expires is None),
        (Ineligible.NOT_STARTED, starts is not None and starts > today),
        (Ineligible.EXPIRED, expires is not None and expires < today),
        (
            Ineligible.NEAR_EXPIRY,
            expires is not None and 0 <= (expires - today).days < rules.min_days_to_expiry,
        ),
        (Ineligible.INSURER_NOT_DECLARED, not named),
        (Ineligible.AFFILIATE_NOT_DECLARED, policy.affiliate is None),
        (Ineligible.AFFILIATE, policy.affiliate is True),
        (Ineligible.RATING_NOT_ACCEPTED, named and not _factor(policy, rules)),
        (Ineligible.EXCLUSIONS_NOT_DECLARED, policy.exclusions is None),
        (Ineligible.EXCLUDES_HACKING, Exclusion.HACKING in excluded & rules.disqualifying),
        (Ineligible.EXCLUDES_STATE_ACTOR, Exclusion.STATE_ACTOR in excluded & rules.disqualifying),
        (Ineligible.EXCLUDES_OTHER, bool(excluded & others)),
        (Ineligible.AGGREGATE_NOT_DECLARED, policy.aggregate_left is None),
        (Ineligible.DEDUCTIBLE_NOT_DECLARED, policy.deductible is None),
        (Ineligible.SCOPE_NOT_DECLARED, policy.scope is None),
        (Ineligible.BASIS_NOT_DECLARED, policy.basis is None),
        (
            Ineligible.RETROACTIVE_DATE,
            policy.basis is Basis.CLAIMS_MADE and (retroactive is None or retroactive > today),
        ),
        (Ineligible.PAYEE_NOT_DECLARED, policy.loss_payee is None),
        (Ineligible.PAYEE, policy.loss_payee is Payee.OTHER),
        (Ineligible.NO_DOCUMENT, not policy.document_sha256),
        (Ineligible.NOT_CONFIRMED, seen is None or not 0 <= (today - seen).days <= rules.confirmed_within_days),
    )
    return tuple(reason for reason, holds in tests if holds)


@exact
def eligible(
    policies: Sequence[Policy], places: Sequence[Place], rules: InsuranceRules, exchange: Exchange, today: date
) -> tuple[Eligible, ...]:
    """Every policy worked out, by name. ``places``: every customer wallet, each once."""
    left = {place.wallet: place.value for place in places}
    covered = {policy.name: [place.wallet for place in places if policy.covers(place)] for policy in policies}
    order = sorted(policies, key=lambda policy: (len(covered[policy.name]), policy.name))
    found = [_work_out(policy, covered[policy.name], left, rules, exchange, today) for policy in order]
    return tuple(sorted(found, key=lambda each: each.policy.name))


def _work_out(
    policy: Policy,
    wallets: Sequence[str],
    left: dict[str, Money],
    rules: InsuranceRules,
    exchange: Exchange,
    today: date,
) -> Eligible:
    """One policy; what it uses of the value at its wallets is taken off ``left``."""
    reasons = ineligible(policy, rules, today)
    per_event = _per_event(policy, exchange)
    insured = total(left[wallet] for wallet in wallets)
    gross = per_event
    if not _unrestricted(policy):
        reasons += _nothing_insured(policy, wallets, insured)
        gross = ZERO if reasons else _take(per_event, wallets, left)
    payable = combine(lambda amount, off: max(ZERO, amount - off), gross, _deductible(policy, exchange))
    if not reasons and payable == ZERO:
        reasons = (Ineligible.AGGREGATE_USED_UP if per_event == ZERO else Ineligible.BELOW_DEDUCTIBLE,)
    factor = ZERO if reasons else _factor(policy, rules)
    amount = ZERO if reasons else combine(lambda value: value * factor, payable)
    stops_on = _stops_on(policy, rules)
    warning = not reasons and stops_on is not None and (stops_on - today).days <= rules.warn_days
    return Eligible(policy, reasons, per_event, insured, payable, factor, amount, stops_on, warning)


def _nothing_insured(policy: Policy, wallets: Sequence[str], insured: Money) -> tuple[Ineligible, ...]:
    if policy.scope is None or policy.exclusions is None or insured != ZERO:
        return ()
    return (Ineligible.NOTHING_LEFT if wallets else Ineligible.OUT_OF_SCOPE,)


def _take(wanted: Money, wallets: Sequence[str], left: dict[str, Money]) -> Money:
    """Up to ``wanted`` of the value at ``wallets``; Unknown where unknown values might add to the known ones."""
    if isinstance(wanted, Unknown):
        return wanted
    rest = wanted
    for wallet in sorted(wallets):
        value = left[wallet]
        if isinstance(value, Decimal):
            part = min(rest, value)
            left[wallet], rest = value - part, rest - part
    unknown = missing(left[wallet] for wallet in wallets)
    return Unknown(unknown) if rest and unknown else wanted - rest


def _unrestricted(policy: Policy) -> bool:
    excluded = policy.exclusions or frozenset()
    return policy.scope is not None and policy.scope.whole and Exclusion.THIRD_PARTY_CUSTODIAN not in excluded


def _per_event(policy: Policy, exchange: Exchange) -> Money:
    if policy.aggregate_left is None:
        return Unknown((f"aggregate_left of {policy.name}",))
    return exchange.value(min(policy.limit, policy.aggregate_left), policy.currency)


def _deductible(policy: Policy, exchange: Exchange) -> Money:
    if policy.deductible is None:
        return Unknown((f"deductible of {policy.name}",))
    return exchange.value(policy.deductible, policy.currency)


def _factor(policy: Policy, rules: InsuranceRules) -> Decimal:
    if rules.rating_factors is None:
        return ONE
    return ZERO if policy.rating is None else rules.rating_factors.get(policy.rating, ZERO)


def _stops_on(policy: Policy, rules: InsuranceRules) -> date | None:
    """The first day that is too near to the expiry; None where the calendar has no such day."""
    if policy.expires is None:
        return None
    day = policy.expires.toordinal() - rules.min_days_to_expiry + 1
    return date.fromordinal(day) if date.min.toordinal() <= day <= date.max.toordinal() else None
