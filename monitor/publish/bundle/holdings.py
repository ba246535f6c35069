"""The blocks about what is held: assets, reconciliation, in transit, segregation, custodians."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from chains.core.amounts import format_coins
from chains.core.ownership import ProofKind
from monitor.assess import Custody
from monitor.assess.inputs import CUSTOMER, SELF, Storage
from monitor.assess.quantities import Unknown, positions
from monitor.canonical import Json
from monitor.model import Owner, rfc3339
from monitor.publish.bundle.cells import cut, money, total, units
from monitor.publish.bundle.context import Context, Rows
from monitor.publish.bundle.evidence import Account

#: how the report calls what a proof of control shows
_METHODS = {
    ProofKind.BIP322_SIMPLE: "bip_322",
    ProofKind.BIP322_FULL: "bip_322",
    ProofKind.BIP322_FUNDS: "bip_127",
    ProofKind.EIP191: "eip_191",
    ProofKind.EIP1271: "eip_1271",
    ProofKind.MOVEMENT: "instructed_move",
}
_STATUSES = {"notified": "notified", "pending": "not_notified", "not_needed": "not_applicable"}
_CLASSES = tuple(storage for storage in Storage if storage is not Storage.ENCUMBERED)
_OUTFLOWS = ("unexplained_outflow", "cold_without_approval")
_OPEN = ("open", "acknowledged")


def reconciliation(context: Context) -> Json:
    """What is owed, held and in transit of each asset, and where it is."""
    inputs = context.inputs
    shown = {row["asset"]: row for row in context.verdict["positions"]}
    checks = {
        check["asset"]: check
        for check in context.verdict["checks"]
        if check["profile"] == "baseline" and check["id"] == "coverage"
    }
    gone = unexplained(context)
    per_asset = []
    for item in positions(context.stock):
        check = checks.get(item.asset)
        if check is None:  # neither held nor owed: the limitations say so
            continue
        difference = None
        if item.held is not None and item.owed is not None:
            difference = item.held + item.in_transit - item.owed
        per_asset.append(
            {
                "asset": item.asset,
                "owed": units(item.owed),
                "held": units(item.held),
                "in_transit": units(item.in_transit),
                "difference": units(difference),
                "coverage": shown[item.asset]["coverage"],
                "verified_ratio": shown[item.asset]["verified_ratio"],
                "verdict": check["verdict"],
                "unexplained": units(gone.get(item.asset, 0)),
                "basis": cut(check["basis"]),
            }
        )
    by_class = [
        {"asset": asset, **{storage.value: _quantity(context, asset, storage) for storage in _CLASSES}}
        for asset in inputs.facts.assets
    ]
    return {
        "facts": {"assets": len(inputs.facts.assets), "unexplained_assets": sum(1 for left in gone.values() if left)},
        "tables": {"per_asset": per_asset, "by_class": by_class, "explained": []},
    }


def unexplained(context: Context) -> dict[str, int]:
    """Base units that left without an explanation, of cases that nobody has closed, by asset."""
    found: dict[str, int] = {}
    for case in context.cases.values():
        if case.asset is None or case.asset not in context.inputs.facts.assets:
            continue
        if case.rule in _OUTFLOWS and case.state.value in _OPEN:
            found[case.asset] = found.get(case.asset, 0) + (case.units or 0)
    return found


def _quantity(context: Context, asset: str, storage: Storage) -> str | None:
    held = context.now.of(asset, (storage,))
    return None if isinstance(held, Unknown) else str(held.units)


def assets(context: Context) -> Json:
    """Every wallet and every address with what it held at the anchor."""
    wallets = _wallets(context)
    addresses = [
        _address(context, chain, account)
        for chain, accounts in sorted(context.evidence.accounts.items())
        for account in accounts
        if account.wallet in context.custody and account.asset in context.inputs.facts.assets
    ]
    values = [None if row["value"] is None else Decimal(row["value"]) for row in wallets]
    return {
        "facts": {
            "value": money(total(values)),
            "addresses": len({(row["chain"], row["address"]) for row in addresses}),
            "wallets": len(context.inputs.facts.wallets),
        },
        "tables": {
            "wallets": wallets,
            "addresses": addresses,
            "stated": _stated(context),
            "encumbered": _encumbered(context, wallets),
        },
    }


def _wallets(context: Context) -> Rows:
    """A row for each wallet and asset of its chain that it holds; one that could not be read is there with null."""
    addresses: dict[str, set[str]] = {}
    for accounts in context.evidence.accounts.values():
        for account in accounts:
            addresses.setdefault(account.wallet, set()).add(account.locator)
    rows = []
    readings = {reading.chain: reading for reading in context.inputs.readings if reading.as_of is None}
    for custody in context.inputs.facts.wallets:
        reading = readings.get(custody.chain)
        if reading is None:
            continue
        lines = {line.asset: line for line in reading.lines or () if line.wallet == custody.wallet}
        for asset in reading.assets:
            line = lines.get(asset)
            if reading.lines is not None and line is None:
                continue
            quantity = None if line is None else line.units
            rows.append(
                {
                    "wallet": custody.wallet,
                    "chain": custody.chain,
                    "asset": asset,
                    "owner": custody.owner.value,
                    "tier": custody.tier.value,
                    "custodian": custody.custodian,
                    "addresses": len(addresses.get(custody.wallet, ())),
                    "quantity": units(quantity),
                    "value": money(context.prices.worth(asset, quantity)),
                    "evidence": None if line is None else ("agreed" if line.verified == line.units else "claimed"),
                }
            )
    return rows


def _address(context: Context, chain: str, account: Account) -> Json:
    custody = context.custody[account.wallet]
    provider = custody.provider
    control = context.control.get((chain, account.locator))
    known = context.known(chain, account.locator, account.asset)
    tokens = context.evidence.settings.get(chain, {}).get("tokens") or {}
    return {
        "chain": chain,
        "address": account.locator,
        "utxo_set": None,
        "asset": account.asset,
        "contract": tokens[account.asset]["contract"] if account.asset in tokens else None,
        "quantity": str(account.units),
        "wallet": account.wallet,
        "class": replace(custody, encumbered="").storage.value,
        "tier": custody.tier.value,
        "custodian": custody.custodian,
        "system_provider": None if provider is None else provider.name,
        "provider_status": "not_applicable" if provider is None else _STATUSES.get(provider.status, "unknown"),
        "control_method": None if control is None else _METHODS.get(ProofKind(control.kind)),
        "control_proved_on": None if control is None else control.day,
        "control_block": None if control is None else control.height,
        "labelled_by": None,
        "first_seen": None,
        "last_seen": None,
        "encumbrance": "pledged" if custody.encumbered else "staked" if custody.staked else "none",
        "encumbered": str(account.units) if custody.encumbered else None,
        "staked": str(account.units) if custody.staked else None,
        "evidence": known,
        "source_a": None,
        "quantity_a": None,
        "source_b": None,
        "quantity_b": None,
        "agreement": {"proved": "agree", "agreed": "agree", "claimed": "one_source"}.get(known or ""),
    }


def _stated(context: Context) -> Rows:
    return [
        {
            "custodian": line.custodian,
            "asset": line.asset,
            "owner": line.owner.value,
            "tier": line.tier.value,
            "quantity": str(line.units),
            "as_of": rfc3339(line.as_of),
            "document": None,
        }
        for line in context.inputs.books.statements or ()
    ]


def _encumbered(context: Context, wallets: Rows) -> Rows:
    """What somebody else has a claim on, and what is staked. Whose claim it is stands in free text."""
    rows = []
    for row in wallets:
        custody = context.custody[row["wallet"]]
        if row["quantity"] is not None and (custody.encumbered or custody.staked):
            rows.append(
                {
                    "wallet": custody.wallet,
                    "asset": row["asset"],
                    "encumbrance": "pledged" if custody.encumbered else "staked",
                    "quantity": row["quantity"],
                    "counterparty": custody.encumbered or None,
                    "until": None,
                }
            )
    return rows


def in_transit(context: Context) -> Json:
    """What stands on one side of the books only."""
    items = [
        {
            "asset": item.asset,
            "direction": item.direction.value,
            "chain": item.chain,
            "txid": item.txid,
            "quantity": str(item.units),
            "since": rfc3339(item.since),
            "age_minutes": max(0, int((context.inputs.at - item.since).total_seconds()) // 60),
        }
        for item in context.inputs.transit
    ]
    return {"facts": {}, "tables": {"items": items}}


def segregation(context: Context) -> Json:
    """What a person must know of whose assets are where. PASS: nothing was found; else a person has to judge it."""
    rows = []
    for found in context.verdict["findings"]:
        custody = context.custody.get(found["wallet"] or "")
        kind = "house_among_customer" if found["kind"] == "own_assets_mixed" else found["kind"]
        rows.append(
            {
                "finding": kind,
                "wallet": found["wallet"] or found["custodian"] or "–",
                "chain": "–" if custody is None else custody.chain,
                "asset": found["asset"],
                "found_at": rfc3339(context.inputs.at),
                "detail": cut(found["detail"]),
                "case": None,
            }
        )
    return {"facts": {"verdict": "UNVERIFIED" if rows else "PASS"}, "tables": {"findings": rows}}


def custodians(context: Context) -> Json:
    """Who keeps the keys, and how much is with each."""
    listed = context.inputs.facts.custodians
    by_custodian: dict[str, list[Custody]] = {}
    for custody in context.inputs.facts.wallets:
        by_custodian.setdefault(custody.custodian, []).append(custody)
    stating = {line.custodian for line in context.inputs.books.statements or ()}
    rows = []
    for name in sorted({*by_custodian, *listed, *stating}):
        known = listed.get(name)
        status = "not_applicable" if name == SELF else "unknown"
        rows.append(
            {
                "custodian": name,
                "type": "self" if name == SELF else "third_party",
                "jurisdiction": None,
                "wallets": len(by_custodian.get(name, [])),
                "provider_status": status if known is None else _STATUSES.get(known.status, "unknown"),
                "notified_on": None if known is None or known.notified_on is None else known.notified_on.isoformat(),
                "confirmed_on": None,
            }
        )
    return {"facts": {}, "tables": {"custodians": rows, "exposures": _exposures(context)}}


def _exposures(context: Context) -> Rows:
    """What customers have with each custodian; the share is of all that customers have of the asset, rounded down."""
    held: dict[tuple[str, str], int] = {}
    for custody in context.inputs.facts.wallets:
        for asset in context.inputs.facts.assets:
            quantity = context.now.by_wallet.get((custody.wallet, asset))
            if quantity is not None and quantity.units and replace(custody, encumbered="").storage in CUSTOMER:
                key = (custody.custodian, asset)
                held[key] = held.get(key, 0) + quantity.units
    for line in context.inputs.books.statements or ():
        if line.owner is Owner.CUSTOMER and line.units:
            held[line.custodian, line.asset] = held.get((line.custodian, line.asset), 0) + line.units
    sums: dict[str, int] = {}
    for (_, asset), amount in held.items():
        sums[asset] = sums.get(asset, 0) + amount
    return [
        {
            "custodian": custodian,
            "asset": asset,
            "quantity": str(amount),
            "value": money(context.prices.worth(asset, amount)),
            "share": format_coins(amount * 10**12 // sums[asset], 12),
        }
        for (custodian, asset), amount in sorted(held.items())
    ]
