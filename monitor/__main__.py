"""The command line. Exit codes: 0 fine, 1 a finding, 2 wrong usage or configuration, 3 could not be determined."""

from __future__ import annotations

import asyncio
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from monitor import logs

FINDING, WRONG, UNDETERMINED = 1, 2, 3

app = typer.Typer(
    name="porwatch",
    help="On-chain proof-of-reserves monitor: what is seen on chain beside what is declared in the books.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
cases_app = typer.Typer(help="What a person must resolve.", no_args_is_help=True)
alerts_app = typer.Typer(help="Alert delivery.", no_args_is_help=True)
journal_app = typer.Typer(help="The hash-chained journal.", no_args_is_help=True)
db_app = typer.Typer(help="The schema of the ledger.", no_args_is_help=True)
config_app = typer.Typer(help="The configuration itself.", no_args_is_help=True)
app.add_typer(cases_app, name="cases")
app.add_typer(alerts_app, name="alerts")
app.add_typer(journal_app, name="journal")
app.add_typer(db_app, name="db")
app.add_typer(config_app, name="config")


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


class Output(StrEnum):
    """How lists are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration file (YAML).")]
OutputOption = Annotated[Output, typer.Option("--output", help="table, json or csv; amounts are strings.")]


@app.callback()
def _main(
    log_level: Annotated[LogLevel, typer.Option("--log-level")] = LogLevel.INFO,
    log_format: Annotated[LogFormat, typer.Option("--log-format")] = LogFormat.TEXT,
) -> None:
    logs.configure(log_level.value, log_format.value)


@app.command()
def check(
    config: ConfigFile,
    online: Annotated[bool, typer.Option("--online", help="Also ask every endpoint which chain it serves.")] = False,
) -> None:
    """Check the configuration and the files it names, without network; every mistake at once."""
    from monitor import commands

    raise typer.Exit(commands.check(config, online=online))


@app.command()
def run(config: ConfigFile) -> None:
    """Run the monitor until SIGTERM or Ctrl-C."""
    from monitor import commands

    raise typer.Exit(commands.run(config))


@app.command()
def once(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """Follow every chain to its head, run one cycle at the final block, and print the verdict."""
    from monitor import commands

    raise typer.Exit(commands.once(config, output.value))


@app.command()
def status(config: ConfigFile, output: OutputOption = Output.TABLE) -> None:
    """What the ledger says now; works beside a running monitor."""
    from monitor import commands

    raise typer.Exit(commands.status(config, output.value))


@app.command()
def demo(
    theft: Annotated[bool, typer.Option("--theft/--no-theft", help="Stage the theft of a cold wallet.")] = True,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="End by itself after so many seconds.", min=1)
    ] = None,
) -> None:
    """Local nodes, a funded exchange, normal traffic, then a staged theft."""
    from monitor.demo import command

    raise typer.Exit(command(theft=theft, seconds=seconds))


@cases_app.callback()
def _cases(context: typer.Context, config: ConfigFile) -> None:
    context.obj = config


@cases_app.command("list")
def cases_list(
    context: typer.Context,
    state: Annotated[str, typer.Option("--state", help="open, pending, acknowledged, closed or all.")] = "all",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the cases."""
    from monitor import commands

    raise typer.Exit(commands.cases_list(context.obj, state, output.value))


@cases_app.command("show")
def cases_show(context: typer.Context, case_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show one case with its whole history, as JSON."""
    from monitor import commands

    raise typer.Exit(commands.cases_show(context.obj, case_id))


@cases_app.command("ack")
def cases_ack(
    context: typer.Context,
    case_id: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Option("--name", help="Who acknowledges it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
) -> None:
    """Acknowledge an open case: a person is on it, and it pages no more."""
    from monitor import commands

    raise typer.Exit(commands.cases_act(context.obj, case_id, "ack", name, reason))


@cases_app.command("close")
def cases_close(
    context: typer.Context,
    case_id: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Option("--name", help="Who closes it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
) -> None:
    """Close a case with a name and a reason; it is never deleted."""
    from monitor import commands

    raise typer.Exit(commands.cases_act(context.obj, case_id, "close", name, reason))


@alerts_app.command("test")
def alerts_test(config: ConfigFile) -> None:
    """A drill through every configured receiver."""
    from monitor import commands

    raise typer.Exit(commands.alerts_test(config))


@journal_app.command("verify")
def journal_verify(config: ConfigFile) -> None:
    """Check the hash chain of the journal."""
    from monitor import commands

    raise typer.Exit(commands.journal_verify(config))


@journal_app.command("rebuild")
def journal_rebuild(config: ConfigFile) -> None:
    """Build the state tables anew from the journal."""
    from monitor import commands

    raise typer.Exit(commands.journal_rebuild(config))


@db_app.command("upgrade")
def db_upgrade(
    config: ConfigFile,
    plan: Annotated[bool, typer.Option("--plan", help="Print the SQL and change nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Change the database.")] = False,
) -> None:
    """Bring the ledger's schema to this version: --plan shows the SQL, --apply runs it."""
    from monitor import commands

    if plan == apply:
        raise typer.BadParameter("write --plan or --apply")
    raise typer.Exit(commands.db_upgrade(config, apply=apply))


@config_app.command("schema")
def config_schema() -> None:
    """JSON Schema of the configuration, for editors."""
    from monitor.config.schema import schema

    sys.stdout.write(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")


def main() -> NoReturn:
    """Entry point of the command ``porwatch``."""
    try:
        app()
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
    sys.exit(0)


if __name__ == "__main__":
    main()
