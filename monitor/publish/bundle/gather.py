"""From the ledger and the kept evidence of a close to the evidence of a bundle: the only part that reads the ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from monitor.canonical import Json, canonical, parse
from monitor.ledger import heads, journal, schema
from monitor.ledger.heads import Head
from monitor.ledger.journal import Entry
from monitor.model import rfc3339
from monitor.publish.bundle import places
from monitor.publish.bundle.answers import Answers
from monitor.publish.bundle.cells import business_day
from monitor.publish.bundle.files import digest_of

#: what moved, and what is followed
_MOVES = ("block", "rewound", "matched", "residual", "opened", "asset_opened", "assigned", "retired", "asset_retired")
#: kinds of records that a bundle shows whole, besides the close's own
_WHOLE = frozenset({*_MOVES, "case", "control_proof", "gap", "coins", "refused", "delivered"})
_LIABILITIES = '"source":"liabilities"}'
#: how far a block's own time may run ahead of the clock by which it was journalled
_AHEAD = timedelta(days=1)


class NoEvidence(Exception):
    """There is nothing to report on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Close:
    """A verdict whose evidence was kept. ``seq``: of its record of evidence; ``verdict_seq``: of the verdict's."""

    cycle: int
    at: datetime
    kind: str
    seq: int
    verdict_seq: int
    folder: Path
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which close: the last one not after a moment, or that of a business day."""

    at: datetime | None
    day: date | None

    def __str__(self) -> str:
        return rfc3339(self.at) if self.at is not None else str(self.day)


def closes(connection: Connection, kept: Path, timezone: str) -> Iterator[tuple[Close, date]]:
    """Every verdict whose evidence was kept, oldest first, with its business day. ``kept``: evidence/closes."""
    columns, verdicts = schema.journal.c, schema.verdict.c
    rows = connection.execute(select(columns.seq, columns.body).where(columns.kind == "evidence").order_by(columns.seq))
    for row in rows.all():
        body = parse(row.body)
        cycle = body["cycle"]
        verdict = connection.execute(select(verdicts.at, verdicts.kind).where(verdicts.cycle == cycle)).first()
        if verdict is None:
            continue
        day = business_day(verdict.at, timezone)
        folder = kept / body["folder"] if "folder" in body else kept / f"{day}-{cycle}"
        yield Close(cycle, verdict.at, verdict.kind, row.seq, 0, folder, body["files"]), day


def find(connection: Connection, kept: Path, timezone: str, wanted: Wanted) -> Close:
    """The close that is wanted; of a day the closing verdict rather than a provisional one. Raises NoEvidence."""
    fitting = [
        close
        for close, day in closes(connection, kept, timezone)
        if (wanted.at is not None and close.at <= wanted.at) or (wanted.at is None and day == wanted.day)
    ]
    if wanted.day is not None:
        fitting = [close for close in fitting if close.kind == "close"] or fitting
    if not fitting:
        raise NoEvidence(
            f"no verdict with kept evidence at {wanted}: `porwatch run` keeps it at every close (schedule.close), "
            "and `porwatch once` of its verdict; name a later time, or run one of them"
        )
    found = max(fitting, key=lambda close: (close.at, close.cycle))
    seq = _verdict_seq(connection, found)
    return Close(found.cycle, found.at, found.kind, found.seq, seq, found.folder, found.files)


def _verdict_seq(connection: Connection, close: Close) -> int:
    columns = schema.journal.c
    query = select(columns.seq, columns.body).where(columns.kind == "verdict", columns.seq < close.seq)
    for row in connection.execute(query.order_by(columns.seq.desc())):
        if parse(row.body)["cycle"] == close.cycle:
            return int(row.seq)
    raise NoEvidence(f"the journal has no verdict of cycle {close.cycle}: run porwatch journal verify")


def check_kept(close: Close) -> None:
    """Raise NoEvidence where the kept files are not those that were journalled."""
    remedy = (
        "put the folder back from the backup, or see porwatch retention CONFIG --plan: its time may be over; "
        "nodes that have dropped that state cannot be asked again"
    )
    if not close.folder.is_dir():
        raise NoEvidence(f"{close.folder}: the evidence of cycle {close.cycle} is gone: {remedy}")
    there = {path.relative_to(close.folder).as_posix() for path in close.folder.rglob("*") if path.is_file()}
    for name in sorted(there ^ close.files.keys()):
        what = "is gone" if name in close.files else "was not kept at the close: take it out"
        raise NoEvidence(f"{close.folder / name}: {what}" + (f": {remedy}" if name in close.files else ""))
    for name, digest in sorted(close.files.items()):
        if digest_of(close.folder / name) != digest:
            raise NoEvidence(f"{close.folder / name}: is not the file that was kept at the close: {remedy}")


def head_over(connection: Connection, close: Close, public: bytes) -> Head:
    """The first tree head over the close's evidence that this key signed. Raises NoEvidence."""
    for head in heads.heads(connection):
        if head.size >= close.seq and head.key == public.hex():
            return head
    raise NoEvidence(
        f"no tree head of this report key is over cycle {close.cycle} yet: a running monitor signs one within the hour,"
        " and `porwatch once` signs one; then report again"
    )


def period_begin(connection: Connection, kept: Path, timezone: str, close: Close) -> datetime:
    """Where the period begins by default: at the close before, or else with the journal."""
    before = [
        each.at for each, _ in closes(connection, kept, timezone) if each.cycle < close.cycle and each.kind == "close"
    ]
    if before:
        return max(before)
    first: datetime = connection.execute(
        select(schema.journal.c.at).order_by(schema.journal.c.seq).limit(1)
    ).scalar_one()
    return min(first, close.at)


def write_evidence(
    connection: Connection, close: Close, head: Head, answers: Answers, folder: Path, previous: Head | None = None
) -> None:
    """Every file of the evidence into ``folder``, which is empty. Raises NoEvidence, JournalError, OSError."""
    check_kept(close)
    for name in close.files:  # one by one: a book that is not configured leaves an empty folder, which is no evidence
        target = folder / places.CLOSE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(close.folder / name, target)
    begin = datetime.fromisoformat(answers.begin)
    columns = schema.journal.c
    query = (
        select(columns.seq).where(columns.at >= begin, columns.seq <= close.verdict_seq).order_by(columns.seq).limit(1)
    )
    start = connection.execute(query).scalar_one_or_none() or close.verdict_seq
    (folder / places.ANSWERS).write_text(canonical(answers.to_json()), encoding="utf-8")
    _write_lines(folder / places.PERIOD, _period(connection, close, start, head))
    _write_lines(folder / places.EARLIER, _earlier(connection, start, begin, head))
    proof = {"head": head.to_json(), "start": start, "peaks": heads.peaks(connection, start - 1), "previous": None}
    if previous is not None:
        path = list(heads.consistency(connection, previous, head))
        proof["previous"] = {"head": previous.to_json(), "proof": path}
    (folder / places.JOURNAL).write_text(canonical(proof), encoding="utf-8")


def _period(connection: Connection, close: Close, start: int, head: Head) -> Iterator[Json]:
    """All records from ``start`` to the head; whole are those that the report uses, of the others the hash alone."""
    for entry in journal.entries(connection, start - 1):
        if entry.seq > head.size:
            return
        own = entry.seq in {close.seq, close.verdict_seq}
        used = entry.kind in _WHOLE or (entry.kind == "declared" and entry.body.endswith(_LIABILITIES))
        if own or (used and entry.seq <= close.verdict_seq):
            yield _whole(entry)
        else:
            yield {"seq": entry.seq, "hash": entry.hash}


def _earlier(connection: Connection, start: int, begin: datetime, head: Head) -> Iterator[Json]:
    """Records before the period that it rests on, each with its proof: see ``_standing`` and ``_moved``."""
    found = {entry.seq: entry for entry in (*_standing(connection, start), *_moved(connection, start, begin))}
    for seq in sorted(found):
        yield {**_whole(found[seq]), "proof": list(heads.inclusion(connection, seq, head))}


def _moved(connection: Connection, start: int, begin: datetime) -> Iterator[Entry]:
    """Blocks whose own time may be in the period, the first opening of every chain, the liabilities in force."""
    columns = schema.journal.c
    before = select(schema.journal).where(columns.seq < start)
    for row in connection.execute(before.where(columns.kind.in_(_MOVES), columns.at > begin - _AHEAD)):
        yield _entry(row)
    followed: set[str] = set()
    for row in connection.execute(before.where(columns.kind == "opened").order_by(columns.seq)):
        chain = parse(row.body)["at"]["chain"]
        if chain not in followed:
            yield _entry(row)
        followed.add(chain)
    declared = before.where(columns.kind == "declared", columns.body.endswith(_LIABILITIES))
    for row in connection.execute(declared.order_by(columns.seq.desc()).limit(1)):
        yield _entry(row)


def _entry(row: Any) -> Entry:
    return Entry(row.seq, row.at, row.kind, row.body, row.previous, row.hash)


def _standing(connection: Connection, start: int) -> Iterable[Entry]:
    """The last records of every case that was not closed then, and of every control of an address."""
    columns = schema.journal.c
    query = select(schema.journal).where(columns.kind.in_(("case", "control_proof")), columns.seq < start)
    last: dict[tuple[Any, ...], Entry] = {}
    for row in connection.execute(query.order_by(columns.seq)):
        body = parse(row.body)
        key = (row.kind, body["id"]) if row.kind == "case" else (row.kind, body["chain"], body["locator"])
        if row.kind == "case" and body["state"] == "closed":
            last.pop(key, None)
            continue
        last[key] = _entry(row)
    return last.values()


def _whole(entry: Entry) -> Json:
    return {
        "seq": entry.seq,
        "at": rfc3339(entry.at),
        "kind": entry.kind,
        "body": parse(entry.body),
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _write_lines(path: Path, lines: Iterable[Json]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(canonical(line) + "\n")
