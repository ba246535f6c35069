"""The ledger as a whole: one writer, all or nothing, a cursor that never skips, and no growth without activity."""

from __future__ import annotations

import multiprocessing
import resource
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from chains.core.values import BlockRef
from monitor.ledger import reader, schema
from monitor.ledger.journal import Record
from monitor.ledger.store import (
    HEADER_WINDOW,
    Advance,
    Commit,
    CursorMoved,
    FeedState,
    Ledger,
    LedgerError,
    Message,
    commit,
)
from tests.unit.ledger.conftest import FIRST, block, onto

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)


def put(ledger: Ledger, *changes: Commit) -> None:
    with ledger.write() as connection:
        for change in changes:
            commit(connection, change, NOW)


def follow(ledger: Ledger, *moves: Advance) -> None:
    put(ledger, *(Commit(advance=move) for move in moves))


def cursor(ledger: Ledger) -> BlockRef:
    with ledger.read() as connection:
        return reader.cursors(connection)["c"].at


def counts(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in schema.metadata.sorted_tables
        }


def test_a_disk_without_space_for_the_lock_is_a_refusal_in_words(tmp_path: Path) -> None:
    url, before = f"sqlite:///{tmp_path / 'porwatch.db'}", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(LedgerError, match=r"store: .*porwatch\.db cannot be written: File too large"):
            Ledger(url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    Ledger(url).close()


def test_a_second_writer_is_refused_until_the_first_is_gone(url: str) -> None:
    first = Ledger(url)
    with pytest.raises(LedgerError, match="is in use by another porwatch: stop that one first"):
        Ledger(url)
    first.close()
    Ledger(url).close()


def _try_to_write(url: str, answers: multiprocessing.Queue[str]) -> None:
    try:
        Ledger(url).close()
        answers.put("opened")
    except LedgerError as error:
        answers.put(str(error))


def test_a_second_process_is_refused(url: str, ledger: Ledger) -> None:
    spawned = multiprocessing.get_context("spawn")
    answers = spawned.Queue()
    process = spawned.Process(target=_try_to_write, args=(url, answers))
    process.start()
    answer = answers.get(timeout=60)
    process.join(60)
    answers.close()
    answers.join_thread()
    assert "in use by another porwatch" in answer


def test_a_reader_beside_the_writer_sees_what_was_committed(url: str, ledger: Ledger) -> None:
    follow(ledger, FIRST)
    beside = Ledger(url, writable=False)
    assert cursor(beside) == block(100)
    with beside.read() as connection, pytest.raises(DBAPIError):
        connection.execute(schema.cursor.delete())
    with pytest.raises(LedgerError, match="opened for reading only"), beside.write():
        pass
    beside.close()


def test_a_reader_without_a_ledger_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="does not exist: start `porwatch run` or `porwatch once` first"):
        Ledger(f"sqlite:///{tmp_path / 'none.db'}", writable=False)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"the folder .*gone does not exist: create it"):
        Ledger(f"sqlite:///{tmp_path / 'gone' / 'ledger.db'}")


def test_another_database_is_refused_with_what_to_write() -> None:
    with pytest.raises(LedgerError, match="write store: sqlite:///"):
        Ledger("mysql+pymysql://db/porwatch")


def test_a_commit_survives_a_power_cut_once_it_returned(ledger: Ledger) -> None:
    with ledger.write() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2}


def test_a_crash_in_the_middle_of_a_commit_leaves_nothing(ledger: Ledger) -> None:
    follow(ledger, FIRST)
    before = counts(ledger)
    change = Commit(
        records=(Record("refused", {"source": "s", "id": "", "why": ""}), Record("no such kind", {})),
        advance=onto(101),
        feed=FeedState("approvals", "{}", None, 1, 0, NOW),
        messages=(Message("pager", "case", "{}"),),
    )
    with pytest.raises(KeyError, match="no such kind"):
        put(ledger, change)
    assert counts(ledger) == before
    # and where it is the last part that fails
    late = replace(change, records=change.records[:1], advance=onto(102))
    with pytest.raises(CursorMoved):
        put(ledger, late)
    assert counts(ledger) == before
    assert cursor(ledger) == block(100)


@pytest.mark.parametrize(
    ("move", "why"),
    [
        (onto(102), "the cursor is at h100, not at h101"),
        (onto(101, parent="x"), "the cursor is at h100, not at h100x"),
        (Advance(replace(block(101), parent="other"), "h100", 0), "block 101 h101 does not follow the cursor h100"),
        (Advance(replace(block(102), parent="h100"), "h100", 0), "block 102 h102 does not follow the cursor h100"),
        (Advance(replace(block(99), parent="h100"), "h100", 0), "block 99 h99 does not follow the cursor h100"),
        (FIRST, "the cursor is at h100, not at None"),
    ],
    ids=["a gap", "a wrong parent", "a parent that lies", "a height that lies", "a height below", "a second opening"],
)
def test_the_cursor_moves_only_onto_the_next_block(ledger: Ledger, move: Advance, why: str) -> None:
    follow(ledger, FIRST)
    with pytest.raises(CursorMoved, match=why):
        follow(ledger, move)
    assert cursor(ledger) == block(100)


def test_a_chain_that_was_never_opened_has_no_next_block(ledger: Ledger) -> None:
    with pytest.raises(CursorMoved, match="the cursor is at None"):
        follow(ledger, onto(101))


def test_a_rewind_goes_from_the_cursor_only_and_takes_the_headers_above_along(ledger: Ledger) -> None:
    follow(ledger, FIRST, onto(101), onto(102), onto(103))
    with pytest.raises(CursorMoved):
        follow(ledger, Advance(block(101), "h102", 0, rewind=True))
    follow(ledger, Advance(block(101), "h103", 0, rewind=True))
    with ledger.read() as connection:
        assert reader.headers(connection, "c") == (block(101), block(100))


def test_blocks_without_movements_leave_nothing_but_a_bounded_window_of_headers(ledger: Ledger) -> None:
    last = 100 + HEADER_WINDOW + 50
    follow(ledger, FIRST, *(onto(height) for height in range(101, last)))
    full = counts(ledger)
    follow(ledger, *(onto(height) for height in range(last, last + 100)))
    assert counts(ledger) == full
    assert full["header"] == HEADER_WINDOW + 1
    assert {name: count for name, count in full.items() if count and name != "header"} == {"cursor": 1, "writer": 1}


def test_one_chain_does_not_move_the_other(ledger: Ledger) -> None:
    other = BlockRef("d", 5, "h100", "h4", 0)
    follow(ledger, FIRST, Advance(other, None, 0), onto(101))
    with ledger.read() as connection:
        cursors = reader.cursors(connection)
        assert {chain: item.at for chain, item in cursors.items()} == {"c": block(101), "d": other}
        assert reader.headers(connection, "d") == (other,)


def test_messages_stay_until_they_are_marked_sent_in_the_order_they_came(ledger: Ledger) -> None:
    messages = (Message("pager", "a", "1"), Message("chat", "a", "1"), Message("pager", "b", "2"))
    put(ledger, Commit(messages=messages))
    with ledger.read() as connection:
        pending = reader.next_messages(connection, "pager", 10)
        assert [(case, payload) for _, case, payload in pending] == [("a", "1"), ("b", "2")]
    put(ledger, Commit(sent=(pending[0][0],)))
    with ledger.read() as connection:
        assert [case for _, case, _ in reader.next_messages(connection, "pager", 10)] == ["b"]
        assert {name: item.count for name, item in reader.pending_messages(connection).items()} == {
            "pager": 1,
            "chat": 1,
        }
