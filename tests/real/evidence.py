"""What a test run showed, kept as a file that tools/evidence.py turns into a page of docs/evidence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

#: a folder for NAME.json
FOLDER = "PORWATCH_EVIDENCE"


class Record(Protocol):
    """One page in the making; a page with failed or skipped tests is never written."""

    failed: list[str]
    skipped: list[str]

    def page(self) -> dict[str, Any]: ...


def title_and_deed(test: Callable[..., object]) -> tuple[str, str]:
    """A row's title and what was done for it: the test's docstring, "Title. What was done."."""
    title, _, done = " ".join((test.__doc__ or "").split()).partition(". ")
    assert done, f"{title}: a row says in its docstring what was done"
    return title, done.rstrip(".")


def showed(report: pytest.TestReport, record: Record) -> bool:
    """Whether this report is of a row that passed; one that did not is noted."""
    if report.failed:
        record.failed.append(report.nodeid)
    elif report.skipped:
        record.skipped.append(report.nodeid)
    return report.passed and report.when == "call"


def write(name: str, record: Record) -> None:
    """Keep the page where a folder for it is named."""
    if folder := os.environ.get(FOLDER):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, f"{name}.json").write_text(json.dumps(record.page(), indent=1, ensure_ascii=False) + "\n")
