"""Checks the alert rules and runs their tests with every promtool that is here (two major versions of Prometheus).

Use: python -m tools.check_rules
Exit status 1 when a rule or a test fails, or when there is no promtool and CI=true.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chains.lab.binaries import find_binary
from chains.lab.errors import LabError

CHECKOUT = Path(__file__).resolve().parent.parent
PROMTOOL_SECONDS = 120


def passes(promtool: Path, task: str, files: list[str]) -> bool:
    """Whether `promtool TASK rules FILES` is content; it prints its own findings."""
    done = subprocess.run([str(promtool), task, "rules", *files], cwd=CHECKOUT, timeout=PROMTOOL_SECONDS, check=False)
    return done.returncode == 0


def main() -> int:
    """Runs every check and returns the exit status."""
    rules = sorted(str(path) for path in (CHECKOUT / "alerts/rules").glob("*.yml"))
    tests = sorted(str(path) for path in (CHECKOUT / "alerts/tests").glob("*.yml"))
    if not rules or not tests:
        print("alerts/ holds no rules or no tests of rules")
        return 1
    failed = missing = 0
    for name in ("promtool", "promtool-next"):
        try:
            promtool = find_binary(name)
        except LabError as error:
            missing += 1
            print(f"rules not checked with {name}: {error}")
            continue
        failed += not passes(promtool, "check", rules)
        failed += not passes(promtool, "test", tests)
    return 1 if failed or (missing and os.environ.get("CI") == "true") else 0


if __name__ == "__main__":
    sys.exit(main())
