"""The reserve as a check of the verdict, and as JSON with every step, so that a stranger can work it out again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from monitor.model import Check, Outcome
from monitor.reserve.money import Money, Unknown
from monitor.reserve.requirement import Reserve

#: the steps that the check shows, in the order of the formula
_STEPS = ("vol", "exp", "rho", "raw", "required", "eligible", "credit", "net", "fund", "surplus", "accrual")


def plain(amount: Decimal) -> str:
    """A plain decimal string without zeros at the end: equal amounts have equal text."""
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def reserve_check(profile: str, name: str, basis: str, found: Reserve) -> Check:
    """``fund >= net`` as a check: value is the fund, threshold what is required of it, margin the surplus.

    ``basis``: the rule's own; where operands are missing it says which.
    """
    if found.verdict is Outcome.UNVERIFIED:
        basis = f"{basis}: unknown: {', '.join(found.unknown)}"
    operands = {step: _text(getattr(found, step)) for step in _STEPS}
    value, threshold, margin = (_side(amount) for amount in (found.fund, found.net, found.surplus))
    return Check(profile, name, None, found.verdict, value, threshold, margin, operands, basis)


def as_json(value: object) -> Any:
    """A Reserve, or any part of it, as JSON: amounts are plain decimal strings, unknown ones {"unknown": [...]}.

    Raises TypeError for what is no value of this package, a float among it.
    """
    if isinstance(value, Unknown):
        return {"unknown": list(value.operands)}
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in sorted(value.items())}
    if isinstance(value, frozenset | tuple):
        items = [as_json(item) for item in value]
        return sorted(items) if isinstance(value, frozenset) else items
    if is_dataclass(value):
        return {each.name: as_json(getattr(value, each.name)) for each in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON here")


def _text(amount: Money) -> str:
    return "unknown" if isinstance(amount, Unknown) else plain(amount)


def _side(amount: Money) -> str | None:
    return None if isinstance(amount, Unknown) else plain(amount)
