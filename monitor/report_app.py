"""`porwatch report`: the command line of making and approving one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from monitor.options import ConfigFile, Language, Preset, Reader


class _Report(TyperGroup):
    """`report CONFIG …` is the report itself; what else may stand there are its subcommands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands:
            args = ["make", *args]
        return super().parse_args(ctx, args)


report_app = typer.Typer(cls=_Report, help="The report with its evidence bundle: report CONFIG --at TIME --out DIR.")


@report_app.command("make", hidden=True)
def report_make(  # noqa: PLR0917  options by name
    config: ConfigFile,
    at: Annotated[str, typer.Option("--at", help="The last close not after this time, or the close of this day.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make.")],
    begin: Annotated[
        str | None, typer.Option("--from", help="Where the period begins; default: the close before.")
    ] = None,
    profile: Annotated[
        list[str] | None, typer.Option("--profile", help="Only these profiles that were judged.")
    ] = None,
    preset: Annotated[Preset, typer.Option("--preset", help="Which sections are printed.")] = Preset.FULL,
    lang: Annotated[list[Language] | None, typer.Option("--lang", help="Default: both.")] = None,
    view: Annotated[Reader, typer.Option("--view", help="For whom.")] = Reader.FULL,
    prepared_by: Annotated[
        str | None, typer.Option("--prepared-by", help="Default: parties.prepared_by of books.declared.")
    ] = None,
    prepared_at: Annotated[
        str | None, typer.Option("--prepared-at", help="Default: the time of the tree head that it rests on.")
    ] = None,
    previous: Annotated[
        Path | None, typer.Option("--previous", metavar="DIR", help="The report before this one, which it continues.")
    ] = None,
    documents: Annotated[
        Path | None,
        typer.Option("--documents", metavar="FILE", help="Documents to attach, the customer file, who holds the keys."),
    ] = None,
) -> None:
    """The report of a close, with everything that a stranger needs to work it out again.

    A second person approves it: porwatch report approve DIR --as NAME.
    """
    from monitor.publish.bundle import command

    options = command.Options(
        at=at,
        out=out,
        begin=begin,
        profiles=tuple(profile or ()),
        preset=preset.value,
        languages=tuple(dict.fromkeys(each.value for each in lang or Language)),
        view=view.value,
        prepared_by=prepared_by,
        prepared_at=prepared_at,
        previous=previous,
        documents=documents,
    )
    raise typer.Exit(command.report(config, options))


@report_app.command("approve")
def report_approve(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A draft.")],
    name: Annotated[str, typer.Option("--as", help="Who approves: another person than prepared it.")],
    config: Annotated[
        Path | None, typer.Option("--config", metavar="CONFIG", help="Default: the configuration that made it.")
    ] = None,
) -> None:
    """The second person's approval: until then the report is a DRAFT."""
    from monitor.publish.bundle import command

    raise typer.Exit(command.approve(folder, name, config))
