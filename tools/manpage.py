"""The manual page docs/man/porwatch.1, made from the command line itself; tools.reference writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from monitor.__main__ import app

PAGE = Path(__file__).resolve().parent.parent / "docs" / "man" / "porwatch.1"
_END = r"""
.SH EXIT STATUS
.TP
.B 0
Fine.
.TP
.B 1
A finding: a critical case is open, a check is breached, a verification failed.
.TP
.B 2
Wrong usage or configuration.
.TP
.B 3
It could not be determined: unverified, or unreachable.
.SH SIGNALS
.TP
.B SIGHUP
.B porwatch run
takes over its changed configuration whole, or refuses it whole and goes on with the one before.
.TP
.BR SIGTERM ", " SIGINT
.B porwatch run
ends in order, in bounded time, with exit status 0. A second one ends it at once; nothing is lost.
.SH ENVIRONMENT
.TP
.BR NOTIFY_SOCKET ", " WATCHDOG_USEC
As systemd sets them for a unit of Type=notify with WatchdogSec.
.TP
.B NO_COLOR
No colours, also on a terminal.
"""


def page() -> str:
    """The page in the man macros."""
    root = typer.main.get_command(app)
    lines = [
        '.\\" Made by tools/manpage.py: run make docs.',
        '.TH PORWATCH 1 "" porwatch "User commands"',
        ".SH NAME",
        f"porwatch \\- {_text(_first(root.help))}",
        ".SH SYNOPSIS",
        ".B porwatch",
        "[\\fB\\-\\-log\\-level\\fR \\fILEVEL\\fR] [\\fB\\-\\-log\\-format\\fR text|json] \\fICOMMAND\\fR ...",
        ".SH COMMANDS",
        *(line for called, command in commands(root) for line in _section(called, command)),
    ]
    return "\n".join(lines) + _END


def commands(group: Any, above: tuple[str, ...] = ("porwatch",)) -> Iterator[tuple[str, Any]]:
    """How each command is called, with its operands, and the command itself."""
    arguments = [parameter for parameter in group.params if parameter.param_type_name == "argument"]
    for name, command in group.commands.items():
        if command.hidden and name != "make":
            continue
        # `report CONFIG` is `report make CONFIG`; a group's own arguments stand before its commands.
        words = (*above, *map(_operand, arguments), *(() if name == "make" else (name,)))
        if hasattr(command, "commands"):
            yield from commands(command, (*above, name))
        else:
            yield " ".join([*words, *_operands(command)]), command


def options(command: Any) -> list[Any]:
    """What may be chosen of a command."""
    return [each for each in command.params if each.param_type_name == "option" and each.name != "help"]


def _section(called: str, command: Any) -> Iterator[str]:
    yield f".SS {_text(called)}"
    yield _text(" ".join((command.help or "").split()))
    for option in options(command):
        yield ".TP"
        yield f".B {_text(', '.join([*option.opts, *option.secondary_opts]))}"
        yield _text(option.help or "-")


def _operands(command: Any) -> list[str]:
    return [_operand(each) for each in command.params if each.param_type_name == "argument"]


def _operand(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _first(text: str | None) -> str:
    return (text or "").strip().splitlines()[0].rstrip(".")


def _text(text: str) -> str:
    """Escaped: what begins a line must not be a request, and a hyphen of an option must stay one."""
    escaped = text.replace("\\", "\\\\").replace("-", "\\-")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped
