"""The demo, as a user starts it: with the theft, without it, and ended by Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.component("anvil", "bitcoind"), pytest.mark.timeout(240)]
COMMAND = [sys.executable, "-m", "monitor", "demo"]


def lines_of(words: list[str]) -> tuple[int, list[str]]:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=200, check=False)
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout.splitlines()


def test_the_theft_is_seen_and_coverage_falls_below_one_hundred_percent() -> None:
    code, lines = lines_of(["--seconds", "40"])
    text = "\n".join(lines)
    assert code == 0, text
    stolen = next(i for i, line in enumerate(lines) if "a cold wallet is drained" in line)
    assert not any("CASE" in line for line in lines[:stolen]), "a case before the theft is a false alarm"
    assert any("explained" in line and "by approval" in line for line in lines[:stolen])
    thefts = [line for line in lines[stolen:] if "CASE" in line]
    assert len(thefts) == 2, "one case for the tokens, one for the ether"
    assert all("unexplained_outflow" in line and "eth-cold" in line for line in thefts)
    seconds = [float(found) for found in re.findall(r"([0-9.]+) s after the thief sent it", text)]
    assert seconds, "the terminal says how long it took"
    assert max(seconds) < 20, "blocks come every second; only a stalled monitor takes this long"
    before = [line for line in lines[:stolen] if "coverage" in line]
    after = [line for line in lines[stolen:] if "coverage" in line]
    assert before, "coverage is shown before the theft"
    assert "ETH 100." in before[-1]
    assert after, "coverage is shown after the theft"
    assert float(re.search(r"ETH ([0-9.]+) %", after[-1])[1]) < 100  # type: ignore[index]
    assert "BTC 10" in text, "Bitcoin runs beside it"


def test_a_quiet_day_has_no_case() -> None:
    code, lines = lines_of(["--no-theft", "--seconds", "25"])
    text = "\n".join(lines)
    assert code == 0, text
    assert "CASE" not in text
    assert re.search(r"[1-9][0-9]* outflows explained, 0 cases open", lines[-1])


def test_ctrl_c_leaves_no_process_and_no_folder() -> None:
    with subprocess.Popen(
        [*COMMAND, "--no-theft"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        folder = None
        for line in demo.stdout:
            if "files" in line:
                folder = Path(line.split()[-1])
            if "Ctrl-C ends everything" in line:
                break
        assert folder is not None
        assert folder.is_dir()
        time.sleep(2)
        os.killpg(demo.pid, signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(timeout=60) == 0
    assert not folder.exists()
    assert processes_naming(str(folder)) == []


def processes_naming(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in command:
                found.append(command)
    return found
