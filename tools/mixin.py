"""Writes deploy/mixin/alerts.libsonnet from the alert rules, whose source is plain YAML: alerts/rules/*.yml.

Use: python -m tools.mixin [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parent.parent
MIXIN = CHECKOUT / "deploy" / "mixin" / "alerts.libsonnet"
_HEAD = "// Written by tools/mixin.py from alerts/rules/*.yml: change those, then run python -m tools.mixin\n"


def rules() -> dict[str, Any]:
    """The groups of all rule files. Raises ValueError where two groups have one name."""
    groups: list[dict[str, Any]] = []
    for path in sorted((CHECKOUT / "alerts" / "rules").glob("*.yml")):
        groups += yaml.safe_load(path.read_text("utf-8"))["groups"]
    names = [group["name"] for group in groups]
    if len(set(names)) != len(names):
        raise ValueError(f"two groups of rules have one name: {', '.join(sorted(names))}")
    return {"groups": groups}


def content() -> str:
    """The file: JSON is jsonnet."""
    return _HEAD + json.dumps(rules(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Exit status 1 where --check finds a difference."""
    text = content()
    if arguments == ["--check"]:
        if MIXIN.exists() and MIXIN.read_text("utf-8") == text:
            return 0
        print(f"{MIXIN.relative_to(CHECKOUT)} is not what alerts/rules says: run python -m tools.mixin")
        return 1
    MIXIN.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
