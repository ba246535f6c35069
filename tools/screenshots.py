"""Pictures of the console for the documentation, from the demo's own theft: `python -m tools.screenshots [--out DIR]`.

Starts `porwatch demo`, waits until the theft is a case, and takes docs/images/console-*.png with Chromium. What is
not the same twice (addresses, times, block heights) differs from run to run; look at every picture before it is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from chains.lab.binaries import find_binary

CHECKOUT = Path(__file__).resolve().parent.parent
_START_SECONDS = 300.0
_THEFT_SECONDS = 240.0
_ARGUMENTS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: the page, the window in CSS pixels, and whether all of the page is taken."""

    name: str
    path: str
    theme: str = "light"
    lang: str = "en"
    width: int = 1440
    height: int = 900
    full: bool = True


PICTURES = (
    Picture("overview-en-light", "/"),
    Picture("overview-ja-dark", "/", "dark", "ja"),
    Picture("case-en-light", "CASE"),
    Picture("case-ja-dark", "CASE", "dark", "ja"),
    Picture("movements-en-dark", "/movements", "dark", full=False),
    Picture("verdict-ja-light", "VERDICT", "light", "ja", full=False),
    Picture("wall-en-dark", "/wall", "dark", width=1920, height=1080, full=False),
    Picture("wall-ja-light", "/wall", "light", "ja", width=1920, height=1080, full=False),
    Picture("phone-en-light", "/", width=390, height=844, full=False),
    Picture("phone-case-ja-dark", "CASE", "dark", "ja", width=390, height=844, full=False),
)


def get(url: str) -> Any:
    """Data of one answer of the API."""
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  loopback
        return json.load(response)["data"]


def wait_for(what: str, seconds: float, look: Callable[[], Any]) -> Any:
    """What ``look`` finds, within ``seconds``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = look()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(1)
    raise SystemExit(f"{what} did not come within {seconds:.0f} s")


def take(browser: Browser, url: str, picture: Picture, path: str, out: Path) -> None:
    """One picture."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.theme == "dark" else "light",
        device_scale_factor=2 if picture.width < 1000 else 1,
    )
    page = context.new_page()
    page.goto(f"{path}?lang={picture.lang}")
    page.screenshot(path=str(out / f"console-{picture.name}.png"), full_page=picture.full)
    context.close()


def main(arguments: list[str]) -> int:
    """Run the demo and take every picture."""
    parser = argparse.ArgumentParser(description="Takes the pictures of the console.")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "docs/images")
    parser.add_argument("--url", help="of a monitor that runs already, with a case open")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    demo = None
    url = options.url
    if url is None:
        command = [sys.executable, "-u", "-m", "monitor", "demo"]
        # The demo's monitor works in a folder of its own: it must still be that of this checkout.
        own = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        demo = subprocess.Popen(
            command, cwd=CHECKOUT, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        url = address(demo)
    try:
        cases = wait_for("the theft", _THEFT_SECONDS, lambda: get(f"{url}/api/v1/cases")["cases"])
        time.sleep(3)
        verdict = wait_for("a verdict", _THEFT_SECONDS, lambda: get(f"{url}/api/v1/verdict"))
        places = {"CASE": f"/cases/{cases[0]['id']}", "VERDICT": f"/verdicts/{verdict['cycle']}"}
        with sync_playwright() as playwright:
            chromium = str(find_binary("chromium"))
            browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
            for picture in PICTURES:
                take(browser, url, picture, places.get(picture.path, picture.path), options.out)
                print(f"{options.out}/console-{picture.name}.png")
            browser.close()
    finally:
        if demo is not None:
            demo.terminate()
            demo.wait(30)
    return 0


def address(demo: subprocess.Popen[str]) -> str:
    """Where the demo's monitor listens, from what it prints."""
    assert demo.stdout is not None
    end = time.monotonic() + _START_SECONDS
    for line in demo.stdout:
        match = re.search(r"http://127\.0\.0\.1:\d+", line)
        if match:
            return match.group()
        if time.monotonic() > end:
            break
    raise SystemExit("the demo did not say where it listens")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
