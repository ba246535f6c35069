"""Every profile in profiles/good has no mistake; every one in profiles/bad has exactly those that its first lines expect.

The form of the expectations is that of test_files.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import ConfigError
from monitor.profiles import read_profile
from tests.config.test_files import expected

HERE = Path(__file__).parent / "profiles"
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_profile_is_read(file: Path) -> None:
    assert read_profile(str(file)).rules


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_profile_has_exactly_the_expected_mistakes(file: Path) -> None:
    wanted = expected(file)
    assert wanted, "a bad file expects at least one mistake"
    with pytest.raises(ConfigError) as caught:
        read_profile(str(file))
    found = [(Path(each.file).resolve(), each.line, each.key, each.message) for each in caught.value.mistakes]
    assert [each[:3] for each in found] == [(Path(each[0]).resolve(), *each[1:3]) for each in wanted], str(caught.value)
    for (*_, message), (*_, fragment) in zip(found, wanted, strict=True):
        assert fragment in message


def test_there_are_good_and_bad_profiles() -> None:
    assert len(GOOD) >= 2
    assert len(BAD) >= 60
