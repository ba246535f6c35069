"""What a person reads at three in the morning, from porwatch itself, in either language."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.publish.rules import RULES, alert_name
from monitor.publish.runbooks import page, policy, runbook
from monitor.shipped import shipped

NAMES = sorted(path.stem for path in shipped("alerts", "runbooks").glob("*.md"))
EACH = pytest.mark.parametrize("name", NAMES)
LANGUAGES = pytest.mark.parametrize("lang", ["en", "ja"])


class Tags(HTMLParser):
    """Every start tag, and whether each was closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.links += [value or "" for key, value in attrs if key == "href"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    return tags


@pytest.mark.parametrize("rule", sorted(RULES))
@LANGUAGES
def test_every_rule_that_opens_a_case_has_a_runbook_in_both_languages(rule: str, lang: str) -> None:
    text = runbook(alert_name(rule), lang)
    assert text is not None
    assert text.startswith(f"# {alert_name(rule)}\n")
    assert bool(re.search("[ぁ-ん]", text)) is (lang == "ja")


@EACH
@LANGUAGES
def test_every_runbook_is_a_readable_page_that_loads_nothing(name: str, lang: str) -> None:
    text = runbook(name, lang)
    assert text is not None
    shown = page(name, lang, text)
    tags = parsed(shown)
    assert {"h1", "h2", "li", "main"} <= set(tags.seen)
    assert not {"script", "img", "link", "iframe"} & set(tags.seen)
    assert f"/runbooks/{name}?lang={'en' if lang == 'ja' else 'ja'}" in tags.links
    assert not re.search(r"(?m)^(#|- |\d+\. )", shown), "Markdown was left over"
    assert all(link.startswith(("/", "https://")) for link in tags.links)


@pytest.mark.parametrize(
    "name", ["", "Nothing", "../rules/porwatch", "Porwatch/Residual", "PorwatchResidual.md", "A" * 81]
)
def test_a_name_that_is_no_runbook_opens_no_file(name: str) -> None:
    assert runbook(name, "en") is None


@given(text=st.text(max_size=200))
def test_whatever_a_runbook_says_nothing_of_it_becomes_markup(text: str) -> None:
    tags = parsed(page("PorwatchResidual", "en", f"# x\n{text}\n- <script>alert(1)</script> `{text}`"))
    assert set(tags.seen) <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "ol",
        "li",
        "code",
        "a",
    }


def test_the_policy_of_the_page_allows_its_own_style_and_no_other() -> None:
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy())
    assert "unsafe" not in policy()
