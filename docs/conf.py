"""How the pages become a site: `make docs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pygments.lexers.data import JsonLexer
from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "porwatch"
copyright = "the porwatch authors, Apache-2.0"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
language = "en"
html_theme = "alabaster"
html_theme_options = {
    "description": "Is the money still there?",
    "fixed_sidebar": True,
    "page_width": "72rem",
    "font_family": "system-ui, 'Noto Sans CJK JP', 'Hiragino Sans', sans-serif",
}
html_show_sourcelink = False
html_copy_source = False
myst_heading_anchors = 4
# Links that leave the pages (the README, the alert rules) lead somewhere in the repository; a test follows every one.
suppress_warnings = ["myst.xref_missing"]

#: the parts of the site by the four kinds of documentation (https://diataxis.fr), and what stands beside them
PARTS = {
    "Tutorial": ["tutorial"],
    "How to": ["how-to/*"],
    "Reference": ["reference/*"],
    "Explanation": ["explanation/*"],
    "Evidence": ["evidence/*", "crash-safety"],
    "Decisions": ["decisions/*"],
    "日本語": ["ja/*"],
}


def add_contents(_app: Sphinx, name: str, source: list[str]) -> None:
    """The first page is plain Markdown, so that it reads well in a repository too; a site also needs the tables."""
    if name == root_doc:
        for caption, pages in PARTS.items():
            listed = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{listed}\n```\n"


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_lexer("csv", TextLexer)
    app.add_lexer("jsonl", JsonLexer)
    app.connect("source-read", add_contents)
