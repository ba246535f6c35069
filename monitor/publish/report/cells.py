"""What a value of the report looks like in print; the one place for all forms.

Printed values are exact. Text is data: what would reorder, break or hide a line is shown as a visible escape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from unicodedata import category

from chains.core.amounts import format_coins
from monitor.publish.report.dates import local, wareki
from monitor.publish.report.fields import Column, Kind
from monitor.publish.report.words import Words

#: kinds whose value is free: a name may hold anything
FREE = frozenset({Kind.TEXT, Kind.ASSET, Kind.ADDRESS, Kind.CUSTOMER})
NUMBERS = frozenset({Kind.AMOUNT, Kind.MONEY, Kind.RATIO})
_DATED = frozenset({Kind.TIME, Kind.DATE})


@lru_cache(maxsize=65536)
def visible(text: str) -> str:
    r"""``text`` on one line, with control, format and unassigned characters as ``\u{202e}``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if category(c)[0] != "C" and category(c) not in {"Zl", "Zp"} else f"\\u{{{ord(c):x}}}" for c in text
    )


@dataclass(frozen=True, slots=True)
class Cells:
    """Prints the values of one report in one language."""

    words: Words
    decimals: Mapping[str, int]
    timezone: str

    def exact(self, column: Column, row: Mapping[str, Any]) -> str | None:
        """The value of ``column`` in ``row``, exactly; None where it is null. Amounts are in coins."""
        return self.printer(column)(row)

    def printer(self, column: Column) -> Callable[[Mapping[str, Any]], str | None]:
        """``exact`` for one column of many rows."""
        key, of, decimals = column.id, column.of, self.decimals
        if column.kind is Kind.AMOUNT:

            def amount(row: Mapping[str, Any]) -> str | None:
                value = row[key]
                return None if value is None else format_coins(int(value), decimals[row[of]])

            return amount
        show = self._shown(column)

        def other(row: Mapping[str, Any]) -> str | None:
            value = row[key]
            return None if value is None else show(value)

        return other

    def _shown(self, column: Column) -> Callable[[Any], str]:
        kind = column.kind
        if kind is Kind.TIME:
            return self.exact_time
        if kind in {Kind.CODE, Kind.VERDICT, Kind.FLAG}:
            return partial(self.words.value, column)
        return visible if kind in FREE else str

    def exact_time(self, moment: str) -> str:
        """A time in the entity's time zone, ISO 8601 with offset."""
        return local(moment, self.timezone).isoformat()

    def japanese_date(self, column: Column, row: Mapping[str, Any]) -> str | None:
        """The date of a time or day in the Japanese calendar, as seen in the entity's time zone."""
        value = row[column.id]
        if value is None:
            return None
        return _wareki_of(value, self.timezone)

    def has_japanese_date(self, column: Column) -> bool:
        """Whether the language shows the Japanese calendar beside this column."""
        return self.words.language == "ja" and column.kind in _DATED


@lru_cache(maxsize=65536)
def _wareki_of(value: str, timezone: str) -> str:
    day = local(value, timezone).date() if "T" in value else date.fromisoformat(value)
    return wareki(day)


def grouped(text: str) -> str:
    """An exact decimal for reading: digits in threes, no zeros at the end of the fraction. Still exact."""
    sign, digits = ("−", text[1:]) if text.startswith("-") else ("", text)
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    return f"{sign}{int(whole):,}{'.' if fraction else ''}{fraction}"


def rounded(text: str) -> float:
    """An exact decimal as the nearest double, for a spreadsheet's own sums; the exact text stands beside it.

    The one place where a figure of the report loses digits: half to even, as IEEE 754 converts.
    """
    return float(Decimal(text))
