"""The evidence of a closing verdict, captured when it was given: a pruned node cannot be asked later.

A folder ``evidence/closes/DAY-CYCLE`` is written whole, then named; what is in it is journalled with its hashes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from chains.core.chain import Chain
from chains.core.errors import ChainError, reason_of
from chains.core.rpc import endpoint_names
from chains.core.values import BlockRef, Holdings
from monitor.assess import Inputs, canonical_bytes
from monitor.books.kept import agrees
from monitor.config.resolved import Config
from monitor.ledger import reader
from monitor.ledger.encode import Json, canonical
from monitor.ledger.store import Ledger
from monitor.step.observations import EvidenceKept
from monitor.step.writer import Writer

log = logging.getLogger(__name__)

#: books whose files are kept as they were; approvals are journalled one by one
_BOOKS = ("liabilities", "prices", "statements", "funds", "declared")
_LARGEST_BOOK = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Closing:
    """Keeps the evidence of closing verdicts in the state folder."""

    config: Config
    ledger: Ledger
    writer: Writer
    chains: Mapping[str, Chain]

    @property
    def folder(self) -> Path:
        return self.config.closes_path

    async def keep(self, inputs: Inputs, verdict: Mapping[str, object], holdings: Mapping[str, Holdings]) -> Path:
        """Write the folder of one verdict and journal its hashes; what a chain cannot testify to is left out.

        ``holdings``: what the cycle read at the anchors. The ledger would not do: an address that was opened above the
        anchor has another opening there.
        """
        day = inputs.at.astimezone(ZoneInfo(inputs.facts.timezone)).date()
        name = f"{day.isoformat()}-{inputs.number}"
        testimonies = {chain: await self._testify(chain, at, holdings) for chain, at in inputs.anchors.items()}
        target = self.folder / name
        files = await asyncio.to_thread(self._write, target, inputs, verdict, testimonies, holdings)
        await self.writer.take(EvidenceKept(inputs.number, name, files))
        return target

    async def _testify(self, name: str, at: BlockRef, holdings: Mapping[str, Holdings]) -> tuple[Json, ...]:
        chain = self.chains[name]
        if name not in holdings:
            return ()
        accounts = sorted(holdings[name].units, key=lambda account: (account.locator, account.asset))
        try:
            return tuple(dict(line) for line in (await chain.testify(accounts, at)).lines)
        except ChainError as error:
            # The verdict stands; its report says that this chain's holdings cannot be re-checked offline.
            log.warning("a chain gave no testimony for the close", extra={"chain": name, "error": reason_of(error)})
            return ()

    def _write(
        self,
        target: Path,
        inputs: Inputs,
        verdict: Mapping[str, object],
        testimonies: Mapping[str, Iterable[Json]],
        holdings: Mapping[str, Holdings],
    ) -> dict[str, str]:
        work = target.with_name(f".{target.name}.part")
        shutil.rmtree(work, ignore_errors=True)
        for part in ("accounts", "books", "chains"):
            (work / part).mkdir(parents=True)
        (work / "inputs.json").write_bytes(canonical_bytes(inputs))
        (work / "verdict.json").write_text(canonical(verdict), encoding="utf-8")
        (work / "settings.json").write_text(canonical(self._settings()), encoding="utf-8")
        for chain in inputs.anchors:
            _write_lines(work / "accounts" / f"{chain}.jsonl", self._accounts(chain, holdings))
            _write_lines(work / "chains" / f"{chain}.jsonl", testimonies[chain])
        self._copy_books(work / "books", inputs)
        files = {}
        for path in sorted(each for each in work.rglob("*") if each.is_file()):
            files[path.relative_to(work).as_posix()] = _digest(path)
            _sync(path)
        # A folder of the same verdict is one that a crash left before its record: it is written anew.
        shutil.rmtree(target, ignore_errors=True)
        work.rename(target)
        _sync(target.parent)
        return files

    def _settings(self) -> Json:
        """What offline checks of a chain need: of its endpoints the names, and whether they are the entity's own."""
        found = {}
        for name, settings in self.config.chains.items():
            named = zip(endpoint_names(settings.endpoints), settings.endpoints, strict=True)
            endpoints = [{"name": called, "own": each.own} for called, each in named if not each.hint_only]
            plain = settings.model_dump(mode="json", exclude={"endpoints", "quorum", "zmq"})
            found[name] = {**plain, "quorum": settings.needed_quorum(), "endpoints": endpoints}
        return found

    def _accounts(self, chain: str, holdings: Mapping[str, Holdings]) -> Iterator[Json]:
        if chain not in holdings:
            return
        with self.ledger.read() as connection:
            owners = {name: item.wallet for name, item in reader.watched(connection, chain).items()}
        read = sorted(holdings[chain].units.items(), key=lambda item: (item[0].locator, item[0].asset))
        for account, units in read:
            if units:
                wallet = owners.get(account.locator, "")
                yield {"locator": account.locator, "wallet": wallet, "asset": account.asset, "units": str(units)}

    def _copy_books(self, folder: Path, inputs: Inputs) -> None:
        """The files of the books, those left out that no longer say what the verdict was computed from."""
        books = self.config.books
        files = {name: getattr(books, name).file for name in _BOOKS if getattr(books, name) is not None}
        files["price_days"] = None if books.prices is None else books.prices.history
        for name, file in files.items():
            source = None if file is None else self.config.path(file)
            if source is None or not source.is_file() or source.stat().st_size > _LARGEST_BOOK:
                continue
            copy = folder / f"{name}{source.suffix}"
            shutil.copyfile(source, copy)
            if not agrees(name, copy, inputs):
                log.warning("a book changed while the close was made: it is not kept", extra={"book": name})
                copy.unlink()


def _write_lines(path: Path, lines: Iterable[Json]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(canonical(line) + "\n")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = sha256()
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
