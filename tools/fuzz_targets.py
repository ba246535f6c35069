"""What is fuzzed: the readers of hostile text. Each target takes bytes.

A target returns for good text and for text that is refused as it should be; every other exception is a find.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from monitor.books import ApprovalError, decode, parse_approval
from monitor.config import ConfigError, load
from monitor.config.models import Web
from monitor.config.resolved import Config
from monitor.config.web_file import read_web_file

CHECKOUT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@cache
def _config() -> Config:
    return load(CHECKOUT / "config" / "example.yaml")


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="porwatch-fuzz-"))


def _check(error: ConfigError) -> None:
    assert all(mistake.line >= 1 and mistake.message for mistake in error.mistakes), str(error)


def approval_line(raw: bytes) -> None:
    """One line of the approvals file, or a posted body."""
    with suppress(ApprovalError):
        parse_approval(decode(raw), _config(), NOW)


def configuration(raw: bytes) -> None:
    """A whole configuration; every mistake must have a place in the file."""
    file = _folder() / "porwatch.yaml"
    file.write_bytes(raw)
    try:
        load(file)
    except ConfigError as error:
        _check(error)


def web_configuration(raw: bytes) -> None:
    """A web configuration file."""
    file = _folder() / "web.yml"
    file.write_bytes(raw)
    try:
        read_web_file(file, Web(), NOW)
    except ConfigError as error:
        _check(error)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "approval": approval_line,
    "configuration": configuration,
    "web": web_configuration,
}
