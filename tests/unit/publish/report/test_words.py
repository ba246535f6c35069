"""The word lists are whole, and never claim what porwatch does not do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import monitor.publish.report.words as package
from monitor.publish.report import codes
from monitor.publish.report.dates import wareki
from monitor.publish.report.fields import Column, Kind, View
from monitor.publish.report.glyphs import printable
from monitor.publish.report.presets import _PRESETS
from monitor.publish.report.schema import BLOCKS, BY_ID, HEADER, HEADER_OBJECTS, HEADER_TABLES, kind_schema, tables_of
from monitor.publish.report.words import LANGUAGES, Words, words
from monitor.publish.rules import RULES

#: the names of documents that others wrote about the exchange; nothing else may speak of it
OF_OTHERS = {"segregation_audit", "guarantee_audit"}
FORBIDDEN = re.compile("audit|guaranteed|solven|監査|支払能力|suspicious|不正", re.IGNORECASE)


def columns() -> Iterator[tuple[str, Column]]:
    yield from (("", column) for column in HEADER)
    yield from (("", column) for group in HEADER_OBJECTS.values() for column in group)
    yield from ((table.id, column) for table in HEADER_TABLES for column in table.columns)
    for block in BLOCKS:
        yield from ((block.id, fact) for fact in block.facts)
        yield from ((f"{block.id}.{table.id}", column) for table in block.tables for column in table.columns)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_is_missing(language: str) -> None:
    known = words(language)
    for place, column in columns():
        assert known.column(column.id, place)
        assert all(known.value(column, code) for code in column.codes)
    for block, table, _ in tables_of(View.FULL):
        assert known.blocks[block.id]
        assert known.tables[f"{block.id}.{table.id}"]
    for kind in (Kind.VERDICT, Kind.FLAG):
        assert all(known.value(Column("x", kind), value) for value in kind_schema(kind)["enum"])
    assert set(known.presets) == set(codes.PRESETS) == set(_PRESETS)


def test_both_languages_say_the_same_things_and_nothing_is_left_over() -> None:
    ja, en = (all_words(words(language)) for language in LANGUAGES)
    narrower = {key for key in ja ^ en if key[0] == "columns" and "." in key[1]}
    assert ja ^ en == narrower
    used = {column.id for _, column in columns()}
    used_codes = {code for _, column in columns() for code in column.codes}
    assert {key.split(".")[-1] for section, key in ja | en if section == "columns"} == used
    assert {key.split(".")[-1] for section, key in ja | en if section == "codes"} == used_codes


def all_words(known: Words) -> set[tuple[str, str]]:
    return {(section, key) for section in Words.__slots__[1:] for key in getattr(known, section)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_labels_of_a_table_differ_and_so_do_titles(language: str) -> None:
    known = words(language)
    titles = [known.tables[f"{block.id}.{table.id}"] for block, table, _ in tables_of(View.FULL)]
    assert len({title[:28] for title in titles}) == len(titles)
    # what Excel allows in the name of a sheet
    assert not any(set("[]:*?/\\") & set(title) for title in titles)
    for block, table, shown in tables_of(View.FULL):
        labels = [known.column(column.id, f"{block.id}.{table.id}") for column in shown]
        assert len(set(labels)) == len(labels), (table.id, labels)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_claims_an_audit_a_guarantee_or_solvency(language: str) -> None:
    found = {
        (section, key)
        for section in Words.__slots__[1:]
        for key, word in getattr(words(language), section).items()
        if FORBIDDEN.search(word)
    }
    assert found == {("codes", name) for name in OF_OTHERS}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_a_string_that_the_font_can_show(language: str) -> None:
    raw = yaml.safe_load((Path(package.__file__).parent / f"{language}.yaml").read_text(encoding="utf-8"))
    for section, entries in raw.items():
        for key, word in entries.items():
            assert isinstance(key, str), (section, key)
            assert printable(word) == word


def test_every_rule_that_opens_a_case_has_its_word() -> None:
    assert set(RULES) <= set(codes.RULES)


def test_presets_name_tables_that_exist() -> None:
    for chosen in _PRESETS.values():
        for block, tables in (chosen or {}).items():
            assert set(tables) <= {table.id for table in BY_ID[block].tables}


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-11-24", "令和8年11月24日"),
        ("2019-05-01", "令和元年5月1日"),
        ("2019-04-30", "平成31年4月30日"),
        ("1989-01-08", "平成元年1月8日"),
        ("1989-01-07", "昭和64年1月7日"),
        ("1926-12-25", "昭和元年12月25日"),
        ("1926-12-24", "大正15年12月24日"),
        ("1912-07-30", "大正元年7月30日"),
        ("1912-07-29", "明治45年7月29日"),
        ("1868-01-25", "明治元年1月25日"),
    ],
)
def test_eras_change_on_their_first_day(day: str, said: str) -> None:
    assert wareki(date.fromisoformat(day)) == said


@given(day=st.dates(max_value=date(1868, 1, 24)))
def test_a_day_before_meiji_is_refused(day: date) -> None:
    with pytest.raises(ValueError, match="before Meiji"):
        wareki(day)
