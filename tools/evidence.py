"""Turns what a test run recorded into a page of docs/evidence.

Use: PORWATCH_EVIDENCE=FOLDER python -m pytest tests/real/corpus tests/real/matrix && python -m tools.evidence FOLDER

Every FOLDER/NAME.json becomes docs/evidence/NAME.md. A run in which a test failed or was skipped is no
evidence: exit status 1 names the tests, and nothing is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

PAGES = Path(__file__).resolve().parent.parent / "docs" / "evidence"


def page(content: Mapping[str, Any]) -> str:
    """The page as Markdown: ``title``, paragraphs of ``text``, ``tables`` of ``heading``, ``columns`` and ``rows``."""
    parts = [f"# {content['title']}", *content["text"]]
    for table in content["tables"]:
        parts += [f"## {table['heading']}", "\n".join(_table(table["columns"], table["rows"]))]
    return "\n\n".join(parts) + "\n"


def _table(columns: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield _line(columns)
    yield "|---" * len(columns) + "|"
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{row[:2]} has {len(row)} cells for {len(columns)} columns")
        yield _line(row)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main(arguments: list[str]) -> int:
    """Writes the pages of every evidence file in a folder; returns the exit status."""
    if len(arguments) != 1:
        print(__doc__)
        return 2
    sources = sorted(Path(arguments[0]).glob("*.json"))
    if not sources:
        print(f"{arguments[0]} holds no evidence: run the tests with PORWATCH_EVIDENCE={arguments[0]} first")
        return 1
    contents = {source.stem: json.loads(source.read_text(encoding="utf-8")) for source in sources}
    missing = [
        f"{name}: {test} {what}" for name, c in contents.items() for what in ("failed", "skipped") for test in c[what]
    ]
    if missing:
        print("\n".join(missing))
        return 1
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = PAGES / f"{name}.md"
        path.write_text(page(content), encoding="utf-8")
        print(f"docs/evidence/{name}.md: {sum(len(table['rows']) for table in content['tables'])} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
