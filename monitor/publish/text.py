"""Text from outside that is shown to people: no control characters, nothing that reorders or breaks a line."""

from __future__ import annotations

from unicodedata import category

_LONGEST = 300


def is_plain(text: str) -> bool:
    """Whether every character is fit for one line; an ideographic space is, which str.isprintable denies."""
    return all(category(character)[0] != "C" and category(character) not in {"Zl", "Zp"} for character in text)


def printable(text: str) -> str:
    """``text`` fit for one line of a message, shortened to 300 characters."""
    clean = "".join(character if is_plain(character) else "·" for character in text[:_LONGEST])
    return clean if len(text) <= _LONGEST else f"{clean}…"
