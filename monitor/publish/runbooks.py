"""The runbooks, as text and as a page: what a person reads at night must not need the internet."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import escape

from monitor.shipped import shipped

#: the Japanese half of a runbook begins at its first Japanese heading
_JAPANESE = "\n## 意味"
_NAME = re.compile(r"[A-Za-z]{1,80}")
_LINK = re.compile(r"(?:https?://|/(?:api/v1|runbooks|metrics|-/))[^\s`<>()「」、。，]*[A-Za-z0-9/]")
_CODE = re.compile(r"`([^`\n]+)`")
_STYLE = (
    "body{font:17px/1.6 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:1.6rem}"
    "code{background:#eee;padding:.1em .3em;border-radius:3px;overflow-wrap:anywhere}li{margin:.3rem 0}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#151515}code{background:#333}a{color:#8ab4f8}}"
)


def policy() -> str:
    """The Content-Security-Policy of a page: its one style, and nothing else that could run or load."""
    digest = b64encode(sha256(_STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def runbook(name: str, lang: str) -> str | None:
    """The runbook of an alert in one language ("en" or "ja"), as Markdown; None where there is none."""
    if _NAME.fullmatch(name) is None:
        return None
    try:
        text = shipped("alerts", "runbooks", f"{name}.md").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    english, heading, japanese = text.partition(_JAPANESE)
    if lang != "ja":
        return english
    return f"# {name}\n{heading}{japanese}" if heading else None


def page(name: str, lang: str, text: str) -> str:
    """A runbook as one HTML page, with a link to its other language."""
    other, called = ("ja", "日本語") if lang == "en" else ("en", "English")
    link = f'<p><a href="/runbooks/{escape(name)}?lang={other}">{called}</a></p>'
    return (
        f'<!doctype html>\n<html lang="{lang}">\n<head><meta charset="utf-8"><title>{escape(name)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style></head>\n<body>\n<main>\n{_blocks(text)}{link}\n</main>\n</body>\n</html>\n"
    )


def _blocks(text: str) -> str:
    """The Markdown that runbooks are written in: headings, paragraphs, and lists of one level, a line each."""
    out: list[str] = []
    inside = ""
    for line in text.splitlines():
        tag, content = _block(line)
        kind = {"li-": "ul", "li1": "ol"}.get(tag, "")
        if kind != inside:
            out += [f"</{inside}>"] if inside else []
            out += [f"<{kind}>"] if kind else []
            inside = kind
        if content:
            name = tag[:2]
            out.append(f"<{name}>{_inline(content)}</{name}>" if name != "p" else f"<p>{_inline(content)}</p>")
    out += [f"</{inside}>"] if inside else []
    return "\n".join(out) + "\n"


def _block(line: str) -> tuple[str, str]:
    for start, tag in (("# ", "h1"), ("## ", "h2"), ("### ", "h3"), ("- ", "li-")):
        if line.startswith(start):
            return tag, line.removeprefix(start)
    numbered = re.match(r"\d{1,2}\. (.*)", line)
    return ("li1", numbered[1]) if numbered else ("p", line.strip())


def _inline(text: str) -> str:
    """Code and links; everything else is text."""
    parts = _CODE.split(text)
    return "".join(f"<code>{_linked(part)}</code>" if i % 2 else _linked(part) for i, part in enumerate(parts))


def _linked(text: str) -> str:
    out, at = "", 0
    for match in _LINK.finditer(text):
        target = escape(match[0])
        out += f'{escape(text[at : match.start()])}<a href="{target}">{target}</a>'
        at = match.end()
    return out + escape(text[at:])
