"""Blocks that rest on what the entity declares or hands in: money in trust, claims, keys. Pure."""

from __future__ import annotations

from decimal import Decimal

from monitor.assess.inputs import CUSTOMER, too_old
from monitor.assess.quantities import Unknown
from monitor.canonical import Json
from monitor.model import rfc3339
from monitor.publish.bundle import places
from monitor.publish.bundle.cells import money
from monitor.publish.bundle.context import Context, Point
from monitor.publish.bundle.files import BadEvidence
from monitor.publish.bundle.supplied import key_custody
from monitor.publish.report.claims import Source, claims_block
from monitor.publish.report.fields import HANDOVER

_NOT_NAMED = "as declared"


def fiat(context: Context) -> Json:
    """Customers' money in trust beside the money that customers have, both as declared; too old: UNVERIFIED."""
    inputs = context.inputs
    declared = inputs.books.declared
    principal = None if declared is None else declared.figures.get("trust_principal")
    owed = None if declared is None else declared.figures.get("customer_money")
    if declared is None or principal is None or owed is None:
        missing = "trust_principal" if principal is None else "customer_money"
        return {
            "facts": {"verdict": None, "note": f"customer money in trust is not declared: figures.{missing}"},
            "tables": {"trusts": []},
        }
    stale = too_old(declared.as_of, inputs.at, inputs.facts.limits.declared)
    verdict = "BREACH" if principal < owed else "UNVERIFIED" if stale else "PASS"
    row = {
        "trustee": _NOT_NAMED,
        "currency": declared.currency,
        "principal": money(principal),
        "customer_money": money(owed),
        "difference": money(principal - owed),
        "as_of": rfc3339(declared.as_of)[:10],
        "cure_due": None,
        "cure_verified": None,
        "verdict": verdict,
    }
    note = f"declared at {rfc3339(declared.as_of)}, which is too old" if stale else None
    return {"facts": {"verdict": verdict, "note": note}, "tables": {"trusts": [row]}}


def handover(context: Context) -> dict[str, Json]:
    """The blocks for whoever takes over; absent where nothing was handed in for them. Raises BadEvidence."""
    evidence = context.evidence
    if evidence.answers.view not in HANDOVER:
        return {}
    found: dict[str, Json] = {}
    if evidence.owed is not None:
        found["claims"] = _claims(context)
    if evidence.supplied.keys:
        wallets = {name: (each.chain, each.custodian) for name, each in context.custody.items()}
        found["key_custody"] = key_custody(evidence.supplied, wallets, _proved(context))
    return found


def _claims(context: Context) -> Json:
    evidence, decimals = context.evidence, context.inputs.facts.assets
    assert evidence.owed is not None
    assert evidence.supplied.customers_as_of is not None
    available: dict[str, int] = {}
    for asset in sorted({each.asset for each in evidence.owed}):
        held = context.now.of(asset, CUSTOMER)
        if isinstance(held, Unknown):
            raise BadEvidence(places.CUSTOMERS, f"{asset}: no claim can be worked out: {held.reason}")
        available[asset] = held.units
    file = evidence.file(places.CUSTOMERS)
    assert file is not None
    source = Source(evidence.supplied.customers_as_of, file.path, file.sha256)
    prices = {asset: price for asset in available if isinstance(price := context.prices.of(asset), Decimal)}
    return claims_block(source, evidence.owed, available, prices, decimals)


def customer_file_problems(context: Context) -> list[Point]:
    """Where the customer file and the declared liabilities differ: both sums in base units, for each asset."""
    if context.evidence.owed is None:
        return []
    totals: dict[str, int] = {}
    for each in context.evidence.owed:
        totals[each.asset] = totals.get(each.asset, 0) + each.units
    declared = {line.asset: line.units for line in context.inputs.books.liabilities or ()}
    return [
        ("customer_file_differs", f"{asset}: {totals.get(asset, 0)} / {declared.get(asset, '–')}")
        for asset in sorted({*totals, *declared})
        if totals.get(asset, 0) != declared.get(asset)
    ]


def _proved(context: Context) -> dict[str, str]:
    """The newest day on which control of an address of a wallet was proved."""
    days: dict[str, str] = {}
    for chain, accounts in context.evidence.accounts.items():
        for account in accounts:
            if (shown := context.control.get((chain, account.locator))) is not None:
                days[account.wallet] = max(days.get(account.wallet, ""), shown.day)
    return days
