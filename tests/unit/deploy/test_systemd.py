"""The unit is one that systemd takes without a word, and exposes little."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, MISSING_COMPONENT

UNIT = CHECKOUT / "deploy" / "systemd" / "porwatch.service"
#: of systemd's own scale, where 10 is a service that may do everything
MOST_EXPOSED = 2.0


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip(f"{MISSING_COMPONENT}: systemd-analyze is not on this machine: install systemd")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there: only where it is installed is another."""
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=/opt/porwatch/bin/porwatch " in text
    placed = tmp_path / UNIT.name
    placed.write_text(text.replace("/opt/porwatch/bin/porwatch", sys.executable))
    return placed


def test_systemd_finds_nothing_to_say(unit: Path) -> None:
    done = analyze("verify", unit)
    # Unknown keys are printed, and the exit code is 0 all the same.
    assert (done.returncode, done.stderr) == (0, "")


def test_a_key_that_systemd_does_not_know_would_be_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("NoNewPrivileges=", "NoNewPrivilegez="))
    assert "NoNewPrivilegez" in analyze("verify", unit).stderr


def test_it_is_exposed_to_little(unit: Path) -> None:
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", analyze("security", "--offline=true", unit).stdout)
    assert found is not None
    assert float(found[1]) <= MOST_EXPOSED


def test_it_is_told_when_it_is_up_watched_and_reloaded_without_a_restart() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    for line in ("Type=notify", "NotifyAccess=main", "WatchdogSec=3min", "ExecReload=/bin/kill -HUP $MAINPID"):
        assert line in lines
    assert "RestartPreventExitStatus=2" in lines
    assert any(line.removeprefix("# ").startswith("LoadCredential=") for line in lines)
