"""The step of a declared table: journalled when it is good, counted when it is not."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from monitor.ledger import reader
from monitor.ledger.encode import canonical
from monitor.ledger.journal import Record
from monitor.ledger.store import Commit, FeedState
from monitor.step.observations import TableRead

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def read(connection: Connection, observation: TableRead) -> Commit:
    """Remember the last good table, so that it outlives a restart; its time is the as-of of its oldest line."""
    source, old = observation.source, reader.feeds(connection).get(observation.source)
    malformed = len(observation.mistakes) + (old.malformed if old else 0)
    if observation.lines is None or observation.as_of is None:
        records = tuple(Record("refused", {"source": source, "id": "", "why": why}) for why in observation.mistakes)
        position, read_at = (old.position, old.read_at) if old else ("", _NEVER)
        return Commit(records, feed=FeedState(source, position, None, old.records if old else 0, malformed, read_at))
    lines = [dict(line) for line in observation.lines]
    if old is not None and old.position == canonical(lines):
        return Commit()
    total = len(lines) + (old.records if old else 0)
    feed = FeedState(source, canonical(lines), None, total, malformed, observation.as_of)
    return Commit((Record("declared", {"source": source, "lines": lines}),), feed=feed)
