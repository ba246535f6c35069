"""The journal's chain: nothing in it can be changed, removed or put in without being noticed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from monitor.ledger import journal, schema
from monitor.ledger.journal import GENESIS, JournalError, Record
from monitor.ledger.store import Commit, Ledger, commit, rebuild
from tests.unit.ledger.conftest import disarm

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
RECORDS = (
    Record("refused", {"source": "approvals", "id": "", "why": "line 1: 金額 is missing"}),
    Record("refused", {"source": "post", "id": "w-1", "why": ""}),
    Record("cancelled", {"id": "w-2", "source": "post"}),
)


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    with ledger.write() as connection:
        commit(connection, Commit(records=RECORDS), NOW)
        disarm(connection)
    return ledger


def verify(connection: Connection) -> None:
    list(journal.verified(connection))


def flips(row: tuple[object, ...], columns: list[str]) -> Iterator[tuple[str, object]]:
    """Every change of one byte of a text and of one bit of a number of a row."""
    for name, value in zip(columns, row, strict=True):
        if isinstance(value, int):
            for bit in range(63):
                yield name, value ^ (1 << bit)
            yield name, -value
        else:
            raw = str(value).encode()
            for place in range(len(raw)):
                yield name, (raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]).decode()


def test_a_journal_that_was_left_alone_verifies(filled: Ledger) -> None:
    with filled.read() as connection:
        entries = list(journal.verified(connection))
    assert [entry.record() for entry in entries] == list(RECORDS)
    assert [entry.seq for entry in entries] == [1, 2, 3]
    assert entries[0].previous == GENESIS
    assert entries[1].previous == entries[0].hash


def test_any_flipped_byte_of_any_row_is_noticed(filled: Ledger) -> None:
    columns = [column.name for column in schema.journal.columns]
    with filled.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM journal ORDER BY seq").all()
        seqs = {row[0] for row in rows}
    tried = 0
    with filled.write() as connection:
        for row in rows:
            for name, value in flips(tuple(row), columns):
                if name == "seq" and value in seqs:
                    continue
                point = connection.begin_nested()
                sql = text(f"UPDATE journal SET {name} = :value WHERE seq = :seq")
                connection.execute(sql, {"value": value, "seq": row[0]})
                with pytest.raises(JournalError):
                    verify(connection)
                point.rollback()
                tried += 1
        verify(connection)
    assert tried > 600


def test_a_journal_of_one_record_whose_number_was_changed_is_not_an_empty_one(ledger: Ledger) -> None:
    with ledger.write() as connection:
        commit(connection, Commit(records=RECORDS[:1]), NOW)
        disarm(connection)
        connection.execute(update(schema.journal).values(seq=-7))
        with pytest.raises(JournalError, match="record 1 is missing: the next one is -7"):
            verify(connection)


@pytest.mark.parametrize("seq", [1, 2])
def test_a_removed_record_is_noticed(filled: Ledger, seq: int) -> None:
    with filled.write() as connection:
        connection.execute(delete(schema.journal).where(schema.journal.c.seq == seq))
        with pytest.raises(JournalError, match=f"record {seq} is missing"):
            verify(connection)


def test_a_record_put_in_is_noticed_though_its_own_hash_is_right(filled: Ledger) -> None:
    with filled.write() as connection:
        digest = journal.entry_hash(4, NOW, "refused", "{}", GENESIS)
        row = {"seq": 4, "at": NOW, "kind": "refused", "body": "{}", "previous": GENESIS, "hash": digest}
        connection.execute(insert(schema.journal).values(**row))
        with pytest.raises(JournalError, match="record 4 does not follow record 3"):
            verify(connection)


def test_the_hash_binds_time_number_and_kind() -> None:
    base = (1, NOW, "kind", "{}", GENESIS)
    hashes = {
        journal.entry_hash(*base),
        journal.entry_hash(2, *base[1:]),
        journal.entry_hash(1, NOW + timedelta(microseconds=1), *base[2:]),
        journal.entry_hash(1, NOW, "kinds", "{}", GENESIS),
        journal.entry_hash(1, NOW, "kind", "{ }", GENESIS),
        journal.entry_hash(1, NOW, "kind", "{}", "1" * 64),
    }
    assert len(hashes) == 6


def test_more_records_than_a_page_are_read_in_order(ledger: Ledger) -> None:
    count = 2 * journal._PAGE + 1
    with ledger.write() as connection:
        commit(connection, Commit(records=RECORDS[:1] * count), NOW)
        assert [entry.seq for entry in journal.entries(connection)] == list(range(1, count + 1))
        verify(connection)


def test_a_rebuild_of_a_changed_journal_changes_nothing(filled: Ledger) -> None:
    with filled.write() as connection:
        connection.execute(insert(schema.total).values(chain="c", wallet="w", asset="A", units=7))
        connection.execute(update(schema.journal).where(schema.journal.c.seq == 3).values(body="{}"))

    def attempt() -> None:
        with filled.write() as connection:
            rebuild(connection)

    with pytest.raises(JournalError, match="record 3"):
        attempt()
    with filled.read() as connection:
        assert connection.execute(select(schema.total.c.units)).scalar_one() == 7
