"""The approvals file: JSON lines that are only ever appended to, read on from where the last reading ended."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from monitor.books.approvals import LONGEST_LINE, ApprovalError, Heartbeat, SignatureError, decode, parse_approval
from monitor.books.errors import BooksError
from monitor.books.keys import Keys
from monitor.config.mistakes import Mistake
from monitor.config.resolved import Config
from monitor.model import Approval, BadSignature, Cancellation

#: How much one call reads; the caller calls again while ``more`` is true.
BYTES_PER_READ = 4 * 1024 * 1024
#: How much before the bookmark is compared, to see that the file is still the same.
_TAIL = 4096
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far an approvals file is read: plain values, to be stored with what was read.

    ``offset`` bytes and ``line`` lines are done; ``digest`` is of the bytes just before ``offset``.
    ``skipping``: ``offset`` is inside a line that is too long, and was reported as malformed.
    """

    offset: int = 0
    line: int = 0
    digest: str = ""
    skipping: bool = False


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that says nothing that can be used, and why; ``signature``: where no known key has signed it."""

    line: int
    reason: str
    signature: BadSignature | None = None


@dataclass(frozen=True, slots=True)
class ApprovalsRead:
    """What one call read, in the order of the file.

    ``records``: (line, record). ``restarted``: the file was rewritten or cut short and is read again
    from its start; what it repeats is already known by id and digest. ``more``: call again.
    """

    bookmark: Bookmark
    records: tuple[tuple[int, Approval | Cancellation], ...]
    heartbeats: tuple[Heartbeat, ...]
    malformed: tuple[Malformed, ...]
    restarted: bool
    more: bool


def read_new(path: Path, bookmark: Bookmark, config: Config, now: datetime, keys: Keys | None = None) -> ApprovalsRead:
    """What was appended since ``bookmark``, at most BYTES_PER_READ of it. Raises BooksError if unreadable.

    ``keys``: every line must be signed by one of them; None: signatures are not looked at.

    A last line without newline is not yet a line. Empty lines say nothing. CRLF and a byte order
    mark at the start are accepted. ``now``: the time of this first reading.
    """
    try:
        with path.open("rb") as file:
            restarted = not _still_the_same(file, bookmark)
            start = Bookmark() if restarted else bookmark
            file.seek(start.offset)
            raw = file.read(BYTES_PER_READ)
            reader = _Reader(config, now, start, keys)
            used = reader.take(raw)
            end = start.offset + used
            more = used > 0 and os.fstat(file.fileno()).st_size > end
            after = Bookmark(end, reader.line, _tail(file, end), reader.skipping)
    except OSError as error:
        message = f"cannot be read ({error.strerror}): create it, readable for porwatch"
        raise BooksError([Mistake(str(path), 1, "file", message)]) from error
    return ApprovalsRead(
        after, tuple(reader.records), tuple(reader.heartbeats), tuple(reader.malformed), restarted, more
    )


def _still_the_same(file: BinaryIO, bookmark: Bookmark) -> bool:
    if bookmark.offset == 0:
        return True
    return os.fstat(file.fileno()).st_size >= bookmark.offset and _tail(file, bookmark.offset) == bookmark.digest


def _tail(file: BinaryIO, offset: int) -> str:
    start = max(0, offset - _TAIL)
    file.seek(start)
    return sha256(file.read(offset - start)).hexdigest() if offset else ""


class _Reader:
    """Lines of one chunk into records."""

    def __init__(self, config: Config, now: datetime, start: Bookmark, keys: Keys | None) -> None:
        self._config, self._now, self._first, self._keys = config, now, start.offset == 0, keys
        self.line, self.skipping = start.line, start.skipping
        self.records: list[tuple[int, Approval | Cancellation]] = []
        self.heartbeats: list[Heartbeat] = []
        self.malformed: list[Malformed] = []

    def take(self, raw: bytes) -> int:
        """How many bytes of the chunk are done with."""
        begin = 0
        while True:
            end = raw.find(b"\n", begin)
            if end < 0:
                break
            if self.skipping:
                self.skipping = False
            else:
                self.line += 1
                self._line(raw[begin:end])
            begin = end + 1
        if self.skipping:
            return len(raw)
        if len(raw) - begin > LONGEST_LINE:
            # Reported now: its end may never come.
            self.line += 1
            self.malformed.append(Malformed(self.line, f"longer than {LONGEST_LINE} bytes: write one approval a line"))
            self.skipping = True
            return len(raw)
        return begin

    def _line(self, raw: bytes) -> None:
        text = raw.removeprefix(_BOM) if self._first and self.line == 1 else raw
        text = text.removesuffix(b"\r")
        if not text.strip():
            return
        try:
            record = parse_approval(decode(text), self._config, self._now, self._keys)
        except SignatureError as error:
            self.malformed.append(Malformed(self.line, str(error), error.bad))
            return
        except ApprovalError as error:
            self.malformed.append(Malformed(self.line, str(error)))
            return
        if isinstance(record, Heartbeat):
            self.heartbeats.append(record)
        else:
            self.records.append((self.line, record))
