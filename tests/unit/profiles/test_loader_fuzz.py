"""Whatever stands in a profile file, it is read, or refused with mistakes that name the file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.config import ConfigError
from monitor.profiles import read_profile
from monitor.rules import from_json, to_json
from tests.config.test_profile_files import GOOD

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**20),
    st.text(max_size=12),
    st.sampled_from(["a" * 300, "x/\x00.yaml", "L >= T", "0.5", ".."]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(found for key, item in items for found in places(item, (*path, key)))]


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_profile_with_any_value_anywhere_is_read_or_refused(tmp_path: Path, file: Path, data: st.DataObject) -> None:
    tree = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # every scalar stays as written
    calendar = tmp_path / "files" / "calendar.yaml"
    calendar.parent.mkdir(exist_ok=True)
    calendar.write_bytes((file.parent / "files" / "calendar.yaml").read_bytes())
    path = data.draw(st.sampled_from([each for each in places(tree) if each]))
    inside = tree
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = data.draw(values)
    changed = tmp_path / "changed.yaml"
    changed.write_text(_written(tree), encoding="utf-8")
    try:
        profile = read_profile(str(changed))
    except ConfigError as refused:
        wrong = {each.file for each in refused.mistakes}
    else:
        wrong = set()
        assert from_json(to_json(profile)) == profile
    assert wrong <= {str(changed), str(calendar)}


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_the_profile_that_is_changed_is_a_good_one(file: Path, tmp_path: Path) -> None:
    tree = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "calendar.yaml").write_bytes((file.parent / "files" / "calendar.yaml").read_bytes())
    (tmp_path / "same.yaml").write_text(_written(tree), encoding="utf-8")
    assert read_profile(str(tmp_path / "same.yaml")).rules == read_profile(str(file)).rules


def _written(tree: Any) -> str:
    """A tree as YAML; what looks like a number or a switch is written without quotes."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_written(item)}" for key, item in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(_written, tree)) + "]"
    plain = isinstance(tree, str) and re.fullmatch(r"true|false|null|[0-9]+(\.[0-9]+)?", tree, re.ASCII)
    return tree if plain else json.dumps(tree)
