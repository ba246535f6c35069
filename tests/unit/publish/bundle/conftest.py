"""One bundle, made once; tests change copies of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitor.publish.bundle import command
from tests.unit.publish.bundle import made
from tests.unit.publish.bundle.made import Exchange


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    return made.exchange(tmp_path_factory.mktemp("exchange"), made.closing(), made.HISTORY)


@pytest.fixture(scope="session")
def original(kept: Exchange) -> Path:
    out = kept.base / "report"
    options = command.Options(at="2026-11-20", out=out, prepared_by="Hanako Yamada", languages=("en",))
    assert command.report(kept.config, options) == 0
    return out


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "report"
    shutil.copytree(original, copy)
    return copy
