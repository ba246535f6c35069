"""The evidence of a bundle as values. Files of a stranger's folder are hostile: each is bounded, and named if bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from chains.core.testimony import Rechecked
from monitor.assess import BadInputs, Inputs, from_json
from monitor.books.tables import Owed
from monitor.canonical import Json, parse_exactly
from monitor.ledger.heads import Head, head_from_json
from monitor.publish.bundle import places
from monitor.publish.bundle.answers import Answers, answers_from_json
from monitor.publish.bundle.files import (
    BadEvidence,
    digest_of,
    listed,
    read_bytes,
    read_json,
    read_lines,
    read_object,
    said,
)
from monitor.publish.bundle.supplied import Supplied, read_owed, read_supplied
from monitor.publish.bundle.testimony import rechecked

_MOST_FILES = 10_000
_MOST_LINES = 5_000_000


@dataclass(frozen=True, slots=True)
class Account:
    """What one account held at the anchor, in base units."""

    locator: str
    wallet: str
    asset: str
    units: int


@dataclass(frozen=True, slots=True)
class Line:
    """A record of the journal. ``body`` None: only its hash is shown. ``proof``: of an earlier one, under the head."""

    seq: int
    hash: str
    at: datetime | None = None
    kind: str = ""
    body: Json | None = None
    previous: str = ""
    proof: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """journal.json: the signed head, and the complete subtrees of the records before ``start`` (from seq 1)."""

    head: Head
    start: int
    peaks: tuple[str, ...]
    previous: Head | None
    consistency: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """One file of the evidence."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a report is a function of. ``settings``: by chain; ``accounts``: by chain, in order.

    ``verdict``: as it was captured; the report shows the one that follows from ``inputs``. ``shown``: by chain, what
    its testimony shows, None where none was captured. ``supplied``: what a person handed in; ``owed``: its customer
    file, None where there is none.
    """

    inputs: Inputs
    verdict: Json
    accounts: Mapping[str, tuple[Account, ...]]
    shown: Mapping[str, Rechecked | None]
    settings: Mapping[str, Json]
    answers: Answers
    tree: Tree
    period: tuple[Line, ...]
    earlier: tuple[Line, ...]
    files: tuple[File, ...]
    supplied: Supplied = field(default_factory=Supplied)
    owed: tuple[Owed, ...] | None = None

    def records(self, kind: str) -> list[Line]:
        """The records of one kind that are shown whole, in order."""
        return [line for line in (*self.earlier, *self.period) if line.kind == kind and line.body is not None]

    def file(self, path: str) -> File | None:
        """A file of the evidence by its path in the bundle."""
        return next((file for file in self.files if file.path == path), None)

    def under(self, folder: str) -> list[File]:
        """The files of a folder."""
        return [file for file in self.files if file.path.startswith(f"{folder}/")]


def read_evidence(folder: Path, shown: Mapping[str, Rechecked | None] | None = None) -> Evidence:
    """The evidence of the bundle in ``folder``. Raises BadEvidence for the first file that cannot be used.

    ``shown``: by chain, what its testimony shows, where that was worked out just now: it is the longest part.
    """
    inputs, settings = read_inputs(folder), read_object(folder, places.SETTINGS)
    supplied = read_supplied(folder)
    return Evidence(
        inputs=inputs,
        verdict=read_object(folder, places.VERDICT),
        accounts={path.stem: read_accounts(folder, path.name) for path in listed(folder, places.ACCOUNTS)},
        shown=shown
        if shown is not None
        else {
            reading.chain: rechecked(folder, reading.chain, settings.get(reading.chain), inputs.facts.assets)
            for reading in inputs.readings
            if reading.as_of is None
        },
        settings=settings,
        answers=read_answers(folder),
        tree=read_tree(folder),
        period=tuple(_records(folder, places.PERIOD)),
        earlier=tuple(_records(folder, places.EARLIER)),
        files=tuple(_files(folder)),
        supplied=supplied,
        owed=read_owed(folder, supplied, inputs.facts.assets),
    )


def read_inputs(folder: Path) -> Inputs:
    """The inputs of the verdict. Raises BadEvidence."""
    try:
        return from_json(read_bytes(folder, places.INPUTS).decode())
    except (BadInputs, UnicodeDecodeError) as error:
        raise BadEvidence(places.INPUTS, str(error)) from error


def read_answers(folder: Path) -> Answers:
    """What a person chose. Raises BadEvidence."""
    try:
        return answers_from_json(read_json(folder, places.ANSWERS))
    except ValueError as error:
        raise BadEvidence(places.ANSWERS, str(error)) from error


def read_accounts(folder: Path, name: str) -> tuple[Account, ...]:
    """One file of accounts: sorted, none of them twice. Raises BadEvidence."""
    path, found = f"{places.ACCOUNTS}/{name}", []
    last: tuple[str, str] | None = None
    for number, raw in enumerate(read_lines(folder, path), 1):
        _bounded(path, number)
        account = parse_account(path, number, raw)
        key = (account.locator, account.asset)
        if last is not None and key <= last:
            raise BadEvidence(path, f"line {number}: is not behind the line before it, by locator and asset")
        last = key
        found.append(account)
    return tuple(found)


def parse_account(path: str, number: int, raw: bytes) -> Account:
    """One line of a file of accounts. Raises BadEvidence."""
    try:
        body = parse_exactly(raw)
        if not isinstance(body, dict) or set(body) != {"locator", "wallet", "asset", "units"}:
            raise ValueError("has other keys than locator, wallet, asset and units")
        units = body["units"]
        if not all(isinstance(item, str) for item in body.values()) or str(int(units)) != units:
            raise ValueError("locator, wallet, asset and units are text, units whole")
        return Account(body["locator"], body["wallet"], body["asset"], int(units))
    except ValueError as error:
        raise BadEvidence(path, f"line {number}: {said(error)}") from error


def read_tree(folder: Path) -> Tree:
    """journal.json. Raises BadEvidence."""
    body = read_object(folder, places.JOURNAL)
    try:
        if set(body) != {"head", "start", "peaks", "previous"} or type(body["start"]) is not int:
            raise ValueError("has other keys than head, start, peaks and previous")
        previous = body["previous"]
        if previous is not None and (not isinstance(previous, dict) or set(previous) != {"head", "proof"}):
            raise ValueError("previous: has other keys than head and proof")
        return Tree(
            head=head_from_json(body["head"]),
            start=body["start"],
            peaks=_hashes(body["peaks"]),
            previous=None if previous is None else head_from_json(previous["head"]),
            consistency=() if previous is None else _hashes(previous["proof"]),
        )
    except ValueError as error:
        raise BadEvidence(places.JOURNAL, said(error)) from error


def _hashes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 128 or not all(isinstance(item, str) for item in value):
        raise ValueError("holds something else than a list of hashes")
    for item in value:
        if len(bytes.fromhex(item)) != 32:
            raise ValueError(f"{item[:80]!r} is no hash")
    return tuple(value)


def _records(folder: Path, path: str) -> Iterator[Line]:
    for number, raw in enumerate(read_lines(folder, path), 1):
        _bounded(path, number)
        try:
            yield _record(parse_exactly(raw))
        except ValueError as error:
            raise BadEvidence(path, f"line {number}: {said(error)}") from error


def _bounded(path: str, number: int) -> None:
    if number > _MOST_LINES:
        raise BadEvidence(path, f"has more than {_MOST_LINES} lines")


def _record(body: Any) -> Line:
    whole = {"seq", "at", "kind", "body", "previous", "hash"}
    if not isinstance(body, dict) or set(body) not in ({"seq", "hash"}, whole, {*whole, "proof"}):
        raise ValueError("is no record of the journal")
    if type(body["seq"]) is not int or not isinstance(body["hash"], str):
        raise ValueError("seq is no number, or hash no text")
    if set(body) == {"seq", "hash"}:
        return Line(body["seq"], body["hash"])
    at = body["at"]
    if not all(isinstance(body[name], str) for name in ("at", "kind", "previous")) or not isinstance(
        body["body"], dict
    ):
        raise ValueError("at, kind and previous are text, body an object")
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        raise ValueError("at has no offset")
    proof = _hashes(body.get("proof", []))
    return Line(body["seq"], body["hash"], moment, body["kind"], body["body"], body["previous"], proof)


def _files(folder: Path) -> Iterator[File]:
    top = folder / places.EVIDENCE
    found = sorted(path.relative_to(folder).as_posix() for path in top.rglob("*") if path.is_file())
    if len(found) > _MOST_FILES:
        raise BadEvidence(places.EVIDENCE, f"has more than {_MOST_FILES} files")
    for path in found:
        yield File(path, (folder / path).stat().st_size, digest_of(folder / path))
