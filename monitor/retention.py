"""How long evidence is kept, and its end: nothing goes before its time, and what goes stays in the journal by its hash.

Periods are law (config/retention.yaml, by profile and class of record) or longer, as the configuration says.
Without any period a class is kept for ever. The journal itself is never shortened: each file that goes was
journalled when it was written, and its end is journalled with the same hash before it is deleted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, select

from monitor.config.mistakes import Mistake, dotted
from monitor.config.resolved import Config
from monitor.config.yaml_tree import read_yaml
from monitor.ledger import schema
from monitor.ledger.encode import Json, parse
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, Ledger, commit
from monitor.profiles.loader import profile_file
from monitor.shipped import shipped

#: every class that a law names; of the others than the first two only the journal has records, and it keeps them
CLASSES = ("customer_ledger", "daily_record", "books_item_4", "incident_report")
#: parts of a close that are records of the day; all the rest is of the ledger's class
_DAILY = ("accounts/", "chains/")
#: profiles that extend one another
_DEEPEST = 8
_LARGEST_TABLE = 1 << 20

State = Literal["kept", "due", "pruned", "missing", "differs"]


@dataclass(frozen=True, slots=True)
class Period:
    """``years`` None: for ever, because nobody names a period. ``source``: who does, a profile or "configuration"."""

    years: int | None
    place: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """The files of one class in one close. ``until``: the first day on which they may go; None: never.

    ``files``: SHA-256 by path in the folder, as they were journalled.
    """

    cycle: int
    folder: str
    record_class: str
    day: date
    until: date | None
    files: Mapping[str, str]
    state: State


def periods(config: Config) -> dict[str, Period]:
    """The period of each class: the longest of the configured profiles', or the configuration's own where longer."""
    table = _table()
    found = {}
    for name in CLASSES:
        period = Period(None)
        for profile in config.profiles:
            for ancestor in _ancestry(profile, config.base):
                line = table.get(ancestor, {}).get(name)
                if line is not None and (period.years is None or line["years"] > period.years):
                    period = Period(line["years"], line["place"], ancestor)
        own = getattr(config.retention, name, None)
        if own is not None and (period.years is None or own > period.years):
            period = Period(own, period.place, "configuration")
        found[name] = period
    return found


def check_retention(config: Config) -> list[Mistake]:
    """A period of the configuration that is shorter than the law's; empty where there is none."""
    mistakes = []
    for name, period in periods(config).items():
        own = getattr(config.retention, name, None)
        if own is not None and period.source != "configuration" and own != period.years:
            path = ("retention", name)
            message = f"{period.source} asks for {period.years} years: write {period.years} or more, or remove it"
            mistakes.append(Mistake(str(config.file), config.written.get(path, 1), dotted(path), message))
    return mistakes


def plan(connection: Connection, config: Config, today: date) -> list[Part]:
    """Everything of every close that was journalled, oldest first, and what becomes of it on ``today``."""
    kept_for, pruned = periods(config), _pruned(connection)
    found = []
    for body in _records(connection, "evidence"):
        # A record of the first versions names no folder: it is never touched.
        folder = body.get("folder")
        if folder is None:
            continue
        day = date.fromisoformat(folder[:10])
        for name, files in _by_class(body["files"]).items():
            until = _end(day, kept_for[name].years)
            state = _state(config.closes_path / folder, files, pruned.get((folder, name)), until, today)
            found.append(Part(body["cycle"], folder, name, day, until, files, state))
    return found


def prune(ledger: Ledger, config: Config, parts: list[Part], now: datetime) -> None:
    """Delete the parts that are due, each after its end was journalled. Again after a crash it goes on where it was."""
    kept_for = periods(config)
    for part in parts:
        if part.state != "due":
            continue
        period = kept_for[part.record_class]
        with ledger.write() as connection:
            if (part.folder, part.record_class) not in _pruned(connection):
                body = {
                    "cycle": part.cycle,
                    "folder": part.folder,
                    "class": part.record_class,
                    "files": dict(part.files),
                    "years": period.years,
                    "source": period.source,
                }
                commit(connection, Commit((Record("pruned", body),)), now)
        _delete(config.closes_path / part.folder, part.files)


def _end(day: date, years: int | None) -> date | None:
    """The same day so many years on; where that year has no 29 February, 1 March."""
    if years is None or day.year + years > date.max.year:
        return None
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def _by_class(files: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path, digest in files.items():
        name = "daily_record" if path.startswith(_DAILY) else "customer_ledger"
        found.setdefault(name, {})[path] = digest
    return found


def _state(
    folder: Path, files: Mapping[str, str], pruned: Mapping[str, str] | None, until: date | None, today: date
) -> State:
    """Files that are not what was journalled are never deleted: that they differ is what they are evidence of."""
    there = {path: folder / path for path in files if (folder / path).is_file()}
    if pruned is not None:
        return "pruned" if not there and pruned == files else "due"
    if len(there) < len(files):
        return "missing"
    if any(_digest(path) != files[name] for name, path in there.items()):
        return "differs"
    return "due" if until is not None and until <= today else "kept"


def _delete(folder: Path, files: Mapping[str, str]) -> None:
    for name in files:
        (folder / name).unlink(missing_ok=True)
    for root, _, _ in sorted(os.walk(folder), reverse=True):
        if not any(Path(root).iterdir()):
            Path(root).rmdir()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _pruned(connection: Connection) -> dict[tuple[str, str], Mapping[str, str]]:
    return {(body["folder"], body["class"]): body["files"] for body in _records(connection, "pruned")}


def _records(connection: Connection, kind: str) -> Iterator[Json]:
    columns = schema.journal.c
    for row in connection.execute(select(columns.body).where(columns.kind == kind).order_by(columns.seq)):
        yield parse(row.body)


def _table() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    file = shipped("config", "retention.yaml")
    tree, mistakes = read_yaml(str(file), file.read_bytes()[:_LARGEST_TABLE])
    assert tree is not None, mistakes
    table: Mapping[str, Mapping[str, Mapping[str, Any]]] = tree.data
    return table


def _ancestry(profile: str, base: Path) -> Iterator[str]:
    """The name of a profile and of those that it extends. Their files were read without a mistake before."""
    name, folder = profile, base
    for _ in range(_DEEPEST):
        yield name
        file = profile_file(name, folder)
        tree, _mistakes = read_yaml(str(file), file.read_bytes())
        extends = tree.data.get("extends") if tree is not None and isinstance(tree.data, dict) else None
        if not isinstance(extends, str):
            return
        name, folder = extends, file.parent
