"""A real browser on the console, and axe on what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from chains.lab.binaries import component_folders, find_binary

# Nothing of a desktop, and nothing that would ask the internet.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: WCAG 2.2 at level AA, and what axe holds for good practice
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_binary("chromium")), args=list(ARGUMENTS))
        yield browser
        browser.close()


def axe_source() -> str:
    """The text of axe-core, as locked in package-lock.json."""
    for folder in component_folders():
        path = folder / "npm/node_modules/axe-core/axe.min.js"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    pytest.skip("missing component: axe-core: run `python tools/components.py anvil`")


#: what can differ between two themes of one page
COLOURS = ["color-contrast", "link-in-text-block"]


def violations(page: Page, source: str, rules: list[str] | None = None) -> list[tuple[str, str, list[str]]]:
    """What axe finds on a page: rule, help, and where. ``rules``: these alone."""
    # Through the debugger, not as a script of the page: its policy forbids scripts that are not its own.
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(source + "; undefined")
    found: dict[str, Any] = page.evaluate(
        "only => axe.run(document, {runOnly: only, resultTypes: ['violations'], elementRef: false})",
        {"type": "rule", "values": rules} if rules else {"type": "tag", "values": TAGS},
    )
    return [
        (each["id"], each["help"], [f"{node['target']} {node.get('failureSummary', '')}" for node in each["nodes"][:3]])
        for each in found["violations"]
    ]
