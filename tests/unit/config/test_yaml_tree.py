from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.yaml_tree import DEEPEST, LARGEST_BYTES, read_yaml


def data(text: str) -> object:
    tree, mistakes = read_yaml("x.yaml", text.encode())
    assert tree is not None
    assert mistakes == []
    return tree.data


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0xdAC17F958D2ee523a2206206994597C13D831ec7", "0xdAC17F958D2ee523a2206206994597C13D831ec7"),
        ("00:00", "00:00"),
        ("1:30", "1:30"),
        ("2026-12-01", "2026-12-01"),
        ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("yes", "yes"),
        ("NO", "NO"),
        ("on", "on"),
        ("0o17", "0o17"),
        ("017", "017"),
        ("1_000", "1_000"),
        ("1e5", "1e5"),
        (".5", ".5"),
        (".nan", ".nan"),
        ("=", "="),
        ('"12"', "12"),
        ("!!str 12", "12"),
        ("12", 12),
        ("-3", -3),
        ("0.10", Decimal("0.10")),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ('""', ""),
        (f"{'9' * 5000}", "9" * 5000),
    ],
)
def test_a_scalar_is_read_as_it_stands(written: str, read: object) -> None:
    value = data(f"key: {written}")
    assert value == {"key": read}
    assert type(value["key"]) is type(read)


def test_keys_are_always_text() -> None:
    assert data("{1: a, no: b, null: c, 0x1: d, 1.5: e}") == {"1": "a", "no": "b", "null": "c", "0x1": "d", "1.5": "e"}


def test_lines_name_keys_and_items() -> None:
    tree, _ = read_yaml("x.yaml", b"a:\n  b:\n    - one\n    - c: 2\n")
    assert tree is not None
    assert [tree.line(path) for path in (("a",), ("a", "b"), ("a", "b", 0), ("a", "b", 1, "c"))] == [1, 2, 3, 4]
    assert tree.line(("a", "b", 1, "missing")) == 4


def test_what_stands_beside_a_merge_wins_over_it_and_the_first_source_over_the_next() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {a: 3, <<: [*x, *y]}\n"
    assert data(text)["z"] == {"a": 3, "b": 1, "c": 2}


def test_a_key_written_twice_is_a_mistake_with_both_lines() -> None:
    tree, mistakes = read_yaml("x.yaml", b"a: 1\nb: 2\na: 3\n")
    assert tree is not None
    assert tree.data == {"a": 1, "b": 2}
    assert [str(mistake) for mistake in mistakes] == [
        "x.yaml:3: a: written twice, first on line 1: keep one of the two"
    ]


@pytest.mark.parametrize(
    ("raw", "line", "fragment"),
    [
        (b"", 1, "empty"),
        (b"# only a comment\n", 1, "empty"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        (b"a: \x00\n", 1, "not YAML"),
        (b"x" * (LARGEST_BYTES + 1), 1, "larger than"),
        (b"[" * (DEEPEST + 1), 1, "deeper"),
        (b"[" * 100_000, 1, "deeper"),
        (b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (n, n, n - 1) for n in range(1, 40)), 23, "deeper"),
        (b"a: *b\n", 1, "no anchor"),
        (b"a: &a\n  b: *a\n", 2, "inside its own anchor"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(raw: bytes, line: int, fragment: str) -> None:
    tree, (mistake,) = read_yaml("x.yaml", raw)
    assert tree is None
    assert (mistake.line, mistake.key) == (line, "configuration")
    assert fragment in mistake.message


@given(st.binary(max_size=300))
def test_any_bytes_give_a_tree_or_a_mistake(raw: bytes) -> None:
    tree, mistakes = read_yaml("x.yaml", raw)
    assert tree is not None or mistakes


@given(st.text(alphabet="ab:-[]{}&*!|>\"'#<, \n\t0x1.~?%@`", max_size=200))
def test_any_text_of_yaml_signs_gives_a_tree_or_a_mistake(text: str) -> None:
    tree, mistakes = read_yaml("x.yaml", text.encode())
    assert tree is not None or mistakes
