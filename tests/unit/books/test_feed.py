from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.books import ApprovalsRead, Bookmark, BooksError, feed, read_new
from monitor.config import Config
from monitor.model import Approval

LONGEST = feed.LONGEST_LINE


def line(number: int) -> str:
    record = {"id": f"w-{number}", "chain": "bitcoin", "asset": "BTC", "amount": "1"}
    return json.dumps(record | {"destination": "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"}) + "\n"


def ids(read: ApprovalsRead) -> list[str]:
    return [record.id for _, record in read.records]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "approvals.jsonl"
    path.write_text("")
    return path


def append(file: Path, text: str | bytes) -> None:
    with file.open("ab") as stream:
        stream.write(text.encode() if isinstance(text, str) else text)


def test_only_what_was_appended_is_read(file: Path, config: Config, now: datetime) -> None:
    append(file, line(1) + line(2))
    first = read_new(file, Bookmark(), config, now)
    assert (ids(first), first.restarted, first.more) == (["w-1", "w-2"], False, False)
    append(file, line(3))
    second = read_new(file, first.bookmark, config, now)
    assert second.records == ((3, second.records[0][1]),)
    assert ids(second) == ["w-3"]
    assert read_new(file, second.bookmark, config, now).records == ()


def test_a_last_line_without_newline_is_not_yet_a_line(file: Path, config: Config, now: datetime) -> None:
    append(file, line(1) + line(2)[:20])
    first = read_new(file, Bookmark(), config, now)
    assert (ids(first), first.malformed) == (["w-1"], ())
    append(file, line(2)[20:])
    assert ids(read_new(file, first.bookmark, config, now)) == ["w-2"]


def test_a_malformed_line_is_reported_by_number_and_the_rest_is_read(file: Path, config: Config, now: datetime) -> None:
    append(file, line(1) + "nonsense\n" + '{"id": "w-2"}\n' + line(3))
    append(file, b"\xff\n")
    read = read_new(file, Bookmark(), config, now)
    assert ids(read) == ["w-1", "w-3"]
    assert [bad.line for bad in read.malformed] == [2, 3, 5]
    assert "not JSON" in read.malformed[0].reason
    assert "chain: is missing" in read.malformed[1].reason
    assert "not UTF-8" in read.malformed[2].reason


def test_heartbeats_are_no_records(file: Path, config: Config, now: datetime) -> None:
    append(file, '{"heartbeat": "2026-11-22T11:00:00Z"}\n' + line(1))
    read = read_new(file, Bookmark(), config, now)
    assert [beat.time.hour for beat in read.heartbeats] == [11]
    assert ids(read) == ["w-1"]


def test_byte_order_mark_crlf_and_empty_lines_are_accepted_and_counted_as_lines(
    file: Path, config: Config, now: datetime
) -> None:
    append(file, b"\xef\xbb\xbf" + line(1).strip().encode() + b"\r\n\r\n" + line(2).encode())
    read = read_new(file, Bookmark(), config, now)
    assert ids(read) == ["w-1", "w-2"]
    assert read.malformed == ()
    assert [number for number, _ in read.records] == [1, 3]


@pytest.mark.parametrize("change", ["cut", "rewritten", "emptied"])
def test_a_file_that_was_changed_is_read_again_from_its_start(
    file: Path, config: Config, now: datetime, change: str
) -> None:
    append(file, line(1) + line(2))
    first = read_new(file, Bookmark(), config, now)
    file.write_text({"cut": line(2), "rewritten": line(3) + line(2), "emptied": ""}[change])
    second = read_new(file, first.bookmark, config, now)
    assert second.restarted
    assert ids(second) == {"cut": ["w-2"], "rewritten": ["w-3", "w-2"], "emptied": []}[change]
    assert not read_new(file, second.bookmark, config, now).restarted


def test_a_line_that_is_too_long_is_reported_once_and_skipped(file: Path, config: Config, now: datetime) -> None:
    append(file, line(1) + "x" * (LONGEST + 1))
    first = read_new(file, Bookmark(), config, now)
    assert ([bad.line for bad in first.malformed], ids(first)) == ([2], ["w-1"])
    append(file, "x" * 1_000)
    second = read_new(file, first.bookmark, config, now)
    assert (second.malformed, second.records) == ((), ())
    append(file, "\n" + line(3))
    third = read_new(file, second.bookmark, config, now)
    assert third.records[0][0] == 3
    assert ids(third) == ["w-3"]


def test_a_large_file_is_read_in_bounded_pieces(
    file: Path, config: Config, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "BYTES_PER_READ", 1_000)
    monkeypatch.setattr(feed, "LONGEST_LINE", 500)
    append(file, "".join(line(number) for number in range(50)))
    found, bookmark, more, reads = [], Bookmark(), True, 0
    while more:
        read = read_new(file, bookmark, config, now)
        found += ids(read)
        bookmark, more, reads = read.bookmark, read.more, reads + 1
    assert found == [f"w-{number}" for number in range(50)]
    assert 5 < reads < 20


def test_a_missing_file_is_an_error_and_not_empty(tmp_path: Path, config: Config, now: datetime) -> None:
    with pytest.raises(BooksError, match="create it"):
        read_new(tmp_path / "nowhere", Bookmark(), config, now)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 400), max_size=12))
def test_however_it_arrives_every_line_is_read_once_and_in_order(
    file: Path, config: Config, now: datetime, cuts: list[int]
) -> None:
    whole = "".join(line(number) if number % 3 else "nonsense\n" for number in range(8)).encode()
    file.write_bytes(b"")
    found: list[int] = []
    bookmark, sent = Bookmark(), 0
    for size in [*cuts, len(whole)]:
        append(file, whole[sent : sent + size])
        sent += size
        read = read_new(file, bookmark, config, now)
        assert not read.restarted
        found += sorted([number for number, _ in read.records] + [bad.line for bad in read.malformed])
        bookmark = read.bookmark
    assert found == list(range(1, 9))
    assert (bookmark.offset, bookmark.line) == (len(whole), 8)


def test_a_repeated_line_has_the_same_digest_whenever_it_is_read(file: Path, config: Config, now: datetime) -> None:
    append(file, line(1) + line(1))
    (_, first), (_, second) = read_new(file, Bookmark(), config, now).records
    assert isinstance(first, Approval)
    assert first == second
