"""The tutorial, typed line by line into one shell; what it shows is what comes out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chains.lab.process import free_port
from tests.conftest import CHECKOUT
from tests.unit.test_docs import DOCS

PAGE = DOCS / "tutorial.md"
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "-- end of step --"


def plain(text: str) -> list[str]:
    """Lines without what differs from run to run: widths, times, ids, hashes."""
    text = re.sub(r"\d{4}-\d{2}-\d{2}T[0-9:.]+Z", "TIME", text)
    text = re.sub(r"\b(?:0x)?[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r"^[0-9a-f]{16}\b", "ID", text, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def steps() -> list[tuple[str, list[str] | None]]:
    """Each block to be typed, with the output that the page shows for it."""
    found: list[tuple[str, list[str] | None]] = []
    for language, more, text in _FENCE.findall(PAGE.read_text(encoding="utf-8")):
        if language == "yaml":
            name = more.strip().removeprefix("title=")
            found.append((f"cat > {name} <<'END'\n{text}END\n", None))
        elif language == "sh" and "no-test" not in more:
            found.append((text, None))
        elif language == "text":
            found[-1] = (found[-1][0], plain(text))
    return found


@pytest.mark.component("anvil")
def test_the_tutorial_does_what_it_says(require_component: Callable[[str], Path], tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, what in (("porwatch", f'"{sys.executable}" -m monitor'), ("anvil", require_component("anvil"))):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {what} "$@"\n')
        program.chmod(0o755)
    ports = {"8545": str(free_port()), "9899": str(free_port())}
    script = "".join(f"{text}\necho '{_MARK}'\n" for text, _ in steps())
    for port, ours in ports.items():
        script = script.replace(f"127.0.0.1:{port}", f"127.0.0.1:{ours}").replace(f"--port {port}", f"--port {ours}")
    done = subprocess.run(
        ["/bin/bash", "-c", f"set -m\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{script}"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    printed = [plain(part) for part in done.stdout.split(_MARK)]
    wanted = steps()
    assert len(printed) == len(wanted) + 1, done.stderr
    for (text, shown), came in zip(wanted, printed, strict=False):
        if shown is not None:
            assert came == shown, f"{text}\n{done.stderr}"
