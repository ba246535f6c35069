"""A profile as JSON and back: what a verdict's evidence keeps, so that its checks can be recomputed offline.

Numbers are decimal strings, dates ISO 8601, conditions their text; every field is there, unknown ones are refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from types import NoneType, UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from monitor.rules.grammar import Comparison, parse, show
from monitor.rules.predicates import Kind, Predicate, parse_predicate
from monitor.rules.profile import Profile
from monitor.rules.units import Unit


def to_json(profile: Profile) -> dict[str, Any]:
    """A profile as JSON without floats."""
    return cast("dict[str, Any]", _plain(profile))


def from_json(body: Mapping[str, Any]) -> Profile:
    """The profile that ``to_json`` wrote. Raises ValueError, or GrammarError of a condition, for anything else."""
    return cast("Profile", _value(Profile, body, "profile"))


def digest(profile: Profile) -> str:
    """SHA-256 of a profile's JSON with sorted keys: everything that its checks rest on, calendar included."""
    text = json.dumps(to_json(profile), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, frozenset | tuple):
        return [_plain(item) for item in (sorted(value) if isinstance(value, frozenset) else value)]
    if is_dataclass(value) and not isinstance(value, Comparison | Predicate):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Comparison):
        return {"expr": show(value)}
    if isinstance(value, Predicate):
        return {"predicate": str(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    assert value is None or isinstance(value, str | int), type(value)
    return value


def _value(kind: Any, body: Any, place: str) -> Any:
    """``body`` as ``kind``. Raises ValueError naming ``place``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return _one_of(arguments, body, place)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _value(arguments[1], item, f"{place}.{key}") for key, item in _is(dict, body, place).items()}
    if origin in {tuple, frozenset}:
        items = _is(list, body, place)
        return origin(_value(arguments[0], item, f"{place}[{index}]") for index, item in enumerate(items))
    if is_dataclass(kind):
        return _dataclass(kind, _is(dict, body, place), place)
    if kind in {str, int, bool}:
        return _is(kind, body, place)
    text = _is(str, body, place)
    try:
        return _TEXTS.get(kind, kind)(text)
    except (ArithmeticError, ValueError) as error:
        raise ValueError(f"{place}: {text!r} is no {kind.__name__}") from error


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite() or format(number, "f") != text:
        raise ValueError(text)
    return number


_TEXTS: Mapping[Any, Any] = {Decimal: _decimal, date: date.fromisoformat}


def _one_of(kinds: tuple[Any, ...], body: Any, place: str) -> Any:
    if NoneType in kinds:
        (kind,) = (each for each in kinds if each is not NoneType)
        return None if body is None else _value(kind, body, place)
    if kinds == (Unit, Kind):
        text = _is(str, body, place)
        return _value(Unit if text in list(Unit) else Kind, text, place)
    entry = _is(dict, body, place)
    assert set(kinds) == {Comparison, Predicate}, kinds
    if set(entry) == {"predicate"}:
        return parse_predicate(entry["predicate"])
    return _condition(entry, place)


def _condition(entry: Mapping[str, Any], place: str) -> Comparison:
    if set(entry) != {"expr"}:
        raise ValueError(f"{place}: is neither expr nor predicate")
    return parse(entry["expr"])


def _dataclass(kind: Any, body: Mapping[str, Any], place: str) -> Any:
    if kind is Comparison:
        return _condition(body, place)
    names = [each.name for each in fields(kind)]
    if set(body) != set(names):
        wrong = sorted(set(body) ^ set(names))
        raise ValueError(f"{place}: missing or unknown: {', '.join(wrong)}")
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], body[name], f"{place}.{name}") for name in names})


def _is(kind: type, body: Any, place: str) -> Any:
    if type(body) is not kind:
        raise ValueError(f"{place}: is {type(body).__name__}, not {kind.__name__}")
    return body
