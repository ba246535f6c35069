"""The first place at which two things differ, in words."""

from __future__ import annotations

from typing import Any

_LONGEST = 80


def first_difference(found: Any, wanted: Any, path: str = "") -> str:
    """The first field, in the order of sorted keys, at which JSON differs: ``a.b[3]: X instead of Y``; "" for none."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return _of_objects(found, wanted, path)
    if isinstance(found, list) and isinstance(wanted, list):
        for index, (one, other) in enumerate(zip(found, wanted, strict=False)):
            inner = first_difference(one, other, f"{path}[{index}]")
            if inner:
                return inner
        if len(found) != len(wanted):
            return f"{path}: has {len(found)} entries instead of {len(wanted)}"
        return ""
    if type(found) is type(wanted) and found == wanted:
        return ""
    return f"{path or 'the whole'}: {_shown(found)} instead of {_shown(wanted)}"


def _of_objects(found: dict[Any, Any], wanted: dict[Any, Any], path: str) -> str:
    for key in sorted(found.keys() | wanted.keys()):
        here = f"{path}.{key}" if path else str(key)
        if key not in wanted:
            return f"{here}: is one too many"
        if key not in found:
            return f"{here}: is missing"
        inner = first_difference(found[key], wanted[key], here)
        if inner:
            return inner
    return ""


def first_byte(found: bytes, wanted: bytes) -> str:
    """Line and byte at which two files differ; both must differ."""
    least = min(len(found), len(wanted))
    at = next((index for index in range(least) if found[index] != wanted[index]), least)
    return f"line {wanted.count(bytes([10]), 0, at) + 1}, byte {at}"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
