"""The landing page: plain HTML without script or style, so that it needs no permission of the browser."""

from __future__ import annotations

from html import escape

_LINKS = (
    ("metrics", "Metrics"),
    ("-/healthy", "Health"),
    ("-/ready", "Readiness"),
    ("api/v1/status", "Status"),
    ("api/v1/cases", "Open cases"),
    ("api/v1/cases?state=all", "All cases"),
    ("api/v1/verdict", "Newest verdict"),
    ("api/v1/approvals", "Approvals"),
    ("openapi.json", "OpenAPI document"),
)


def landing_page(version: str) -> str:
    """The page at ``/``; its links are relative, so that it works behind any prefix."""
    items = "\n".join(f'<li><a href="{path}">{escape(text)}</a></li>' for path, text in _LINKS)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>porwatch</title></head>
<body>
<h1>porwatch {escape(version)}</h1>
<ul>
{items}
</ul>
</body>
</html>
"""
