"""Two names and one person: where a second person is asked for, another spelling of the first is none."""

from __future__ import annotations

import unicodedata


def same_person(one: str, other: str) -> bool:
    """Whether two names are one: letter case, width (full or half) and spaces do not make another person."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
