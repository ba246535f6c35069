"""Templates, files and the frame of every page: language, theme, time, and how old what is shown may be."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monitor.publish.console import forms
from monitor.publish.console.words import LANGUAGES, Words, choose, words

_HERE = Path(__file__).parent
THEMES = ("auto", "light", "dark")
_KEPT_SECONDS = 365 * 86_400
#: how often a page asks for its live part, and when it says that nothing came: the same number is in console.css
POLL_SECONDS = 5
STATIC = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "favicon.svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    # With no-referrer a browser would not say where a form comes from, and every form would be refused.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie, HX-Request",
}


@dataclass(frozen=True, slots=True)
class Entity:
    """Whose console it is. ``timezone``: in which its pages tell the time."""

    name: str = ""
    timezone: str = "UTC"

    @property
    def zone(self) -> tzinfo:
        """The time zone itself."""
        return UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)


#: where no entity is named
NOBODY = Entity()


class Site:
    """Renders pages. ``prefix``: the path under which a proxy serves all of it, "" for none."""

    def __init__(self, entity: Entity, external_url: str, version: str, clock: Callable[[], datetime]) -> None:
        self.entity = entity
        self.prefix = urlsplit(external_url).path.rstrip("/")
        self.version = version
        self.clock = clock
        #: what the forms on an answer to this request carry, "" for nothing
        self.token: Callable[[Request], str] = lambda _request: ""
        self._environment = _environment()

    def page(
        self, request: Request, template: str, active: str, values: Mapping[str, Any], status: int = 200
    ) -> Response:
        """A whole page, or its live part alone where the page itself asks for that."""
        asked = request.query_params
        lang = choose(
            asked.get("lang"), request.cookies.get("porwatch_lang"), request.headers.get("accept-language", "")
        )
        theme = _theme(asked.get("theme"), request.cookies.get("porwatch_theme"))
        now = self.clock()
        context = {**self._frame(request, words(lang), theme, active, now), "now": now, **values}
        found = self._environment.get_template(template)
        if request.headers.get("hx-request") == "true":
            text = "".join(found.blocks["live"](found.new_context(context)))
        else:
            text = found.render(context)
        response = HTMLResponse(text, status, HEADERS)
        for name, allowed in (("lang", LANGUAGES), ("theme", THEMES)):
            if (wish := asked.get(name)) in allowed:
                response.set_cookie(
                    f"porwatch_{name}",
                    str(wish),
                    _KEPT_SECONDS,
                    path=self.prefix or "/",
                    httponly=True,
                    samesite="strict",
                )
        return response

    def _frame(self, request: Request, t: Words, theme: str, active: str, now: datetime) -> dict[str, Any]:
        zone, query = self.entity.zone, dict(request.query_params)

        def url(path: str, **changes: object) -> str:
            """An address on this site; the query holds what is not empty."""
            wanted = {key: str(value) for key, value in changes.items() if value not in ("", None)}
            return self.prefix + quote(path, safe="/") + (f"?{urlencode(wanted)}" if wanted else "")

        def here(**changes: object) -> str:
            """This page with some of its query changed."""
            return url(request.scope["path"], **{**query, **changes})

        def ago(seconds: float) -> str:
            key, values = forms.age(seconds)
            return t(key, **values)

        def since(at: datetime) -> str:
            return ago((now - at).total_seconds())

        return {
            "t": t,
            "lang": t.lang,
            "other_lang": next(one for one in LANGUAGES if one != t.lang),
            "theme": theme,
            "themes": THEMES,
            "active": active,
            "url": url,
            "here": here,
            "static": lambda name: f"{self.prefix}/console/{name}?v={fingerprint(name)}",
            "moment": lambda at: forms.moment(moment_of(at), zone),
            "moment_of": moment_of,
            "paged": bool(query.get("before")),
            "ago": ago,
            "since": since,
            "poll": POLL_SECONDS,
            "token": self.token(request),
            "prefix": self.prefix,
            "entity": self.entity.name,
            "version": self.version,
        }


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=forms.shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "grouped": forms.grouped,
        "percent": forms.percent,
        "permille": forms.permille,
        "short": forms.short,
        "some": forms.some,
        "pretty": _pretty,
        "count": lambda number: f"{number:,}",
    }
    return environment


def _pretty(value: object) -> Markup:
    """JSON for people, line by line, each of them made visible."""
    lines = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, default=str).split("\n")
    return Markup("\n").join(forms.visible(line) for line in lines)


def moment_of(at: datetime | str | int) -> datetime:
    """A moment as the model, the public forms or a block header tell it."""
    if isinstance(at, datetime):
        return at
    return datetime.fromtimestamp(at, UTC) if isinstance(at, int) else datetime.fromisoformat(at)


def _theme(asked: str | None, kept: str | None) -> str:
    return next((wish for wish in (asked, kept) if wish in THEMES), THEMES[0])


@cache
def static_file(name: str) -> bytes:
    """One of STATIC."""
    return (_HERE / "static" / name).read_bytes()


@cache
def fingerprint(name: str) -> str:
    """What changes when the file does, so that a browser may keep it for good."""
    return sha256(static_file(name)).hexdigest()[:16]
