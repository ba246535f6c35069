"""Everything else that arrives or falls due: approvals, liabilities, prices, people's actions, time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from monitor.assess import Books
from monitor.books import (
    ApprovalError,
    Bookmark,
    BooksError,
    Cursor,
    Database,
    Heartbeat,
    Keys,
    Malformed,
    Queried,
    SignatureError,
    SqlApprovals,
    parse_approval,
    read_keys,
    read_liabilities,
    read_prices,
    shelf,
)
from monitor.books import ApprovalsRead as FeedRead
from monitor.books import read_new as read_approvals_file
from monitor.config.resolved import Config
from monitor.detect.ceremonies import Ceremony
from monitor.health import Health
from monitor.ledger import reader
from monitor.ledger.encode import canonical, moment, parse
from monitor.ledger.store import Ledger
from monitor.model import Approval, Cancellation, Case, Liability, Notice, Price, rfc3339
from monitor.step.approvals import SOURCE
from monitor.step.observations import (
    Acted,
    ApprovalsRead,
    CeremonyAnnounced,
    CeremonyCancelled,
    CeremonyConfirmed,
    Due,
    Notified,
    ShadowOver,
    TableRead,
)
from monitor.step.setup import Setup
from monitor.step.writer import Writer, utc_now

log = logging.getLogger(__name__)

_Line = TypeVar("_Line", Liability, Price)
_Reader = Callable[[Path | Queried, Mapping[str, int], datetime], tuple[_Line, ...]]
#: how often a table in a database is asked for; a file is looked at for changes all the time
_TABLE_EVERY = timedelta(seconds=60)

Answer = Literal["created", "repeated", "conflict", "malformed", "no_source"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of one posted approval."""

    outcome: Answer
    id: str
    message: str


@dataclass(slots=True)
class Declarations:
    """The last good liabilities, or why there are none, and the last good prices, in every currency.

    ``stamps``: which state of each file was read last; ``asked``: when each query was asked last.
    """

    liabilities: tuple[Liability, ...] | None = None
    reason: str = "no liabilities are configured"
    prices: tuple[Price, ...] = ()
    stamps: dict[str, tuple[int, int]] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)


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
        book = config.books.approvals
        self._beaten: datetime | None = None
        self._sql = None if book is None or book.sql is None else SqlApprovals(config, book.sql)
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
        """Read the approvals, a file or a query, to their end. What cannot be read is shown, and approves nothing."""
        book = self._config.books.approvals
        if book is None or (book.file is None and self._sql is None):
            return
        async with self._reading:
            try:
                if self._sql is not None:
                    await self._read_rows(self._sql, await asyncio.to_thread(self._keys))
                elif book.file is not None:
                    path = self._config.path(book.file)
                    while await self._read_chunk(path):
                        pass
            except BooksError as error:
                self._health.problem("books", SOURCE, str(error))
                return
        self._health.solved("books", SOURCE)

    def _keys(self) -> Keys | None:
        """The keys of this moment: one that is taken out of the file signs nothing any more."""
        book = self._config.books.approvals
        return None if book is None or book.keys_file is None else read_keys(self._config.path(book.keys_file))

    async def _read_rows(self, source: SqlApprovals, keys: Keys | None) -> None:
        """Pages to the end of the query; the heartbeat counts once everything before it is in the ledger."""
        following: Cursor | None = None
        heartbeat: datetime | None = None
        while True:
            position = await asyncio.to_thread(self._position)
            page = await asyncio.to_thread(source.read, position, following, self._clock(), keys)
            heartbeat = page.heartbeat.time if page.heartbeat is not None else heartbeat
            following = page.following
            records = await asyncio.to_thread(self._without_strangers, page.records)
            ended = following is None
            news = heartbeat if ended and heartbeat != self._beaten else None
            if records or page.malformed or news is not None or (ended and page.position != position):
                await self._take_approvals(records, page.malformed, news, page.position)
            source.taken(page)
            if ended:
                self._beaten = heartbeat
                return

    def _without_strangers(self, records: tuple[Approval | Cancellation, ...]) -> tuple[Approval | Cancellation, ...]:
        """Without cancellations of what was never approved: a query shows every row that was declined as well."""
        declined = [item.id for item in records if isinstance(item, Cancellation)]
        if not declined:
            return records
        approved = {item.id for item in records if isinstance(item, Approval)}
        with self._ledger.read() as connection:
            known = approved | {id_ for id_ in declined if reader.approval(connection, id_) is not None}
        return tuple(item for item in records if isinstance(item, Approval) or item.id in known)

    async def _take_approvals(
        self,
        records: tuple[Approval | Cancellation, ...],
        malformed: tuple[Malformed, ...],
        heartbeat: datetime | None,
        position: str,
    ) -> None:
        for bad in malformed:
            log.warning("malformed approval", extra={"line": bad.line, "reason": bad.reason})
        await self._writer.take(
            ApprovalsRead(
                source=SOURCE,
                records=records,
                malformed=tuple(f"line {bad.line}: {bad.reason}" for bad in malformed if bad.signature is None),
                heartbeat=heartbeat,
                position=position,
                bad_signatures=tuple(bad.signature for bad in malformed if bad.signature is not None),
            )
        )

    async def _read_chunk(self, path: Path) -> bool:
        # All in one go: this is done every second, mostly to find that nothing came.
        bookmark, read = await asyncio.to_thread(self._next_chunk, path)
        if read.restarted:
            log.warning("approvals file was rewritten: read again from its start", extra={"file": str(path)})
        if read.bookmark == bookmark and not read.restarted:
            return False
        await self._take_approvals(
            tuple(record for _, record in read.records),
            read.malformed,
            max((beat.time for beat in read.heartbeats), default=None),
            canonical(asdict(read.bookmark)),
        )
        return read.more

    def _next_chunk(self, path: Path) -> tuple[Bookmark, FeedRead]:
        bookmark = self._bookmark()
        return bookmark, read_approvals_file(path, bookmark, self._config, self._clock(), self._keys())

    def _position(self) -> str:
        with self._ledger.read() as connection:
            feed = reader.feeds(connection).get(SOURCE)
        return "" if feed is None else feed.position

    def _bookmark(self) -> Bookmark:
        """How far the file is read; from its start where the source was a query before."""
        stored = parse(self._position() or "{}")
        return Bookmark(**stored) if "offset" in stored else Bookmark()

    async def _read_table(self, source: str, read: _Reader[_Line], use: Callable[[tuple[_Line, ...]], None]) -> None:
        """A declared table, used whole or not at all; after a restart the last good one is taken up again."""
        place = self._place(source)
        if place is None:
            return
        changed = self._is_due if isinstance(place, Queried) else self._changed
        if not await asyncio.to_thread(changed, source, place):
            return
        try:
            lines = await asyncio.to_thread(read, place, self._config.decimals, self._clock())
        except BooksError as error:
            await self._refuse(source, error)
            return
        as_of = min(line.as_of for line in lines)
        use(lines)
        await self._take_table(TableRead(source, tuple(_plain(line) for line in lines), (), as_of))
        self._health.solved("books", source)

    def _place(self, source: str) -> Path | Queried | None:
        book = getattr(self._config.books, source)
        if book is None:
            return None
        if book.sql is not None:
            return Queried(Database(self._config.path(book.sql.dsn_file)), book.sql.query)
        return self._config.path(book.file)

    def _is_due(self, source: str, _place: Path | Queried) -> bool:
        """Whether a query was not asked for a while."""
        now = self._clock()
        last = self.declared.asked.get(source)
        if last is not None and last <= now < last + _TABLE_EVERY:
            return False
        self.declared.asked[source] = now
        return True

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
            self.declared.asked.pop(observation.source, None)
            raise

    def _use_liabilities(self, lines: tuple[Liability, ...]) -> None:
        self.declared.liabilities, self.declared.reason = lines, ""

    def _use_prices(self, lines: tuple[Price, ...]) -> None:
        currency = self._config.entity.currency
        self.declared.prices = lines
        self._setup.prices = {line.asset: line for line in lines if line.currency == currency}

    async def books(self) -> Books:
        """Everything that is declared now, for a cycle."""
        declared = self.declared
        return await asyncio.to_thread(
            shelf, self._config, declared.liabilities, declared.reason, declared.prices, self._clock()
        )

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

    def _changed(self, source: str, path: Path | Queried) -> bool:
        """Whether the file is another one than at the last look, by time and size."""
        assert isinstance(path, Path)
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
        """Grace periods end, feeds fall silent, the shadow ends."""
        if self._setup.shadow is not None and not self._setup.is_silent(self._clock()):
            await self._writer.take(ShadowOver())
        await self._writer.take(Due())

    async def approve(self, body: object) -> Submission:
        """One posted approval, cancellation or heartbeat; answers after the commit."""
        if self._config.books.approvals is None:
            return Submission("no_source", "", "no approvals are configured: add books.approvals")
        try:
            keys = await asyncio.to_thread(self._keys)
            record = parse_approval(body, self._config, self._clock(), keys)
        except BooksError as error:
            return Submission("malformed", "", f"no signature can be checked: {error}")
        except SignatureError as error:
            await self._writer.take(ApprovalsRead("post", (), (), None, None, (error.bad,)))
            return Submission("malformed", "", str(error))
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

    async def act(self, case_id: str, action: str, name: str, reason: str, how: str = "none") -> Case:
        """A person acknowledges or closes a case. Raises KeyError and ValueError as the step does."""
        outcome = await self._writer.take(Acted(case_id, action, name, reason, how))
        return outcome.cases[0]

    async def notified(self, case_id: str, notice: Notice, name: str, reason: str, how: str = "none") -> Case:
        """A person has told somebody outside. Raises KeyError and ValueError as the step does."""
        outcome = await self._writer.take(Notified(case_id, notice, name, reason, how))
        return outcome.cases[0]

    async def ceremony(self, observation: CeremonyAnnounced | CeremonyConfirmed | CeremonyCancelled) -> Ceremony:
        """A person's word about work on cold wallets. Raises KeyError and ValueError as the step does."""
        outcome = await self._writer.take(observation)
        assert outcome.ceremony is not None
        return outcome.ceremony


def _plain(line: Liability | Price) -> dict[str, str]:
    """A line as text, exact."""
    if isinstance(line, Liability):
        return {"asset": line.asset, "units": str(line.units), "as_of": rfc3339(line.as_of)}
    return {"asset": line.asset, "currency": line.currency, "price": line.price, "as_of": rfc3339(line.as_of)}
