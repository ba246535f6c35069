"""Figures and facts that rules name and no chain shows: what is declared, the reserve, the cover, storage tiers."""

from __future__ import annotations

from monitor.assess.inputs import Declared, Inputs, Storage, too_old
from monitor.assess.quantities import Stock
from monitor.assess.reserves import exchange_of, reserve_of
from monitor.model import rfc3339
from monitor.reserve import Money
from monitor.reserve import Unknown as NoMoney
from monitor.rules.operands import Missing, Value
from monitor.rules.predicates import Fact, Kind, Records
from monitor.rules.profile import Profile


def figures(stock: Stock, profile: Profile) -> dict[str, Value]:
    """declared.NAME, cover.NAME and reserve.NAME in the profile's currency; what is absent is missing to the rules."""
    inputs = stock.inputs
    found: dict[str, Value] = {}
    declared = _usable(inputs)
    exchange = exchange_of(inputs, profile.valuation.currency)
    for name, kind in profile.declared.items():
        if isinstance(kind, Kind):
            continue
        if isinstance(declared, Missing):
            found[f"declared.{name}"] = declared
        elif name in declared.figures:
            found[f"declared.{name}"] = value_of(exchange.value(declared.figures[name], declared.currency))
        elif name in declared.counts:
            found[f"declared.{name}"] = declared.counts[name]
    reserve = reserve_of(stock, profile)
    if reserve is None:
        return found
    found |= {
        "reserve.eligible": value_of(reserve.fund),
        "reserve.required": value_of(reserve.required),
        "reserve.insurance_credit": value_of(reserve.credit),
        "reserve.net": value_of(reserve.net),
        "reserve.accrual": value_of(reserve.accrual),
        "cover.reserve": value_of(reserve.fund),
        "cover.insurance_limit": value_of(reserve.eligible),
    }
    if isinstance(reserve.fund, NoMoney) or isinstance(reserve.eligible, NoMoney):
        found["cover.total"] = _either(reserve.fund, reserve.eligible)
    else:
        found["cover.total"] = reserve.fund + reserve.eligible
    return found


def value_of(money: Money) -> Value:
    """A result of the reserve engine as an operand."""
    return Missing("missing: " + ", ".join(money.operands)) if isinstance(money, NoMoney) else money


def _either(*amounts: Money) -> Missing:
    names = sorted({name for each in amounts if isinstance(each, NoMoney) for name in each.operands})
    return Missing("missing: " + ", ".join(names))


def _usable(inputs: Inputs) -> Declared | Missing:
    declared = inputs.books.declared
    if declared is None:
        return Missing(inputs.books.declared_reason)
    if too_old(declared.as_of, inputs.at, inputs.facts.limits.declared):
        return Missing(f"the declared figures of {rfc3339(declared.as_of)} are older than max_age")
    return declared


def facts(inputs: Inputs, profile: Profile) -> dict[str, Fact | Missing]:
    """What predicates ask for. Wallets by class for storage_is; dates and flags as declared."""
    found: dict[str, Fact | Missing] = {}
    declared = _usable(inputs)
    for name, kind in profile.declared.items():
        if not isinstance(kind, Kind):
            continue
        if isinstance(declared, Missing):
            found[f"declared.{name}"] = declared
        elif kind is Kind.DATE and name in declared.dates:
            found[f"declared.{name}"] = declared.dates[name]
        elif kind is Kind.FLAG and name in declared.flags:
            found[f"declared.{name}"] = declared.flags[name]
    for storage in Storage:
        here = {custody.wallet: custody.tier.value for custody in inputs.facts.wallets if custody.storage is storage}
        found[f"storage.{storage.value}"] = here
    if inputs.closes:
        found["records"] = Records(inputs.closes[0], frozenset(inputs.closes))
    else:
        found["records"] = Missing("no business day has been closed yet")
    return found
