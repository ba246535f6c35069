"""A book is kept beside a verdict only where its file still says what the verdict was computed from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.books.kept import agrees
from tests.unit.assess.sample import inputs

HEADER = "asset,amount,as_of\n"
MADE = inputs({}, {"BTC": "1"})
LINE = "BTC,1.00000000,2026-11-20T06:00:00Z\n"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (HEADER + LINE, True),
        (HEADER + LINE.replace("1.0", "2.0"), False),
        (HEADER + LINE + LINE.replace("BTC", "ETH"), False),
        ("nonsense\n", False),
    ],
    ids=["as it was read", "another amount", "one line more", "not a book any more"],
)
def test_a_file_that_changed_since_it_was_read_is_not_the_book(tmp_path: Path, text: str, same: bool) -> None:
    path = tmp_path / "liabilities.csv"
    path.write_text(text)
    assert agrees("liabilities", path, MADE) is same


def test_a_file_that_could_not_be_used_agrees_with_inputs_that_say_so(tmp_path: Path) -> None:
    path = tmp_path / "liabilities.csv"
    path.write_text("nonsense\n")
    unused = replace(MADE, books=replace(MADE.books, liabilities=None, liabilities_reason="line 1 is no header"))
    assert agrees("liabilities", path, unused)
    path.write_text(HEADER + LINE)
    assert not agrees("liabilities", path, unused)
