"""Everything else that arrives or falls due: approvals, liabilities, prices, people's actions, time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from monitor.books import ApprovalError, Bookmark, BooksError, Heartbeat, parse_approval, read_liabilities, read_prices
from monitor.books import read_new as read_approvals_file
from monitor.config.resolved import Config
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.encode import canonical, moment, parse
from monitor.ledger.store import Ledger
from monitor.model import Case, Liability, Price, rfc3339
from monitor.step.approvals import SOURCE
from monitor.step.observations import Acted, ApprovalsRead, Due, TableRead
from monitor.step.setup import Setup
from monitor.step.writer import Writer, utc_now

log = logging.getLogger(__name__)

_Line = TypeVar("_Line", Liability, Price)
_Reader = Callable[[Path, Mapping[str, int], datetime], tuple[_Line, ...]]

Answer = Literal["created", "repeated", "conflict", "malformed", "no_source"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of one posted approval."""

    outcome: Answer
    id: str
    message: str


@dataclass(slots=True)
class Declarations:
    """The last good liabilities, or why there are none; ``stamps``: which state of each file was read last."""

    liabilities: tuple[Liability, ...] | None = None
    reason: str = "no liabilities are configured"
    stamps: dict[str, tuple[int, int]] = field(default_factory=dict)


class Inbox:
    """Reads the declared files and takes what people send; each becomes an observation."""

    def __init__(
        self,
        config: Config,
        setup: Setup,
        ledger: Ledger,
        writer: Writer,
        health: Health,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._config = config
        self._setup = setup
        self._ledger = ledger
        self._writer = writer
        self._health = health
        self._clock = clock
        self._reading = asyncio.Lock()
        self.declared = Declarations()
        self.restore()

    async def read_all(self) -> None:
        """Look at every declared file once; bad ones leave the last good in place."""
        await self.read_approvals()
        await self._read_table("liabilities", read_liabilities, self._use_liabilities)
        await self._read_table("prices", read_prices, self._use_prices)
        if not any(key.startswith("books/") for key in self._health.problems):
            self._health.success("books", "", self._clock())

    async def read_approvals(self) -> None:
        """Read the approvals file to its end. An unreadable file is shown, and approves nothing."""
        book = self._config.books.approvals
        if book is None or book.file is None:
            return
        path = self._config.path(book.file)
        async with self._reading:
            try:
                while await self._read_chunk(path):
                    pass
            except BooksError as error:
                self._health.problem("books", SOURCE, str(error))
                return
        self._health.solved("books", SOURCE)

    async def _read_chunk(self, path: Path) -> bool:
        bookmark = await asyncio.to_thread(self._bookmark)
        read = await asyncio.to_thread(read_approvals_file, path, bookmark, self._config, self._clock())
        if read.restarted:
            log.warning("approvals file was rewritten: read again from its start", extra={"file": str(path)})
        if read.bookmark == bookmark and not read.restarted:
            return False
        for bad in read.malformed:
            log.warning("malformed approval", extra={"line": bad.line, "reason": bad.reason})
        await self._writer.take(
            ApprovalsRead(
                source=SOURCE,
                records=tuple(record for _, record in read.records),
                malformed=tuple(f"line {bad.line}: {bad.reason}" for bad in read.malformed),
                heartbeat=max((beat.time for beat in read.heartbeats), default=None),
                position=canonical(asdict(read.bookmark)),
            )
        )
        return read.more

    def _bookmark(self) -> Bookmark:
        with self._ledger.read() as connection:
            feed = reader.feeds(connection).get(SOURCE)
        return Bookmark(**parse(feed.position)) if feed is not None and feed.position else Bookmark()

    async def _read_table(self, source: str, read: _Reader[_Line], use: Callable[[tuple[_Line, ...]], None]) -> None:
        """A declared table, used whole or not at all; after a restart the last good one is taken up again."""
        book = getattr(self._config.books, source)
        if book is None or book.file is None:
            return
        path = self._config.path(book.file)
        if not await asyncio.to_thread(self._changed, source, path):
            return
        try:
            lines = await asyncio.to_thread(read, path, self._config.decimals, self._clock())
        except BooksError as error:
            await self._refuse(source, error)
            return
        as_of = min(line.as_of for line in lines)
        use(lines)
        await self._take_table(TableRead(source, tuple(_plain(line) for line in lines), (), as_of))
        self._health.solved("books", source)

    async def _refuse(self, source: str, error: BooksError) -> None:
        mistakes = tuple(str(mistake) for mistake in error.mistakes)
        for mistake in mistakes:
            log.warning("book refused: the last good one stays", extra={"source": source, "mistake": mistake})
        await self._take_table(TableRead(source, None, mistakes, None))
        self._health.problem("books", source, str(error))
        if source == "liabilities" and self.declared.liabilities is None:
            self.declared.reason = f"the liabilities cannot be used: {mistakes[0]}"

    async def _take_table(self, observation: TableRead) -> None:
        try:
            await self._writer.take(observation)
        except Exception:
            # Not written, or not known to be: the same file is read again at the next look.
            self.declared.stamps.pop(observation.source, None)
            raise

    def _use_liabilities(self, lines: tuple[Liability, ...]) -> None:
        self.declared.liabilities, self.declared.reason = lines, ""

    def _use_prices(self, lines: tuple[Price, ...]) -> None:
        currency = self._config.entity.currency
        self._setup.prices = {line.asset: line for line in lines if line.currency == currency}

    def restore(self) -> None:
        """Take up the last good tables of the ledger, before the files are read for the first time."""
        with self._ledger.read() as connection:
            feeds = reader.feeds(connection)
        decimals = self._config.decimals
        for source in ("liabilities", "prices"):
            feed = feeds.get(source)
            if getattr(self._config.books, source) is None or feed is None or not feed.position:
                continue
            lines = [line for line in parse(feed.position) if line["asset"] in decimals]
            if source == "liabilities":
                self._use_liabilities(tuple(Liability(x["asset"], int(x["units"]), moment(x["as_of"])) for x in lines))
            else:
                self._use_prices(tuple(Price(x["asset"], x["currency"], x["price"], moment(x["as_of"])) for x in lines))

    def _changed(self, source: str, path: Path) -> bool:
        """Whether the file is another one than at the last look, by time and size."""
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except OSError:
            stamp = (-1, -1)
        if self.declared.stamps.get(source) == stamp:
            return False
        self.declared.stamps[source] = stamp
        return True

    async def tick(self) -> None:
        """Grace periods end, feeds fall silent."""
        await self._writer.take(Due())

    async def approve(self, body: object) -> Submission:
        """One posted approval, cancellation or heartbeat; answers after the commit."""
        if self._config.books.approvals is None:
            return Submission("no_source", "", "no approvals are configured: add books.approvals")
        try:
            record = parse_approval(body, self._config, self._clock())
        except ApprovalError as error:
            return Submission("malformed", "", str(error))
        if isinstance(record, Heartbeat):
            await self._writer.take(ApprovalsRead("post", (), (), record.time, None))
            return Submission("created", "", "heartbeat")
        outcome = await self._writer.take(ApprovalsRead("post", (record,), (), None, None))
        answer = outcome.answers[0]
        if answer in ("created", "cancelled"):
            return Submission("created", record.id, answer)
        if answer == "repeated":
            return Submission("repeated", record.id, "the same id and content again")
        reasons = {
            "conflict": "this id was read before with other content: the first content stands",
            "used": "this approval is already used: it cannot be cancelled",
            "unknown": "no approval with this id was read: there is nothing to cancel",
        }
        return Submission("conflict", record.id, reasons[answer])

    async def act(self, case_id: str, action: str, name: str, reason: str) -> Case:
        """A person acknowledges or closes a case. Raises KeyError and ValueError as the step does."""
        outcome = await self._writer.take(Acted(case_id, action, name, reason))
        return outcome.cases[0]


def _plain(line: Liability | Price) -> dict[str, str]:
    """A line as text, exact."""
    if isinstance(line, Liability):
        return {"asset": line.asset, "units": str(line.units), "as_of": rfc3339(line.as_of)}
    return {"asset": line.asset, "currency": line.currency, "price": line.price, "as_of": rfc3339(line.as_of)}
