"""The console's words: one catalogue for each language, and which language a reader gets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

#: the first one is for readers who ask for neither
LANGUAGES = ("en", "ja")
_FOLDER = Path(__file__).parent / "words"
_MOST_RANGES = 20


class Words:
    """What the console says in one language; every key must be there."""

    def __init__(self, lang: str, texts: Mapping[str, str]) -> None:
        self.lang = lang
        self._texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """The text of ``key`` with its places filled in. Raises KeyError for a key that no catalogue has."""
        text = self._texts[key]
        return text.format_map(values) if values else text

    def term(self, family: str, name: str) -> str:
        """The word for a member of a set that may grow (rules, reasons, checks); its own name where it is new."""
        return self._texts.get(f"{family}.{name}", name)

    def counted(self, key: str, n: int, **values: object) -> str:
        """A text about ``n`` things: ``key.one`` for one of them, ``key.many`` for any other number."""
        return self(f"{key}.one" if n == 1 else f"{key}.many", n=f"{n:,}", **values)


@cache
def catalogue(lang: str) -> Mapping[str, str]:
    """All texts of one language by dotted key."""
    tables = tomllib.loads((_FOLDER / f"{lang}.toml").read_text(encoding="utf-8"))
    return dict(_flat("", tables))


def words(lang: str) -> Words:
    """The words of one of LANGUAGES."""
    return Words(lang, catalogue(lang))


def choose(asked: str | None, kept: str | None, accepted: str) -> str:
    """The language of a page: as asked for in its address, as kept in the cookie, as the browser accepts (RFC 9110)."""
    for wish in (asked, kept):
        if wish in LANGUAGES:
            return wish
    best, found = 0.0, LANGUAGES[0]
    for item in accepted.split(",")[:_MOST_RANGES]:
        tag, _, parameters = item.partition(";")
        lang = tag.strip().lower().partition("-")[0]
        weight = _weight(parameters)
        if lang in LANGUAGES and weight > best:
            best, found = weight, lang
    return found


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name == "q" else 0.0
    except ValueError:
        return 0.0


def _flat(prefix: str, tables: Mapping[str, object]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in tables.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += _flat(f"{name}.", value)
        else:
            found.append((name, str(value)))
    return found
