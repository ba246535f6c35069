"""The installed wheel, outside the checkout, runs `check` and the demo with what it ships."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

#: also for a machine on which everything else runs at the same time
SECONDS = 240


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE", "COV_"))}
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the backend that is installed here, without network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    built = run([*pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", folder, CHECKOUT], folder)
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("porwatch-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that has the wheel, and only the libraries of the one that runs the tests."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    done = run([*pip, "install", "--no-deps", "--no-index", "--force-reinstall", wheel], folder)
    assert done.returncode == 0, done.stderr
    # Behind what the wheel installed: a plain path, so that an editable checkout there is not taken up.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run([python, "-c", "import monitor, chains; print(monitor.__file__, chains.__file__)"], folder)
    assert all(Path(name).is_relative_to(site) for name in where.stdout.split()), where.stdout + where.stderr
    return folder


def porwatch(installed: Path, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run([installed / "venv" / "bin" / "porwatch", *words], installed, **environment)


def test_the_installed_program_checks_the_example_that_it_ships(installed: Path) -> None:
    (site,) = (installed / "venv").glob("lib/python*/site-packages")
    example = site / "monitor" / "shipped" / "config" / "example.yaml"
    result = porwatch(installed, "check", example)
    assert result.returncode == 0, result.stderr
    assert "wallets" in result.stdout


def test_the_installed_program_knows_its_schema_and_its_runbooks(installed: Path) -> None:
    result = porwatch(installed, "config", "schema")
    assert result.returncode == 0, result.stderr
    assert "wallets" in json.loads(result.stdout)["properties"]
    python = installed / "venv" / "bin" / "python"
    code = "from monitor.publish.runbooks import runbook; print(runbook('PorwatchUnexplainedOutflow', 'ja'))"
    assert "意味" in run([python, "-c", code], installed, PYTHONUTF8="1").stdout


@pytest.mark.component("anvil")
def test_the_installed_demo_runs_and_sees_no_case_without_the_theft(installed: Path) -> None:
    result = porwatch(
        installed,
        "demo", "--no-theft", "--seconds", "25",
        PORWATCH_COMPONENTS=str(CHECKOUT / ".components"), NO_COLOR="1",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert re.search(r"\b0 cases?\b|no case", result.stdout + result.stderr, re.IGNORECASE), result.stdout
