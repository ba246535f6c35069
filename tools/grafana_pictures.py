"""Pictures of the dashboards: the demo on local nodes, a real Prometheus, and Grafana's own panel library in Chromium.

Use: python -m tools.grafana_pictures [--out DIR]
Needs npm, some 440 MB in build/grafana and 1.5 GB of memory; `make pictures` runs it. What it proves and what not:
docs/how-to/grafana.md.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chains.lab.binaries import find_binary
from chains.lab.process import LOOPBACK
from tests.real.staged import Staged, stage
from tools.dashboards.__main__ import DASHBOARDS, FOLDER

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCE = Path(__file__).resolve().parent / "grafana"
BUILD = CHECKOUT / "build" / "grafana"
NPM_SECONDS, DRAW_MS = 900, 60_000
#: (dashboard, name of the picture, theme, whether it shows the theft)
PICTURES = (
    ("porwatch-wall", "grafana-wall", "dark", True),
    ("porwatch-wall", "grafana-wall-calm", "dark", False),
    ("porwatch-security", "grafana-security", "dark", True),
    ("porwatch-regulator", "grafana-regulator", "light", True),
    ("porwatch-operations", "grafana-operations", "dark", True),
)


class Handler(SimpleHTTPRequestHandler):
    """The built page, the committed dashboards, and Prometheus under /prom: on loopback, for one browser."""

    prometheus = ""

    def do_GET(self) -> None:
        """A file, a dashboard, or Prometheus' answer."""
        if self.path.startswith("/prom/"):
            self._proxied(f"{self.prometheus}{self.path.removeprefix('/prom')}")
        elif self.path.startswith("/dashboards/"):
            self._answered(200, (FOLDER / Path(self.path).name).read_bytes())
        else:
            super().do_GET()

    def _proxied(self, url: str) -> None:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  loopback
                self._answered(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            self._answered(error.code, error.read())

    def _answered(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def build() -> Path:
    """The page with Grafana's library in it; made once for each version of its source."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "vite.config.js", "index.html", "main.jsx"):
        shutil.copy(SOURCE / name, BUILD / name)
    if not (BUILD / "node_modules" / "@grafana" / "ui").is_dir():
        command = ["npm", "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=BUILD, check=True, timeout=NPM_SECONDS)
    command = ["node", "--max-old-space-size=2048", "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"]
    subprocess.run(command, cwd=BUILD, check=True, timeout=NPM_SECONDS)
    return BUILD / "dist"


@contextmanager
def served(folder: Path, prometheus: str) -> Iterator[str]:
    """The address of the page."""
    kind = type("Served", (Handler,), {"prometheus": prometheus})
    server = ThreadingHTTPServer((LOOPBACK, 0), partial(kind, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def draw(page_url: str, staged: Staged, out: Path) -> list[Path]:
    """One PNG for each picture. Raises AssertionError with what the page says where it cannot draw."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  a library for this program alone

    heights = {d.uid: sum(max(p.height for p in row) for row in d.rows) * 38 + 24 for d in DASHBOARDS}
    made = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(find_binary("chromium")), args=["--disable-gpu", "--no-first-run", "--disable-sync"]
        )
        for uid, name, theme, theft in PICTURES:
            page = browser.new_page(viewport={"width": 1600, "height": heights[uid]})
            ends = staged.ended if theft else staged.stolen
            page.goto(f"{page_url}/?dashboard={uid}&theme={theme}&from={staged.began:.0f}&to={ends:.0f}")
            page.wait_for_selector("body[data-drawn]", timeout=DRAW_MS)
            assert page.get_attribute("body", "data-drawn") == "yes", page.inner_text("body")
            made.append(out / f"{name}.png")
            page.screenshot(path=str(made[-1]))
            page.close()
        browser.close()
    return made


def main(arguments: list[str]) -> int:
    """Stages, builds, draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=CHECKOUT / "docs" / "images")
    out: Path = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    page = build()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="porwatch-pictures-")))
        staged = stage(find_binary("prometheus"), folder, stack, calm=90.0, after=45.0)
        url = stack.enter_context(served(page, staged.prometheus.url))
        for path in draw(url, staged, out):
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
