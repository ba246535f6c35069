"""Our own exposition against prometheus_client: whatever the labels and the values, the bytes are the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.utils import floatToGoString

from monitor.publish.exposition import Family, Kind, Renderer, number, wants_openmetrics
from monitor.publish.snapshot import Counts
from tests.unit.publish.registry import registry

# What breaks a line, a quotation, an escape or an encoder; surrogates have no UTF-8 and no configuration has them.
HOSTILE = st.text(
    st.one_of(st.sampled_from('\\"\n{},= #\r\t\x00é取'), st.characters(exclude_categories=["Cs"])), max_size=8
)
# Minus zero is zero for us, and keeps the line of zero.
FLOATS = st.one_of(st.floats(), st.integers(-(10**30), 10**30), st.sampled_from([0, 1, 1e6, 999999.5, 1e22, 1e-7])).map(
    lambda value: value + 0.0
)
COUNTS = st.builds(
    lambda counts, total: Counts((0.05, 1.0, 10.0), tuple(counts), total),
    st.lists(st.integers(0, 10**6), min_size=4, max_size=4),
    st.floats(0, 1e9),
)
VALUES = {Kind.GAUGE: FLOATS, Kind.COUNTER: st.floats(0, 1e300), Kind.HISTOGRAM: COUNTS}
KINDS = st.sampled_from(sorted(VALUES))


@st.composite
def some_families(draw: st.DrawFn) -> list[Family]:
    drawn = []
    for number_of_family in range(draw(st.integers(1, 3))):
        labels = tuple(draw(st.lists(st.sampled_from(["chain", "wallet", "asset", "a", "z"]), unique=True, max_size=3)))
        keys = draw(st.lists(st.tuples(*[HOSTILE] * len(labels)), unique=True, max_size=4))
        kind = draw(KINDS)
        values = draw(st.lists(VALUES[kind], min_size=len(keys), max_size=len(keys)))
        drawn.append(Family(f"porwatch_m{number_of_family}", draw(HOSTILE), kind, labels, keys, values))
    return drawn


@given(st.lists(some_families(), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_every_rendering_is_byte_for_byte_that_of_the_client_library(scrapes: list[list[Family]]) -> None:
    """Scrapes one after the other by one renderer: what it remembers never shows."""
    renderer = Renderer()
    for scrape in scrapes:
        reference = registry(scrape)
        assert renderer.render(scrape, openmetrics=False) == generate_latest(reference)
        assert renderer.render(scrape, openmetrics=True) == openmetrics.generate_latest(reference)


@given(some_families())
@settings(max_examples=80, deadline=None)
def test_what_is_parsed_is_what_was_meant(scrape: list[Family]) -> None:
    meant = [(name, labels, value) for family in scrape for name, labels, value in family.samples()]
    text = Renderer().render(scrape, openmetrics=True).decode()
    got = [(s.name, s.labels, s.value) for family in parse_openmetrics(text) for s in family.samples]
    assert [entry[:2] for entry in got] == [entry[:2] for entry in meant]
    assert all(same(a[2], b[2]) for a, b in zip(got, meant, strict=True))


def same(one: float, other: float) -> bool:
    return float(one) == float(other) or (math.isnan(one) and math.isnan(other))


@given(FLOATS)
def test_a_number_has_the_form_that_go_prints_and_reads_back_as_itself(value: float) -> None:
    assert number(value) == floatToGoString(value)
    assert same(float(number(value)), value)


def test_a_label_value_cannot_end_its_line_or_add_a_label() -> None:
    evil = 'x"} 1\nporwatch_up{a="\\'
    family = Family("porwatch_m", "Help.", Kind.GAUGE, ("wallet",), [(evil,)], [2])
    text = Renderer().render([family], openmetrics=False).decode()
    assert len(text.splitlines()) == 3
    [parsed] = parse_text(text)
    assert [(s.name, s.labels, s.value) for s in parsed.samples] == [("porwatch_m", {"wallet": evil}, 2.0)]


def test_two_families_of_one_name_are_refused() -> None:
    family = Family("porwatch_m", "Help.", Kind.GAUGE, (), [()], [1])
    with pytest.raises(ValueError, match="two metrics are named porwatch_m"):
        Renderer().render([family, family], openmetrics=False)


PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8", True),
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", False),
        ("application/openmetrics-text;q=nan", False),
        ("application/openmetrics-text;q=many", False),
        (";;;,,,=,=;q", False),
        ("text/plain," * 100_000 + "application/openmetrics-text", False),
    ],
)  # fmt: skip
def test_openmetrics_is_given_to_those_who_prefer_it(accept: str, expected: bool) -> None:
    assert wants_openmetrics(accept) is expected
