from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException

from monitor.ledger import access, schema
from monitor.ledger.access import CaseRead
from monitor.publish.door import reads as reads_module
from monitor.publish.door.caller import Caller
from monitor.publish.door.reads import Reads
from monitor.publish.roles import Role
from tests.unit.publish.samples import NOW, Store

VERA = Caller("vera", Role.VIEWER, "password", "10.0.0.1")


async def written(reads: Reads, store: Store) -> list[CaseRead]:
    async def keep(rows: tuple[CaseRead, ...]) -> None:
        with store.ledger.write() as connection:
            access.note(connection, rows)

    await reads.write(keep)
    with store.ledger.read() as connection:
        return [each for _, each in access.reads(connection, limit=1000)]


async def test_a_caller_a_case_and_an_hour_are_one_row(store: Store) -> None:
    reads = Reads()
    for minutes in (0, 1, 59, 60, 61):
        reads.note(VERA, ["a", "b"], NOW.replace(minute=0) + timedelta(minutes=minutes))
    reads.note(Caller("", None, "none", "127.0.0.1"), ["a"], NOW.replace(minute=0))
    found = await written(reads, store)
    assert sorted((each.name, each.case_id, each.hour.hour - NOW.hour) for each in found) == [
        ("", "a", 0),
        ("vera", "a", 0),
        ("vera", "a", 1),
        ("vera", "b", 0),
        ("vera", "b", 1),
    ]
    assert {each.role for each in found} == {"", "viewer"}


async def test_what_is_noted_again_after_a_restart_is_written_once(store: Store) -> None:
    for _ in range(2):
        reads = Reads()
        reads.note(VERA, ["a"], NOW)
        found = await written(reads, store)
    assert [(each.case_id, each.at) for each in found] == [("a", NOW)]


async def test_what_could_not_be_written_waits(store: Store) -> None:
    reads = Reads()
    reads.note(VERA, ["a"], NOW)

    async def refuse(rows: tuple[CaseRead, ...]) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await reads.write(refuse)
    assert [each.case_id for each in await written(reads, store)] == ["a"]
    assert len(reads) == 0


def test_nothing_is_shown_where_nobody_could_say_to_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads_module, "MOST_WAITING", 3)
    reads = Reads()
    reads.note(VERA, ["a", "b", "c"], NOW)
    reads.note(VERA, ["a"], NOW)
    with pytest.raises(HTTPException) as refused:
        reads.note(VERA, ["d"], NOW)
    assert refused.value.status_code == 503


async def test_a_row_is_never_changed(store: Store) -> None:
    reads = Reads()
    reads.note(VERA, ["a"], NOW)
    await written(reads, store)
    with pytest.raises(IntegrityError, match="never changed"), store.ledger.write() as connection:
        connection.execute(update(schema.case_read).values(name="nobody"))
    # Retention removes what is old enough.
    with store.ledger.write() as connection:
        connection.execute(delete(schema.case_read).where(schema.case_read.c.hour < NOW - timedelta(days=3650)))
    assert [each.name for each in await written(reads, store)] == ["vera"]


async def test_reads_are_paged_newest_first(store: Store) -> None:
    reads = Reads()
    for number in range(5):
        reads.note(VERA, [f"c{number}"], NOW)
    await written(reads, store)
    with store.ledger.read() as connection:
        first = access.reads(connection, limit=2)
        rest = access.reads(connection, limit=10, before=first[-1][0])
        one = access.reads(connection, case_id="c3", name="vera")
        none = access.reads(connection, name="nobody")
    assert [each.case_id for _, each in first + rest] == ["c4", "c3", "c2", "c1", "c0"]
    assert [each.case_id for _, each in one] == ["c3"]
    assert none == []
