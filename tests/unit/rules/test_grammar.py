from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rules.evaluate import NoValue, Sides
from monitor.rules.grammar import (
    CLASSES,
    COVER,
    DEEPEST,
    LONGEST,
    MOST_TOKENS,
    RELATIONS,
    RESERVE,
    Addition,
    Call,
    Comparison,
    Expression,
    GrammarError,
    Number,
    Operand,
    Product,
    Sum,
    leaves,
    parse,
    show,
)
from monitor.rules.predicates import Predicate, parse_predicate
from tests.unit.rules.profiles import PROFILE

NAMES = [("L", ""), ("T", ""), *(("A", name) for name in CLASSES), *(("E", name) for name in CLASSES)]
NAMES += [*(("cover", name) for name in COVER), *(("reserve", name) for name in RESERVE), ("declared", "own_funds")]
operands = st.one_of(
    st.decimals(min_value=0, max_value=10**12, places=4).map(lambda value: Number(Decimal(format(value, "f")))),
    st.sampled_from(NAMES).map(lambda pair: Operand(*pair)),
    st.builds(Sum, st.sampled_from("AE"), st.sampled_from([*CLASSES, "cust_*", "cust_c*", "own*"])),
)


def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        several.map(Product),
        several.flatmap(
            lambda terms: st.tuples(*(st.sampled_from("+-") for _ in terms[1:])).map(
                lambda signs: Addition(("+", *signs), terms)
            )
        ),
        st.builds(Call, st.sampled_from(["min", "max"]), several),
        st.tuples(inner, inner, inner).map(lambda three: Call("clamp", three)),
    )


expressions = st.recursive(operands, larger, max_leaves=12)
comparisons = st.builds(Comparison, expressions, st.sampled_from(RELATIONS), expressions)


@given(comparisons)
def test_a_comparison_that_is_shown_and_parsed_again_is_the_same(comparison: Comparison) -> None:
    assert parse(show(comparison)) == comparison


@given(comparisons, st.integers(0, 2**32))
def test_a_comparison_that_is_shown_and_parsed_again_has_the_same_value(comparison: Comparison, seed: int) -> None:
    values = {f"{kind}.{name}" if name else kind: Decimal(seed + place) for place, (kind, name) in enumerate(NAMES)}
    sides = Sides(PROFILE.parameters, PROFILE.staked_counts_as, values)
    again = parse(show(comparison))
    for before, after in ((comparison.left, again.left), (comparison.right, again.right)):
        try:
            expected = sides.compute(before)
        except NoValue:  # clamp with its bounds the wrong way round
            with pytest.raises(NoValue):
                sides.compute(after)
            continue
        assert sides.compute(after) == expected


WORDS = [
    "sum",
    "min",
    "clamp",
    "(",
    ")",
    ",",
    ".",
    "*",
    "+",
    "-",
    "<=",
    "L",
    "A",
    "E",
    "cust_hot",
    "cust_",
    "0.05",
    " ",
]
pieces = st.lists(st.sampled_from([*WORDS, "param", "__class__", "eval", "1e9", "\n", "/"]), max_size=25).map("".join)


@given(st.one_of(st.text(max_size=200), pieces))
def test_any_text_is_parsed_or_refused_and_nothing_else_happens(text: str) -> None:
    for read, kind in ((parse, Comparison), (parse_predicate, Predicate)):
        made, position = None, 0
        try:
            made = read(text)
        except GrammarError as error:
            position = error.position
        assert made is None or isinstance(made, kind)
        assert 0 <= position <= max(len(text), LONGEST)


@given(pieces)
def test_every_text_that_is_accepted_means_the_same_after_it_was_shown(text: str) -> None:
    try:
        made = parse(text)
    except GrammarError:
        return
    assert parse(show(made)) == made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("L", "the end stands where one of <= >="),
        ("L >= 1 / 2", "there is no division"),
        ("L >= T > 1", "stands after the end"),
        ("L >= -1", "stands where a number or an operand must"),
        ("L >= 1e9", "without exponent"),
        ("L >= 007", "without exponent, separator or leading zero"),
        ("L >= 1_000", "without exponent, separator"),
        ("L − T >= 0", "plain ASCII"),
        ("eval(L) >= 1", "eval is no function: write one of sum, min, max, clamp"),
        ("__import__ >= 1", "__import__ is no operand"),
        ("A.cust_warm >= L", "'cust_warm' stands after A. where one of cust_cold"),
        ("A.cust_* >= L", "write sum(A.cust_*)"),
        ("sum(A.hot_*) >= L", "'hot_' names no class"),
        ("sum(L) >= L", "'L' cannot be summed"),
        ("cover.gold >= L", "where one of total, insurance_limit, reserve must"),
        ("reserve.gold >= L", "where one of eligible"),
        ("clamp(L, T) >= L", "clamp(value, low, high)"),
        ("param. >= L", "where a name must"),
        ("(L >= T", "stands where ')' must"),
        ("min(L, ) >= T", "')' stands where a number"),
        ("L.__class__ >= T", "'.' stands where one of"),
        ("L >= '1'", "cannot be read"),
        ("L >= 1;", "cannot be read"),
        ("L = T", "cannot be read"),
    ],
)
def test_what_is_outside_the_grammar_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(GrammarError, match=r"at character \d+") as caught:
        parse(text)
    assert words in str(caught.value)


def test_length_words_and_depth_are_limited() -> None:
    for text in ("L" * (LONGEST + 1), "+".join(["L"] * MOST_TOKENS) + ">=L", "(" * (DEEPEST + 1) + "L"):
        with pytest.raises(GrammarError, match=r"longer than|more than|nested deeper"):
            parse(text)
    assert parse("(" * (DEEPEST - 1) + "L" + ")" * (DEEPEST - 1) + ">= L")


def test_numbers_are_decimals_and_never_floats() -> None:
    (number,) = (leaf for leaf in leaves(parse("L >= 0.1").right) if isinstance(leaf, Number))
    assert number.value == Decimal("0.1")
    assert str(number.value) == "0.1"
