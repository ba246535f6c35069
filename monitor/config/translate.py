"""Values against a model: pydantic's errors in porwatch's words, each with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.fields import FORMS
from monitor.config.mistakes import Path

#: takes a path and what is wrong there
Report = Callable[[Path, str], None]
#: keys that people try and what porwatch wants instead
_INSTEAD = {
    "password": "secrets come from files: write password_file",
    "passwd": "secrets come from files: write password_file",
    "token": "secrets come from files: write bearer_token_file",
    "bearer_token": "secrets come from files: write bearer_token_file",
    "api_key": "secrets come from files: write the whole URL with its key into url_file",
    "headers": "headers may hold secrets: write headers_file",
    "cookie": "secrets come from files: write cookie_file",
    "key": "secrets come from files: write key_file",
    "cert": "certificates come from files: write cert_file",
    "client_ca": "certificates come from files: write client_ca_file",
    "cipher_suites": "OpenSSL's own choice is used: remove it",
    "prefer_server_cipher_suites": "OpenSSL's own choice is used: remove it",
    "curve_preferences": "OpenSSL's own choice is used: remove it",
    "tokens": "this kind of chain has no tokens: remove it",
    "dsn": "a database URL may hold a password: write dsn_file",
}


def validated(kind: Any, value: Any, path: Path, report: Report) -> tuple[Any, set[str]]:
    """``value`` as ``kind`` (a model or an annotated type), or None; every mistake is reported at its path.

    The second value names the first-level keys that are wrong ("" where the mistake is of the whole).
    """
    try:
        return TypeAdapter(kind).validate_python(value), set()
    except ValidationError as error:
        found: dict[Path, list[str]] = {}
        for detail in error.errors(include_url=False):
            place = _place(detail, value)
            found.setdefault(place, []).append(explain(detail, kind, place))
    for place, messages in found.items():
        # Several for one place: none of the alternatives of a key fits.
        report((*path, *place), ", or: ".join(messages))
    return None, {str(place[0]) if place else "" for place in found}


def _place(detail: ErrorDetails, value: Any) -> Path:
    """Where an error is, as keys of the file: without the names of alternatives that pydantic appends."""
    place: list[str | int] = []
    for step in detail["loc"]:
        inside = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if inside or (isinstance(value, dict) and step in value):
            value = value[step]
        elif detail["type"] != "missing" or not isinstance(value, dict):
            break
        place.append(step)
    return tuple(place)


def explain(detail: ErrorDetails, kind: Any, place: Path) -> str:
    """One error of pydantic: what is wrong and what to write instead."""
    code, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if code == "extra_forbidden":
        return f"unknown key{instead_of(str(place[-1]), known_keys(kind, place[:-1]))}"
    if code == "missing":
        return f"is missing: write {place[-1]}: …"
    if code in {"value_error", "assertion_error"}:
        return str(context.get("error", detail["msg"]))
    if code == "literal_error":
        return f"{_shown(given)} is not accepted: write {context['expected']}"
    if code == "string_pattern_mismatch":
        return f"{_shown(given)} has the wrong form: write {FORMS.get(context['pattern'], context['pattern'])}"
    expected = _EXPECTED.get(code)
    if expected is None:
        return f"{_shown(given)}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    if code == "string_type" and isinstance(given, int | Decimal):
        return f'{_shown(given)} is not text: put it in quotes, "{_plain(given)}"'
    return f"{_shown(given)} is not {expected}"


_EXPECTED = {
    "string_type": "text: write text, in quotes where it could be read as something else",
    "int_type": "a whole number: write digits only, without quotes",
    "int_from_float": "a whole number: write digits only",
    "bool_type": "a switch: write true or false",
    "dict_type": "a mapping: write keys and values below it",
    "model_type": "a mapping: write keys and values below it",
    "list_type": "a list: write [a, b], or one '- ' a line",
    "tuple_type": "a list: write [a, b], or one '- ' a line",
}


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value: object) -> str:
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return _plain(value)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def instead_of(key: str, known: Sequence[str]) -> str:
    """The end of "unknown key": what to write instead."""
    if key in _INSTEAD and key not in known:
        return f": {_INSTEAD[key]}"
    close = get_close_matches(key, known, n=1)
    if close:
        return f": did you mean {close[0]}?"
    return f": remove it, or write one of {', '.join(known)}" if known else ": remove it"


def known_keys(kind: Any, place: Sequence[str | int]) -> list[str]:
    """The keys of the model that stands at ``place`` inside ``kind``; empty where none does."""
    current = bare(kind)
    for step in place:
        if is_model(current):
            field = current.model_fields.get(step)
            current = bare(field.annotation) if field is not None else None
        else:
            current = held(current)
    return list(current.model_fields) if is_model(current) else []


def is_model(annotation: Any) -> bool:
    """Whether an annotation is a model itself."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def bare(annotation: Any) -> Any:
    """An annotation without Annotated and without None."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return bare(arguments[0])
    if origin in {Union, UnionType}:
        kept = [part for part in arguments if part is not NoneType]
        return bare(kept[0]) if len(kept) == 1 else annotation
    return annotation


def held(annotation: Any) -> Any:
    """What a list or a mapping holds; None for anything else."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is dict:
        return bare(arguments[1])
    return bare(arguments[0]) if origin in {list, tuple} else None
