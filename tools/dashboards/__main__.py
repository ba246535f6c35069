"""Writes deploy/grafana/dashboards/*.json, or says which of them is not what is written here.

Use: python -m tools.dashboards [--check]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tools.dashboards.builder import Dashboard, to_json
from tools.dashboards.operations import OPERATIONS
from tools.dashboards.regulator import REGULATOR
from tools.dashboards.security import SECURITY
from tools.dashboards.wall import WALL

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "dashboards"
DASHBOARDS: tuple[Dashboard, ...] = (WALL, SECURITY, REGULATOR, OPERATIONS)


def files() -> dict[Path, str]:
    """The content of each file."""
    return {
        FOLDER / f"{dashboard.uid}.json": json.dumps(to_json(dashboard, DASHBOARDS), indent=1, ensure_ascii=False)
        + "\n"
        for dashboard in DASHBOARDS
    }


def main(arguments: list[str]) -> int:
    """Exit status 1 where --check finds a difference."""
    made = files()
    different = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    if arguments == ["--check"]:
        for path in different:
            print(f"{path.name} is not what tools/dashboards says: run python -m tools.dashboards")
        return 1 if different else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
