"""Printed samples, made once: printing takes a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.publish.report.forms import render

from .samples import full_report


@pytest.fixture(scope="session")
def sample() -> dict[str, Any]:
    return full_report()


@pytest.fixture(scope="session")
def printed(sample: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the fixed sample in both languages."""
    folder = tmp_path_factory.mktemp("printed")
    render(sample, ["ja", "en"], folder)
    return folder
