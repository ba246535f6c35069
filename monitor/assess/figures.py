"""The inputs of a verdict as the operands of a profile's rules: exact, or missing with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from zoneinfo import ZoneInfo

from monitor.assess.inputs import Inputs, Storage, too_old
from monitor.assess.quantities import Stock, Unknown, in_transit, owed, stale
from monitor.model import rfc3339
from monitor.rules.operands import EXACT, Figures, Missing, Value
from monitor.rules.predicates import Fact
from monitor.rules.profile import PriceBasis, Profile, Valuation

#: digits after the point to which the mean of closing prices is rounded, half to even: a mean need not be finite
MEAN_DIGITS = 18
_WIDE = Context(prec=400)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a PASS may not rest on what is held; ``stated``: it stands in a statement, which a rule may allow."""

    why: str
    stated: bool


#: by (asset, class): what is held and not proved, nor agreed
Doubts = Mapping[tuple[str, str], Doubt]


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything that a rule may ask for, of one moment. ``doubts``: holdings that a PASS may not rest on."""

    figures: Figures
    doubts: Doubts


def business_date(inputs: Inputs, valuation: Valuation) -> date:
    """The local day of the verdict."""
    return inputs.at.astimezone(ZoneInfo(valuation.timezone)).date()


def moment(
    stock: Stock,
    profile: Profile,
    figures: Mapping[str, Value],
    facts: Mapping[str, Fact | Missing],
    as_of: datetime | None = None,
) -> Moment:
    """The operands at the cycle's anchors, or at the liabilities' own time.

    ``figures``: declared.NAME, cover.NAME and reserve.NAME; ``facts``: what predicates ask for.
    """
    inputs, quantities = stock.inputs, stock.at(as_of)
    held: dict[tuple[str, str], Value] = {}
    doubts: dict[tuple[str, str], Doubt] = {}
    for asset, decimals in inputs.facts.assets.items():
        for storage in Storage:
            quantity = quantities.of(asset, (storage,))
            key = (asset, storage.value)
            if isinstance(quantity, Unknown):
                held[key] = Missing(quantity.reason)
                continue
            held[key] = coins(quantity.units, decimals)
            if quantity.verified < quantity.units - quantity.stated:
                doubts[key] = Doubt(f"{asset} in {storage} is claimed by one endpoint only", stated=False)
            elif quantity.stated:
                why = f"a part of {asset} in {storage} stands only in a custodian's statement"
                doubts[key] = Doubt(why, stated=True)
    on = business_date(inputs, profile.valuation)
    return Moment(
        Figures(
            on=on,
            assets=tuple(inputs.facts.assets),
            held=held,
            owed=_owed(inputs, as_of),
            transit={a: coins(in_transit(inputs, a), d) for a, d in inputs.facts.assets.items()},
            prices=prices(inputs, profile.valuation, on),
            figures=figures,
            facts=facts,
        ),
        doubts,
    )


def coins(units: int, decimals: int) -> Decimal:
    """Base units as exact coins."""
    return Decimal(units).scaleb(-decimals, context=_WIDE)


def _owed(inputs: Inputs, as_of: datetime | None) -> dict[str, Value]:
    """What is owed of each asset whose line is of this moment; without a line nothing is known to be owed."""
    lines, why = owed(inputs), stale(inputs)
    found: dict[str, Value] = {}
    for asset, decimals in inputs.facts.assets.items():
        line = lines.get(asset)
        if asset in why:
            found[asset] = Missing(why[asset])
        elif line is None:
            found[asset] = Missing(f"{asset} has no line in the liabilities: what is owed is unknown")
        elif as_of is None or line.as_of == as_of:
            found[asset] = coins(line.units, decimals)
    return found


def prices(inputs: Inputs, valuation: Valuation, on: date) -> dict[str, Value]:
    """What one coin of each asset is worth by the profile's price rule."""
    if valuation.basis is PriceBasis.TRAILING_MEAN:
        return {asset: _mean(inputs, asset, valuation, on) for asset in inputs.facts.assets}
    return {asset: spot(inputs, asset, valuation.currency) for asset in inputs.facts.assets}


def spot(inputs: Inputs, asset: str, currency: str) -> Value:
    """The newest price, not younger than the verdict and not older than it may be."""
    if asset == currency:
        return Decimal(1)
    quotes = [q for q in inputs.books.prices if (q.asset, q.currency) == (asset, currency) and q.as_of <= inputs.at]
    if not quotes:
        return Missing(f"{asset} has no price in {currency}")
    newest = max(quotes, key=lambda quote: quote.as_of)
    if too_old(newest.as_of, inputs.at, inputs.facts.limits.prices):
        return Missing(f"the price of {asset} in {currency} of {rfc3339(newest.as_of)} is older than max_age")
    return Decimal(newest.price)


def _mean(inputs: Inputs, asset: str, valuation: Valuation, on: date) -> Value:
    """The mean of the closing prices of the last N days before the verdict's own: every day, or none."""
    wanted = {on - timedelta(days=back) for back in range(1, valuation.days + 1)}
    rows = {
        row.day: row.price
        for row in inputs.books.price_days
        if (row.asset, row.currency) == (asset, valuation.currency) and row.day in wanted
    }
    absent = wanted - rows.keys()
    if absent:
        return Missing(
            f"the mean price of {asset} in {valuation.currency} needs {valuation.days} days:"
            f" {len(absent)} are missing, the newest {max(absent)}"
        )
    total = total_of(Decimal(price) for price in rows.values())
    mean = _WIDE.divide(total, Decimal(valuation.days))
    return mean.quantize(Decimal(1).scaleb(-MEAN_DIGITS), rounding=ROUND_HALF_EVEN, context=_WIDE)


def total_of(numbers: Iterable[Decimal]) -> Decimal:
    """An exact sum."""
    total = Decimal(0)
    for number in numbers:
        total = EXACT.add(total, number)
    return total
