"""The measured record: what was done and found, as one table for the terminal and for the page in docs/."""

from __future__ import annotations

import platform
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

from tools.crashtest.lane import Result
from tools.crashtest.lives import Kind
from tools.crashtest.stages import MEANING, Stage
from tools.crashtest.verify import Verdict

#: in a run of so many kills, each stage must have been hit so often
_LONG_RUN, _LEAST_HITS = 10_000, 20
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run: its parameters and every lane's result."""

    kills: int
    seed: int
    lanes: Sequence[Result]
    day: date

    @property
    def problems(self) -> list[str]:
        """Every deviation as a sentence."""
        found = [problem for lane in self.lanes for problem in lane.verdict.problems]
        if self.kills >= _LONG_RUN:
            hits = _sum(self.lanes).hits()
            found += [
                f"{stage.name.lower()} was hit {hits[stage]} times only" for stage in Stage if hits[stage] < _LEAST_HITS
            ]
        return found

    @property
    def ok(self) -> bool:
        return all(lane.verdict.ok for lane in self.lanes) and not self.problems


def render(run: Run) -> str:
    """The record as Markdown."""
    total = _sum(run.lanes)
    command = f"make crashtest N={run.kills} SEED={run.seed} LANES={len(run.lanes)}"
    lines = [
        f"`{command}` on {run.day.isoformat()}: {'passed' if run.ok else 'FAILED'}.",
        "",
        "| measured | |",
        "|---|---:|",
        *(f"| {name} | {value} |" for name, value in _figures(run, total)),
        "",
        "| a kill found it | exec | fork | together | meaning |",
        "|---|---:|---:|---:|---|",
        *(_stage(stage, total.stages) for stage in Stage),
        "",
        "Several stages can be active in the moment of a kill, so that they add up to more than the kills.",
    ]
    problems = run.problems
    return "\n".join([*lines, *([""] if problems else []), *(f"- {problem}" for problem in problems)]) + "\n"


def write(file: Path, run: Run) -> None:
    """Put the record between the two marks of a page. Raises ValueError where the page has none."""
    text = file.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file}: write the lines {BEGIN} and {END} where the record belongs")
    file.write_text(f"{before}{BEGIN}\n{render(run)}{END}{after}", encoding="utf-8")


def _sum(lanes: Sequence[Result]) -> Result:
    total = Result(verdict=Verdict())
    for lane in lanes:
        total.lives += lane.lives
        total.stages += lane.stages
        total.planted += lane.planted
        total.spans += lane.spans
        for name in ("reorganised", "stalled", "acted", "alerts", "pages", "blocks", "journal"):
            setattr(total, name, getattr(total, name) + getattr(lane, name))
        for name in ("lost", "duplicate_cases", "duplicate_pages", "missing_pages", "unplanted_cases"):
            setattr(total.verdict, name, getattr(total.verdict, name) + getattr(lane.verdict, name))
        total.seconds = max(total.seconds, lane.seconds)
    return total


def _figures(run: Run, total: Result) -> list[tuple[str, str]]:
    verdict = total.verdict
    spans = {kind: [seconds for of, seconds in total.spans if of is kind] for kind in Kind}
    return [
        ("kills (SIGKILL)", f"{total.lives.total():,}"),
        *((f"lives by {kind.value}", f"{total.lives[kind]:,}") for kind in Kind),
        *((f"length of a life by {k.value}, seconds", f"{min(v):.2f} to {max(v):.2f}") for k, v in spans.items() if v),
        ("blocks", f"{total.blocks:,}"),
        ("outflows planted without approval", f"{total.planted['theft']:,}"),
        ("outflows planted with approval", f"{total.planted['approved']:,}"),
        ("deposits planted", f"{total.planted['deposit']:,}"),
        ("reorganisations (2 empty blocks)", f"{total.reorganised:,}"),
        ("times the EVM node answered nobody for 30 s", f"{total.stalled:,}"),
        ("cases acknowledged or closed by a person", f"{total.acted:,}"),
        ("alerts received", f"{total.alerts:,}"),
        ("pages", f"{total.pages:,}"),
        ("journal records", f"{total.journal:,}"),
        ("**outflows lost**", f"**{verdict.lost:,}**"),
        ("**pages lost**", f"**{verdict.missing_pages:,}**"),
        ("**cases duplicated**", f"**{verdict.duplicate_cases:,}**"),
        ("**pages duplicated**", f"**{verdict.duplicate_pages:,}**"),
        ("**cases of nothing planted**", f"**{verdict.unplanted_cases:,}**"),
        ("other problems", f"{len(run.problems):,}"),
        ("duration, minutes", f"{total.seconds / 60:.1f}"),
        ("seed", f"{run.seed}"),
        ("versions", _versions()),
    ]


def _stage(stage: Stage, stages: Counter[tuple[Stage, Kind]]) -> str:
    by_exec, by_fork = stages[stage, Kind.EXEC], stages[stage, Kind.FORK]
    return f"| {stage.name.lower()} | {by_exec:,} | {by_fork:,} | {by_exec + by_fork:,} | {MEANING[stage]} |"


def _versions() -> str:
    names = ("sqlalchemy", "aiohttp", "apscheduler", "uvicorn")
    parts = [
        f"porwatch {version('porwatch')}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
    ]
    return ", ".join([*parts, *(f"{name} {version(name)}" for name in names), f"Linux {platform.release()}"])
