"""What a shadow showed: how much of what left was explained, which cases would have paged, how fast they were found.

Pure. Shares are exact fractions until they are written: with four decimals, rounded down, so that 1.0000 means all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from statistics import median

from chains.core.amounts import format_coins
from monitor.model import Case, CaseState, Price, Reason, Severity

#: decimals of a share
_PLACES = 10_000
#: digits of the largest sum times the longest price: nothing is rounded but where it says so
_EXACT = 250
_NOT_EXPLAINED = {Reason.UNEXPLAINED.value: "unexplained", Reason.NOT_ATTRIBUTED.value: "not_attributed"}
_OUTCOMES = ("explained", "not_attributed", "unexplained")

Json = dict[str, object]


@dataclass(slots=True)
class Payments:
    """Counts and whole units of payments to outside destinations, by asset and outcome."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    units: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, asset: str, units: int, reason: str) -> None:
        """One part of a flow that paid an outside destination."""
        outcome = _NOT_EXPLAINED.get(reason, "explained")
        self.counts[asset, outcome] += 1
        self.units[asset, outcome] += units

    @property
    def assets(self) -> list[str]:
        return sorted({asset for asset, _ in self.counts})


def summary(
    payments: Payments,
    cases: Iterable[Case],
    prices: Mapping[str, Price],
    decimals: Mapping[str, int],
    currency: str,
) -> Json:
    """The figures as JSON without floats: amounts in coins and shares as decimal strings, null where unknown.

    ``prices`` are those of the shadow's end. An asset without one makes the share by value unknown: it is named.
    """
    by_outcome = {outcome: sum(payments.counts[asset, outcome] for asset in payments.assets) for outcome in _OUTCOMES}
    told = [case for case in cases if any(event.action == "opened" for event in case.history)]
    return {
        "payments": {**by_outcome, "share": _share(by_outcome["explained"], sum(by_outcome.values()))},
        "value": _value(payments, prices, decimals, currency),
        "assets": [_asset(payments, asset, decimals) for asset in payments.assets],
        **_cases(told),
    }


def _share(part: int | Fraction, whole: int | Fraction) -> str | None:
    """Four decimals, rounded down; None of nothing."""
    if whole == 0:
        return None
    tens = Fraction(part) / Fraction(whole) * _PLACES
    floor = tens.numerator // tens.denominator
    return f"{floor // _PLACES}.{floor % _PLACES:04d}"


def _asset(payments: Payments, asset: str, decimals: Mapping[str, int]) -> Json:
    units = {outcome: payments.units[asset, outcome] for outcome in _OUTCOMES}
    known = asset in decimals
    amounts = {outcome: format_coins(each, decimals[asset]) if known else None for outcome, each in units.items()}
    count = sum(payments.counts[asset, outcome] for outcome in _OUTCOMES)
    return {
        "asset": asset,
        "payments": count,
        **amounts,
        "share": _share(units["explained"], sum(units.values())),
    }


def _value(payments: Payments, prices: Mapping[str, Price], decimals: Mapping[str, int], currency: str) -> Json:
    unpriced = [asset for asset in payments.assets if asset not in prices or asset not in decimals]
    if unpriced:
        unknown = dict.fromkeys((*_OUTCOMES, "total"))
        return {"currency": currency, **unknown, "share": None, "without_price": unpriced}
    with localcontext() as context:
        context.prec = _EXACT
        worth = dict.fromkeys(_OUTCOMES, Decimal(0))
        for asset in payments.assets:
            for outcome in _OUTCOMES:
                coins = Decimal(format_coins(payments.units[asset, outcome], decimals[asset]))
                worth[outcome] += coins * Decimal(prices[asset].price)
        worth["total"] = sum(worth.values(), Decimal(0))
        shown = {name: str(each.quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)) for name, each in worth.items()}
    share = _share(Fraction(worth["explained"]), Fraction(worth["total"]))
    return {"currency": currency, **shown, "share": share, "without_price": []}


def _cases(told: list[Case]) -> Json:
    groups = Counter((case.rule, case.severity.value) for case in told)
    still_open = [case for case in told if case.state is CaseState.OPEN]
    waits = sorted(case.detected_after_ms for case in told if case.detected_after_ms is not None)
    return {
        "would_have_paged": len(told),
        "rules": [{"rule": rule, "severity": severity, "cases": n} for (rule, severity), n in sorted(groups.items())],
        "still_open": len(still_open),
        "critical_open": sum(case.severity is Severity.CRITICAL for case in still_open),
        "latency": {
            "measured": len(waits),
            "median_ms": str(median(map(Decimal, waits))) if waits else None,
            "slowest_ms": str(waits[-1]) if waits else None,
        },
    }
