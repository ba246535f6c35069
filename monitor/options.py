"""Options and arguments that the commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Preset(StrEnum):
    """Which sections are printed."""

    FULL = "full"
    DAILY = "daily"
    JP_QUARTERLY = "jp-quarterly"


class Language(StrEnum):
    """Languages of the printed forms."""

    JA = "ja"
    EN = "en"


class Reader(StrEnum):
    """Whom a view is for; full is everything."""

    FULL = "full"
    REGULATOR = "regulator"
    AUDITOR = "auditor"
    TRUSTEE = "trustee"


class LogLevel(StrEnum):
    """What is logged at least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """For people or for machines."""

    TEXT = "text"
    JSON = "json"


class Page(StrEnum):
    """How one page is written."""

    TEXT = "text"
    JSON = "json"


class Output(StrEnum):
    """How lists are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration file (YAML).")]
OutputOption = Annotated[Output, typer.Option("--output", help="table, json or csv; amounts are strings.")]
