from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from monitor.config import load
from monitor.publish.rungs import rows, rungs, spoken

MINIMAL = Path(__file__).parents[2] / "config" / "good" / "minimal.yaml"
KEYS = {
    "liabilities": {"books": {"liabilities": {"file": "owed.csv"}}},
    "approvals": {"books": {"approvals": {}}},
    "reports": {"profiles": ["jp-psa-2020"]},
}


@pytest.mark.parametrize(
    ("taken", "following"),
    [
        ((), "next: add books.liabilities for liabilities"),
        (("liabilities",), "next: add books.approvals for approvals"),
        (("liabilities", "approvals"), "next: add profiles for reports"),
        (("liabilities", "approvals", "reports"), "every rung is taken"),
        (("approvals", "reports"), "next: add books.liabilities for liabilities"),
    ],
)
def test_each_rung_is_said_to_be_taken_or_not_and_the_lowest_free_one_is_next(
    taken: tuple[str, ...], following: str, tmp_path: Path
) -> None:
    document = yaml.safe_load(MINIMAL.read_text(encoding="utf-8"))
    for name in taken:
        for section, value in KEYS[name].items():
            document[section] = {**document.get(section, {}), **value} if isinstance(value, dict) else value
    (tmp_path / "owed.csv").write_text("asset,amount,as_of\n")
    (tmp_path / "porwatch.yaml").write_text(yaml.safe_dump(document))
    found = rungs(load(tmp_path / "porwatch.yaml"))
    assert [rung.name for rung in found if rung.taken] == ["addresses", *taken]
    assert [row["rung"] for row in rows(found) if row["taken"]] == ["addresses", *taken]
    lines = spoken(found)
    assert lines[-1] == following
    assert len(lines) == 5


def test_the_table_of_the_how_to_says_what_the_program_says() -> None:
    text = (Path(__file__).parents[3] / "docs/how-to/getting-in-gradually.md").read_text(encoding="utf-8")
    for rung in rungs(load(MINIMAL)):
        assert f"| {rung.name} | `{rung.add}` | {rung.gives} |" in text
