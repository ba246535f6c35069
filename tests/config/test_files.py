"""Every file in good/ has no mistake; every file in bad/ has exactly those that its first lines expect.

``# expect: [FILE:]LINE: KEY: FRAGMENT``: FRAGMENT is a part of the message; FILE is relative to bad/.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.books import check

HERE = Path(__file__).parent
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))
_EXPECT = re.compile(r"# expect: (?:([^\s:]+):)?(\d+): ([^\s:]+): (.+)")


def expected(file: Path) -> list[tuple[str, int, str, str]]:
    """(file, line, key, fragment) of the lines at the beginning."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# expect"):
            break
        match = _EXPECT.fullmatch(line)
        assert match, f"{file.name}: cannot read {line!r}"
        found.append((str(file.parent / match[1]) if match[1] else str(file), int(match[2]), match[3], match[4]))
    return found


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_file_has_no_mistake(file: Path) -> None:
    assert [str(mistake) for mistake in check(file)] == []


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_file_has_exactly_the_expected_mistakes(file: Path) -> None:
    wanted = expected(file)
    assert wanted, "a bad file expects at least one mistake"
    found = check(file)
    assert [(each.file, each.line, each.key) for each in found] == [each[:3] for each in wanted], "\n".join(
        map(str, found)
    )
    for mistake, (_, _, _, fragment) in zip(found, wanted, strict=True):
        assert fragment in mistake.message, str(mistake)


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_mistake_shows_no_secret(file: Path) -> None:
    assert "hunter2" not in "\n".join(map(str, check(file)))


def test_there_are_good_and_bad_files() -> None:
    assert len(GOOD) >= 3
    assert len(BAD) >= 60
