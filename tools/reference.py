"""Writes the files that are made from the program: the configuration's reference page, the JSON Schemas, the manual.

Use: python -m tools.reference [--check]
With --check nothing is written; exit status 1 names every file that is out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from monitor.config.reference import reference
from monitor.config.schema import schema
from monitor.publish.report.schema import json_schema
from tools import manpage, reference_pages

CHECKOUT = Path(__file__).resolve().parent.parent


def pages() -> dict[Path, str]:
    """Every generated file with its content."""
    return {
        CHECKOUT / "docs/reference/configuration.md": reference().rstrip("\n") + "\n",
        CHECKOUT / "config/schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
        CHECKOUT / "config/report.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
        manpage.PAGE: manpage.page(),
        **{CHECKOUT / "docs/reference" / name: text for name, text in reference_pages.pages().items()},
    }


def main(arguments: list[str]) -> int:
    """Writes what differs, or only names it; returns the exit status."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path.relative_to(CHECKOUT)} is out of date: run make docs")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(pages()[path], encoding="utf-8")
            print(f"{path.relative_to(CHECKOUT)} written")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
