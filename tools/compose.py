"""Alertmanager's file for compose: the example's routes, the receivers' addresses as secrets.

Use: python -m tools.compose [--check]     writes deploy/compose/alertmanager.yml, or says whether it is current
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
EXAMPLE = CHECKOUT / "alerts" / "alertmanager.example.yml"
MADE = CHECKOUT / "deploy" / "compose" / "alertmanager.yml"
_URL = re.compile(r'url: "http://127\.0\.0\.1:\d+/([a-z]+)"')
_HEAD = "# Made from alerts/alertmanager.example.yml by python -m tools.compose: change the routes there.\n"


def text() -> str:
    """The whole file. Raises ValueError where a receiver of the example has no address on loopback to replace."""
    _, found, body = EXAMPLE.read_text(encoding="utf-8").partition("global:")
    made, count = _URL.subn(r"url_file: /run/secrets/\1_url", body)
    if not found or count != len(re.findall(r"^  - name: ", body, re.MULTILINE)):
        raise ValueError(f"{EXAMPLE}: each receiver has one webhook on loopback")
    return f"{_HEAD}{found}{made}"


def main() -> int:
    """Writes or compares the file and returns the exit status."""
    if sys.argv[1:] == ["--check"]:
        current = MADE.read_text(encoding="utf-8") == text()
        print(f"{MADE}: {'current' if current else 'is not current: run python -m tools.compose'}")
        return 0 if current else 1
    MADE.write_text(text(), encoding="utf-8")
    print(f"{MADE} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
