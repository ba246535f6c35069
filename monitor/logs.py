"""Logging for people (text) and for machines (JSON lines), with URLs and secrets taken out.

What is a secret is known in two ways: by its form (a URL's path or query may be a key, so may whatever
follows "password", "token" or "Bearer"), and by its value, once ``hide`` was told of it. Lines say in
which chain, block or timed job they came up: see ``context``.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any

import structlog

_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s\"']+", re.IGNORECASE)
_WORDS = r"authorization|cookie|password|passwd|passphrase|secret|token|api[-_ ]?key|dsn"
_NAMED = re.compile(rf"((?:{_WORDS})[\"']?\s*[:=]\s*)(?:(?:bearer|basic)\s+)?[\"']?[^\s\"',;&}})]+", re.IGNORECASE)
_SCHEME = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_LOGIN = re.compile(r"[^\s:/@\"'=]+:[^\s@/\"']+@(?=[A-Za-z0-9\[])")
_FIELD = re.compile(rf"(?:{_WORDS})", re.IGNORECASE)
#: a shorter text, known as a secret, would blot out half of the log
_SHORTEST_SECRET = 6
_DEEPEST = 6

#: the same line so often in so many seconds; what comes above is counted, and the count told with the next one
_REPEATS, _WINDOW = 5, 60.0
_MOST_LINES = 1000
#: what every record has, beside what the caller adds
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "_logger", "_name"}

_hidden: dict[str, None] = {}


def hide(secrets: Iterable[str]) -> None:
    """Never log these texts, nor lines of them, whatever stands around them."""
    for secret in secrets:
        for line in (secret, *secret.splitlines()):
            if len(line.strip()) >= _SHORTEST_SECRET:
                _hidden[line.strip()] = None


def context(**fields: str | int) -> AbstractContextManager[None]:
    """Every line that is logged inside says these fields as well, also in tasks and threads begun there."""
    manager: AbstractContextManager[None] = structlog.contextvars.bound_contextvars(**fields)
    return manager


def clean(text: str) -> str:
    """``text`` without what is, or may be, a secret."""
    for secret in _hidden:
        text = text.replace(secret, "…")
    text = _URL.sub(r"\1://…", text)
    text = _NAMED.sub(r"\1…", text)
    text = _SCHEME.sub(r"\1 …", text)
    return _LOGIN.sub("…@", text)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Every text of a line, however deep, comes out clean. Our own listening address stays."""
    for key, value in event.items():
        if key != "address":
            event[key] = "…" if _FIELD.search(key) and value else _cleaned(value, _DEEPEST)
    return event


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping) and depth:
        return {clean(str(key)): _cleaned(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_cleaned(item, depth - 1) for item in value]
    return clean(value if isinstance(value, str) else str(value))


class Throttle(logging.Filter):
    """Lets the same line through a few times a minute: a node that is down must not fill the disk.

    Lines are the same when level, text and all fields are; the next one that passes says how many did not.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        key, now = _identity(record), self._clock()
        begun, count = self._seen.pop(key, (now, 0))
        if now - begun >= _WINDOW:
            if count > _REPEATS:
                _add(record, "repeated", count - _REPEATS)
            begun, count = now, 0
        self._seen[key] = (begun, count + 1)
        if len(self._seen) > _MOST_LINES:
            self._seen.popitem(last=False)
        return count < _REPEATS


def _identity(record: logging.LogRecord) -> tuple[object, ...]:
    extra = sorted((name, repr(value)) for name, value in vars(record).items() if name not in _PLAIN)
    bound = sorted((name, repr(value)) for name, value in structlog.contextvars.get_contextvars().items())
    error = repr(record.exc_info[1]) if record.exc_info else ""
    said = record.msg
    if isinstance(said, dict):
        # structlog's own lines carry their time already.
        said = {name: value for name, value in said.items() if name != "timestamp"}
    return (record.name, record.levelno, repr(said), repr(record.args), error, *extra, *bound)


def _add(record: logging.LogRecord, name: str, value: int) -> None:
    if isinstance(record.msg, dict):
        record.msg = {**record.msg, name: value}
    else:
        setattr(record, name, value)


def _colours() -> bool:
    """On a terminal only, and not where NO_COLOR says anything."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def configure(level: str, form: str) -> None:
    """Send all logging to standard error in one form, "text" or "json". Called once, by the command line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=_colours(), pad_event_to=0)
    )
    handler = logging.StreamHandler()
    handler.addFilter(Throttle())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Who logs through structlog itself comes out of the same handler, in the same form.
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    for noisy in ("apscheduler", "uvicorn", "alembic", "aiohttp", "web3"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
