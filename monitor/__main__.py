"""The command line. Exit codes: 0 fine, 1 a finding, 2 wrong usage or configuration, 3 could not be determined."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from monitor.options import ConfigFile, Language, LogFormat, LogLevel, Output, OutputOption, Page
from monitor.report_app import report_app

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


app.add_typer(report_app, name="report")
wallets_app = typer.Typer(help="Control of the addresses that are watched.", no_args_is_help=True)
app.add_typer(wallets_app, name="wallets")

ceremonies_app = typer.Typer(help="Announced work on cold wallets.", no_args_is_help=True)
app.add_typer(ceremonies_app, name="ceremonies")


@app.callback()
def _main(
    log_level: Annotated[LogLevel, typer.Option("--log-level")] = LogLevel.INFO,
    log_format: Annotated[LogFormat, typer.Option("--log-format")] = LogFormat.TEXT,
) -> None:
    from monitor import logs

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
def shadow(
    config: ConfigFile,
    lang: Annotated[Language, typer.Option("--lang", help="Language of the page.")] = Language.EN,
    output: Annotated[Page, typer.Option("--output", help="text, or json with exact figures.")] = Page.TEXT,
) -> None:
    """The page about what the shadow showed: explained share, what would have paged, how fast."""
    from monitor.publish import shadow as shadowing

    raise typer.Exit(shadowing.shadow(config, lang.value, output.value))


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


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A bundle that porwatch report made.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The public key that must have signed.")
    ] = None,
    endpoint: Annotated[
        list[str] | None,
        typer.Option("--endpoint", metavar="URL", help="A node of your own: ties anchors to the chain."),
    ] = None,
) -> None:
    """Work out a bundle again, offline: exit 1 names each file that differs, and the first field."""
    from monitor.publish.bundle import command

    raise typer.Exit(command.verify(folder, key, endpoint or []))


@app.command()
def sample(
    config: ConfigFile,
    seed: Annotated[str, typer.Option("--seed", help="The auditor's own: any text.")],
    at: Annotated[str, typer.Option("--at", metavar="DAY", help="A past business day, e.g. 2026-11-24.")],
    wallets: Annotated[int, typer.Option("--wallets", min=0, help="How many wallets.")] = 10,
    accounts: Annotated[int, typer.Option("--accounts", min=0, help="How many accounts.")] = 25,
    movements: Annotated[int, typer.Option("--movements", min=0, help="How many movements.")] = 25,
    output: OutputOption = Output.TABLE,
) -> None:
    """Draw wallets, accounts and movements of a past business day by the auditor's seed."""
    from monitor.publish.bundle.sample import Sizes
    from monitor.publish.bundle.sample_command import sample as draw

    raise typer.Exit(draw(config, seed, at, Sizes(wallets, accounts, movements), output.value))


@app.command("import")
def import_(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="What the files are: htx-csv.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Published proof-of-reserves files.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Audit another party's published proof-of-reserves files: totals, rows, heights, signatures."""
    from monitor.publish.imports import import_files

    raise typer.Exit(import_files(form, files, output.value))


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
    from monitor import cases_commands

    raise typer.Exit(cases_commands.cases_list(context.obj, state, output.value))


@cases_app.command("show")
def cases_show(context: typer.Context, case_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Show one case with its whole history, as JSON."""
    from monitor import cases_commands

    raise typer.Exit(cases_commands.cases_show(context.obj, case_id))


@cases_app.command("ack")
def cases_ack(
    context: typer.Context,
    case_id: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Option("--name", help="Who acknowledges it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
) -> None:
    """Acknowledge an open case: a person is on it, and it pages no more."""
    from monitor import cases_commands

    raise typer.Exit(cases_commands.cases_act(context.obj, case_id, "ack", name, reason))


@cases_app.command("close")
def cases_close(
    context: typer.Context,
    case_id: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Option("--name", help="Who closes it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
) -> None:
    """Close a case with a name and a reason; it is never deleted."""
    from monitor import cases_commands

    raise typer.Exit(cases_commands.cases_act(context.obj, case_id, "close", name, reason))


@cases_app.command("notified")
def cases_notified(
    context: typer.Context,
    case_id: Annotated[str, typer.Argument(metavar="ID")],
    event: Annotated[str, typer.Option("--event", help="As what: of a profile's notifications, e.g. outflow.")],
    authority: Annotated[str, typer.Option("--authority", help="Who was told.")],
    channel: Annotated[str, typer.Option("--channel", help="How, e.g. e-mail.")],
    name: Annotated[str, typer.Option("--name", help="Who told them.")],
    reason: Annotated[str, typer.Option("--reason", help="What they answered, a reference, or why they were told.")],
    letter: Annotated[str, typer.Option("--letter", metavar="FILE", help="What was sent; its SHA-256 is kept.")] = "",
) -> None:
    """Note that somebody outside was told of a case: an authority, an issuer, another exchange."""
    from monitor import cases_commands

    notice = {"event": event, "authority": authority, "channel": channel, "letter": letter}
    raise typer.Exit(cases_commands.cases_notified(context.obj, case_id, notice, name, reason))


@cases_app.command("export")
def cases_export(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make.")],
    case_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    incident: Annotated[str | None, typer.Option("--incident", metavar="ID", help="All cases of an incident.")] = None,
) -> None:
    """Addresses, transactions and amounts, letters in Japanese and English, notifications with their clocks."""
    from monitor.publish.pack import command

    raise typer.Exit(command.export(context.obj, case_id, incident, out))


@ceremonies_app.callback()
def _ceremonies(context: typer.Context, config: ConfigFile) -> None:
    context.obj = config


@ceremonies_app.command("list")
def ceremonies_list(context: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """List the ceremonies, the window that begins last first."""
    from monitor import ceremony_commands

    raise typer.Exit(ceremony_commands.listed(context.obj, output.value))


@ceremonies_app.command("announce")
def ceremonies_announce(
    context: typer.Context,
    wallet: Annotated[list[str], typer.Option("--wallet", help="A cold wallet; may be given several times.")],
    begin: Annotated[str, typer.Option("--from", help="When the window begins, e.g. 2026-11-24T10:00:00+09:00.")],
    end: Annotated[str, typer.Option("--to", help="When it ends.")],
    purpose: Annotated[str, typer.Option("--purpose", help="What will be done, in one line.")],
    name: Annotated[str, typer.Option("--name", help="Who announces it.")],
) -> None:
    """Announce work on cold wallets; it counts once a second person has confirmed it."""
    from monitor import ceremony_commands

    body = {"purpose": purpose, "wallets": wallet, "from": begin, "to": end, "name": name}
    raise typer.Exit(ceremony_commands.announce(context.obj, body))


@ceremonies_app.command("confirm")
def ceremonies_confirm(
    context: typer.Context,
    ceremony_id: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Option("--name", help="Who confirms it: another person than announced it.")],
) -> None:
    """Confirm an announced ceremony as the second person."""
    from monitor import ceremony_commands

    raise typer.Exit(ceremony_commands.confirm(context.obj, ceremony_id, name))


@ceremonies_app.command("cancel")
def ceremonies_cancel(
    context: typer.Context,
    ceremony_id: Annotated[str, typer.Argument(metavar="ID")],
    name: Annotated[str, typer.Option("--name", help="Who cancels it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
) -> None:
    """Cancel a ceremony: from now on it no longer counts."""
    from monitor import ceremony_commands

    raise typer.Exit(ceremony_commands.cancel(context.obj, ceremony_id, name, reason))


@alerts_app.command("test")
def alerts_test(config: ConfigFile) -> None:
    """A drill through every configured receiver."""
    from monitor import commands

    raise typer.Exit(commands.alerts_test(config))


@journal_app.command("verify")
def journal_verify(config: ConfigFile) -> None:
    """Check the hash chain of the journal and its signed tree heads."""
    from monitor import ledger_commands

    raise typer.Exit(ledger_commands.journal_verify(config))


@journal_app.command("rebuild")
def journal_rebuild(config: ConfigFile) -> None:
    """Build the state tables anew from the journal."""
    from monitor import ledger_commands

    raise typer.Exit(ledger_commands.journal_rebuild(config))


@app.command()
def backup(
    config: ConfigFile, file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; never overwritten.")]
) -> None:
    """Copy the ledger and its evidence into one file, also while the monitor runs."""
    from monitor import backup_commands

    raise typer.Exit(backup_commands.backup(config, file))


@app.command()
def restore(
    config: ConfigFile,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="What porwatch backup made.")] = None,
    head: Annotated[
        Path | None,
        typer.Option("--head", metavar="FILE", help="The last published tree head: evidence/journal.json of a report."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Who restores it.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Where there is a ledger: keep it beside.")] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="PostgreSQL: pg_restore has brought it back; check and record it.")
    ] = False,
) -> None:
    """Put a ledger back to the state of a backup; the journal records that, and what was published and is lost."""
    from monitor import backup_commands

    request = backup_commands.Request(head=head, name=name, reason=reason, replace=replace, in_place=in_place)
    raise typer.Exit(backup_commands.restore(config, file, request))


@db_app.command("upgrade")
def db_upgrade(
    config: ConfigFile,
    plan: Annotated[bool, typer.Option("--plan", help="Print the SQL and change nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Change the database.")] = False,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="USER", help="The database user that owns the tables.")
    ] = None,
    owner_password: Annotated[
        Path | None, typer.Option("--owner-password-file", metavar="FILE", help="The password of that user.")
    ] = None,
) -> None:
    """Bring the ledger's schema to this version: --plan shows the SQL, --apply runs it."""
    from monitor import ledger_commands

    if plan == apply:
        raise typer.BadParameter("write --plan or --apply")
    if owner_password is not None and owner is None:
        raise typer.BadParameter("--owner-password-file belongs to --owner: write both")
    raise typer.Exit(ledger_commands.db_upgrade(config, apply=apply, owner=owner, owner_password=owner_password))


@app.command()
def retention(
    config: ConfigFile,
    plan: Annotated[bool, typer.Option("--plan", help="Print what is kept until when, and change nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Delete the evidence whose time is over.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """The evidence of closes: how long the law of the configured profiles asks to keep it, and the end of it."""
    from monitor import ledger_commands

    if plan == apply:
        raise typer.BadParameter("write --plan or --apply")
    raise typer.Exit(ledger_commands.retention(config, output.value, apply=apply))


@wallets_app.command("challenge")
def wallets_challenge(
    config: ConfigFile,
    wallet: Annotated[str, typer.Option("--wallet", help="A wallet of the configuration.")],
    address: Annotated[str | None, typer.Option("--address", help="Only this address of it.")] = None,
    purpose: Annotated[
        str, typer.Option("--purpose", help="What the proof is for, in one line.")
    ] = "proof of reserves",
    expires: Annotated[str, typer.Option("--expires", help="How long it may be answered, e.g. 12h or 7d.")] = "7d",
    movement: Annotated[
        bool, typer.Option("--movement", help="Ask for a movement of an odd amount instead of a signature.")
    ] = False,
    destination: Annotated[
        str | None, typer.Option("--destination", help="With --movement: the own address to be paid.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Issue challenges whose answers show control of a wallet's addresses; print the texts to be signed."""
    from monitor import wallets_commands

    request = {
        "wallet": wallet,
        "address": address,
        "purpose": purpose,
        "expires": expires,
        "movement": movement,
        "destination": destination,
    }
    raise typer.Exit(wallets_commands.challenge(config, request, output.value))


@wallets_app.command("prove")
def wallets_prove(
    config: ConfigFile,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Proofs as JSON; - for standard input.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Verify answers to challenges and record the good ones; 1 for a bad one, with the reason."""
    from monitor import wallets_commands

    raise typer.Exit(wallets_commands.prove(config, file, output.value))


@config_app.command("schema")
def config_schema() -> None:
    """JSON Schema of the configuration, for editors."""
    import json

    from monitor.config.schema import schema

    sys.stdout.write(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")


def main() -> NoReturn:
    """Entry point of the command ``porwatch``."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BaseException as error:
        # Only who ran a loop can have been cancelled; importing it for the others would cost every --help.
        loops = sys.modules.get("asyncio")
        if loops is not None and isinstance(error, loops.CancelledError):
            sys.exit(130)
        raise
    sys.exit(0)


if __name__ == "__main__":
    main()
