"""The blocks about what the law asks: checks, the reserve with every step, what is owed."""

from __future__ import annotations

from decimal import Decimal

from monitor.assess import BadInputs
from monitor.assess.inputs import Storage
from monitor.assess.quantities import Unknown, stale
from monitor.assess.reserves import reserve_of
from monitor.canonical import Json
from monitor.model import Owner, rfc3339
from monitor.publish.bundle import places
from monitor.publish.bundle.cells import cut, money, number, total, units
from monitor.publish.bundle.context import Context, Rows
from monitor.reserve import FundKind, Reserve
from monitor.reserve import Unknown as NoMoney
from monitor.rules.grammar import Comparison, show
from monitor.rules.profile import Profile, Rule
from monitor.rules.units import Per

#: formulas of the built-in profile
_BASELINE = {"coverage": "held + in transit >= owed", "residual": "open residual cases = 0"}
_INSTRUMENTS = {FundKind.CASH: "cash", FundKind.BOND: "government_bond", FundKind.BANK_GUARANTEE: "bank_guarantee"}


def requirements(context: Context) -> Json:
    """Every check of the profiles shown, with the operands that it used."""
    rules = {(profile.id, rule.id): (profile, rule) for profile in context.profiles for rule in profile.rules}
    checks: Rows = []
    operands: Rows = []
    for check in context.checks():
        profile, rule = rules.get((check["profile"], check["id"]), (None, None))
        checks.append(_check(check, profile, rule))
        operands += [
            {
                "profile": check["profile"],
                "check": check["id"],
                "asset": check["asset"],
                "operand": name,
                "value": number(value),
                "unit": None,
            }
            for name, value in sorted(check["operands"].items())
        ]
    verdicts = [check["verdict"] for check in checks]
    facts = {"passed": "PASS", "breached": "BREACH", "unverified": "UNVERIFIED"}
    return {
        "facts": {name: verdicts.count(verdict) for name, verdict in facts.items()},
        "tables": {"checks": checks, "operands": operands},
    }


def _check(check: Json, profile: Profile | None, rule: Rule | None) -> Json:
    formula: str | None
    unit: str | None
    if rule is None:
        formula, unit = _BASELINE.get(check["id"]), "ratio" if check["id"] == "coverage" else "count"
    elif isinstance(rule.condition, Comparison):
        formula, unit = show(rule.condition), "coins" if rule.per is Per.ASSET else None
    else:
        formula, unit = str(rule.condition), None
    return {
        "profile": check["profile"],
        "status": "in_force" if profile is None else profile.status.value,
        "check": check["id"],
        "asset": check["asset"],
        "formula": formula,
        "value": number(check["value"]),
        "threshold": number(check["threshold"]),
        "margin": number(check["margin"]),
        "unit": unit,
        "verdict": check["verdict"],
        "verified": "true" if rule is None else rule.verified.value,
        "basis": cut(check["basis"]),
    }


def liabilities(context: Context) -> Json:
    """What is owed as declared, and the file that says so."""
    inputs = context.inputs
    lines = {line.asset: line for line in inputs.books.liabilities or ()}
    times = {line.as_of for line in lines.values()}
    why = stale(inputs)
    per_asset = [
        {
            "asset": asset,
            "owed": units(lines[asset].units if asset in lines else None),
            "accounts": None,
            "negative_accounts": None,
            "negative_total": None,
            "excluded_accounts": None,
            "excluded_total": None,
            "price": money(context.prices.of(asset)),
            "value": money(context.prices.worth(asset, lines[asset].units)) if asset in lines else None,
            "note": cut(why[asset]) if asset in why else (None if asset in lines else "no line in the liabilities"),
        }
        for asset in inputs.facts.assets
    ]
    sources = [
        {"file": file.path, "sha256": file.sha256, "rows": len(lines), "extracted_at": rfc3339(max(times))}
        for file in context.evidence.under(places.BOOKS)
        if lines and file.path.removeprefix(f"{places.BOOKS}/").partition(".")[0] == "liabilities"
    ]
    facts = {"as_of": rfc3339(min(times)) if len(times) == 1 else None}
    nothing = ("merkle_root", "sampler", "tie_out_source", "tie_out_value", "tie_out_difference")
    return {
        "facts": {**facts, **dict.fromkeys(nothing)},
        "tables": {"per_asset": per_asset, "by_type": [], "negative": [], "excluded": [], "sources": sources},
    }


def reserve(context: Context) -> Json:
    """The guarantee assets, and the reserve of the first profile shown that has one; the others have their terms."""
    found = [(profile, reserve_of(context.stock, profile)) for profile in context.profiles]
    with_reserve = [(profile, result) for profile, result in found if result is not None]
    first = with_reserve[0] if with_reserve else None
    if first is None:
        note: str | None = "no profile shown has a reserve"
    else:
        profile, result = first
        note = f"of {profile.id}, {profile.title}"
        if result.unknown:
            note += f"; unknown: {', '.join(result.unknown)}"
    return {
        "facts": {
            "status": None if first is None else first[0].status.value,
            "verdict": None if first is None else first[1].verdict.value,
            "note": None if note is None else cut(note),
        },
        "tables": {
            "guarantee": _guarantee(context),
            "guarantee_wallets": _guarantee_wallets(context),
            "requirement": [row for profile, result in with_reserve for row in _terms(profile, result)],
            "instruments": _declared(context) if first is None else _instruments(first[1]),
            "stress": [] if first is None else _stress(first[1]),
        },
    }


def _guarantee(context: Context) -> Rows:
    """By asset, where a profile asks for guarantee assets (履行保証暗号資産) like those that are hot."""
    verdicts = {c["asset"]: c["verdict"] for c in context.checks() if c["id"] == "guarantee" and c["asset"]}
    rows = []
    for asset, verdict in verdicts.items():
        hot = context.now.of(asset, (Storage.CUSTOMER_HOT,))
        own = context.now.of(asset, (Storage.GUARANTEE,))
        surplus = None if isinstance(hot, Unknown) or isinstance(own, Unknown) else own.units - hot.units
        rows.append(
            {
                "asset": asset,
                "hot": None if isinstance(hot, Unknown) else str(hot.units),
                "guarantee": None if isinstance(own, Unknown) else str(own.units),
                "surplus": units(surplus),
                "surplus_value": money(context.prices.worth(asset, surplus)),
                "verdict": verdict,
            }
        )
    return rows


def _guarantee_wallets(context: Context) -> Rows:
    rows = []
    for custody in context.inputs.facts.wallets:
        if custody.owner is not Owner.GUARANTEE:
            continue
        days = [
            shown.day
            for chain, accounts in context.evidence.accounts.items()
            for account in accounts
            if account.wallet == custody.wallet and (shown := context.control.get((chain, account.locator)))
        ]
        for asset in context.inputs.facts.assets:
            held = context.now.by_wallet.get((custody.wallet, asset))
            if held is not None and held.units:
                rows.append(
                    {
                        "wallet": custody.wallet,
                        "asset": asset,
                        "quantity": str(held.units),
                        "tier": custody.tier.value,
                        "control_proved_on": min(days, default=None),
                    }
                )
    return rows


def _terms(profile: Profile, result: Reserve) -> Rows:
    """Every step of the requirement; exposures are weighted."""
    if profile.reserve is None:
        raise BadInputs(f"{profile.id} has no reserve")
    lines = result.exposure_lines
    cap = profile.reserve.cap
    amounts: dict[str, object] = {
        "volume": result.vol,
        "exposure_cold": _sum([line.cold for line in lines]),
        "exposure_hot": _sum([line.hot for line in lines]),
        "exposure_third": _sum([line.third for line in lines]),
        "raw": result.raw,
        "floor": profile.reserve.floor.used,
        "cap": None if cap is None else cap.used,
        "gross": result.required,
        "insurance_credit": result.credit,
        "net": result.net,
        "held": result.fund,
        "surplus": result.surplus,
        "accrual": result.accrual,
    }
    marks = {"floor": profile.reserve.floor.verified.value, "cap": "" if cap is None else cap.verified.value}
    return [
        {
            "profile": profile.id,
            "term": term,
            "amount": money(amount),
            "verified": marks.get(term) or profile.verified.value,
        }
        for term, amount in amounts.items()
    ]


def _sum(parts: list[Decimal | NoMoney]) -> Decimal | None:
    return total([None if isinstance(part, NoMoney) else part for part in parts])


def _instruments(result: Reserve) -> Rows:
    rows = [
        {
            **_instrument(_INSTRUMENTS[line.asset.kind], line.asset.name, line.asset.currency, line.asset.amount),
            "eligible": money(line.amount),
            "expires_on": None if line.asset.expires is None else line.asset.expires.isoformat(),
            "exclusions": ", ".join(line.reasons) or None,
        }
        for line in result.fund_lines
    ]
    for each in result.policies:
        policy = each.policy
        rows.append(
            {
                **_instrument("insurance", policy.name, policy.currency, policy.limit),
                "counterparty": policy.insurer,
                "eligible": money(each.amount),
                "starts_on": None if policy.starts is None else policy.starts.isoformat(),
                "expires_on": None if policy.expires is None else policy.expires.isoformat(),
                "exclusions": ", ".join([*sorted(policy.exclusions or ()), *each.reasons]) or None,
                "document": policy.document_sha256,
                "confirmed_on": None if policy.confirmed_on is None else policy.confirmed_on.isoformat(),
            }
        )
    return rows


def _declared(context: Context) -> Rows:
    """Funds as declared, where no profile shown says what of them counts."""
    funds = context.inputs.books.funds
    if funds is None:
        return []
    rows = [_instrument(_INSTRUMENTS[each.kind], each.name, each.currency, each.amount) for each in funds.assets]
    return rows + [_instrument("insurance", each.name, each.currency, each.limit) for each in funds.policies]


def _instrument(kind: str, name: str, currency: str, amount: Decimal) -> Json:
    optional = ("counterparty", "eligible", "starts_on", "expires_on", "exclusions", "document", "confirmed_on")
    return {"type": kind, "name": name, "currency": currency, "amount": money(amount), **dict.fromkeys(optional)}


def _stress(result: Reserve) -> Rows:
    worst = result.stress.worst
    return [
        {
            "subject": f"{line.kind} {line.name}",
            "exposure": money(line.loss),
            "available": _both(line.fund, line.insurance),
            "uncovered": money(line.uncovered),
        }
        for line in (() if isinstance(worst, NoMoney) else worst)
    ]


def _both(one: Decimal | NoMoney, other: Decimal | NoMoney) -> str | None:
    return None if isinstance(one, NoMoney) or isinstance(other, NoMoney) else money(one + other)
