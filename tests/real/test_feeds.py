"""Books in PostgreSQL, as exchanges keep them: NUMERIC amounts, timestamps as cursor, commits out of order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from monitor.books import BooksError, Database, Queried, SqlApprovals, read_liabilities, sql
from monitor.config import Config, load
from monitor.config.models import ApprovalsSql
from monitor.model import Approval, Cancellation
from tests.real.postgres import OWNER, Databases, Server
from tests.unit.books.conftest import NOW, TEXT

TO = "0x52908400098527886E0F7030069857D2E4169EE7"
QUERY = """
SELECT w.*, 'ethereum'::text AS chain, to_char(w.changed AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS begins
FROM withdrawal w WHERE w.note IS DISTINCT FROM 'test 100%';
"""
SOURCE: dict[str, Any] = {
    "dsn_file": "dsn",
    "query": QUERY,
    "cursor": "changed",
    "columns": {"id": "WithdrawalNo", "not_before": "begins"},
    "statuses": {"column": "status", "approved": ["OK"], "cancelled": ["NO"]},
    "amount_is": "net",
    "fee_column": "fee",
    "heartbeat_query": "SELECT max(at) FROM beat",
}


@pytest.fixture
def server(start_postgres: Callable[..., Server]) -> Server:
    return start_postgres()


@pytest.fixture
def name(server: Server) -> Iterator[str]:
    with Databases(server).one(Databases(server).empty) as made:
        server.run(
            made,
            "CREATE TABLE withdrawal (withdrawalno text, asset text, amount numeric(40,18), fee numeric(40,18),"
            " destination text, status text, changed timestamptz, note text)",
        )
        server.run(made, "CREATE TABLE beat (at timestamptz)")
        server.run(made, "INSERT INTO beat VALUES ('2026-11-22T11:59:00Z')")
        yield made


@pytest.fixture
def config(server: Server, name: str, tmp_path: Path) -> Config:
    (tmp_path / "porwatch.yaml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "dsn").write_text(server.url(name), encoding="utf-8")
    return load(tmp_path / "porwatch.yaml")


INSERT = "INSERT INTO withdrawal VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"


def row(
    number: int, amount: str, fee: str | None = None, status: str = "OK", note: str | None = None
) -> tuple[Any, ...]:
    return (f"w-{number}", "ETH", amount, fee, TO, status, datetime(2026, 11, 22, 10, 0, number, tzinfo=UTC), note)


def read(feed: SqlApprovals, position: str) -> tuple[str, list[Approval | Cancellation]]:
    found: list[Approval | Cancellation] = []
    following = None
    while True:
        page = feed.read(position, following, NOW, None)
        assert page.malformed == ()
        feed.taken(page)
        found.extend(page.records)
        position, following = page.position, page.following
        if following is None:
            return position, found


def test_approvals_of_postgresql_are_exact_and_none_that_commits_late_is_lost(
    server: Server, name: str, config: Config
) -> None:
    feed = SqlApprovals(config, ApprovalsSql.model_validate(SOURCE))
    server.run(name, INSERT, *row(1, "123456789012345678901.123456789012345678", "0.000000000000000001"))
    server.run(name, INSERT, *row(2, "1", note="test 100%"))
    with closing(psycopg.connect(server.dsn(name, OWNER))) as late:
        late.execute(INSERT, row(3, "1"))
        server.run(name, INSERT, *row(4, "2", status="NO"))
        server.run(name, INSERT, *row(5, "3", status="waiting"))
        position, (first, second) = read(feed, "")
        assert isinstance(first, Approval)
        assert first.units == 123456789012345678901_123456789012345679
        assert first.not_before == datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC)
        assert isinstance(second, Cancellation)
        late.commit()
    position, found = read(feed, position)
    assert [item.id for item in found] == ["w-3"]
    again = SqlApprovals(config, ApprovalsSql.model_validate({**SOURCE, "overlap": 0}))
    assert read(again, position)[1] == []
    beat = feed.read(position, None, NOW, None).heartbeat
    assert beat is not None
    assert beat.time == datetime(2026, 11, 22, 11, 59, tzinfo=UTC)


def test_a_floating_point_amount_is_an_error_and_liabilities_are_whole_or_nothing(
    server: Server, name: str, config: Config
) -> None:
    server.run(name, INSERT, *row(1, "1"))
    real = {
        **SOURCE,
        "query": QUERY.replace("w.*", "withdrawalno, asset, amount::float8, fee, destination, status, changed"),
    }
    with pytest.raises(BooksError, match="column amount is a floating-point number"):
        read(SqlApprovals(config, ApprovalsSql.model_validate(real)), "")
    owed = Queried(
        Database(config.path("dsn")),
        "SELECT asset, sum(amount) AS amount, '2026-11-22T00:00:00Z'::timestamptz AS as_of FROM withdrawal GROUP BY asset",
    )
    (line,) = read_liabilities(owed, config.decimals, NOW)
    assert line.units == 10**18
    with pytest.raises(BooksError, match="time without an offset"):
        read_liabilities(replace(owed, query=owed.query.replace("timestamptz", "timestamp")), config.decimals, NOW)


def test_the_database_is_only_read_and_a_statement_that_hangs_is_ended(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "STATEMENT_SECONDS", 1)
    database = Database(config.path("dsn"))
    with pytest.raises(BooksError, match="read-only transaction"), database.read() as connection:
        connection.exec_driver_sql("INSERT INTO beat VALUES (now())")
    with pytest.raises(BooksError, match="statement timeout"), database.read() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(20)")


def test_a_server_that_is_gone_is_an_error_and_its_return_is_all_it_takes(
    server: Server, name: str, config: Config
) -> None:
    feed = SqlApprovals(config, ApprovalsSql.model_validate(SOURCE))
    server.run(name, INSERT, *row(1, "1"))
    position, _ = read(feed, "")
    server.stop()
    with pytest.raises(BooksError, match="cannot be read"):
        feed.read(position, None, NOW, None)
    server.start()
    server.run(name, INSERT, *row(2, "1"))
    assert [item.id for item in read(feed, position)[1]] == ["w-2"]
