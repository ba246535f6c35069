"""The evidence against itself: books, accounts, testimony, verdict, each worked out again from what lies below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chains.core.testimony import Rechecked
from chains.core.values import Account as Place
from monitor.assess import Inputs, Reading, canonical_bytes, verdict
from monitor.books import BooksError
from monitor.books.kept import READERS, said_of
from monitor.canonical import Json, canonical, parse
from monitor.publish.bundle import places
from monitor.publish.bundle.difference import first_difference
from monitor.publish.bundle.evidence import Account, Evidence, Line
from monitor.publish.bundle.files import listed, read_bytes
from monitor.signing.folder import Problem


def inputs_problems(folder: Path, inputs: Inputs) -> Iterator[Problem]:
    """The inputs are written in their one form."""
    if read_bytes(folder, places.INPUTS) != canonical_bytes(inputs):
        yield Problem(places.INPUTS, "is not written in its one form")


def verdict_problems(inputs: Inputs, captured: Json) -> Iterator[Problem]:
    """The verdict that was captured is the one that follows from the inputs."""
    different = first_difference(captured, parse(canonical(verdict(inputs))))
    if different:
        yield Problem(places.VERDICT, f"does not follow from {places.INPUTS}: {different}")


def journal_problems(evidence: Evidence) -> Iterator[Problem]:
    """The journal has this very verdict, and the hashes of these very files."""
    number = evidence.inputs.number
    verdicts = [line for line in evidence.records("verdict") if _cycle(line) == number]
    if not verdicts:
        yield Problem(places.PERIOD, f"the verdict of cycle {number} is not among its records")
    for line in verdicts:
        different = first_difference(evidence.verdict, line.body)
        if different:
            yield Problem(places.VERDICT, f"is not the verdict of record {line.seq} of the journal: {different}")
    kept = [line for line in evidence.records("evidence") if _cycle(line) == number]
    if not kept:
        yield Problem(places.PERIOD, f"no record says which evidence was kept of cycle {number}")
        return
    wanted = (kept[-1].body or {}).get("files")
    found = {file.path.removeprefix(f"{places.CLOSE}/"): file.sha256 for file in evidence.under(places.CLOSE)}
    for path in sorted({*found, *wanted} if isinstance(wanted, dict) else {*found}):
        said = wanted.get(path) if isinstance(wanted, dict) else None
        if said != found.get(path):
            why = "is missing" if path not in found else "is not the file whose hash was journalled at the close"
            yield Problem(f"{places.CLOSE}/{path}", f"{why} (record {kept[-1].seq}, files.{path})")


def _cycle(line: Line) -> Any:
    return None if line.body is None else line.body.get("cycle")


def account_problems(inputs: Inputs, accounts: Mapping[str, tuple[Account, ...]]) -> Iterator[Problem]:
    """The accounts of each wallet add up to what the inputs say that it held."""
    for index, reading in enumerate(inputs.readings):
        if reading.as_of is not None or reading.lines is None:
            continue
        path = f"{places.ACCOUNTS}/{reading.chain}.jsonl"
        if reading.chain not in accounts:
            yield Problem(path, "is missing")
            continue
        yield from _sums(reading, index, accounts[reading.chain], path)
    for chain in sorted(accounts.keys() - {reading.chain for reading in inputs.readings}):
        yield Problem(f"{places.ACCOUNTS}/{chain}.jsonl", f"is of no chain in {places.INPUTS}")


def _sums(reading: Reading, index: int, accounts: tuple[Account, ...], path: str) -> Iterator[Problem]:
    sums: dict[tuple[str, str], int] = {}
    for account in accounts:
        if account.asset in reading.assets:
            key = (account.wallet, account.asset)
            sums[key] = sums.get(key, 0) + account.units
    said = {(line.wallet, line.asset): line.units for line in reading.lines or ()}
    for wallet, asset in sorted({*sums, *said}):
        found, wanted = sums.get((wallet, asset), 0), said.get((wallet, asset), 0)
        if found != wanted:
            where = f"{places.INPUTS} (readings[{index}], {wallet}, {asset}: units)"
            yield Problem(path, f"{wallet}: its {asset} adds up to {found}, {where} says {wanted}")


def testimony_problems(
    inputs: Inputs, accounts: Mapping[str, tuple[Account, ...]], shown: Mapping[str, Rechecked | None]
) -> Iterator[Problem]:
    """What the nodes showed is what the accounts say, at the same block, and as well known."""
    for index, reading in enumerate(inputs.readings):
        found = shown.get(reading.chain)
        if reading.as_of is not None or found is None or reading.chain not in accounts:
            continue
        path = f"{places.CHAINS}/{reading.chain}.jsonl"
        if found.at != reading.at:
            yield Problem(path, f"is of another block than {places.INPUTS} (readings[{index}].at): {_block(found)}")
            continue
        mine = {(each.locator, each.asset): each for each in accounts[reading.chain]}
        for place, units in sorted(found.units.items(), key=lambda item: (item[0].locator, item[0].asset)):
            account = mine.get((place.locator, place.asset))
            said = 0 if account is None else account.units
            if units != said:
                where = f"{places.ACCOUNTS}/{reading.chain}.jsonl"
                yield Problem(path, f"{place.locator}: {place.asset}: shows {units}, {where} says {said}")
        yield from _known(reading, index, accounts[reading.chain], found)


def _known(reading: Reading, index: int, accounts: tuple[Account, ...], found: Rechecked) -> Iterator[Problem]:
    """No more is called verified than the testimony shows by proof, or by two endpoints or more."""
    good = {*found.proved, *found.agreed}
    sums: dict[tuple[str, str], int] = {}
    for account in accounts:
        if Place(reading.chain, account.locator, account.asset) in good:
            key = (account.wallet, account.asset)
            sums[key] = sums.get(key, 0) + account.units
    for line in reading.lines or ():
        least = sums.get((line.wallet, line.asset), 0)
        if line.verified > least:
            where = f"readings[{index}], {line.wallet}, {line.asset}: verified"
            yield Problem(places.INPUTS, f"{where}: {line.verified}, the testimony of {reading.chain} shows {least}")


def _block(found: Rechecked) -> str:
    return f"{found.at.height} {found.at.hash}"


def book_problems(folder: Path, inputs: Inputs) -> Iterator[Problem]:
    """The books in the inputs are what the kept files say."""
    for path in listed(folder, places.BOOKS):
        name, shown = path.name.partition(".")[0], f"{places.BOOKS}/{path.name}"
        if name not in READERS:
            yield Problem(shown, "is no book that porwatch keeps")
            continue
        said = said_of(inputs.books, name)
        try:
            read = READERS[name](path, inputs)
        except BooksError as error:
            if said is not None:
                mistake = error.mistakes[0]
                yield Problem(shown, f"line {mistake.line}: {mistake.key}: {mistake.message}")
            continue
        if said is None:
            yield Problem(places.INPUTS, f"books.{name}: says that the book could not be used, {shown} can")
            continue
        different = first_difference(said, said_of(read, name), f"books.{name}")
        if different:
            yield Problem(places.INPUTS, f"{different} in {shown}")
