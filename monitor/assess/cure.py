"""What would cure a breach, in words that a person can act on; the amounts are exact, rounded up to a base unit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Context, Decimal

from chains.core.amounts import format_coins
from monitor.assess.inputs import Storage
from monitor.assess.quantities import Stock, Unknown
from monitor.model import Check, Outcome
from monitor.rules.evaluate import Judged
from monitor.rules.grammar import Comparison, Operand, Sum, leaves
from monitor.rules.operands import Missing, Value
from monitor.rules.profile import Rule, plain

_WIDE = Context(prec=400)
_HOT, _COLD = Storage.CUSTOMER_HOT.value, Storage.CUSTOMER_COLD.value


def remedy(rule: Rule, judged: Judged, stock: Stock, prices: Mapping[str, Value], currency: str) -> str:
    """One sentence for one breach, or "" where no amount of anything would cure it."""
    condition = rule.condition
    if judged.margin is None or judged.margin >= 0 or not isinstance(condition, Comparison):
        return ""
    short = -judged.margin
    left, right = _names(condition, "left"), _names(condition, "right")
    if judged.asset is not None:
        return _of_asset(left, right, short, judged.asset)
    if left in ({f"E.{_HOT}"}, {f"E.{_COLD}"}):
        return _moves(stock, prices, short, currency)
    raised = sorted(name for name in left if name.startswith(("cover.", "declared.", "reserve.")))
    if raised and condition.relation in (">=", ">"):
        return f"raise {' or '.join(raised)} by {plain(short)} {currency}"
    return f"the two sides differ by {plain(short)} {currency}"


def _names(condition: Comparison, side: str) -> set[str]:
    found = set()
    for leaf in leaves(getattr(condition, side)):
        if isinstance(leaf, Sum):
            found |= {f"{leaf.kind}.{name}" for name in leaf.classes}
        elif isinstance(leaf, Operand) and leaf.kind != "param":
            found.add(str(leaf))
    return found


def _of_asset(left: set[str], right: set[str], short: Decimal, asset: str) -> str:
    amount = f"{plain(short)} {asset}"
    if left == {"A.guarantee"} and right == {f"A.{_HOT}"}:
        return f"move {amount} from hot to cold, or add {amount} to the guarantee wallets"
    if "L" in right:
        return f"add {amount} to customer wallets"
    return f"the two sides differ by {amount}"


def _moves(stock: Stock, prices: Mapping[str, Value], short: Decimal, currency: str) -> str:
    """Any one of the assets that are hot enough by itself; the total stays what it is."""
    quantities = stock.at()
    ways = []
    for asset, decimals in stock.inputs.facts.assets.items():
        hot, price = quantities.of(asset, (Storage.CUSTOMER_HOT,)), prices.get(asset)
        if isinstance(hot, Unknown) or not hot.units or price is None or isinstance(price, Missing) or not price:
            continue
        units = units_for(short, Decimal(price), decimals)
        if units <= hot.units:
            ways.append(f"{_short(format_coins(units, decimals))} {asset}")
    worth = f"{plain(short)} {currency}"
    if not ways:
        return f"move assets worth {worth} from hot to cold"
    return f"move assets worth {worth} from hot to cold: {' or '.join(ways)}"


def units_for(money: Decimal, price: Decimal, decimals: int) -> int:
    """The fewest base units that are worth at least ``money``."""
    units = _WIDE.divide(money.scaleb(decimals, context=_WIDE), price)
    return int(units.to_integral_value(rounding=ROUND_CEILING))


def _short(amount: str) -> str:
    return amount.rstrip("0").rstrip(".") if "." in amount else amount


def plan(checks: list[Check], stock: Stock, prices: Mapping[str, Value], currency: str) -> list[str]:
    """Moves from hot to cold that cure every guarantee gap, and then what is left of an excess of hot assets.

    One move cures both where the gap is worth more than the excess.
    """
    gaps = {
        check.asset: -Decimal(check.margin)
        for check in checks
        if check.verdict is Outcome.BREACH and check.id == "guarantee" and check.asset and check.margin
    }
    excess = [
        -Decimal(check.margin)
        for check in checks
        if check.verdict is Outcome.BREACH and check.id in ("hot_ratio", "cold_ratio") and check.margin
    ]
    left = max(excess, default=Decimal(0))
    moves = []
    for asset, gap in sorted(gaps.items()):
        moves.append(f"move {plain(gap)} {asset} from hot to cold")
        price = prices.get(asset)
        if price is not None and not isinstance(price, Missing):
            left -= _WIDE.multiply(gap, Decimal(price))
    if left > 0:
        moves.append(_moves(stock, prices, left, currency))
    return moves
