"""Checks and the verdict of a cycle. Pure: values in, values out; every threshold is decided on integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from chains.core.amounts import format_coins
from chains.core.values import BlockRef
from monitor.model import Check, Outcome, Position, Residual, rfc3339

BASELINE = "baseline"
#: digits after the point of a printed ratio, rounded down so that it never looks better than it is
_RATIO_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one cycle found, ready to be written as a verdict. ``stale``: by asset, why its liability cannot be used."""

    number: int
    kind: str
    at: datetime
    anchors: Mapping[str, BlockRef]
    positions: tuple[Position, ...]
    stale: Mapping[str, str]
    residuals: tuple[Residual, ...]
    open_residual_cases: int
    uncompared: tuple[str, ...]
    begun: tuple[str, ...]
    open_cases: int
    unjudged_profiles: tuple[str, ...]
    previous_hash: str


def ratio(part: int, whole: int) -> str:
    """The ratio part / whole as a plain decimal string, rounded down to 12 digits."""
    return format_coins(part * 10**_RATIO_DIGITS // whole, _RATIO_DIGITS)


def coverage_check(position: Position, stale: str, decimals: int) -> Check | None:
    """Baseline: held + in transit ≥ owed. None where the asset is neither held nor owed.

    ``stale``: why what is owed is not known well enough, or "".
    """
    held, owed = position.held, position.owed
    if owed is None and held == 0 and not stale:
        return None
    operands = {
        "held": "unknown" if held is None else format_coins(held, decimals),
        "owed": "unknown" if owed is None else format_coins(owed, decimals),
        "in_transit": format_coins(position.in_transit, decimals),
    }
    value, margin = None, None
    if owed is None:
        outcome = Outcome.UNVERIFIED
        basis = stale or "held without a line in the liabilities: what is owed is unknown"
    elif owed == 0 and stale:
        outcome, basis = Outcome.UNVERIFIED, stale
    elif owed == 0:
        outcome, basis = Outcome.PASS, "nothing is owed"
    elif held is None:
        outcome, basis = Outcome.UNVERIFIED, f"what is held is unknown: {position.reason}"
    else:
        covered = held + position.in_transit
        value, margin = ratio(covered, owed), format_coins(covered - owed, decimals)
        outcome, basis = _covered(position, stale, enough=covered >= owed)
    return Check(BASELINE, "coverage", position.asset, outcome, value, "1", margin, operands, basis)


def _covered(position: Position, stale: str, *, enough: bool) -> tuple[Outcome, str]:
    if stale:
        return Outcome.UNVERIFIED, stale
    if not enough:
        return Outcome.BREACH, "held and in transit are less than what is owed to customers"
    if position.held is not None and position.verified < position.held:
        return Outcome.UNVERIFIED, "enough is claimed, but not proved and not agreed by a quorum of endpoints"
    return Outcome.PASS, "held and in transit cover what is owed to customers"


def residual_check(open_cases: int, uncompared: tuple[str, ...], begun: tuple[str, ...] = ()) -> Check:
    """Baseline: no open residual, on any account."""
    if open_cases:
        outcome, basis = Outcome.BREACH, "holdings differ from the ledger: see the open residual cases"
    elif uncompared:
        outcome, basis = Outcome.UNVERIFIED, "not compared at this anchor: " + "; ".join(uncompared)
    else:
        # What was opened after the anchor has no movements up to it that could be wrong.
        outcome = Outcome.PASS
        basis = "; ".join(("every account's holding equals its opening and movements", *begun))
    return Check(
        BASELINE, "residual", None, outcome, str(open_cases), "0", str(-open_cases), {"open": str(open_cases)}, basis
    )


def unjudged_check(profile: str) -> Check:
    """A configured profile that this version cannot judge: never silently fine."""
    return Check(
        profile,
        "profile",
        None,
        Outcome.UNVERIFIED,
        None,
        None,
        None,
        {},
        "this version judges the built-in profile baseline only",
    )


def verdict(cycle: Cycle, decimals: Mapping[str, int]) -> dict[str, Any]:
    """The verdict of a cycle as JSON without floats (CONTRACT.md), hashed over its canonical form by ``seal``."""
    checks = [
        check
        for item in cycle.positions
        if (check := coverage_check(item, cycle.stale.get(item.asset, ""), decimals[item.asset])) is not None
    ]
    checks.append(residual_check(cycle.open_residual_cases, cycle.uncompared, cycle.begun))
    checks.extend(unjudged_check(name) for name in cycle.unjudged_profiles)
    return {
        "cycle": cycle.number,
        "kind": cycle.kind,
        "at": rfc3339(cycle.at),
        "anchors": {name: _anchor(ref) for name, ref in sorted(cycle.anchors.items())},
        "positions": [_position(item, decimals[item.asset]) for item in cycle.positions],
        "residuals": [_residual(item, decimals[item.asset]) for item in cycle.residuals],
        "checks": [_check(item) for item in checks],
        "open_cases": cycle.open_cases,
        "previous_hash": cycle.previous_hash,
    }


def seal(body: dict[str, Any], canonical_text: str) -> dict[str, Any]:
    """``body`` with its hash: SHA-256 of the canonical JSON of everything else in it."""
    return {**body, "hash": sha256(canonical_text.encode()).hexdigest()}


def outcomes(verdict_body: Mapping[str, Any]) -> set[Outcome]:
    """The outcomes that stand in a verdict."""
    checks: Iterable[Mapping[str, Any]] = verdict_body["checks"]
    return {Outcome(check["verdict"]) for check in checks}


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
        "coverage": covered,
        "verified_ratio": verified,
    }


def _residual(item: Residual, decimals: int) -> dict[str, Any]:
    return {
        "chain": item.chain,
        "wallet": item.wallet,
        "account": item.locator,
        "asset": item.asset,
        "amount": format_coins(item.units, decimals),
        "height": item.at.height,
    }


def _check(item: Check) -> dict[str, Any]:
    return {
        "profile": item.profile,
        "id": item.id,
        "asset": item.asset,
        "verdict": item.verdict.value,
        "value": item.value,
        "threshold": item.threshold,
        "margin": item.margin,
        "operands": dict(item.operands),
        "basis": item.basis,
    }
