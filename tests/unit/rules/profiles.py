"""A small profile of the tests' own, so that they do not depend on the shipped ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from monitor.model import Severity
from monitor.rules.calendar import Calendar
from monitor.rules.grammar import Comparison, parse
from monitor.rules.marks import Parameter, Verified
from monitor.rules.predicates import Kind, Predicate, parse_predicate
from monitor.rules.profile import (
    Every,
    Frequency,
    PriceBasis,
    Profile,
    Rule,
    Staked,
    Status,
    Valuation,
)
from monitor.rules.units import Per, Unit

WEEKDAYS = Calendar("weekdays", "1", date(2026, 1, 1), date(2026, 12, 31), frozenset({5, 6}), frozenset())
PROFILE = Profile(
    id="example",
    version="1",
    title="Example",
    status=Status.IN_FORCE,
    effective_from=None,
    effective_latest=None,
    effective_to=None,
    supersedes="",
    valuation=Valuation("JPY", PriceBasis.SPOT_CLOSE, 1, "Asia/Tokyo", Verified.FALSE),
    calendar=WEEKDAYS,
    staked_counts_as=Staked.NEITHER,
    source_url="https://law.example",
    source_date=date(2026, 11, 22),
    verified=Verified.TRUE,
    declared={"own_funds": Unit.MONEY, "age": Unit.NUMBER, "audit": Kind.DATE, "listed": Kind.FLAG, "book": Kind.LIST},
    parameters={
        "share": Parameter("share", Decimal("0.05"), Unit.NUMBER, Verified.TRUE, "art. 1"),
        "least": Parameter("least", Decimal(1000), Unit.MONEY, Verified.FALSE, "from memory"),
    },
    rules=(),
    reserve=None,
    insider_channel=None,
    notifications=(),
)


def rule(condition: str | Predicate, per: Per = Per.AGGREGATE, verified: Verified = Verified.TRUE) -> Rule:
    """A rule of a comparison or a predicate."""
    made: Comparison | Predicate = parse(condition) if isinstance(condition, str) else condition
    return Rule(
        "rule", per, made, Severity.CRITICAL, Frequency(Every.DAILY, Every.DAILY, Verified.TRUE), "art. 1", verified
    )


def asks(text: str, per: Per = Per.ENTITY, verified: Verified = Verified.TRUE) -> Rule:
    """A rule of a predicate."""
    return rule(parse_predicate(text), per, verified)


def with_parameter(name: str, **changes: object) -> Profile:
    """The profile with one parameter changed."""
    changed = replace(PROFILE.parameters[name], **changes)  # type: ignore[arg-type]
    return replace(PROFILE, parameters={**PROFILE.parameters, name: changed})
