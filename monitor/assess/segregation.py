"""Whose assets are where (分別管理): findings that no single ratio shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal

from chains.core.amounts import format_coins
from monitor.assess.figures import coins, spot
from monitor.assess.inputs import CUSTOMER, SELF, Inputs, Provider, Storage
from monitor.assess.quantities import Quantities, Quantity, Stock, Unknown, owed
from monitor.model import Position
from monitor.rules.operands import Missing

_WIDE = Context(prec=400)
_NOTIFIED = ("notified", "not_needed")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person must know of, beside the checks. ``amount`` in coins, ``value`` in the entity's currency."""

    kind: str
    detail: str
    asset: str | None = None
    wallet: str | None = None
    custodian: str | None = None
    amount: str | None = None
    value: str | None = None


def findings(stock: Stock, positions: Iterable[Position]) -> list[Finding]:
    """All of them, in a fixed order."""
    inputs, now = stock.inputs, stock.at()
    return [
        *_mixed(inputs, positions),
        *_ties(inputs),
        *_encumbered(inputs, now),
        *_not_notified(inputs),
        *_concentrated(inputs, now),
    ]


def _mixed(inputs: Inputs, positions: Iterable[Position]) -> list[Finding]:
    """Own assets inside customer wallets (自己分の混在): what is there beyond what is owed is the firm's own."""
    found = []
    for item in positions:
        if item.held is None or item.owed is None:
            continue
        surplus = item.held + item.in_transit - item.owed
        if surplus > 0:
            amount = format_coins(surplus, inputs.facts.assets[item.asset])
            detail = f"customer wallets hold {amount} {item.asset} more than is owed: own assets are mixed in"
            found.append(Finding("own_assets_mixed", detail, asset=item.asset, amount=amount))
    return found


def _ties(inputs: Inputs) -> list[Finding]:
    """Customer ledger and asset register must say the same of every asset; the chain is compared by coverage."""
    declared = inputs.books.declared
    register = {} if declared is None else declared.general_ledger
    lines = owed(inputs)
    if not register or inputs.books.liabilities is None:
        return []
    found = []
    for asset, decimals in inputs.facts.assets.items():
        said, line = register.get(asset), lines.get(asset)
        ledger = None if line is None else line.units
        if said != ledger:
            parts = ("nothing" if units is None else format_coins(units, decimals) for units in (ledger, said))
            detail = "the customer ledger has {} {asset}, the asset register {}".format(*parts, asset=asset)
            difference = None if said is None or ledger is None else format_coins(ledger - said, decimals)
            found.append(Finding("register_differs", detail, asset=asset, amount=difference))
    return found


def _encumbered(inputs: Inputs, now: Quantities) -> list[Finding]:
    """What somebody else has a claim on is listed and counts nowhere."""
    found = []
    for custody in inputs.facts.wallets:
        for asset, decimals in inputs.facts.assets.items():
            held = now.by_wallet.get((custody.wallet, asset), Quantity())
            if custody.encumbered and held.units:
                amount = format_coins(held.units, decimals)
                detail = f"{custody.wallet} is encumbered ({custody.encumbered}): {amount} {asset} counts nowhere"
                found.append(Finding("encumbered", detail, asset=asset, wallet=custody.wallet, amount=amount))
    return found


def _not_notified(inputs: Inputs) -> list[Finding]:
    """Custodians that are in no inventory, and providers of which the authority has not been told."""
    found = []
    for custody in inputs.facts.wallets:
        if custody.custodian != SELF and custody.custodian not in inputs.facts.custodians:
            detail = (
                f"{custody.custodian} keeps the keys of {custody.wallet} and is in no inventory: add it to custodians"
            )
            found.append(Finding("custodian_not_listed", detail, wallet=custody.wallet, custodian=custody.custodian))
        if custody.provider is not None and custody.provider.status not in _NOTIFIED:
            found.append(_untold(custody.provider, custody.wallet))
    found += [_untold(each, None) for each in inputs.facts.custodians.values() if each.status not in _NOTIFIED]
    return found


def _untold(provider: Provider, wallet: str | None) -> Finding:
    detail = f"the authority has not been notified of {provider.name} ({provider.status})"
    return Finding("provider_not_notified", detail, wallet=wallet, custodian=provider.name)


def _concentrated(inputs: Inputs, now: Quantities) -> list[Finding]:
    """A wallet or a custodian with more than the limit's share of what customers have, by value."""
    limit = inputs.facts.concentration_percent
    if limit is None:
        return []
    worth: dict[tuple[str, str], Decimal] = {}
    total = Decimal(0)
    for asset, decimals in inputs.facts.assets.items():
        held = now.of(asset, CUSTOMER)
        if isinstance(held, Quantity) and held.units == 0:
            continue
        price = spot(inputs, asset, inputs.facts.currency)
        if isinstance(held, Unknown) or isinstance(price, Missing):
            why = held.reason if isinstance(held, Unknown) else getattr(price, "reason", "")
            return [Finding("concentration_unknown", f"the concentration cannot be computed: {why}", asset=asset)]
        total = _WIDE.add(total, _WIDE.multiply(coins(held.units, decimals), Decimal(price)))
        for place, units in _places(inputs, now, asset):
            value = _WIDE.multiply(coins(units, decimals), Decimal(price))
            worth[place] = _WIDE.add(worth.get(place, Decimal(0)), value)
    found = []
    for (kind, name), value in sorted(worth.items()):
        if _WIDE.multiply(value, Decimal(100)) > _WIDE.multiply(total, Decimal(limit)):
            detail = f"{kind} {name} has more than {limit} % of what customers have, by value"
            wallet, custodian = (name, None) if kind == "wallet" else (None, name)
            text = format(value, "f")
            found.append(Finding("concentration", detail, wallet=wallet, custodian=custodian, value=text))
    return found


def _places(inputs: Inputs, now: Quantities, asset: str) -> list[tuple[tuple[str, str], int]]:
    """(wallet or custodian, base units) of one asset; oneself is no custodian."""
    found: dict[tuple[str, str], int] = {}
    for custody in inputs.facts.wallets:
        if custody.storage not in CUSTOMER:
            continue
        units = now.by_wallet.get((custody.wallet, asset), Quantity()).units
        found["wallet", custody.wallet] = units
        if custody.custodian != SELF:
            key = ("custodian", custody.custodian)
            found[key] = found.get(key, 0) + units
    for statement in inputs.books.statements or ():
        stored = Storage.CUSTOMER_HOT if statement.tier != "cold" else Storage.CUSTOMER_THIRD
        if statement.asset == asset and statement.owner == "customer" and stored in CUSTOMER:
            key = ("custodian", statement.custodian)
            found[key] = found.get(key, 0) + statement.units
    return list(found.items())
