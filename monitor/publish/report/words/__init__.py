"""The word lists: every label of every printed form, in each language, from one YAML file per language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from monitor.publish.report.fields import Column, Kind

LANGUAGES = ("ja", "en")


@dataclass(frozen=True, slots=True)
class Words:
    """One language's words. A missing word is an error (KeyError), never an identifier in print."""

    language: str
    phrases: Mapping[str, str]
    presets: Mapping[str, str]
    verdicts: Mapping[str, str]
    flags: Mapping[str, str]
    blocks: Mapping[str, str]
    tables: Mapping[str, str]
    columns: Mapping[str, str]
    codes: Mapping[str, str]

    def column(self, column_id: str, place: str = "") -> str:
        """The label of a column; ``place`` is "block.table" (or the block of a fact), where a word may be narrower."""
        return self.columns.get(f"{place}.{column_id}") or self.columns[column_id]

    def value(self, column: Column, value: str) -> str:
        """The word for a code, a verdict or a flag."""
        if column.kind is Kind.VERDICT:
            return self.verdicts[value]
        if column.kind is Kind.FLAG:
            return self.flags[value]
        return self.codes.get(f"{column.id}.{value}") or self.codes[value]


@cache
def words(language: str) -> Words:
    """The words of a language of LANGUAGES. Raises ValueError for another one."""
    if language not in LANGUAGES:
        raise ValueError(f"{language!r} is not a language of the report: write one of {', '.join(LANGUAGES)}")
    path = Path(__file__).with_name(f"{language}.yaml")
    return Words(language, **yaml.safe_load(path.read_text(encoding="utf-8")))
