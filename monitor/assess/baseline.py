"""The built-in profile: every asset is covered, and no residual is open. Every threshold is decided on integers."""

from __future__ import annotations

from chains.core.amounts import format_coins
from monitor.model import Check, Outcome, Position

BASELINE = "baseline"
#: digits after the point of a printed ratio, rounded down so that it never looks better than it is
_RATIO_DIGITS = 12


def ratio(part: int, whole: int) -> str:
    """The ratio part / whole as a plain decimal string, rounded down to 12 digits."""
    return format_coins(part * 10**_RATIO_DIGITS // whole, _RATIO_DIGITS)


def coverage_check(position: Position, stale: str, decimals: int) -> Check | None:
    """Held + in transit ≥ owed. None where the asset is neither held nor owed.

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
        return Outcome.UNVERIFIED, unproved(position.stated)
    return Outcome.PASS, "held and in transit cover what is owed to customers"


def unproved(stated: int) -> str:
    """Why an amount that is large enough is not good enough."""
    if stated:
        return "enough is claimed, but a part stands only in a custodian's statement"
    return "enough is claimed, but not proved and not agreed by a quorum of endpoints"


def residual_check(open_cases: int, uncompared: tuple[str, ...], begun: tuple[str, ...] = ()) -> Check:
    """No open residual, on any account."""
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
