"""Signed tree heads: what was once signed of the journal can neither be changed nor taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection, Delete, Update, delete, event, insert, text, update
from sqlalchemy.exc import IntegrityError

from monitor.ledger import heads, journal, schema, tree
from monitor.ledger.heads import Head
from monitor.ledger.journal import JournalError, Record
from monitor.ledger.store import Commit, Ledger, commit
from monitor.signing.keys import ReportKey, load_or_make
from tests.unit.ledger.conftest import disarm

NOW = datetime(2026, 11, 24, 10, 0, 0, 1, tzinfo=UTC)


@pytest.fixture
def key(tmp_path: Path) -> ReportKey:
    return load_or_make(tmp_path / "report.key")


def add(ledger: Ledger, count: int, why: str = "") -> None:
    with ledger.write() as connection:
        start, _ = journal.head(connection)
        records = tuple(
            Record("refused", {"source": "approvals", "id": str(start + n), "why": why}) for n in range(count)
        )
        commit(connection, Commit(records=records), NOW)


def seal(ledger: Ledger, key: ReportKey, at: datetime = NOW) -> Head | None:
    with ledger.write() as connection:
        return heads.seal(connection, key, at)


def sealed(ledger: Ledger, key: ReportKey, *counts: int) -> list[Head]:
    """A head after each of so many more records."""
    made = []
    for number, count in enumerate(counts):
        add(ledger, count)
        head = seal(ledger, key, NOW + timedelta(hours=number))
        assert head is not None
        made.append(head)
    return made


def refuses(connection: Connection, key: ReportKey, match: str) -> None:
    with pytest.raises(JournalError, match=match):
        heads.check(connection, [key.public])


def test_a_head_holds_every_record_of_the_journal(ledger: Ledger, key: ReportKey) -> None:
    (head,) = sealed(ledger, key, 3)
    whole = tree.Tree()
    with ledger.read() as connection:
        for entry in journal.entries(connection):
            whole.append(tree.leaf_hash(bytes.fromhex(entry.hash)))
        checked = heads.check(connection, [key.public])
    assert (head.size, head.root, head.at, head.key) == (3, whole.root().hex(), NOW, key.public.hex())
    assert (checked.seq, checked.heads, checked.last) == (3, 1, head)
    assert heads.head_problem(head, [key.public]) == ""


def test_nothing_new_needs_no_new_head(ledger: Ledger, key: ReportKey) -> None:
    assert seal(ledger, key) is None
    sealed(ledger, key, 2)
    assert seal(ledger, key) is None


def test_heads_over_more_records_than_one_transaction_takes_are_made_one_after_another(
    ledger: Ledger, key: ReportKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "BATCH", 300)
    add(ledger, 700)
    made = [seal(ledger, key) for _ in range(4)]
    assert [None if head is None else head.size for head in made] == [300, 600, 700, None]
    with ledger.read() as connection:
        assert heads.check(connection, [key.public]).heads == 3


def test_a_head_reads_only_the_new_records_and_one_small_subtree(ledger: Ledger, key: ReportKey) -> None:
    sealed(ledger, key, 1500)
    add(ledger, 1)
    read: list[int] = []
    with ledger.write() as connection:
        event.listen(
            connection, "before_cursor_execute", lambda *args: read.append(1) if "FROM journal" in args[2] else None
        )
        assert heads.seal(connection, key, NOW) is not None
    # 1500 = 5·256 + 220: the five are stored, the bits of 220 are read, then the last record and the new one
    assert len(read) <= (220).bit_count() + 2


@pytest.mark.parametrize("counts", [(1,), (1, 1, 1), (200, 57, 300), (256, 256), (255, 1, 1)])
def test_every_record_is_proved_under_every_head_and_every_head_continues_the_one_before(
    ledger: Ledger, key: ReportKey, counts: tuple[int, ...]
) -> None:
    made = sealed(ledger, key, *counts)
    with ledger.read() as connection:
        entries = list(journal.entries(connection))
        for head in made:
            for entry in (entries[0], entries[head.size // 2], entries[head.size - 1]):
                path = [bytes.fromhex(item) for item in heads.inclusion(connection, entry.seq, head)]
                leaf = heads.leaf(entry.hash)
                assert tree.included(leaf, entry.seq - 1, head.size, path, bytes.fromhex(head.root))
        for old, new in pairwise(made):
            path = [bytes.fromhex(item) for item in heads.consistency(connection, old, new)]
            assert tree.consistent(old.size, bytes.fromhex(old.root), new.size, bytes.fromhex(new.root), path)


def test_no_proof_is_made_for_a_record_that_came_after_the_head(ledger: Ledger, key: ReportKey) -> None:
    (head,) = sealed(ledger, key, 2)
    add(ledger, 1)
    with ledger.read() as connection, pytest.raises(ValueError, match="a tree of 2 leaves has no leaf 2"):
        heads.inclusion(connection, 3, head)


@pytest.mark.parametrize("change", [update(schema.tree_head).values(root=""), delete(schema.tree_head)])
def test_heads_can_only_be_added_to(ledger: Ledger, key: ReportKey, change: Update | Delete) -> None:
    sealed(ledger, key, 1)
    with pytest.raises(IntegrityError, match="tree heads are append-only"), ledger.write() as connection:
        connection.execute(change)


def flips(row: tuple[object, ...], columns: list[str]) -> Iterator[tuple[str, object]]:
    for name, value in zip(columns, row, strict=True):
        if isinstance(value, int):
            yield from ((name, value ^ (1 << bit)) for bit in range(63))
        else:
            raw = str(value).encode()
            for place in range(len(raw)):
                for flip in (1, 0x20):
                    yield name, (raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :]).decode()


@pytest.mark.parametrize("table", ["tree_head", "tree_node"])
def test_any_flipped_byte_of_a_head_or_a_stored_subtree_is_noticed(ledger: Ledger, key: ReportKey, table: str) -> None:
    sealed(ledger, key, 256, 3)
    columns = [column.name for column in schema.metadata.tables[table].columns]
    tried = 0
    with ledger.write() as connection:
        disarm(connection)
        row = connection.exec_driver_sql(f"SELECT * FROM {table} LIMIT 1").one()
        where = " AND ".join(f"{name} = :old_{name}" for name in columns)
        for name, value in list(flips(tuple(row), columns))[:: 1 if table == "tree_node" else 3]:
            point = connection.begin_nested()
            old = {f"old_{column}": row._mapping[column] for column in columns}
            connection.execute(text(f"UPDATE {table} SET {name} = :value WHERE {where}"), {"value": value, **old})
            refuses(connection, key, "tree")
            point.rollback()
            tried += 1
        heads.check(connection, [key.public])
    assert tried > 100


def test_a_journal_made_anew_with_right_hashes_is_not_the_one_that_was_signed(ledger: Ledger, key: ReportKey) -> None:
    sealed(ledger, key, 3)
    with ledger.write() as connection:
        disarm(connection)
        connection.execute(delete(schema.journal))
    add(ledger, 4, why="another past")
    with ledger.read() as connection:
        refuses(connection, key, "tree head over 3 records is signed over other records: the journal was made anew")
    with pytest.raises(JournalError, match="the journal is no longer the one it was made of"):
        seal(ledger, key)


def test_nothing_is_signed_after_a_head_with_a_wrong_signature(ledger: Ledger, key: ReportKey) -> None:
    sealed(ledger, key, 3)
    with ledger.write() as connection:
        disarm(connection)
        connection.execute(update(schema.tree_head).values(signature="0" * 128))
    add(ledger, 1)
    with pytest.raises(JournalError, match="tree head over 3 records has a wrong signature"):
        seal(ledger, key)


def test_records_taken_from_the_end_are_missed(ledger: Ledger, key: ReportKey) -> None:
    sealed(ledger, key, 3)
    with ledger.write() as connection:
        disarm(connection)
        connection.execute(delete(schema.journal).where(schema.journal.c.seq == 3))
        assert list(journal.verified(connection))[-1].seq == 2
        refuses(connection, key, "tree head over 3 records: the journal has 2: some are gone")


def test_a_subtree_that_nobody_needed_is_noticed(ledger: Ledger, key: ReportKey) -> None:
    sealed(ledger, key, 3)
    with ledger.write() as connection:
        connection.execute(insert(schema.tree_node).values(level=9, idx=7, hash="0" * 64))
        refuses(connection, key, "stored subtrees that no head needed")


def test_a_head_by_another_key_names_both_fingerprints(ledger: Ledger, key: ReportKey, tmp_path: Path) -> None:
    other = load_or_make(tmp_path / "other.key")
    sealed(ledger, other, 2)
    with ledger.read() as connection:
        refuses(connection, key, f"signed by another key: {other.fingerprint}, not {key.fingerprint}")
        assert heads.check(connection, ()).heads == heads.check(connection, [key.public, other.public]).heads == 1


def test_a_head_survives_the_way_through_json(ledger: Ledger, key: ReportKey) -> None:
    (head,) = sealed(ledger, key, 2)
    assert heads.head_from_json(head.to_json()) == head
    assert heads.head_problem(replace(head, size=1), [key.public]) == "has a wrong signature"


@pytest.mark.parametrize(
    "change",
    [
        {"size": True},
        {"size": "2"},
        {"at": "2026-11-24T10:00:00"},
        {"at": "2026-11-24T19:00:00+09:00"},
        {"at": 7},
        {"x": 1},
    ],
)
def test_json_that_is_no_head_is_refused(ledger: Ledger, key: ReportKey, change: dict[str, object]) -> None:
    (head,) = sealed(ledger, key, 2)
    with pytest.raises(ValueError, match="tree head"):
        heads.head_from_json({**head.to_json(), **change})
