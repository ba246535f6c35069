"""Books in a SQLite database: exact, read only, resumed, and nothing that commits late is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.books import BooksError, Database, Queried, SqlApprovals, read_liabilities, read_prices, sql_feed
from monitor.books.sql import exact
from monitor.config import Config
from monitor.config.models import ApprovalsSql
from monitor.model import Approval, Cancellation

TO = "0x52908400098527886E0F7030069857D2E4169EE7"
QUERY = "SELECT n, ref AS id, 'ethereum' AS chain, coin AS asset, amount, target, fee, status FROM payout"
SOURCE: dict[str, Any] = {
    "dsn_file": "dsn",
    "query": QUERY,
    "cursor": "n",
    "columns": {"destination": "target"},
    "statuses": {"column": "status", "approved": ["ok", "sent"], "cancelled": ["stopped"]},
}


class Bank:
    """A database of withdrawals, and the feed that reads it."""

    def __init__(self, folder: Path, config: Config, now: datetime) -> None:
        self.folder, self.config, self.now = folder, config, now
        (folder / "dsn").write_text("sqlite:///bank.db\n", encoding="utf-8")
        self.run("CREATE TABLE payout (n INTEGER, ref TEXT, coin TEXT, amount, target TEXT, fee, status TEXT)")
        self.position = ""
        self.source(**SOURCE)

    def source(self, **settings: Any) -> None:
        self.feed = SqlApprovals(
            replace(self.config, file=self.folder / "porwatch.yaml"), ApprovalsSql.model_validate(settings)
        )

    def run(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.folder / "bank.db")) as connection, connection:
            connection.execute(statement, values)

    def add(self, n: int | None, amount: Any = "1.5", status: str = "ok", fee: Any = None, id_: str = "") -> None:
        self.run("INSERT INTO payout VALUES (?, ?, 'USDT', ?, ?, ?, ?)", n, id_ or f"w-{n}", amount, TO, fee, status)

    def read(self) -> list[Approval | Cancellation]:
        """Everything that is new, as the inbox reads it."""
        found: list[Approval | Cancellation] = []
        following = None
        while True:
            page = self.feed.read(self.position, following, self.now, None)
            found.extend(page.records)
            assert page.malformed == ()
            self.feed.taken(page)
            self.position, following = page.position, page.following
            if following is None:
                return found


@pytest.fixture
def bank(tmp_path: Path, config: Config, now: datetime) -> Iterator[Bank]:
    return Bank(tmp_path, config, now)


def ids(records: list[Approval | Cancellation]) -> list[str]:
    return [record.id for record in records]


def test_rows_become_approvals_once(bank: Bank) -> None:
    bank.add(1, "250.000000")
    bank.add(2, "0.000001", "sent")
    (first, second) = bank.read()
    assert isinstance(first, Approval)
    assert (first.id, first.units, first.destination) == ("w-1", 250_000_000, TO)
    assert isinstance(second, Approval)
    assert second.units == 1
    assert bank.read() == []
    bank.add(3)
    assert ids(bank.read()) == ["w-3"]


def test_a_row_that_commits_late_with_a_smaller_cursor_is_not_lost(bank: Bank) -> None:
    for n in (1, 2, 4):
        bank.add(n)
    bank.read()
    bank.add(3)
    assert ids(bank.read()) == ["w-3"]


def test_beyond_the_overlap_nothing_is_read_again(bank: Bank) -> None:
    bank.source(**SOURCE, overlap=1)
    for n in (2, 3, 4):
        bank.add(n)
    bank.read()
    bank.add(1)
    assert bank.read() == []


def test_a_row_is_read_again_when_it_was_not_committed(bank: Bank) -> None:
    bank.add(1)
    assert ids(list(bank.feed.read("", None, bank.now, None).records)) == ["w-1"]
    assert ids(bank.read()) == ["w-1"]


def test_after_a_restart_reading_goes_on_at_the_bookmark(bank: Bank) -> None:
    for n in range(1, 6):
        bank.add(n)
    bank.read()
    bank.source(**SOURCE, overlap=0)
    bank.add(6)
    assert ids(bank.read()) == ["w-5", "w-6"], "the bookmark's own row may have fellows"


def test_another_query_is_read_from_its_beginning(bank: Bank) -> None:
    bank.add(1)
    bank.read()
    bank.source(**{**SOURCE, "query": f"{QUERY} WHERE n > 0"}, overlap=0)
    assert ids(bank.read()) == ["w-1"]


def test_many_rows_come_in_pages(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_feed, "PAGE", 3)
    for n in range(10):
        bank.add(n // 2, id_=f"x-{n}")
    assert sorted(ids(bank.read())) == [f"x-{n}" for n in range(10)]
    for n in range(3):
        bank.add(9, id_=f"y-{n}")
    with pytest.raises(BooksError, match="have the same n"):
        bank.read()


def test_only_an_approved_status_counts_and_a_cancelled_one_cancels(bank: Bank) -> None:
    bank.add(1, status="new")
    bank.add(2, status="stopped")
    assert [type(record) for record in bank.read()] == [Cancellation]
    bank.run("UPDATE payout SET status = 'ok', n = 3 WHERE n = 1")
    assert ids(bank.read()) == ["w-1"]


def test_a_net_amount_and_its_fee_make_what_leaves(bank: Bank) -> None:
    bank.source(**SOURCE, amount_is="net", fee_column="fee")
    bank.add(1, "0.1", fee="0.000002")
    bank.add(2, "7")
    assert [record.units for record in bank.read() if isinstance(record, Approval)] == [100_002, 7_000_000]


def test_a_floating_point_amount_stops_the_feed_until_it_is_cast(bank: Bank) -> None:
    bank.add(1, 1.5)
    for _ in range(2):
        with pytest.raises(BooksError, match=r"column amount is a floating-point number.*cast it to text"):
            bank.read()
    bank.source(**{**SOURCE, "query": QUERY.replace("amount,", "CAST(amount AS TEXT) AS amount,")})
    assert ids(bank.read()) == ["w-1"]


def test_a_row_that_is_wrong_is_malformed_and_the_others_count(bank: Bank) -> None:
    bank.add(1, "-1")
    bank.add(2)
    page = bank.feed.read("", None, bank.now, None)
    assert ids(list(page.records)) == ["w-2"]
    assert [bad.reason for bad in page.malformed] == ["row 'w-1': amount: '-1' must be more than zero"]


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"query": "SELECT * FROM nowhere"}, "no such table"),
        ({"query": "DELETE FROM payout RETURNING *"}, "syntax error"),
        ({"cursor": "other"}, "no such column"),
        ({"cursor": "amount"}, "column amount has type float"),
        ({"columns": {"id": "goal"}}, "no column goal"),
        ({"heartbeat_query": "SELECT 1 WHERE 0"}, "no single row"),
        ({"heartbeat_query": "SELECT 'soon'"}, "is no time"),
    ],
)
def test_a_query_that_does_not_work_says_why(bank: Bank, change: dict[str, Any], fragment: str) -> None:
    bank.add(1, 1.5)
    bank.source(**{**SOURCE, **change})
    with pytest.raises(BooksError, match=fragment):
        bank.read()


def test_a_null_cursor_is_an_error_since_its_row_would_never_be_read(bank: Bank) -> None:
    bank.add(None, id_="x")
    with pytest.raises(BooksError, match="n is NULL"):
        bank.read()


def test_the_heartbeat_is_read_before_the_rows(bank: Bank) -> None:
    bank.source(**SOURCE, heartbeat_query="SELECT '2026-11-22T11:59:00Z'")
    page = bank.feed.read("", None, bank.now, None)
    assert page.heartbeat is not None
    assert page.heartbeat.time == datetime(2026, 11, 22, 11, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "dsn", ["sqlite:///nowhere.db", "sqlite://", "mysql://u:hunter2@h/d", "nonsense hunter2", "sqlite:///b.db?x=1"]
)
def test_a_database_that_is_not_there_is_an_error_without_its_url(tmp_path: Path, dsn: str) -> None:
    (tmp_path / "dsn").write_text(dsn, encoding="utf-8")
    with pytest.raises(BooksError) as caught, Database(tmp_path / "dsn").read():
        pass
    assert "hunter2" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [tmp_path / "dsn"], "nothing was made"


def test_the_database_cannot_be_written(bank: Bank) -> None:
    with (
        pytest.raises(BooksError, match=r"readonly|read-only|query_only"),
        Database(bank.folder / "dsn").read() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM payout")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.50", "1.50"),
        (10**30, str(10**30)),
        (Decimal("250.00000000"), "250"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.000000000000000000000000000000000001"), "0.000000000000000000000000000000000001"),
        (Decimal(100), "100"),
        (None, None),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
    ],
)
def test_values_become_text_without_loss(value: Any, text: str | None) -> None:
    assert exact(value, "c") == text


@pytest.mark.parametrize("value", [1.0, True, b"x", Decimal("NaN"), datetime(2026, 1, 2)])  # noqa: DTZ001
def test_what_is_not_exact_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="column c"):
        exact(value, "c")


def test_tables_come_from_a_query_too(bank: Bank, config: Config, now: datetime) -> None:
    def queried(query: str) -> Queried:
        return Queried(Database(bank.folder / "dsn"), query)

    good = "SELECT 'ETH' AS asset, '1.5' AS amount, '2026-11-22T00:00:00Z' AS as_of"
    (line,) = read_liabilities(queried(f"{good};"), config.decimals, now)
    assert (line.asset, line.units) == ("ETH", 15 * 10**17)
    priced = "SELECT 'ETH' AS asset, 'JPY' AS currency, '500000' AS price, '2026-11-22T00:00:00Z' AS as_of"
    (price,) = read_prices(queried(priced), config.decimals, now)
    assert price.price == "500000"
    for query, fragment in (
        (good.replace("'1.5'", "1.5"), "row 1: column amount is a floating-point number"),
        (good.replace("'1.5'", "NULL"), "row 1: amount is NULL"),
        (good.replace("AS amount", "AS sum"), "write asset, amount, as_of"),
        (f"{good} WHERE 0", "has no rows"),
        (f"{good} UNION ALL {good}", "keep one row"),
        (good.replace("ETH", "XMR"), "not defined"),
    ):
        with pytest.raises(BooksError, match=fragment):
            read_liabilities(queried(query), config.decimals, now)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"cursor": "n; DROP"}, "no plain name"),
        ({"columns": {"amounts": "x"}}, "columns"),
        ({"amount_is": "net"}, "belong together"),
        ({"fee_column": "fee"}, "belong together"),
        ({"statuses": {"column": "s", "approved": []}}, "approved"),
    ],
)
def test_a_configuration_that_says_less_than_it_needs_is_a_mistake(change: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ValidationError, match=fragment):
        ApprovalsSql.model_validate({**SOURCE, **change})
