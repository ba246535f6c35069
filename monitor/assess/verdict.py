"""The verdict of a cycle: JSON without floats (CONTRACT.md), a function of its inputs and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from chains.core.amounts import format_coins
from chains.core.values import BlockRef
from monitor.assess.baseline import coverage_check, ratio, residual_check
from monitor.assess.cure import plan
from monitor.assess.figures import business_date, prices
from monitor.assess.inputs import Inputs, ResidualLine, Storage, Transit, canonical_bytes
from monitor.assess.profiles import judge
from monitor.assess.quantities import Stock, Unknown, positions, stale
from monitor.assess.segregation import findings
from monitor.assess.sources import facts, figures
from monitor.model import Check, Outcome, Position, rfc3339
from monitor.rules.codec import from_json
from monitor.rules.profile import Profile, in_force


def verdict(inputs: Inputs) -> dict[str, Any]:
    """The sealed verdict."""
    profiles, stock = _profiles(inputs), Stock(inputs)
    held = positions(stock)
    checks = _checks(stock, profiles, held)
    assets = inputs.facts.assets
    body = {
        "cycle": inputs.number,
        "kind": inputs.kind,
        "at": rfc3339(inputs.at),
        "anchors": {name: _anchor(ref) for name, ref in sorted(inputs.anchors.items())},
        "positions": [_position(item, assets[item.asset]) for item in held],
        "quantities": _quantities(stock),
        "in_transit": [_transit(item, inputs) for item in inputs.transit],
        "residuals": [_residual(item, assets[item.asset]) for item in inputs.residuals],
        "checks": [_check(item, inputs) for item in checks],
        "findings": [asdict(item) for item in findings(stock, held)],
        "plan": _plan(stock, profiles, checks),
        "open_cases": inputs.open_cases,
        "inputs_sha256": sha256(canonical_bytes(inputs)).hexdigest(),
        "previous_hash": inputs.previous_hash,
    }
    return {**body, "hash": digest(body)}


def _profiles(inputs: Inputs) -> list[Profile]:
    """The configured profiles, each replaced by its successor from the day on which that starts; none of them twice."""
    known = {profile.id: profile for profile in map(from_json, inputs.facts.profiles)}
    chosen = {}
    for name in inputs.facts.configured:
        profile = in_force(known, name, business_date(inputs, known[name].valuation))
        chosen[profile.id] = profile
    return list(chosen.values())


def _checks(stock: Stock, profiles: list[Profile], held: tuple[Position, ...]) -> list[Check]:
    inputs = stock.inputs
    why, assets = stale(inputs), inputs.facts.assets
    checks = [
        check
        for item in held
        if (check := coverage_check(item, why.get(item.asset, ""), assets[item.asset])) is not None
    ]
    checks.append(residual_check(inputs.open_residual_cases, inputs.uncompared, inputs.begun))
    for profile in profiles:
        checks += judge(stock, profile, figures(stock, profile), facts(inputs, profile))
    return checks


def _plan(stock: Stock, profiles: list[Profile], checks: list[Check]) -> list[str]:
    """What would cure the breaches of each profile together."""
    lines = []
    for profile in profiles:
        mine = [check for check in checks if check.profile == profile.id]
        valuation = profile.valuation
        worth = prices(stock.inputs, valuation, business_date(stock.inputs, valuation))
        lines += [f"{profile.id}: {line}" for line in plan(mine, stock, worth, valuation.currency)]
    return lines


def digest(body: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything in a verdict but its own hash."""
    rest = {key: value for key, value in body.items() if key != "hash"}
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def outcomes(body: Mapping[str, Any]) -> set[Outcome]:
    """The outcomes that stand in a verdict."""
    return {Outcome(check["verdict"]) for check in body["checks"]}


def _anchor(ref: BlockRef) -> dict[str, Any]:
    return {"height": ref.height, "hash": ref.hash, "time": ref.time}


def _position(item: Position, decimals: int) -> dict[str, Any]:
    covered = None
    if item.held is not None and item.owed:
        covered = ratio(item.held + item.in_transit, item.owed)
    verified = None
    if item.held is not None:
        verified = ratio(item.verified, item.held) if item.held > 0 else "1"
    return {
        "asset": item.asset,
        "held": None if item.held is None else format_coins(item.held, decimals),
        "owed": None if item.owed is None else format_coins(item.owed, decimals),
        "in_transit": format_coins(item.in_transit, decimals),
        "stated": format_coins(item.stated, decimals),
        "coverage": covered,
        "verified_ratio": verified,
    }


def _quantities(stock: Stock) -> list[dict[str, Any]]:
    """What is in each storage at the anchors; what is nothing and known to be is left out."""
    now, rows = stock.at(), []
    for asset, decimals in stock.inputs.facts.assets.items():
        for storage in Storage:
            held = now.of(asset, (storage,))
            if isinstance(held, Unknown):
                rows.append({"asset": asset, "class": storage.value, "amount": None, "why": held.reason})
            elif held.units:
                row = {"amount": held.units, "verified": held.verified, "stated": held.stated}
                coins = {name: format_coins(units, decimals) for name, units in row.items()}
                rows.append({"asset": asset, "class": storage.value, **coins})
    return rows


def _transit(item: Transit, inputs: Inputs) -> dict[str, Any]:
    return {
        "chain": item.chain,
        "txid": item.txid,
        "wallet": item.wallet,
        "asset": item.asset,
        "amount": format_coins(item.units, inputs.facts.assets[item.asset]),
        "direction": str(item.direction),
        "reason": item.reason,
        "since": rfc3339(item.since),
        "age_seconds": int((inputs.at - item.since).total_seconds()),
    }


def _residual(item: ResidualLine, decimals: int) -> dict[str, Any]:
    return {
        "chain": item.chain,
        "wallet": item.wallet,
        "account": item.locator,
        "asset": item.asset,
        "amount": format_coins(item.units, decimals),
        "height": item.height,
    }


def _check(item: Check, inputs: Inputs) -> dict[str, Any]:
    begun = inputs.since.get(item.subject)
    if item.verdict is Outcome.PASS:
        begun = None
    elif item.verdict is Outcome.BREACH and begun is None:
        begun = rfc3339(inputs.at)
    return {
        "profile": item.profile,
        "id": item.id,
        "asset": item.asset,
        "verdict": item.verdict.value,
        "value": item.value,
        "threshold": item.threshold,
        "margin": item.margin,
        "ratio": item.ratio,
        "ratio_of": item.ratio_of,
        "operands": dict(item.operands),
        "parameters": [dict(each) for each in item.parameters],
        "severity": item.severity,
        "in_force": item.in_force,
        "warn": item.warn,
        "basis": item.basis,
        "cure": item.cure,
        "due": item.due,
        "breached_since": begun,
    }
