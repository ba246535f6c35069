"""The reserve engine of a profile's weights over the inputs of a verdict (責任準備金, compensation cover)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from monitor.assess.figures import business_date, coins, prices, spot
from monitor.assess.inputs import CUSTOMER, Inputs, Storage, too_old
from monitor.assess.quantities import Quantity, Stock, Unknown
from monitor.model import Outcome, rfc3339
from monitor.reserve import (
    Accrual,
    Clamp,
    Exchange,
    Exclusion,
    Exposure,
    Facts,
    FundKind,
    FundRules,
    InsuranceRules,
    Money,
    Place,
    Reserve,
    ReserveRules,
    Risk,
    Tiers,
    Weights,
    judge,
)
from monitor.reserve import Unknown as NoMoney
from monitor.rules.marks import Parameter
from monitor.rules.operands import EXACT, Missing, Value
from monitor.rules.profile import Profile, Staked
from monitor.rules.profile import ReserveRules as Written

#: years whose largest volume counts (art. 175(1)2), days before a policy stops counting that a warning comes,
#: and how old the last confirmation of a policy may be
_PEAK_YEARS, _WARN_DAYS, _CONFIRMED_DAYS = 3, 30, 365


def exchange_of(inputs: Inputs, currency: str) -> Exchange:
    """Other currencies in this one, by those prices that are fresh."""
    known = {quote.asset for quote in inputs.books.prices if quote.currency == currency}
    found = {name: spot(inputs, name, currency) for name in known}
    return Exchange(currency, {name: Decimal(v) for name, v in found.items() if not isinstance(v, Missing)})


def reserve_of(stock: Stock, profile: Profile) -> Reserve | None:
    """Every step of the reserve; None where the profile has none. Unknown where the funds cannot be used."""
    if profile.reserve is None:
        return None
    inputs = stock.inputs
    currency, on = profile.valuation.currency, business_date(inputs, profile.valuation)
    funds, declared = inputs.books.funds, inputs.books.declared
    exchange = exchange_of(inputs, currency)
    worth = prices(inputs, profile.valuation, on)
    fresh = (
        declared
        if declared is not None and not too_old(declared.as_of, inputs.at, inputs.facts.limits.declared)
        else None
    )
    usable = funds if funds is not None and not too_old(funds.as_of, inputs.at, inputs.facts.limits.funds) else None
    volumes: dict[str, dict[int, Money]] = {}
    if fresh is not None:
        for product, years in fresh.volumes.items():
            volumes[product] = {year: exchange.value(amount, fresh.currency) for year, amount in years.items()}
    result = judge(
        _rules(profile.reserve),
        Facts(
            today=on,
            fiscal_year=on.year if fresh is None or fresh.fiscal_year is None else fresh.fiscal_year,
            exchange=exchange,
            volumes=volumes,
            exposures=tuple(_exposure(stock, profile, asset, worth[asset]) for asset in inputs.facts.assets),
            places=_places(stock, worth),
            risks=fresh.risks if fresh else {},
            policies=usable.policies if usable else (),
            fund=usable.assets if usable else (),
            uses=usable.uses if usable else (),
        ),
    )
    return result if usable is not None else _without_funds(result, _why(inputs))


def _why(inputs: Inputs) -> str:
    funds = inputs.books.funds
    return inputs.books.funds_reason if funds is None else f"the funds of {rfc3339(funds.as_of)} are older than max_age"


def _without_funds(result: Reserve, why: str) -> Reserve:
    """What is required stands; what there is of it is unknown, and so is the test."""
    nothing = NoMoney((why,))
    return replace(
        result,
        fund=nothing,
        eligible=nothing,
        credit=nothing,
        net=nothing,
        surplus=nothing,
        accrual=nothing,
        verdict=Outcome.UNVERIFIED,
        unknown=nothing.operands,
    )


def _rules(written: Written) -> ReserveRules:
    """The profile's parameters as the engine takes them."""
    rating, instrument = written.haircuts.rating, written.haircuts.instrument
    kinds = {kind for kind in FundKind if kind.value in instrument}
    bond = instrument.get(FundKind.BOND.value)
    return ReserveRules(
        rates={name: rate.used for name, rate in written.rates.items()},
        peak_years=_PEAK_YEARS,
        weights=Weights(written.w_cold.used, written.w_hot.used, written.w_third.used, written.w_third.used),
        guarantee_offset=written.guarantee_offset,
        amount=_amount(written),
        risk_additions={Risk(name): addition.used for name, addition in written.risks.items()},
        risk_most=Decimal(2),
        accrual=Accrual(_whole(written.phase_in_years, 1), "required", with_risk_factor=False, floor_years=None),
        insurance=InsuranceRules(
            most=written.kappa.used,
            min_days_to_expiry=_whole(written.min_days_to_expiry, 0),
            warn_days=_WARN_DAYS,
            confirmed_within_days=_CONFIRMED_DAYS,
            rating_factors=None if rating is None else {name: factor.used for name, factor in rating.items()},
            disqualifying=frozenset({Exclusion.HACKING, Exclusion.STATE_ACTOR}),
        ),
        fund=FundRules(frozenset(kinds), None, Decimal(0) if bond is None else 1 - bond.used),
        replenish_months=_whole(written.replenish_months, 0),
        risk_base=written.rho.used,
    )


def _amount(written: Written) -> Clamp | Tiers:
    if not written.tiers:
        return Clamp(written.floor.used, None if written.cap is None else written.cap.used)
    return Tiers(tuple((Decimal(name), written.tiers[name].used) for name in sorted(written.tiers, key=int)))


def _whole(parameter: Parameter | None, absent: int) -> int:
    return absent if parameter is None else int(parameter.used)


def _money(quantity: Quantity | Unknown, decimals: int, price: Value, asset: str) -> Money:
    if isinstance(quantity, Unknown):
        return NoMoney((f"{asset}: {quantity.reason}",))
    if quantity.units == 0:
        return Decimal(0)
    if isinstance(price, Missing):
        return NoMoney((price.reason,))
    return EXACT.multiply(coins(quantity.units, decimals), Decimal(price))


def _exposure(stock: Stock, profile: Profile, asset: str, price: Value) -> Exposure:
    """One asset by class; staked assets are in the class that the profile counts them as, or in the others."""
    now, decimals = stock.at(), stock.inputs.facts.assets[asset]
    classes = {
        "cold": [Storage.CUSTOMER_COLD],
        "hot": [Storage.CUSTOMER_HOT],
        "third": [Storage.CUSTOMER_THIRD],
        "guarantee": [Storage.GUARANTEE],
        "other": [],
    }
    staked = {Staked.COLD: "cold", Staked.HOT: "hot", Staked.NEITHER: "other"}[profile.staked_counts_as]
    classes[staked].append(Storage.CUSTOMER_STAKED)
    amounts = {name: _money(now.of(asset, storages), decimals, price, asset) for name, storages in classes.items()}
    return Exposure(asset=asset, **amounts)


def _places(stock: Stock, worth: dict[str, Value]) -> tuple[Place, ...]:
    """Every customer wallet, and every custodian's statement, with all that is there: what can be lost at once."""
    inputs, now, found = stock.inputs, stock.at(), []
    for custody in inputs.facts.wallets:
        if custody.storage in CUSTOMER:
            parts = []
            for asset, decimals in inputs.facts.assets.items():
                unknown = now.of(asset, (custody.storage,))
                held = now.by_wallet.get((custody.wallet, asset), Quantity())
                known: Quantity | Unknown = unknown if isinstance(unknown, Unknown) else held
                parts.append(_money(known, decimals, worth[asset], asset))
            found.append(Place(custody.wallet, custody.custodian, custody.tier, _sum(parts)))
    for number, line in enumerate(inputs.books.statements or ()):
        if line.owner == "customer":
            price, decimals = worth[line.asset], inputs.facts.assets[line.asset]
            value = _money(Quantity(line.units), decimals, price, line.asset)
            found.append(Place(f"statement {number + 1} of {line.custodian}", line.custodian, line.tier, value))
    return tuple(found)


def _sum(parts: list[Money]) -> Money:
    total, names = Decimal(0), set()
    for part in parts:
        if isinstance(part, NoMoney):
            names |= set(part.operands)
        else:
            total = EXACT.add(total, part)
    return NoMoney(tuple(sorted(names))) if names else total
