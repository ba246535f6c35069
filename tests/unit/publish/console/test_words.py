from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from monitor.model import CaseState, Direction, Outcome, Owner, Part, Reason, Severity, Tier
from monitor.publish.console import words as module
from monitor.publish.console.query import STATE_FILTERS
from monitor.publish.console.standing import Level
from monitor.publish.console.words import LANGUAGES, catalogue, choose, words
from monitor.publish.report.codes import CLASSES, RULES

CONSOLE = Path(module.__file__).parent
SOURCES = [*(CONSOLE / "templates").glob("*.html"), *CONSOLE.glob("*.py")]
#: families of keys whose members are the values of something
FAMILIES = {
    "rule": RULES,
    "reason": [one.value for one in Reason],
    "part": [one.value for one in Part],
    "direction": [one.value for one in Direction],
    "outcome": [one.value for one in Outcome],
    "severity": [one.value for one in Severity],
    "state": [*(one.value for one in CaseState), *STATE_FILTERS],
    "tier": [one.value for one in Tier],
    "owner": [one.value for one in Owner],
    "level": [one.value for one in Level],
    "class": CLASSES,
}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_catalogues_have_the_same_keys_and_every_text_the_same_places() -> None:
    english, japanese = (catalogue(lang) for lang in LANGUAGES)
    assert sorted(english) == sorted(japanese)
    assert {key: places(text) for key, text in english.items()} == {key: places(text) for key, text in japanese.items()}


def test_no_japanese_text_was_left_in_english() -> None:
    same_in_both = {"foot.openapi"}
    english, japanese = (catalogue(lang) for lang in LANGUAGES)
    assert {key for key in english if english[key] == japanese[key]} == same_in_both


@pytest.mark.parametrize(("family", "members"), FAMILIES.items())
def test_every_member_of_a_closed_set_has_a_word(family: str, members: list[str]) -> None:
    for lang in LANGUAGES:
        missing = [name for name in members if f"{family}.{name}" not in catalogue(lang)]
        assert missing == []


def test_every_key_that_a_page_names_is_in_the_catalogue() -> None:
    known, named = catalogue("en"), set()
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        named |= set(re.findall(r"""\bt\(\s*"([a-z_.A-Z]+)"\s*[,)]""", text))
        named |= {f"{key}.one" for key in re.findall(r"""t\.counted\(\s*"([a-z_.]+)\"""", text)}
        named |= set(re.findall(r'"((?:error|form)\.[a-z_]+)"', text))
    assert len(named) > 150
    assert sorted(named - set(known) - {"error.html"}) == []


def test_every_reason_that_the_first_line_gives_has_its_words() -> None:
    text = (CONSOLE / "standing.py").read_text(encoding="utf-8")
    keys = set(re.findall(r'"(standing\.[a-z_]+)"', text))
    known = catalogue("en")
    assert keys
    assert [key for key in keys if key not in known and f"{key}.one" not in known] == []


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "got"),
    [
        ("ja", "en", "en", "ja"),
        (None, "ja", "en", "ja"),
        ("xx", None, "ja,en;q=0.8", "ja"),
        (None, None, "fr, en-GB;q=0.7, ja;q=0.9", "ja"),
        (None, None, "ja;q=0, en;q=0.1", "en"),
        (None, None, "ja;q=nonsense", "en"),
        (None, None, "", "en"),
        (None, None, "fr," * 5000 + "ja", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_then_the_one_kept_then_the_one_accepted(
    asked: str | None, kept: str | None, accepted: str, got: str
) -> None:
    assert choose(asked, kept, accepted) == got


def test_a_key_that_does_not_exist_fails_loudly_and_a_new_member_is_shown_by_its_own_name() -> None:
    t = words("en")
    with pytest.raises(KeyError):
        t("nothing.like.this")
    assert t.term("rule", "rule_of_a_newer_version") == "rule_of_a_newer_version"
