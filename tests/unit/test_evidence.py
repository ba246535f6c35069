"""The page of a test run: all of it, or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools import evidence

RUN = {
    "title": "A run",
    "text": ["What it shows."],
    "tables": [{"heading": "Rows", "columns": ["row", "cases"], "rows": [["a|b", "no case"], ["c", "one"]]}],
    "failed": [],
    "skipped": [],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(evidence, "PAGES", tmp_path / "pages")
    return tmp_path


def run(folder: Path, **changed: Any) -> int:
    (folder / "run.json").write_text(json.dumps(RUN | changed))
    return evidence.main([str(folder)])


def test_every_row_of_a_whole_run_is_on_the_page(folder: Path) -> None:
    assert run(folder) == 0
    text = (folder / "pages" / "run.md").read_text()
    assert text == (
        "# A run\n\nWhat it shows.\n\n## Rows\n\n| row | cases |\n|---|---|\n| a\\|b | no case |\n| c | one |\n"
    )


@pytest.mark.parametrize("what", ["failed", "skipped"])
def test_a_run_with_a_test_that_did_not_pass_is_no_evidence(
    folder: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, **{what: ["tests/x.py::test_y"]}) == 1
    assert f"run: tests/x.py::test_y {what}" in capsys.readouterr().out
    assert not (folder / "pages").exists()


def test_a_folder_without_evidence_says_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evidence.main([str(folder)]) == 1
    assert "PORWATCH_EVIDENCE" in capsys.readouterr().out
    assert evidence.main([]) == 2


def test_a_row_that_lacks_a_cell_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="cells"):
        run(folder, tables=[{"heading": "Rows", "columns": ["row", "cases"], "rows": [["a"]]}])
