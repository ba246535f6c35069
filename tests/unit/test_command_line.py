"""The command line as a whole: what it loads, its manual, its completion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
#: what --help, completion and the parsing of options need none of
HEAVY = (
    "asyncio",
    "rich",
    "structlog",
    "pydantic",
    "yaml",
    "sqlalchemy",
    "fastapi",
    "uvicorn",
    "aiohttp",
    "web3",
    "typst",
)


@pytest.fixture
def program(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has this checkout as the command ``porwatch``, and a home folder of its own."""
    command = tmp_path / "bin" / "porwatch"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nfrom monitor.__main__ import main\nmain()\n")
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT), "HOME": str(tmp_path)}


def bash(script: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line_loads_nothing_that_its_help_does_not_need() -> None:
    code = f"import sys, monitor.__main__; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout.strip() == "[]"


def test_bash_completes_commands_and_options_once_completion_is_installed(
    program: dict[str, str], tmp_path: Path
) -> None:
    bash("porwatch --install-completion; true", program)
    assert "porwatch" in (tmp_path / ".bashrc").read_text()
    (script,) = (tmp_path / ".bash_completions").iterdir()

    def completed(*words: str) -> list[str]:
        listed = " ".join(f"'{word}'" for word in words)
        return bash(
            f"source {script}; COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; "
            '_porwatch_completion porwatch; printf "%s\\n" "${COMPREPLY[@]}"',
            program,
        ).split()

    assert sorted(completed("porwatch", "re")) == ["report", "restore", "retention"]
    assert set(completed("porwatch", "retention", "--")) >= {"--plan", "--apply", "--output"}


def test_the_manual_page_is_well_formed_and_names_every_command() -> None:
    man = shutil.which("man")
    if man is None:
        pytest.skip("missing component: man")
    page = CHECKOUT / "docs" / "man" / "porwatch.1"
    done = subprocess.run(
        [man, "--warnings", "-E", "UTF-8", "-l", str(page)],
        capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "MANWIDTH": "300", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.stderr == ""
    shown = " ".join(done.stdout.split())
    for command in (
        "check CONFIG",
        "cases CONFIG list",
        "report CONFIG",
        "wallets challenge CONFIG",
        "retention CONFIG",
    ):
        assert f"porwatch {command}" in shown
    assert "EXIT STATUS" in shown
