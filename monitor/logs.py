"""Logging for people (text) and for machines (JSON lines), with URLs and secrets taken out."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_URL = re.compile(r"\b([a-z][a-z0-9+.-]*)://[^\s\"']+", re.IGNORECASE)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Every URL loses all but its scheme: a path or a query may be a key. Our own listening address stays."""
    for key, value in event.items():
        if isinstance(value, str) and key != "address":
            event[key] = _URL.sub(r"\1://…", value)
    return event


def _colours() -> bool:
    """On a terminal only, and not where NO_COLOR says anything."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def configure(level: str, form: str) -> None:
    """Send all logging to standard error in one form, "text" or "json". Called once, by the command line."""
    shared: list[Any] = [
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
